package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/caret"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

const backendName = "postgres"

// kinds are the SQLSTATEs that have a kind of their own; classKinds are the
// first two characters of those that share one.
var kinds = map[string]duet.Kind{
	"23505": duet.KindUniqueViolation, "23P01": duet.KindUniqueViolation,
	"23503": duet.KindForeignKeyViolation, "23001": duet.KindForeignKeyViolation,
	"23502": duet.KindNotNullViolation, "23514": duet.KindCheckViolation, "44000": duet.KindCheckViolation,
	"40001": duet.KindSerialization, "40P01": duet.KindDeadlock,
	"42601": duet.KindSyntax, "42501": duet.KindPermission,
	"42P01": duet.KindUndefined, "42703": duet.KindUndefined, "42883": duet.KindUndefined, "42704": duet.KindUndefined,
	"42P02": duet.KindUndefined, "3F000": duet.KindUndefined, "3D000": duet.KindUndefined,
	"25006": duet.KindReadOnly, "57014": duet.KindCanceled,
	"25P03": duet.KindUnavailable, "53300": duet.KindUnavailable,
	"57P01": duet.KindUnavailable, "57P02": duet.KindUnavailable, "57P03": duet.KindUnavailable, "57P05": duet.KindUnavailable,
	"08000": duet.KindUnavailable, "08001": duet.KindUnavailable, "08003": duet.KindUnavailable, "08006": duet.KindUnavailable,
	"22001": duet.KindInvalidArgument, "22003": duet.KindInvalidArgument, "22007": duet.KindInvalidArgument, "22008": duet.KindInvalidArgument,
	"22021": duet.KindInvalidArgument, "22023": duet.KindInvalidArgument, "22P02": duet.KindInvalidArgument, "22P03": duet.KindInvalidArgument,
	"08P01": duet.KindProtocol, "0A000": duet.KindUnsupported,
}

var classKinds = map[string]duet.Kind{
	"28": duet.KindAuthentication,
}

// kindOf gives the kind of a SQLSTATE.
func kindOf(code string) duet.Kind {
	if k, ok := kinds[code]; ok {
		return k
	}
	if len(code) == 5 {
		return classKinds[code[:2]]
	}
	return duet.KindOther
}

// fromServer makes the error of what the server reported. st may be nil.
func fromServer(se *wire.ServerError, phase duet.Phase, st *statement) *duet.Error {
	e := &duet.Error{
		Kind: kindOf(se.Code), Backend: backendName, Phase: phase,
		Code: se.Code, Name: conditionNames[se.Code], Severity: se.Severity,
		Message: se.Message, Detail: se.Detail, Hint: se.Hint, Where: se.Where,
		Schema: se.Schema, Table: se.Table, Column: se.Column, DataType: se.DataType, Constraint: se.Constraint,
	}
	if e.Message == "" {
		e.Message = "the server reports an error without a message"
	}
	if st != nil {
		e.Command = st.cmd
		if se.Position > 0 {
			e.Position = st.parsed.OriginalPosition(int(se.Position))
			e.Excerpt = caret.Show(st.cmd, e.Position)
		}
	}
	return e
}

// lost makes the error of a flight that ended without ReadyForQuery: its ctx
// ended, or its connection did. unknown says that it may have had an effect that
// nothing but its own answer could tell of.
func lost(err error, st *statement, phase duet.Phase, unknown bool) *duet.Error {
	e := &duet.Error{Kind: duet.KindUnavailable, Backend: backendName, Phase: phase, Err: err}
	if st != nil {
		e.Command = st.cmd
	}
	if contextEnded(err) {
		e.Kind = duet.KindCanceled
		e.Message = "the context ended"
	} else if se, ok := errors.AsType[*wire.ServerError](err); ok {
		e = fromServer(se, phase, st)
		e.Err = err
		if e.Kind == duet.KindOther || endsSession(se) {
			e.Kind = duet.KindUnavailable
		}
	} else if _, ok := errors.AsType[*wire.ProtocolError](err); ok {
		e.Kind = duet.KindProtocol
	}
	if unknown {
		e.Outcome = duet.OutcomeUnknown
	}
	return e
}

// endsSession says that the server, or a pooler before it, ended a session for
// reasons of its connections (class 08). PgBouncer says 08P01 for all of them:
// "server conn crashed?", "query_wait_timeout", "client_idle_timeout" and others.
// In a session that was in use, that tells of the session, not of what was sent.
func endsSession(se *wire.ServerError) bool {
	return se.Severity == "FATAL" && strings.HasPrefix(se.Code, "08")
}

// refusedFirst says that the server ended the session before it had answered
// anything of the flight, and so had not run any of it: a backend sends Parse's
// and Bind's answers from the same buffer as its last words, in their order. That
// is proof only of PostgreSQL's own backend, and of ends that it tells itself.
// What ends a session between commands (57P01 pg_terminate_backend and shutdown,
// 57P05 and 25P03 time-outs) is told by one function of its source,
// ProcessInterrupts in postgres.c, which the error names. 53300 and 57P03 refuse a
// session that is being made: on one that exists only a pooler says them, of a
// server's connection that it could not make for the flight.
//
// No proof is everything else: a pooler that lost the server's connection speaks
// for itself (PgBouncer: FATAL 08P01 "server conn crashed?"), may have dropped
// answers that had come, and names no function; a PANIC strikes anywhere, and of a
// crash (57P02) a backend warns from inside whatever it was doing.
func refusedFirst(err error, f *wire.Flight) bool {
	e, ok := errors.AsType[*wire.ServerError](err)
	if !ok || e.Severity != "FATAL" || f.Answered() {
		return false
	}
	switch e.Code {
	case "57P01", "57P05", "25P03":
		return e.Routine == "ProcessInterrupts"
	case "53300", "57P03":
		return true
	}
	return false
}

func contextEnded(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// argumentError says that a call was made wrongly, or a value cannot be sent.
func argumentError(cmd string, err error) *duet.Error {
	return &duet.Error{Kind: duet.KindInvalidArgument, Backend: backendName, Phase: duet.PhasePrepare, Command: cmd, Err: err}
}

// resultError says that a result does not fit its destination.
func resultError(cmd string, phase duet.Phase, err error) *duet.Error {
	e := &duet.Error{Kind: duet.KindInvalidResult, Backend: backendName, Phase: phase, Command: cmd, Err: err}
	if d, ok := errors.AsType[*codec.DecodeError](err); ok {
		e.Column = d.Column
	}
	return e
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

// connectError says why a connection could not be made to host.
func connectError(err error, host string) *duet.Error {
	e := &duet.Error{Kind: duet.KindUnavailable, Backend: backendName, Phase: duet.PhaseConnect, Host: host, Err: err}
	if ce, ok := errors.AsType[*wire.ConnectError](err); ok {
		if ce.Stage == wire.StageConfig {
			e.Kind = duet.KindConfig
		}
		if ce.Stage == wire.StageAuthentication && !isNetwork(ce.Err) {
			e.Kind = duet.KindAuthentication
		}
		e.Message, e.Err = string(ce.Stage), ce.Err // where to is said by Host
	}
	if se, ok := errors.AsType[*wire.ServerError](err); ok {
		server := fromServer(se, duet.PhaseConnect, nil)
		server.Host = host
		if server.Kind == duet.KindOther {
			server.Kind = duet.KindUnavailable
		}
		return server
	}
	if _, ok := errors.AsType[*wire.ProtocolError](err); ok {
		e.Kind = duet.KindProtocol
	}
	return e
}

// classify tells the retry loop what an error of an attempt means.
func classify(err error) retry.Class {
	if errors.Is(err, duet.ErrCommitUnknown) {
		return retry.CommitUnknown
	}
	if _, ok := errors.AsType[*retry.Error](err); ok { // another loop, inside the attempt, has tried
		return retry.Permanent
	}
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Backend != backendName {
		return retry.Permanent
	}
	switch {
	case e.Kind == duet.KindSerialization, e.Kind == duet.KindDeadlock, isCurable(err):
		return retry.Conflict
	case e.Kind == duet.KindUnavailable && !contextEnded(err):
		return retry.Unavailable
	default:
		return retry.Permanent
	}
}

// isCurable says that another attempt goes around what one failed with: a closure
// may have put something else before it.
func isCurable(err error) bool {
	return errors.Is(err, errOutdated) || errors.Is(err, errUnlooked) || errors.Is(err, errStray)
}
