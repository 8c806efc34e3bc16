package duet

import (
	"context"

	"github.com/duetdb/duet/pool"
)

// Querier runs commands. Client, Tx and Conn are all Queriers, so code that
// only reads and writes takes a Querier and does not care which it got.
//
// # Commands and arguments
//
// cmd is in the backend's own language: SQL on PostgreSQL, EdgeQL on EdgeDB.
// Arguments are positional ($1, $2, … in SQL; $0, $1, … in EdgeQL) or named
// ($name in both). The text decides: where it contains a $name, args must be
// exactly one value, a map with string keys, a [Named] or a struct; otherwise
// each of args is the value of one positional parameter. Values are sent beside
// the text, never inside it.
//
// # Destinations
//
// Rows become Go values. A struct's fields are matched to columns by the tag
// `duet:"name"`, then `edgedb:"name"`, then `db:"name"`, then by the
// snake_case of the field's name; `duet:"-"` leaves a field out. A field
// without a column, or a column without a field, is an error ([Options].Columns
// changes the latter). What may be NULL or missing is a pointer or an
// [Optional]; NULL into anything else is an error that names the row and the
// column. map[string]any, []any, [Record] and scalars work too; a scalar needs
// exactly one column. A destination is reset at the start of each call, so it
// never mixes two results; after an error its content is undefined but safe.
//
// # Contexts, errors, concurrency
//
// Every call returns within milliseconds of its ctx's end, with an error for
// which errors.Is(err, ctx.Err()) holds; a commit that was sent is awaited for
// [Options].CommitGrace more. Failures hold an *[Error] for errors.As;
// the sentinels of this package work with errors.Is. A Client may be used by any number of
// goroutines at once; a Tx and a Conn are for one goroutine at a time, and a
// second call while one is running fails with [ErrInvalidArgument].
//
// Methods may be added to the interfaces of this package in minor versions:
// implementations outside this module should embed the interface.
type Querier interface {
	// Query runs cmd and stores every row in out, a *[]T. A result without rows
	// leaves an empty, non-nil slice.
	Query(ctx context.Context, cmd string, out any, args ...any) error

	// QueryOne runs cmd and stores its single row in out, a *T. No row gives
	// [ErrNoData], more than one gives [ErrCardinality].
	QueryOne(ctx context.Context, cmd string, out any, args ...any) error

	// QueryJSON runs cmd and stores all rows in out as one JSON array; no row
	// gives "[]". On PostgreSQL the client encodes: a row is an object with the
	// columns in order, bytea is base64, timestamps are RFC 3339, numerics are
	// exact numbers, infinities and NaN are strings. A result whose only column
	// is json or jsonb is embedded as it is, and one whose only column is named
	// "?column?" gives plain values. On EdgeDB the server encodes. White space
	// differs: compare JSON as values.
	QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error

	// QueryOneJSON is QueryJSON for exactly one row: the element without the
	// array. Errors as for QueryOne.
	QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error

	// Execute runs cmd for its effect; rows are discarded. Without args, cmd may
	// be a script of several commands: on both backends the script is one
	// implicit transaction, unless it opens its own (PostgreSQL only). The Result
	// is the last command's.
	Execute(ctx context.Context, cmd string, args ...any) (Result, error)

	// Rows runs cmd and gives its rows one at a time. On PostgreSQL they are
	// read from the connection as the caller asks for them, in flat memory; on
	// EdgeDB the result is buffered first. The connection is busy until the
	// Rows is exhausted or closed, and ctx governs all of it.
	Rows(ctx context.Context, cmd string, args ...any) (Rows, error)
}

// Client is a pool of connections to one database, safe for concurrent use.
// Views made by With share the pool; closing any of them closes it.
type Client interface {
	Querier

	// RetryingTx runs fn in a transaction, commits it when fn returns nil, and
	// runs all of it again, with backoff, where the failure is one that another
	// attempt can cure: a serialization failure or a deadlock, at a statement or
	// at the commit, or a server that became unavailable before the commit was
	// sent. fn must therefore have no effects outside tx that may not happen
	// twice.
	//
	// The transaction is serializable unless Options say otherwise (on a
	// PostgreSQL standby: repeatable read, read-only). The error that fn
	// returns rolls back and comes back wrapped, and so does an error of a
	// statement that fn swallowed: success always means committed. A panic or
	// runtime.Goexit in fn rolls back, frees the connection, and goes on. What
	// became of a commit whose answer was lost is looked up ([Options].ExactlyOnce
	// and TransactionID say how): it is success, or run again, and where nobody
	// can tell, [ErrCommitUnknown]. What a RetryingTx inside fn has given up on is
	// not retried by the outer one.
	//
	// The ctx given to fn is for calls on tx, and knows of the transaction: a
	// call on the client itself that could only wait for the connection fn is
	// holding fails with [ErrPoolExhausted] instead of hanging.
	RetryingTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// RawTx is RetryingTx with one attempt, and on PostgreSQL with the server's
	// default isolation unless Options say otherwise.
	RawTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// Begin opens a transaction that the caller ends with Commit or Rollback;
	// the connection is lent until then. On PostgreSQL nothing is sent yet:
	// BEGIN travels with the first statement. ctx bounds the wait for the
	// connection only.
	Begin(ctx context.Context) (OpenTx, error)

	// Acquire lends one connection until its Release, for what needs a session:
	// settings, temporary tables, advisory locks.
	Acquire(ctx context.Context) (Conn, error)

	// With gives a view of the same pool with other options; an unset field
	// inherits. It is cheap and never fails: options that the backend cannot
	// honour fail the calls made through the view, with [ErrUnsupported].
	With(Options) Client

	// Backend says what the client is connected to, and what it can do.
	Backend() Backend

	// Pool is the handle of the pool: statistics, expiring, terminating.
	Pool() *pool.Control

	// Ping makes a round trip to the server over a connection of the pool.
	Ping(ctx context.Context) error

	// Close refuses new work, waits for lent connections to come back, and
	// closes them all. When ctx ends first, what is left is closed by force and
	// the error says how many connections were still out. Close is idempotent
	// and may race with anything; later calls on the client give [ErrClosed].
	Close(ctx context.Context) error
}

// Tx is a transaction inside RetryingTx, RawTx or Nested: it has no Commit, as
// the closure's return decides. After the closure has returned, or after the
// connection died, every call on it fails with [ErrClosed]; nothing ever runs
// outside the transaction.
type Tx interface {
	Querier

	// Nested runs fn in a savepoint: an error rolls back to the savepoint and
	// comes back, and the outer transaction can go on. There is no retry here;
	// conflicts belong to the whole transaction. On EdgeDB it gives
	// [ErrUnsupported].
	Nested(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// With gives a view of the same transaction with other options for its
	// statements. Options of a transaction (Isolation, Access, Deferrable) can
	// no longer be changed and make calls through the view fail.
	With(Options) Tx

	// Backend is the client's.
	Backend() Backend
}

// OpenTx is a transaction opened by Begin. It must be ended by Commit or
// Rollback, which give the connection back.
type OpenTx interface {
	Tx

	// Commit commits. A transaction in which a statement failed cannot be
	// committed: it is rolled back and that statement's error comes back.
	// A lost answer is looked up, as in RetryingTx: [ErrCommitUnknown] means that
	// nobody can tell, [ErrUnavailable] that nothing was applied.
	Commit(ctx context.Context) error

	// Rollback rolls back. After Commit or an earlier Rollback it does nothing
	// and returns nil, so that it can be deferred.
	Rollback(ctx context.Context) error
}

// Conn is one connection lent by Acquire, for one goroutine at a time.
type Conn interface {
	Querier

	// RawTx runs fn in a transaction on this connection, as Client.RawTx.
	RawTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// Begin opens a transaction on this connection, as Client.Begin. The
	// connection stays lent when the transaction ends.
	Begin(ctx context.Context) (OpenTx, error)

	// With gives a view of the same connection with other options.
	With(Options) Conn

	// Backend is the client's.
	Backend() Backend

	// Release gives the connection back. An open transaction is rolled back
	// and session state is reset. A second Release does nothing.
	Release()
}

// Rows is a result read row by row, for one goroutine, once. The usual loop:
//
//	for rows.Next() {
//		if err := rows.Decode(&v); err != nil { … }
//	}
//	if err := rows.Err(); err != nil { … }
//
// Leaving the loop early needs Close, which is cheap to defer. [Stream] does
// all of this.
type Rows interface {
	// Next reads the next row. It gives false at the end and on an error; Err
	// tells which.
	Next() bool

	// Decode stores the row in out, a *T, under the rules of Querier. What it
	// stored stays valid after the next Next.
	Decode(out any) error

	// Scan stores the row's columns in dest, pointers, one for each column.
	Scan(dest ...any) error

	// Columns describes the row's columns, in order.
	Columns() []Column

	// Err is what ended the iteration, nil after the last row.
	Err() error

	// Result is valid after the last row.
	Result() Result

	// Close ends the iteration and frees the connection. It is idempotent and
	// returns what Err returns; what is left unread is not an error. On
	// PostgreSQL the rest of a SELECT is cancelled in the background, that of a
	// command that writes is run to its end; inside a transaction, where
	// cancelling would fail everything, Close reads the rest.
	Close() error
}

// Column describes one column of a result.
type Column struct {
	// Name is the column's name or alias; names may repeat.
	Name string
	// Type is the backend's name of the type, such as "int8" or "text[]".
	Type string
}

// Result is what a command reports of its effect.
type Result struct {
	// Status is the backend's word for what was done: on PostgreSQL the command
	// tag ("INSERT 0 3"). It is empty on EdgeDB, whose driver keeps the server's
	// word to itself.
	Status string
	// RowsAffected counts the rows that were inserted, updated, deleted, merged,
	// copied or selected; -1 where the backend does not tell (EdgeDB, and
	// utility commands).
	RowsAffected int64
}

// Named holds named arguments: for a command with $name and $age,
// duet.Named{"name": "Ada", "age": 36}. A missing or a superfluous name is
// [ErrInvalidArgument].
type Named map[string]any
