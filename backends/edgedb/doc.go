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
package edgedb
