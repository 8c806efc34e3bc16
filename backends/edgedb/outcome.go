package edgedb

import (
	"errors"
	"strings"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// executor is edgedb-go's.
type executor = edgedb.Executor

// isConnectionError says that err is of edgedb-go's kind for which it leaves out
// the ROLLBACK.
func isConnectionError(err error) bool {
	e, ok := errors.AsType[edgedb.Error](err)
	return ok && e.Category(edgedb.ClientConnectionError)
}

// connectionLost says whether a connection can be used after a raw error: one of
// ask, or of a session.
func connectionLost(err error) bool {
	if err == nil || errors.Is(err, errLeft) {
		return false
	}
	if _, ok := errors.AsType[*decode.DecodeError](err); ok {
		return false
	}
	return isConnectionLost(err)
}

// notRun says that a raw error is of a result that was known not to fit before the
// command was run: nothing is wrong with the connection.
func notRun(err error) bool {
	_, ok := errors.AsType[*decode.DecodeError](err)
	return ok && !errors.Is(err, decode.ErrChanged) && !errors.Is(err, decode.ErrMalformed)
}

// masked is what edgedb-go says of an error that it took for one that can be
// tried again, and then had no rule for: the type is all that is left.
const masked = "unexpected error type: *edgedb."

// unmaskedError is an error of which edgedb-go has dropped all but its type.
type unmaskedError struct{ name string }

func (e unmaskedError) Error() string {
	return "edgedb." + e.name + ": the server reports an error whose message edgedb-go has dropped"
}

func (e unmaskedError) Unwrap() error { return nil }

func (e unmaskedError) HasTag(tag edgedb.ErrorTag) bool { return tag == edgedb.ShouldRetry }

func (e unmaskedError) Category(c edgedb.ErrorCategory) bool {
	return c == edgedb.ErrorCategory("errors::"+e.name)
}

// unmasked gives the error that was meant.
func unmasked(err error) error {
	e, ok := err.(edgedb.Error)
	if !ok {
		return err
	}
	_, name, ok := strings.Cut(e.Error(), masked)
	if !ok || name == "" || !e.Category(edgedb.ClientError) {
		return err
	}
	return unmaskedError{strings.ToUpper(name[:1]) + name[1:]}
}

// misfitOutcome is what is known of the effect of a command that was run to its
// end, where only its result could not be given: edgedb-go has read the server's
// ReadyForCommand, which comes after the commit (EdgeDB documentation, "Message
// flow"). none says that there was no row, and so nothing was changed where the
// rows are those of the change.
func (k *call) misfitOutcome(none bool) duet.Outcome {
	switch {
	case k.inTx || k.harmless():
		return duet.OutcomeNone
	case none && k.text.plain():
		return duet.OutcomeNone
	case none || !changes.MatchString(k.cmd): // it calls functions, or its parts differ
		return duet.OutcomeUnknown
	}
	return duet.OutcomeApplied
}

// plain says that the text is one command that begins with what gives its rows.
func (t *text) plain() bool {
	if t.parsed == nil || len(t.parsed.Statements) != 1 {
		return false
	}
	switch t.parsed.Statements[0].Words[0] {
	case "select", "insert", "update", "delete":
		return true
	}
	return false
}

func outcomeOf(err error) duet.Outcome {
	if e, ok := errors.AsType[*duet.Error](err); ok {
		return e.Outcome
	}
	return duet.OutcomeNone
}

// doubted gives the error that the caller gets where an earlier run may have had
// its effect: a later one's failure does not undo that.
func doubted(err error) error {
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Outcome != duet.OutcomeNone {
		return err
	}
	dressed := *e
	dressed.Outcome = duet.OutcomeUnknown
	return &dressed
}
