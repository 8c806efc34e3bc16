// Package typedesc is the type layer of the test server that speaks EdgeDB's
// binary protocol: descriptors of declared types, and the values of those types
// between PostgreSQL's binary formats, EdgeDB's and JSON. All functions are pure
// and safe for concurrent use; none panics on bytes that came from outside.
//
// The formats are those of the pages "Type descriptors" and "Data wire formats"
// of EdgeDB's protocol documentation. Ids are made as EdgeDB makes them
// (version 5 UUIDs over a type's structure), so that the id of a type that the
// standard library alone defines is the real one. Types of the suite's schema
// have ids made of their names.
package typedesc
