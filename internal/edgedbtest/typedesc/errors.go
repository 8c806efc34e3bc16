package typedesc

import "fmt"

// Codes of EdgeDB's errors that this package gives: the page "Error codes" of
// the protocol documentation.
const (
	// CodeInternal is InternalServerError: a result that does not have the
	// declared shape.
	CodeInternal uint32 = 0x01000000
	// CodeInputData is InputDataError: bytes of arguments or of a state that
	// do not have the described type.
	CodeInputData uint32 = 0x03020000
	// CodeQuery is QueryError: a required parameter is missing.
	CodeQuery uint32 = 0x04000000
	// CodeInvalidValue is InvalidValueError: a value that its type does not
	// have.
	CodeInvalidValue uint32 = 0x05010000
)

// Error is an error with the code that EdgeDB gives to the client.
type Error struct {
	Code    uint32
	Message string
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

func inputError(format string, args ...any) error {
	return &Error{Code: CodeInputData, Message: fmt.Sprintf(format, args...)}
}

func internalError(format string, args ...any) error {
	return &Error{Code: CodeInternal, Message: fmt.Sprintf(format, args...)}
}
