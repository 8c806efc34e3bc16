package edgedb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/edgedb/edgedb-go"
)

// driverSession is a session of edgedb-go: a client with room for one connection,
// which is made.
type driverSession struct {
	client *edgedb.Client
	// What client was derived with last: calls of one view follow each other.
	state   *state
	derived *edgedb.Client
}

var _ session = (*driverSession)(nil)

// openDriver is the opener that connects.
//
// Options are given before the first connection is made: edgedb-go makes
// connections with those of the client that happens to need one. State is given
// afterwards: a client that was copied before its first connection would count
// its room by itself.
func openDriver(ctx context.Context, to endpoint, k kind) (session, error) {
	dsn, options := to.options()
	client, err := edgedb.CreateClientDSN(ctx, dsn, options)
	if err != nil {
		return nil, err
	}
	client = client.
		WithTxOptions(edgedb.NewTxOptions().WithReadOnly(k.readOnly).WithDeferrable(k.deferrable)).
		WithRetryOptions(retries())

	// edgedb-go's handshake heeds deadlines only, and leaves the socket open where
	// it fails: without a deadline, for ever.
	dialing, stop := context.WithTimeout(ctx, to.timeout)
	made := make(chan error, 1)
	go func() {
		defer stop()
		made <- guarded(func() error { return client.EnsureConnected(dialing) })
	}()
	select {
	case err = <-made:
	case <-ctx.Done():
		go func() {
			if <-made == nil {
				_ = client.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &driverSession{client: client}, nil
}

// retries keeps edgedb-go from trying anything again. What lost its connection
// has two attempts, but as there is no way to connect again (see workContext), the
// second one only tells that there would have been one: that the command was
// seen to read only.
func retries() edgedb.RetryOptions {
	rule := edgedb.NewRetryRule().WithBackoff(func(int) time.Duration { return 0 })
	return edgedb.NewRetryOptions().WithCondition(edgedb.TxConflict, rule.WithAttempts(1)).WithCondition(edgedb.NetworkError, rule.WithAttempts(2))
}

func (s *driverSession) executor(st *state) executor { return strict{s.with(st)} }

// with gives the client with that state.
func (s *driverSession) with(st *state) *edgedb.Client {
	if st == nil {
		return s.client
	}
	if st != s.state {
		s.state, s.derived = st, st.apply(s.client)
	}
	return s.derived
}

// errAbandon is what edgedb-go is given in place of a closure's error where the
// connection is lost: of its kind, it leaves out the ROLLBACK.
type errAbandon struct{ error }

func (errAbandon) HasTag(edgedb.ErrorTag) bool { return false }

func (errAbandon) Category(c edgedb.ErrorCategory) bool { return c == edgedb.ClientConnectionError }

func (e errAbandon) Unwrap() error { return e.error }

// errRollback makes edgedb-go roll back.
var errRollback = errors.New("roll back")

func (s *driverSession) transaction(ctx *workContext, st *state, fn func(executor) error) txEnd {
	var end txEnd
	var handle *edgedb.Tx
	err := s.with(st).Tx(ctx, func(_ context.Context, tx *edgedb.Tx) error {
		handle = tx
		end.stage = txRunning
		if end.err = fn(strict{tx}); end.err == nil {
			end.stage = txCommitting
			return nil
		}
		if isConnectionError(end.err) {
			return errAbandon{end.err}
		}
		return errRollback
	})
	switch {
	case end.stage != txRunning:
		end.err = unmasked(err)
	case err == errRollback:
		end.undone = rolledBack(handle)
	}
	return end
}

// rolledBack says whether the ROLLBACK of a transaction that has ended was
// answered. edgedb-go keeps its error to itself, but its handle knows: it refuses
// everything now, without asking the server, and says why.
func rolledBack(tx *edgedb.Tx) bool {
	err := tx.Execute(context.Background(), "select 1")
	return err != nil && strings.Contains(err.Error(), "already rolled back")
}

func (s *driverSession) close() { _ = guarded(s.client.Close) }

// abandon does nothing: a Close would wait for ever for a connection that a panic
// has kept from coming back.
func (s *driverSession) abandon() {}
