// Package codec turns Go values into PostgreSQL's bytes and back. It knows no
// connection: arguments become the body of a Bind message, and the bodies of
// DataRow messages become Go values or JSON.
//
// # Rows
//
// [Types.RowDecoder] compiles the decoder of one statement's columns into one Go
// type; a [Slice] or a [Pointer] is where the rows go. [Types.Scanner] decodes
// column by column. Nothing that is stored refers to the row's bytes.
//
// # Which Go types a column goes into
//
// A pointer, a duet.Optional, a sql.Null or one of its kin (sql.NullString) takes
// whatever its value takes, and NULL as well; so do any, types with a Scan
// method, and pgtype's own types. NULL into anything else is an error. The
// column "any" is what an interface value, a map[string]any, an []any or a
// duet.Record gets.
//
//	PostgreSQL               any             other Go types
//	bool                     bool            kinds of bool
//	int2, int4, int8         int16, 32, 64   every integer kind that holds the value; floats that hold it exactly
//	oid, xid, cid            uint32          as above
//	xid8                     uint64          every integer kind that holds the value
//	"char"                   string          integer kinds (0 to 255)
//	float4, float8           float32, 64     float kinds; float8 into float32 is rounded, too large is an error
//	numeric                  string, exact   integer kinds and big.Int if integral, big.Rat, big.Float; floats, rounded
//	text, varchar, name, …   string          kinds of string and []byte
//	bytea                    []byte          kinds of []byte and, of the same length, [N]byte
//	uuid                     string          kinds of [16]byte and []byte
//	date                     time.Time       midnight in UTC
//	timestamp                time.Time       the clock's reading, as UTC
//	timestamptz              time.Time       the instant, in UTC on every machine
//	time                     time.Duration   since midnight; time.Time, in the year 0
//	interval                 string          time.Duration: days have 24 hours, months are an error
//	json, jsonb              its value       string and []byte: the text as it is; everything else: encoding/json
//	inet, cidr               netip.Prefix    netip.Addr and net.IP if it is a single address, net.IPNet
//	arrays                   []any           slices and Go arrays, nested once for each dimension
//	composites               duet.Record     structs, matched by name as rows are, and map[string]any
//	all others               string          pgtype's types
//
// Every type but bytea also goes into a string, as the text that PostgreSQL
// writes: dates in ISO style, timestamptz in UTC, intervals in the style
// "postgres". The infinities of dates and timestamps go into strings, into any
// (as strings) and into pgtype's types, not into a time.Time.
//
// In this order, the following come before the table: types of the package
// pgtype are decoded by pgtype; a uuid goes into a [16]byte whatever methods it
// has; a type with a method Scan (sql.Scanner) gets what database/sql would give
// it: int64, float64, bool, []byte, string or time.Time, json as []byte, and
// everything else as text. A type with UnmarshalText gets the text of text kinds,
// and of what the table has no other place for, but for bytea.
//
// # JSON
//
// Numbers that go into an any are json.Number, so that no digit is lost. A struct
// that has no json tag is matched by duet's names (the tags duet, edgedb and db,
// else snake_case), and so are the structs in its fields, slices and pointers. A
// struct with a json tag, one that contains itself, the values of a map, and what
// lies in a type that unmarshals itself, duet.Optional among them, follow
// encoding/json alone. A missing or an extra key is no error, as in encoding/json.
//
// # Errors
//
// A [DecodeError] names row, column and element, all counted from 1.
package codec
