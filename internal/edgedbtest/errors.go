package edgedbtest

import (
	"errors"
	"fmt"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// severityError is the severity of every ErrorResponse: enum ErrorSeverity of
// EdgeDB's documentation, "Message Formats".
const severityError = 0x78

// The codes of EdgeDB's errors that the server gives: EdgeDB documentation,
// "Error Codes".
const (
	codeInternal             uint32 = 0x01_00_00_00
	codeUnsupported          uint32 = 0x02_00_00_00
	codeProtocol             uint32 = 0x03_00_00_00
	codeBinaryProtocol       uint32 = 0x03_01_00_00
	codeUnexpectedMessage    uint32 = 0x03_01_00_03
	codeParameterMismatch    uint32 = 0x03_02_01_00
	codeStateMismatch        uint32 = 0x03_02_02_00
	codeCardinalityMismatch  uint32 = 0x03_03_00_00
	codeDisabledCapability   uint32 = 0x03_04_02_00
	codeQuery                uint32 = 0x04_00_00_00
	codeSyntax               uint32 = 0x04_01_01_00
	codeInvalidReference     uint32 = 0x04_03_00_00
	codeUnknownDatabase      uint32 = 0x04_03_00_05
	codeSchema               uint32 = 0x04_04_00_00
	codeQueryTimeout         uint32 = 0x04_06_02_00
	codeExecution            uint32 = 0x05_00_00_00
	codeInvalidValue         uint32 = 0x05_01_00_00
	codeDivisionByZero       uint32 = 0x05_01_00_01
	codeNumericOutOfRange    uint32 = 0x05_01_00_02
	codeConstraintViolation  uint32 = 0x05_02_00_01
	codeCardinalityViolation uint32 = 0x05_02_00_02
	codeMissingRequired      uint32 = 0x05_02_00_03
	codeTransaction          uint32 = 0x05_03_00_00
	codeSerialization        uint32 = 0x05_03_01_01
	codeDeadlock             uint32 = 0x05_03_01_02
	codeConfiguration        uint32 = 0x06_00_00_00
	codeAuthentication       uint32 = 0x07_01_00_00
	codeBackendUnavailable   uint32 = 0x08_00_00_01
	codeBackend              uint32 = 0x09_00_00_00
	codeUnsupportedBackend   uint32 = 0x09_00_01_00
)

// The keys of an error's attributes: EdgeDB documentation, "Message Formats",
// ErrorResponse. Positions are decimal texts.
const (
	attrHint          uint16 = 0x0001
	attrDetails       uint16 = 0x0002
	attrPositionStart uint16 = 0xfff1
	attrPositionEnd   uint16 = 0xfff2
	attrLineStart     uint16 = 0xfff3
	attrColumnStart   uint16 = 0xfff4
	attrUTF16Start    uint16 = 0xfff5
	attrLineEnd       uint16 = 0xfff6
	attrColumnEnd     uint16 = 0xfff7
	attrUTF16End      uint16 = 0xfff8
	attrCharStart     uint16 = 0xfff9
	attrCharEnd       uint16 = 0xfffa
	attrContext       uint16 = 0xfffb
)

// Error is an error as a client gets it.
type Error struct {
	Code       uint32
	Message    string
	Attributes []Attribute
}

// Attribute is more that an error says.
type Attribute struct {
	Key   uint16
	Value string
}

// Error gives the code and the message.
func (e *Error) Error() string { return fmt.Sprintf("0x%08X: %s", e.Code, e.Message) }

func errorf(code uint32, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError is err as a client gets it.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*typedesc.Error](err); ok {
		return &Error{Code: e.Code, Message: e.Message}
	}
	return &Error{Code: codeInternal, Message: err.Error()}
}

// catalogueOnly answers a text that the catalogue does not have. It is a
// QueryError: the real server may well know the text.
func catalogueOnly() *Error {
	return &Error{
		Code: codeQuery, Message: "this server answers only the statements of its catalogue",
		Attributes: []Attribute{
			{attrHint, "it is a double of EdgeDB for tests: the texts that it knows are those of conformance/queries, byte for byte"},
		},
	}
}
