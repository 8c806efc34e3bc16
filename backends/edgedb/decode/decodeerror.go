package decode

import (
	"strconv"
	"strings"

	"github.com/duetdb/duet/internal/decodeerr"
)

// DecodeError says that a result does not fit its destination: where, and why.
type DecodeError = decodeerr.Error

type valueError = decodeerr.Value

func reasonf(format string, args ...any) error { return decodeerr.Reasonf(format, args...) }

func because(err error, format string, args ...any) error {
	return decodeerr.Because(err, format, args...)
}

func within(step string, err error) error { return decodeerr.Within(step, err) }

func inColumn(row int, column string, err error) *DecodeError {
	return decodeerr.InColumn(row, column, err)
}

// inRow says in which row, counted from 0, err happened; -1 where the result as a
// whole does not fit. The first field of its path is the column.
func inRow(i int, err error) error {
	if err == nil {
		return nil
	}
	v := decodeerr.AsValue(err)
	d := &DecodeError{Row: i + 1, Path: v.Path, Reason: v.Reason, Err: v.Err}
	if rest, ok := strings.CutPrefix(v.Path, "field "); ok {
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
