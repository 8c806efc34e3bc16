package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Stage is how far a connection came before it failed.
type Stage string

// The stages, in order.
const (
	// StageConfig: the Config cannot work; nothing was dialled.
	StageConfig Stage = "configuration"
	// StageDial: no byte stream was made.
	StageDial Stage = "dial"
	// StageTLS: the server has no TLS, or the TLS handshake failed.
	StageTLS Stage = "tls"
	// StageAuthentication: the server refused us, or we refused the server.
	StageAuthentication Stage = "authentication"
	// StageStartup: anything else up to the first ReadyForQuery.
	StageStartup Stage = "startup"
	// StageCancel: asking the server to cancel a statement.
	StageCancel Stage = "cancel request"
)

// ConnectError says that a connection could not be made. Its cause is a
// *ServerError, a *ProtocolError, an error of ctx, of the network or of TLS, or
// says itself what to change. The socket is closed.
type ConnectError struct {
	// Address is where the connection went.
	Address string
	// Stage is how far it came.
	Stage Stage
	// Err is the cause.
	Err error
}

// Error gives address, stage and cause.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("connecting to %s: %s: %v", e.Address, e.Stage, e.Err)
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// connectError dresses the failure of a stage. Where ctx has ended, that is the
// reason, since it is what closed the socket under the others; but an answer of
// the server stands.
func connectError(ctx context.Context, address string, stage Stage, err error) *ConnectError {
	server, isServer := errors.AsType[*ServerError](err)
	switch {
	case isServer:
		if len(server.Code) == 5 && server.Code[:2] == "28" {
			stage = StageAuthentication
		}
	case ctx.Err() != nil:
		err = ctx.Err()
		if cause := context.Cause(ctx); !errors.Is(cause, err) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
	}
	return &ConnectError{Address: address, Stage: stage, Err: err}
}

// readError says what an end of file means here.
func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server closed the connection before it was ready: %w", io.ErrUnexpectedEOF)
	}
	return err
}
