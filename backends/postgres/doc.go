// Package postgres is duet's backend for PostgreSQL: [Connect] makes a client. It
// speaks the wire protocol itself. docs/faults.md has more of what follows.
//
// # Lost connections
//
// A connection that has died while it was idle is found before anything is sent,
// and another one is taken, however many have died together. A command outside a
// transaction whose connection is lost under it is run again elsewhere where no
// byte of it was handed to the kernel, where the server ended the session before
// it answered, and with [duet.Options].Idempotent. Otherwise it fails with
// [duet.OutcomeUnknown]: also one that only read, since nothing but its text could
// tell that. BEGIN travels with the first statement of a transaction, and both are
// run again together where their connection is lost.
//
// # Lost commits
//
// A COMMIT whose answer was lost is looked up over another connection. With
// [duet.Options].ExactlyOnce that is done by the token which the transaction has
// left in the table of [CommitTokenSchema], in the flight of the COMMIT. Without,
// on servers from 13 on, it is done by the transaction's id, which travels with its
// statements; it is believed only over a connection of the pool that was open
// before the id was asked for and leads to the same server, without a pooler. So
// that there is one, the pool keeps two connections from the first commit on that
// has an id. Where the server waits for synchronous standbys, "committed" is told
// once they have it. What cannot be known is [duet.ErrCommitUnknown].
//
// Where ctx, or [duet.Options].Timeout, ends while COMMIT is under way, the call
// does not return at once: the answer is awaited for CommitGrace more.
//
// # Cancellation
//
// Where ctx ends, a call returns at once, and the server is asked, after 3 ms and
// over a connection of its own, to cancel the statement. The connection is lent
// again when that request and the statement have both ended; where that takes
// longer than [Config].CancelTimeout it is closed. A statement that the signal hits
// late, for something in between had ended the request, is run again. A COMMIT is
// never cancelled.
//
// # Statements that have changed
//
// Each text is prepared once on a connection. Where another session has changed
// what it uses, it is prepared anew and run again, on the same connection; inside a
// transaction the server has ended that, and RetryingTx runs it again.
// [CacheUnnamed] prepares with each use, for poolers.
//
// # Several hosts
//
// See [Connect]. Connections to a server that is not any more what
// target_session_attrs asks for are replaced.
package postgres
