package wire

import (
	"errors"
	"fmt"
	"os"
	"syscall"
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

// DeadError is returned for a flight on a connection that is closed, or died
// under it.
type DeadError struct {
	// Cause is why: an error of the network, a *ServerError of severity FATAL,
	// or a *ProtocolError.
	Cause error
}

// Error says why the connection is closed.
func (e *DeadError) Error() string { return fmt.Sprintf("connection lost: %v", e.Cause) }

// Unwrap gives ErrClosed and the cause.
func (e *DeadError) Unwrap() []error { return []error{ErrClosed, e.Cause} }

// isTimeout says whether a read ended at its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// isReset says whether err is how a socket reports that the other side has gone.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
