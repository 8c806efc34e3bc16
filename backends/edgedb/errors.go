package edgedb

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/caret"
	"github.com/duetdb/duet/pool"
)

const backendName = "edgedb"

// serverError makes the error of what edgedb-go returned, nil for nil. What
// already is a *duet.Error, or holds one, comes back as it is. cmd is the text
// that was run, "" if none.
func serverError(err error, cmd string, phase duet.Phase) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*duet.Error](err); ok {
		return err
	}
	return translate(err, cmd, phase)
}

// translate is serverError for an err that is edgedb-go's.
func translate(err error, cmd string, phase duet.Phase) *duet.Error {
	r := decisive(err)
	c := r.condition
	e := &duet.Error{
		Kind: c.kind, Backend: backendName, Phase: phase, Command: cmd,
		Name: r.name, Message: redact(r.message),
	}
	switch {
	case r.name == "":
		foreign(e, err)
		return e
	case c.is(familyClientConnection):
		connectionFailed(e, err)
		return e
	case !c.fromClient() && !r.local:
		e.Code, e.Severity = fmt.Sprintf("0x%08x", r.code), "ERROR" // edgedb-go drops it; the server sends no other
		e.Message, e.Hint, e.Position = position(e.Message, cmd, c.kind == duet.KindSyntax)
		e.Excerpt = caret.Show(cmd, e.Position)
	}
	refine(e)
	if e.Message == "" {
		e.Message = "the server reports an error without a message"
	}
	return e
}

// foreign fills in the error of something that is none of edgedb-go's errors: a
// context's, or what it could not decode.
func foreign(e *duet.Error, err error) {
	e.Err = err
	switch {
	case contextEnded(err):
		e.Kind, e.Message = duet.KindCanceled, "the context ended"
	case isNetwork(err):
		e.Kind, e.Message = duet.KindUnavailable, "the connection failed"
	default:
		e.Kind, e.Message = duet.KindProtocol, "edgedb-go cannot read the server's reply"
	}
}

// connectionFailed fills in the error of a connection that failed. The deadline
// of a socket is that of the call, so that its end is a context's; but while
// connecting it may be the connection's own.
func connectionFailed(e *duet.Error, err error) {
	e.Err = rootCause(err)
	timeout := isTimeout(e.Err)
	switch {
	case e.Phase != duet.PhaseConnect && (timeout || contextEnded(e.Err)):
		e.Kind, e.Message = duet.KindCanceled, "the context ended"
		if !contextEnded(e.Err) {
			e.Err = fmt.Errorf("%w: %w", context.DeadlineExceeded, e.Err)
		}
	case e.Err == nil && e.Message != "": // edgedb-go's own words
		refine(e)
	case timeout || e.Name == "ClientConnectionTimeoutError":
		e.Message = "the server did not answer in time"
	case e.Name == "ClientConnectionClosedError":
		e.Message = "the connection was closed"
	default:
		e.Message = "the connection failed"
	}
}

// connectError says why a connection could not be made to host.
func connectError(err error, host string) *duet.Error {
	e, ok := errors.AsType[*duet.Error](err)
	if ok {
		dressed := *e
		e = &dressed
	} else {
		e = translate(err, "", duet.PhaseConnect)
	}
	e.Phase, e.Host = duet.PhaseConnect, host
	if e.Kind == duet.KindOther {
		e.Kind = duet.KindUnavailable
	}
	return e
}

// argumentError says that a call was made wrongly, or a value cannot be sent.
func argumentError(cmd string, err error) *duet.Error {
	return &duet.Error{Kind: duet.KindInvalidArgument, Backend: backendName, Phase: duet.PhasePrepare, Command: cmd, Err: err}
}

// resultError says that a result does not fit its destination.
func resultError(cmd string, phase duet.Phase, err error) *duet.Error {
	return &duet.Error{Kind: duet.KindInvalidResult, Backend: backendName, Phase: phase, Command: cmd, Err: err}
}

func simpleError(kind duet.Kind, phase duet.Phase, cmd, message string) *duet.Error {
	return &duet.Error{Kind: kind, Backend: backendName, Phase: phase, Command: cmd, Message: message}
}

// acquireError says why no connection was got: the pool's own reasons, ctx's, or
// what connecting failed with.
func acquireError(err error, cmd string) *duet.Error {
	if e, ok := errors.AsType[*duet.Error](err); ok {
		if e.Command == "" && cmd != "" {
			dressed := *e
			dressed.Command = cmd
			return &dressed
		}
		return e
	}
	e := &duet.Error{Kind: duet.KindUnavailable, Backend: backendName, Phase: duet.PhasePool, Command: cmd, Err: err}
	switch {
	case errors.Is(err, pool.ErrExhausted):
		e.Kind = duet.KindPoolExhausted
	case errors.Is(err, pool.ErrClosed):
		e.Kind = duet.KindClosed
	case contextEnded(err):
		e.Kind = duet.KindCanceled
	}
	return e
}

func contextEnded(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
