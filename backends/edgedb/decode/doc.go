// Package decode turns what edgedb-go reads into users' Go values, and users'
// arguments into what edgedb-go sends. It knows no connection.
//
// # How a result is read
//
// edgedb-go decodes into Go types that match the result exactly and tells nobody
// what the result is, but in the errors that it gives for a type that does not
// match; those come after Parse and before anything runs. [Cache.Fetch] begins with
// a guess, mends it by what the errors say, and so runs the command once, with a
// type made by reflection. Values whose type is not known yet are read into a cell
// that learns it. What was found out is kept by the command's text for all
// connections. Copiers, compiled for a shape and a Go type, then move the values.
//
// Results that no such type can take are read as JSON: those with a link or a tuple
// in them that may be missing, or a type that edgedb-go does not know, such as a
// vector.
//
// # Which Go types a value goes into
//
// A pointer, a duet.Optional, a sql.Null or one of its kin, and edgedb-go's optional
// types take whatever their value takes, and what is missing as well; so do any,
// types with a Scan method, and a struct that embeds edgedb.Optional. Missing into
// anything else, a slice for an array included, is an error, which calls it NULL, as
// on PostgreSQL. A set is never missing: it is empty.
//
//	EdgeDB               any                  other Go types
//	bool                 bool                 kinds of bool
//	int16, int32, int64  int16, 32, 64        every integer kind that holds the value; floats that hold it exactly
//	float32, float64     float32, 64          float kinds; float64 into float32 is rounded, too large is an error
//	bigint, decimal      string, exact        integer kinds and big.Int if integral, big.Rat, big.Float; floats, rounded
//	str, enums           string               kinds of string, []byte and, of the same length, [N]byte
//	bytes                []byte               kinds of []byte and, of the same length, [N]byte
//	uuid                 string               kinds of [16]byte and []byte
//	datetime             time.Time            the instant, in UTC on every machine
//	local_datetime       time.Time            the clock's reading, as UTC
//	local_date           time.Time            midnight in UTC
//	local_time           time.Duration        since midnight; time.Time, in the year 0
//	duration             time.Duration        if it does not fit, any gets a string
//	relative_duration    string               time.Duration: days have 24 hours, months are an error
//	date_duration        string               as above
//	json                 its value            string and []byte: the text as it is; everything else: encoding/json
//	memory               int64                every integer kind that holds the value
//	arrays, sets         []any                slices and Go arrays
//	tuples               []any                structs, by position; slices and Go arrays; duet.Record, map[string]any
//	objects, named       duet.Record          structs, by name; map[string]any, []any
//	ranges               edgedb.RangeInt64 …  structs with some of lower, upper, inc_lower, inc_upper and empty; duet.Record
//	multiranges          []any                slices of what ranges go into
//
// edgedb-go's own type for each scalar works, and so does a type with edgedb-go's
// method for it, such as UnmarshalEdgeDBDecimal. Every scalar but bytes also goes
// into a string, and into a type with UnmarshalText, as the text that EdgeQL casts
// it to. A uuid goes into a [16]byte whatever methods it has; a type with a method
// Scan gets int64, float64, bool, []byte, string or time.Time, json as []byte.
//
// A row is an object, whose fields are its columns, a tuple, or one value, which is
// one column without a name. What takes one column, any among it, takes an object of
// one field. No field of a struct is for a column without a name, but that json goes
// into structs and maps as its value.
//
// # Results that are read as JSON
//
// JSON does not tell EdgeDB's types, so that the Go type decides. The table holds,
// but for this: a []byte takes base64, as bytes are written, and of a json value
// that is no string the text. Of numbers, any gets int64 where it fits, float64 where
// it keeps every digit, else json.Number; texts of all kinds stay strings.
//
// # json
//
// json values go into Go values as on PostgreSQL: numbers in an any are
// json.Number, and structs without a json tag are matched by duet's names.
//
// # Arguments
//
// A missing value is nil, a nil pointer, slice or map, a zero netip.Addr or
// netip.Prefix, a duet.Optional, sql.Null or edgedb-go optional without a value. A
// driver.Valuer is what its Value gives. Then, by the parameter's declared type:
//
//   - Integers and floats: the integer and float types, bigint and decimal, where
//     they fit; a float goes into an integer only without a fraction, and into a
//     decimal as the shortest text that reads back as the same float. *big.Int,
//     *big.Rat (where a finite decimal exists) and *big.Float: decimal, bigint.
//   - string: every type, in the form that EdgeQL casts it to str; durations in ISO
//     8601 or Go's form. For json it is JSON, for bytes it is the bytes. It must be
//     UTF-8 without NUL.
//   - []byte: bytes, 16 of a uuid; for any other type as a string. [16]byte: uuid.
//   - time.Time: datetime, cut to microseconds; the local types take the reading of
//     its own clock. time.Duration: the durations, and local_time; as an integer
//     its nanoseconds.
//   - Any value for json that is none of string, []byte and json.RawMessage: what
//     encoding/json makes of it.
//   - Slices and arrays: arrays. Ranges: edgedb-go's own types, also where they are
//     missing.
//   - encoding.TextMarshaler: its text. A type with a numeric kind uses it only for
//     str. Types with edgedb-go's own methods, such as MarshalEdgeDBInt64, encode
//     themselves.
//
// # Errors
//
// A [DecodeError] names row, column and the way into the column's value, all counted
// from 1.
package decode
