package decode

import (
	"math/big"
	"reflect"
	"time"

	"github.com/edgedb/edgedb-go"
)

// scalar is a scalar type of EdgeDB. Types derived from another, and enums, come
// as what they are derived from; an enum is a str.
type scalar uint8

const (
	// scalarUnknown is read into a cell, which learns the type from the value.
	scalarUnknown scalar = iota
	scalarStr
	scalarBool
	scalarInt16
	scalarInt32
	scalarInt64
	scalarFloat32
	scalarFloat64
	scalarBigInt
	scalarDecimal
	scalarBytes
	scalarUUID
	scalarJSON
	scalarDateTime
	scalarLocalDateTime
	scalarLocalDate
	scalarLocalTime
	scalarDuration
	scalarRelativeDuration
	scalarDateDuration
	scalarMemory
	scalarCount
)

// scalarInfo is what is known of a scalar type.
type scalarInfo struct {
	// name is EdgeQL's, without the module std.
	name string
	// plain is the Go type that edgedb-go decodes values into that are always
	// there, optional the one for those that may be missing.
	plain, optional reflect.Type
	// wanted is how edgedb-go's errors name plain.
	wanted string
	// method is what its methods for the type are called: UnmarshalEdgeDB… .
	method string
}

// scalars describes each scalar type. wanted is compared with the texts of
// internal/codecs/codecs.go of edgedb-go, misspelling included.
var scalars = [scalarCount]scalarInfo{
	scalarUnknown:  {"", typeOf[cell](), typeOf[cell](), "", ""},
	scalarStr:      {"str", typeOf[string](), typeOf[edgedb.OptionalStr](), "string", "Str"},
	scalarBool:     {"bool", typeOf[bool](), typeOf[edgedb.OptionalBool](), "bool", "Bool"},
	scalarInt16:    {"int16", typeOf[int16](), typeOf[edgedb.OptionalInt16](), "int16", "Int16"},
	scalarInt32:    {"int32", typeOf[int32](), typeOf[edgedb.OptionalInt32](), "int32", "Int32"},
	scalarInt64:    {"int64", typeOf[int64](), typeOf[edgedb.OptionalInt64](), "int64", "Int64"},
	scalarFloat32:  {"float32", typeOf[float32](), typeOf[edgedb.OptionalFloat32](), "float32", "Float32"},
	scalarFloat64:  {"float64", typeOf[float64](), typeOf[edgedb.OptionalFloat64](), "float64", "Float64"},
	scalarBigInt:   {"bigint", typeOf[*big.Int](), typeOf[edgedb.OptionalBigInt](), "*big.Int", "BigInt"},
	scalarDecimal:  {"decimal", typeOf[decimal](), typeOf[decimal](), "", "Decimal"},
	scalarBytes:    {"bytes", typeOf[[]byte](), typeOf[edgedb.OptionalBytes](), "[]byte", "Bytes"},
	scalarUUID:     {"uuid", typeOf[edgedb.UUID](), typeOf[edgedb.OptionalUUID](), "uuid", "UUID"},
	scalarJSON:     {"json", typeOf[[]byte](), typeOf[edgedb.OptionalBytes](), "", "JSON"},
	scalarDateTime: {"datetime", typeOf[time.Time](), typeOf[edgedb.OptionalDateTime](), "edgedb.DateTime", "DateTime"},
	scalarLocalDateTime: {
		"cal::local_datetime", typeOf[edgedb.LocalDateTime](), typeOf[edgedb.OptionalLocalDateTime](), "edgedb.LocalDateTime", "LocalDateTime",
	},
	scalarLocalDate: {"cal::local_date", typeOf[edgedb.LocalDate](), typeOf[edgedb.OptionalLocalDate](), "edgedb.LocalDate", "LocalDate"},
	scalarLocalTime: {"cal::local_time", typeOf[edgedb.LocalTime](), typeOf[edgedb.OptionalLocalTime](), "edgedb.LocalTime", "LocalTime"},
	scalarDuration:  {"duration", typeOf[edgedb.Duration](), typeOf[edgedb.OptionalDuration](), "edgedb.Duration", "Duration"},
	scalarRelativeDuration: {
		"cal::relative_duration", typeOf[edgedb.RelativeDuration](), typeOf[edgedb.OptionalRelativeDuration](), "edgedb.RealtiveDuration", "RelativeDuration",
	},
	scalarDateDuration: {
		"cal::date_duration", typeOf[edgedb.DateDuration](), typeOf[edgedb.OptionalDateDuration](), "edgedb.DateDuration", "DateDuration",
	},
	scalarMemory: {"cfg::memory", typeOf[edgedb.Memory](), typeOf[edgedb.OptionalMemory](), "edgedb.Memory", "Memory"},
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func (s scalar) name() string { return scalars[s].name }

// rangeTypes are edgedb-go's types for ranges, by their scalar.
var rangeTypes = map[scalar]struct{ plain, optional reflect.Type }{
	scalarInt64:         {typeOf[edgedb.RangeInt64](), typeOf[edgedb.OptionalRangeInt64]()},
	scalarInt32:         {typeOf[edgedb.RangeInt32](), typeOf[edgedb.OptionalRangeInt32]()},
	scalarFloat32:       {typeOf[edgedb.RangeFloat32](), typeOf[edgedb.OptionalRangeFloat32]()},
	scalarFloat64:       {typeOf[edgedb.RangeFloat64](), typeOf[edgedb.OptionalRangeFloat64]()},
	scalarDateTime:      {typeOf[edgedb.RangeDateTime](), typeOf[edgedb.OptionalRangeDateTime]()},
	scalarLocalDateTime: {typeOf[edgedb.RangeLocalDateTime](), typeOf[edgedb.OptionalRangeLocalDateTime]()},
	scalarLocalDate:     {typeOf[edgedb.RangeLocalDate](), typeOf[edgedb.OptionalRangeLocalDate]()},
}

// scalarWanted finds the scalar whose plain type edgedb-go's errors call so.
func scalarWanted(text string) (scalar, bool) {
	for s := scalarUnknown + 1; s < scalarCount; s++ {
		if scalars[s].wanted != "" && scalars[s].wanted == text {
			return s, true
		}
	}
	return scalarUnknown, false
}
