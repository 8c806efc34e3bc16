// Package edgedb is duet's backend for EdgeDB, also known as Gel: [Connect] makes
// a client. It works through github.com/edgedb/edgedb-go.
//
// # What is different from PostgreSQL
//
// edgedb-go gives no way to a socket in use. Where ctx ends, a call returns at
// once; its connection stays lent until the server has answered, or until ctx's
// deadline, which reaches the socket. A caller who may cancel without a deadline
// should bound what the server does with the setting query_execution_timeout.
//
// Results are read to their end before a call returns; Rows holds no connection.
// [duet.Result] is always unknown: no status, and RowsAffected is -1. What the
// server has to say beside results goes to package log, where edgedb-go prints it,
// and not to Hooks.Notice.
//
// Transactions are serializable; START TRANSACTION is sent with the first
// statement, in a round trip of its own. They cannot be nested. Whether they are
// read-only or deferrable is a property of their connection: where none of the
// kind is free, one of another kind is closed and made anew. Single statements
// over a read-only view run in a read-only transaction.
//
// Globals, module aliases and settings travel with each command and cost nothing,
// but are fixed while a transaction lasts. The value of a setting is a text that
// is converted to what the config wants: a bool, a number, a duration such as
// PT1M30S or 90s, a size such as 256MiB, a name; a JSON array of strings where it
// has several values. edgedb-go cannot change the module that names without one
// belong to: an alias needs a name.
//
// # Lost connections
//
// A connection that has died while it was idle is replaced, unless it dies in the
// very moment in which it is used. A single statement whose connection is lost
// under it is run again where it certainly changes nothing: it was not sent, or
// runs over a read-only view, or is a plain select without calls of functions, or
// was given to Query or QueryJSON and the server has said that it only reads.
// Others fail with ErrUnavailable and [duet.OutcomeUnknown], and are run again
// with [duet.Options].Idempotent alone.
//
// # Lost commits
//
// A COMMIT is taken for refused only where the server says so of the transaction.
// After any other error, and where its answer is lost, the outcome is looked up if
// [duet.Options].ExactlyOnce is on, and ErrCommitUnknown if it is not. Where the
// transaction certainly only read, nothing was applied, and it is ErrUnavailable.
//
// With ExactlyOnce, a transaction inserts its token just before COMMIT, in a round
// trip of its own: edgedb-go cannot send both at once. That needs the type which
// [CreateCommitTokens] makes. The look is a transaction on another connection of the
// pool; where the lost one was lent by Acquire, or the pool is full, on one beside
// the pool. It waits for a
// server that is gone, and for a transaction that is still deciding: for 30 seconds
// while ctx lasts. Old tokens are deleted in the background, every five minutes at
// most, over a connection of the pool.
//
// Where ctx, or [duet.Options].Timeout, ends while COMMIT is under way, the call
// does not return at once: the answer is awaited for CommitGrace more. With a token,
// half of that is kept for looking it up.
//
// # Changes of the schema
//
// Where another session has changed the type of what a command returns, edgedb-go
// cannot read the first answer on each connection that knows the command. A
// command that changes nothing is run again then, on a new connection; others fail
// with an error of KindProtocol and, outside of transactions, OutcomeUnknown. The
// connection is given up, but edgedb-go keeps its socket: the server closes it, and
// rolls back what was open on it, after its session_idle_timeout and
// session_idle_transaction_timeout, or the ctx's deadline does.
//
// # Servers that break the protocol
//
// What a server answers is read under a guard: whatever it is becomes an error. But
// edgedb-go also reads between calls, in goroutines of its own, and where it panics
// there the process ends. It does so for a message that is 0 to 3 bytes long by its
// own word; for an ErrorResponse, a ParameterStatus and a LogMessage that is shorter
// than what it says it holds; for a ParameterStatus system_config whose descriptor
// or value is malformed; and for an ErrorResponse whose line is below 1 or whose
// position is below 0. An array that is said to have 2^31 elements is
// allocated. Connect to servers whose certificate is verified.
package edgedb
