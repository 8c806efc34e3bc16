// Package edgedbtest is a server for tests, the demo and benchmarks that speaks
// EdgeDB's binary protocol (EdgeDB documentation, "Protocol"): TLS with ALPN,
// SCRAM-SHA-256, protocols 1.0 and 2.0, prepare and execute, state, capabilities,
// transactions, errors with their codes and attributes.
//
// It is a double of the protocol, not of EdgeQL. It answers only the texts of
// the statement catalogue, conformance/queries, each by running the SQL twin on
// a real PostgreSQL, so that conflicts, constraints and transactions are real.
// Every other text is an error that says so.
//
// A branch is a PostgreSQL database of its own. A session of a client has a
// connection to PostgreSQL of its own, made with its first command.
package edgedbtest
