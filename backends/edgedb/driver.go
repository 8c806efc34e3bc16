package edgedb

import (
	"context"
)

// session is one connection to a server: all that the package asks of edgedb-go.
// One goroutine uses it at a time.
type session interface {
	// executor gives what runs single commands with that state.
	executor(st *state) executor

	// transaction runs fn in a transaction and commits it where fn gives nil.
	// Where fn gives an error the transaction is rolled back, and that error comes
	// back. fn is not called where the transaction could not be begun.
	transaction(ctx *workContext, st *state, fn func(executor) error) txEnd

	// close ends the connection. It may wait for the server, and must not be
	// called while the session is used or after abandon.
	close()

	// abandon forgets a connection that is in no state to be closed: the server
	// will close it when it has been idle for long enough.
	abandon()
}

// txEnd is how a session's transaction ended.
type txEnd struct {
	// stage is how far it got.
	stage txStage
	// err is what went wrong there: that of START TRANSACTION, of fn, or of
	// COMMIT.
	err error
	// undone says, where fn failed, that ROLLBACK was answered.
	undone bool
}

// txStage is a part of a transaction.
type txStage uint8

const (
	txStarting txStage = iota
	txRunning
	txCommitting
)

// kind is what is fixed when a connection is made: the options of its
// transactions.
type kind struct {
	readOnly, deferrable bool
}

// opener makes a session. It may outlive ctx by as much as one connect_timeout,
// but then closes what it made.
type opener func(ctx context.Context, to endpoint, k kind) (session, error)
