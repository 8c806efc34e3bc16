package codec

import (
	"fmt"

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

func asValueError(err error) *valueError { return decodeerr.AsValue(err) }

func inColumn(row int, column string, err error) *DecodeError {
	return decodeerr.InColumn(row, column, err)
}

// malformed reports bytes that no server should send.
func malformed(row int, format string, args ...any) *DecodeError {
	return &DecodeError{Row: row, Reason: "malformed row: " + fmt.Sprintf(format, args...)}
}
