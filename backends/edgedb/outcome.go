package edgedb

import (
	"errors"
	"strings"

	"github.com/edgedb/edgedb-go"

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
