package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// DecodeError says that a result does not fit its destination: where, and why.
type DecodeError struct {
	// Row is the row's number, from 1; 0 where the shape of the result as a whole
	// does not fit.
	Row int
	// Column is the column's name, empty where no one column is to blame.
	Column string
	// Path leads into the column's value: "element 3", elements counted from 1.
	// It is empty where the value as a whole does not fit.
	Path string
	// Reason says what is wrong: "NULL into string".
	Reason string
	// Err is the cause where another package reported it, else nil.
	Err error
}

// Error reads like: row 3, column "tags", element 1: NULL into string.
func (e *DecodeError) Error() string {
	var where []string
	if e.Row > 0 {
		where = append(where, fmt.Sprintf("row %d", e.Row))
	}
	if e.Column != "" {
		where = append(where, fmt.Sprintf("column %q", e.Column))
	}
	if e.Path != "" {
		where = append(where, e.Path)
	}
	text := e.Reason
	if e.Err != nil {
		if text != "" {
			text += ": "
		}
		text += e.Err.Error()
	}
	if len(where) == 0 {
		return text
	}
	return strings.Join(where, ", ") + ": " + text
}

// Unwrap gives the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// valueError is what the decoder of one value reports; it does not know the
// value's row and column.
type valueError struct {
	path   string
	reason string
	err    error
}

func (e *valueError) Error() string {
	return (&DecodeError{Path: e.path, Reason: e.reason, Err: e.err}).Error()
}

func (e *valueError) Unwrap() error { return e.err }

// reasonf makes a valueError without a cause.
func reasonf(format string, args ...any) error {
	return &valueError{reason: fmt.Sprintf(format, args...)}
}

// because makes a valueError with a cause.
func because(err error, format string, args ...any) error {
	return &valueError{reason: fmt.Sprintf(format, args...), err: err}
}

// within puts a step in front of the path of err.
func within(step string, err error) error {
	v := asValueError(err)
	path := step
	if v.path != "" {
		path += ", " + v.path
	}
	return &valueError{path: path, reason: v.reason, err: v.err}
}

// asValueError keeps what came from elsewhere as the cause.
func asValueError(err error) *valueError {
	if v, ok := err.(*valueError); ok {
		return v
	}
	return &valueError{err: err}
}

// inColumn says where err happened.
func inColumn(row int, column string, err error) *DecodeError {
	v := asValueError(err)
	return &DecodeError{Row: row, Column: column, Path: v.path, Reason: v.reason, Err: v.err}
}

// inRow says in which row, counted from 0, err happened; -1 where the result as a
// whole does not fit. The first field of its path is the column.
func inRow(i int, err error) error {
	if err == nil {
		return nil
	}
	v := asValueError(err)
	d := &DecodeError{Row: i + 1, Path: v.path, Reason: v.reason, Err: v.err}
	if rest, ok := strings.CutPrefix(v.path, "field "); ok {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			d.Column, _ = strconv.Unquote(quoted)
			d.Path = strings.TrimPrefix(rest[len(quoted):], ", ")
		}
	}
	return d
}

// wrapPath makes an error of a place in the result's shape.
func wrapPath(path []string, err error) error {
	for i := len(path) - 1; i >= 0; i-- {
		err = within(inField(path[i]), err)
	}
	return inRow(-1, err)
}
