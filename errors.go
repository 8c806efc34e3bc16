package duet

import (
	"errors"
	"fmt"
	"strings"
)

// Kind groups failures by what a caller can do about them. The same kind means
// the same on both backends; each kind that a caller would test for has a
// sentinel for errors.Is.
type Kind uint8

// The kinds.
const (
	// KindOther is what no other kind fits; see Code.
	KindOther Kind = iota
	// KindNoData: exactly one row was asked for and there was none.
	KindNoData
	// KindCardinality: exactly one row was asked for and there were more.
	KindCardinality
	// KindUniqueViolation: a unique or exclusion constraint; EdgeDB: exclusive.
	KindUniqueViolation
	// KindForeignKeyViolation: a foreign key; EdgeDB: a link's target policy.
	KindForeignKeyViolation
	// KindNotNullViolation: a missing value; EdgeDB: a missing required one.
	KindNotNullViolation
	// KindCheckViolation: a check constraint; EdgeDB: any other constraint.
	KindCheckViolation
	// KindSerialization: the transaction conflicts with another one.
	KindSerialization
	// KindDeadlock: the transaction was chosen to resolve a deadlock.
	KindDeadlock
	// KindSyntax: the command does not parse.
	KindSyntax
	// KindUndefined: a table, column, function, type or parameter of the command
	// does not exist.
	KindUndefined
	// KindInvalidArgument: an argument cannot be sent, does not fit its type, or
	// the call itself makes no sense.
	KindInvalidArgument
	// KindInvalidResult: the result does not fit the destination.
	KindInvalidResult
	// KindReadOnly: a write in a read-only transaction or on a standby.
	KindReadOnly
	// KindAuthentication: the server refused who we are.
	KindAuthentication
	// KindPermission: the role may not do this.
	KindPermission
	// KindUnavailable: the server cannot be reached, went away, or refuses work
	// at the moment.
	KindUnavailable
	// KindCanceled: the server cancelled the statement: the caller's ctx ended,
	// or somebody else cancelled it, or a server-side timeout struck.
	KindCanceled
	// KindClosed: the client, connection, transaction or rows were closed.
	KindClosed
	// KindUnsupported: the backend cannot do this.
	KindUnsupported
	// KindCommitUnknown: a commit was sent and its answer lost.
	KindCommitUnknown
	// KindPoolExhausted: no connection became free in time.
	KindPoolExhausted
	// KindProtocol: the server sent what the protocol does not allow.
	KindProtocol
	// KindConfig: a DSN or a setting of the client is wrong.
	KindConfig
	kindCount
)

var kindNames = [kindCount]string{
	"other", "no data", "cardinality", "unique violation", "foreign key violation", "not-null violation",
	"check violation", "serialization failure", "deadlock", "syntax error", "undefined name", "invalid argument",
	"invalid result", "read-only", "authentication failed", "permission denied", "unavailable", "canceled", "closed",
	"unsupported", "commit outcome unknown", "pool exhausted", "protocol violation", "bad configuration",
}

// String names the kind in a few words.
func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return "unknown kind"
}

// sentinel is an error that stands for all errors of one kind.
type sentinel struct {
	kind Kind
	text string
	is   error
}

func (s *sentinel) Error() string { return "duet: " + s.text }

func (s *sentinel) Unwrap() error { return s.is }

// The sentinels: errors.Is(err, ErrX) holds for every error of that kind.
var (
	// ErrNoData is returned when exactly one row was asked for and none came.
	ErrNoData error = &sentinel{kind: KindNoData, text: "no data"}
	// ErrCardinality is returned when exactly one row was asked for and more came.
	ErrCardinality error = &sentinel{kind: KindCardinality, text: "more than one row"}
	// ErrUniqueViolation is returned when a unique (EdgeDB: exclusive) constraint
	// was violated.
	ErrUniqueViolation error = &sentinel{kind: KindUniqueViolation, text: "unique violation"}
	// ErrForeignKeyViolation is returned when a referenced row is missing or a
	// row is still referenced.
	ErrForeignKeyViolation error = &sentinel{kind: KindForeignKeyViolation, text: "foreign key violation"}
	// ErrNotNullViolation is returned when a required value is missing.
	ErrNotNullViolation error = &sentinel{kind: KindNotNullViolation, text: "not-null violation"}
	// ErrCheckViolation is returned when a check constraint was violated.
	ErrCheckViolation error = &sentinel{kind: KindCheckViolation, text: "check violation"}
	// ErrSerialization is returned when a transaction conflicted with another
	// one and retrying did not help or was not asked for.
	ErrSerialization error = &sentinel{kind: KindSerialization, text: "serialization failure"}
	// ErrDeadlock is returned when a transaction was ended to resolve a deadlock.
	ErrDeadlock error = &sentinel{kind: KindDeadlock, text: "deadlock"}
	// ErrSyntax is returned when the server cannot parse the command.
	ErrSyntax error = &sentinel{kind: KindSyntax, text: "syntax error"}
	// ErrUndefined is returned when the command names something that does not
	// exist.
	ErrUndefined error = &sentinel{kind: KindUndefined, text: "undefined name"}
	// ErrInvalidArgument is returned when an argument cannot be sent or a call
	// makes no sense.
	ErrInvalidArgument error = &sentinel{kind: KindInvalidArgument, text: "invalid argument"}
	// ErrInvalidResult is returned when a result does not fit its destination.
	ErrInvalidResult error = &sentinel{kind: KindInvalidResult, text: "invalid result"}
	// ErrReadOnly is returned when something was written where nothing may be.
	ErrReadOnly error = &sentinel{kind: KindReadOnly, text: "read-only"}
	// ErrAuthentication is returned when the server refused the credentials.
	ErrAuthentication error = &sentinel{kind: KindAuthentication, text: "authentication failed"}
	// ErrPermission is returned when the role lacks a privilege.
	ErrPermission error = &sentinel{kind: KindPermission, text: "permission denied"}
	// ErrUnavailable is returned when the server cannot be reached, went away or
	// refuses work at the moment.
	ErrUnavailable error = &sentinel{kind: KindUnavailable, text: "server unavailable"}
	// ErrClosed is returned when something is used after its end.
	ErrClosed error = &sentinel{kind: KindClosed, text: "closed"}
	// ErrUnsupported is returned when the backend cannot do what was asked; it
	// is also an errors.ErrUnsupported.
	ErrUnsupported error = &sentinel{kind: KindUnsupported, text: "unsupported", is: errors.ErrUnsupported}
	// ErrCommitUnknown is returned when a commit was sent and its answer lost:
	// the transaction may or may not have been applied.
	ErrCommitUnknown error = &sentinel{kind: KindCommitUnknown, text: "commit outcome unknown"}
	// ErrPoolExhausted is returned when no connection became free in time.
	ErrPoolExhausted error = &sentinel{kind: KindPoolExhausted, text: "pool exhausted"}
)

// Phase is where in its life a call failed.
type Phase uint8

// The phases.
const (
	// PhaseUnknown is the zero value.
	PhaseUnknown Phase = iota
	// PhasePrepare: before anything was asked of a connection.
	PhasePrepare
	// PhasePool: waiting for a connection of the pool.
	PhasePool
	// PhaseConnect: making a connection.
	PhaseConnect
	// PhaseRun: running the command, or reading its result.
	PhaseRun
	// PhaseCommit: committing.
	PhaseCommit
)

// String names the phase, "" for the unknown one.
func (p Phase) String() string {
	switch p {
	case PhasePrepare:
		return "preparing the call"
	case PhasePool:
		return "waiting for the pool"
	case PhaseConnect:
		return "connecting"
	case PhaseRun:
		return "running"
	case PhaseCommit:
		return "committing"
	default:
		return ""
	}
}

// Outcome is what is known of a failed command's effect on the database.
type Outcome uint8

// The outcomes.
const (
	// OutcomeNone: the command had no effect that lasts by itself: it was not
	// sent, the server refused it, or its transaction decides.
	OutcomeNone Outcome = iota
	// OutcomeUnknown: the command, or a part of it, may have taken effect. It was
	// sent outside a transaction, and its answer was lost, does not tell, or has
	// not ended: Rows whose row does not fit. A commit that is [ErrCommitUnknown]
	// has it, too.
	OutcomeUnknown
	// OutcomeApplied: the command took effect, outside a transaction, but its
	// result could not be given: what it returned does not fit the destination, or
	// was more than the one row that was asked for. It must not be run again.
	OutcomeApplied
)

// Error is a failure of a call, the same on both backends. Read it with
// errors.As; test for a kind with errors.Is and the sentinels. It is a plain
// value: safe for concurrent reading, never changed after it was returned.
type Error struct {
	// Kind is what the sentinels test for.
	Kind Kind
	// Backend is "postgres" or "edgedb".
	Backend string
	// Phase is where in its life the call failed.
	Phase Phase
	// Outcome is what is known of the command's effect.
	Outcome Outcome

	// Code is the SQLSTATE ("23505"), or EdgeDB's error code ("0x05020001"); ""
	// where the failure did not come from the server.
	Code string
	// Name is the code's name: the condition name of PostgreSQL's error code
	// table ("unique_violation"), or EdgeDB's error type.
	Name string
	// Severity is the server's: ERROR, FATAL or PANIC.
	Severity string
	// Message is the server's primary message, or ours.
	Message string
	// Detail and Hint are the server's.
	Detail, Hint string
	// Position is the 1-based character position in Command that the error
	// refers to; 0 if none.
	Position int
	// Excerpt is the line of Command at Position with a caret below; "" if none.
	Excerpt string
	// Where is the server's context of the error: functions, statements.
	Where string
	// Schema, Table, Column, DataType and Constraint name what the error is
	// about, where the server tells.
	Schema, Table, Column, DataType, Constraint string

	// Command is the text that failed, as the caller gave it.
	Command string
	// Host is the server that answered, or was tried; "" if none.
	Host string
	// Err is the cause: an error of ctx, of the network, of a Scanner; nil for
	// errors that the server reported.
	Err error
}

// Error gives the phase, the message with its code, detail, hint, and for
// errors with a position the line with a caret, as psql shows it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("duet: ")
	if p := e.Phase.String(); p != "" && e.Phase != PhaseRun {
		b.WriteString(p)
		if e.Host != "" && e.Phase == PhaseConnect {
			b.WriteString(" to " + e.Host)
		}
		b.WriteString(": ")
	}
	switch {
	case e.Message != "":
		b.WriteString(e.Message)
	case e.Err == nil:
		b.WriteString(e.Kind.String())
	}
	if e.Code != "" {
		b.WriteString(" (" + e.Code)
		if e.Name != "" {
			b.WriteString(" " + e.Name)
		}
		b.WriteString(")")
	}
	if e.Err != nil && !(e.Message != "" && strings.Contains(e.Message, e.Err.Error())) {
		if e.Message != "" || e.Code != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	switch {
	case e.Kind == KindCommitUnknown: // that says it
	case e.Outcome == OutcomeUnknown:
		b.WriteString("; the command may have taken effect")
	case e.Outcome == OutcomeApplied:
		b.WriteString("; the command took effect")
	}
	writeLine(&b, e.Excerpt, "")
	writeLine(&b, e.Detail, "detail: ")
	writeLine(&b, e.Hint, "hint: ")
	return b.String()
}

func writeLine(b *strings.Builder, text, label string) {
	if text != "" {
		b.WriteString("\n" + label + text)
	}
}

// Is says whether target is the sentinel of the error's kind.
func (e *Error) Is(target error) bool {
	s, ok := target.(*sentinel)
	if ok {
		return s.kind == e.Kind
	}
	return e.Kind == KindUnsupported && target == errors.ErrUnsupported
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of the first *Error in err's tree, KindOther if there
// is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if s, ok := errors.AsType[*sentinel](err); ok {
		return s.kind
	}
	return KindOther
}

// Errorf makes an *Error of a kind for code that implements a backend; %w works
// as in fmt.Errorf.
func Errorf(kind Kind, backend string, phase Phase, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Kind: kind, Backend: backend, Phase: phase, Message: err.Error()}
	if cause := errors.Unwrap(err); cause != nil {
		e.Message = strings.TrimSuffix(strings.TrimSuffix(e.Message, cause.Error()), ": ")
		e.Err = cause
	}
	return e
}
