// Package decodeerr says where a result does not fit its destination, and why, in the
// same words on both backends.
package decodeerr

import (
	"fmt"
	"strings"
)

// Error says that a result does not fit its destination: where, and why.
type Error struct {
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
func (e *Error) Error() string {
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
func (e *Error) Unwrap() error { return e.Err }

// Value is what the decoder of one value reports; it does not know the
// value's row and column.
type Value struct {
	Path   string
	Reason string
	Err    error
}

func (e *Value) Error() string {
	return (&Error{Path: e.Path, Reason: e.Reason, Err: e.Err}).Error()
}

func (e *Value) Unwrap() error { return e.Err }

// Reasonf makes a Value without a cause.
func Reasonf(format string, args ...any) error {
	return &Value{Reason: fmt.Sprintf(format, args...)}
}

// Because makes a Value with a cause.
func Because(err error, format string, args ...any) error {
	return &Value{Reason: fmt.Sprintf(format, args...), Err: err}
}

// Within puts a step in front of the path of err.
func Within(step string, err error) error {
	v := AsValue(err)
	path := step
	if v.Path != "" {
		path += ", " + v.Path
	}
	return &Value{Path: path, Reason: v.Reason, Err: v.Err}
}

// AsValue keeps what came from elsewhere as the cause.
func AsValue(err error) *Value {
	if v, ok := err.(*Value); ok {
		return v
	}
	return &Value{Err: err}
}

// InColumn says where err happened.
func InColumn(row int, column string, err error) *Error {
	v := AsValue(err)
	return &Error{Row: row, Column: column, Path: v.Path, Reason: v.Reason, Err: v.Err}
}
