// Package duet is one API over PostgreSQL and EdgeDB (also known as Gel):
// queries that return what was asked for into Go values, and transactions that
// retry themselves.
//
// The package holds the contract alone. A [Client] comes from a backend:
// package github.com/duetdb/duet/backends/postgres connects to PostgreSQL, and
// package github.com/duetdb/duet/backends chooses by the DSN's scheme.
//
// Start with [Querier] for queries, [Client] for transactions and connections,
// [Options] for what can vary, and [Error] for what can go wrong.
package duet
