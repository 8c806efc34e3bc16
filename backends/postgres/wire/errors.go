package wire

import (
	"errors"
	"fmt"
)

// ProtocolError is a message of the server that the protocol does not allow at
// that point. The connection is closed when it is found.
type ProtocolError struct {
	// Reason says what came and what was expected.
	Reason string
}

// Error gives the reason.
func (e *ProtocolError) Error() string { return "protocol violation by the server: " + e.Reason }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// ErrClosed is returned when a connection is used after it was closed or died;
// the cause is wrapped beside it where there is one.
var ErrClosed = errors.New("connection closed")
