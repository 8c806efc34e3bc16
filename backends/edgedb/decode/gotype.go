package decode

import (
	"database/sql"
	"encoding"
	"encoding/json"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
	"github.com/edgedb/edgedb-go"
)

var (
	anyType    = typeOf[any]()
	stringType = typeOf[string]()
	recordType = typeOf[duet.Record]()

	timeType     = typeOf[time.Time]()
	durationType = typeOf[time.Duration]()
	bigIntType   = typeOf[big.Int]()
	bigRatType   = typeOf[big.Rat]()
	bigFloatType = typeOf[big.Float]()
	rawType      = typeOf[json.RawMessage]()

	scannerType         = typeOf[sql.Scanner]()
	textUnmarshalerType = typeOf[encoding.TextUnmarshaler]()
	jsonUnmarshalerType = typeOf[json.Unmarshaler]()
	missingSetterType   = typeOf[missingSetter]()

	// edgedbPath is the package in which edgedb-go's own types are.
	edgedbPath = typeOf[edgedb.UUID]().PkgPath()
)

// missingSetter is what edgedb-go tells whether there is a value, as
// edgedb.Optional, embedded in a struct, does.
type missingSetter interface{ SetMissing(bool) }

func implements(t, iface reflect.Type) bool { return reflect.PointerTo(t).Implements(iface) }

// isTime says whether t is time.Time or a type declared as one.
func isTime(t reflect.Type) bool {
	return t == timeType || t.Kind() == reflect.Struct && t.ConvertibleTo(timeType)
}

// isBytes says whether t is laid out as a []byte.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isByteArray says whether t is laid out as a [N]byte.
func isByteArray(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// isAnyMap says whether t is a map[string]any.
func isAnyMap(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Key() == stringType && t.Elem() == anyType
}

func isAnyList(t reflect.Type) bool { return t.Kind() == reflect.Slice && t.Elem() == anyType }

// isEdgeDB says whether edgedb-go declares t as a type for one value.
func isEdgeDB(t reflect.Type) bool { return t.PkgPath() == edgedbPath }

// isRange says whether t is edgedb.RangeInt64 or one of its kin.
func isRange(t reflect.Type) bool { return isEdgeDB(t) && strings.HasPrefix(t.Name(), "Range") }

// nativeStruct says whether t is a struct that is one value.
func nativeStruct(t reflect.Type) bool {
	switch t {
	case bigIntType, bigRatType, bigFloatType, typeOf[netip.Addr](), typeOf[netip.Prefix](), typeOf[net.IPNet](), recordType:
		return true
	default:
		return isTime(t) || isEdgeDB(t)
	}
}

// nullable is where a struct that may be missing keeps its value and whether
// there is one.
type nullable struct {
	value        reflect.Type
	index, valid int
}

// nullableOf recognises duet.Optional[T], sql.Null[T] and sql.NullString with its
// kin.
func nullableOf(t reflect.Type) (nullable, bool) {
	if t.Kind() != reflect.Struct || t.NumField() != 2 {
		return nullable{}, false
	}
	_, _, _, ours := fields.IsOptional(t)
	if !ours && (t.PkgPath() != "database/sql" || !strings.HasPrefix(t.Name(), "Null")) {
		return nullable{}, false
	}
	if t.Field(1).Name != "Valid" || t.Field(1).Type.Kind() != reflect.Bool {
		return nullable{}, false
	}
	return nullable{value: t.Field(0).Type, index: 0, valid: 1}, true
}

// edgedbOptional recognises edgedb.OptionalStr and its kin, and gives the type of
// their value.
func edgedbOptional(t reflect.Type) (value reflect.Type, ok bool) {
	if !isEdgeDB(t) || t.Kind() != reflect.Struct || !strings.HasPrefix(t.Name(), "Optional") {
		return nil, false
	}
	set, ok := reflect.PointerTo(t).MethodByName("Set")
	if !ok || set.Type.NumIn() != 2 {
		return nil, false
	}
	return set.Type.In(1), true
}

// valueType takes from t what says that a value may be missing; nil stays nil.
func valueType(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		} else if n, ok := nullableOf(t); ok {
			t = n.value
		} else {
			break
		}
	}
	return t
}

// structFields are the fields of a struct that takes an object apart; nil where t
// is none.
func structFields(t reflect.Type) []fields.Field {
	if t == nil || t.Kind() != reflect.Struct || nativeStruct(t) {
		return nil
	}
	s, err := fields.Of(t)
	if err != nil {
		return nil
	}
	if s.Fields == nil {
		return []fields.Field{}
	}
	return s.Fields
}

// elemType is the type of a list's elements, nil where t has none.
func elemType(t reflect.Type) reflect.Type {
	if t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return nil
	}
	return t.Elem()
}

// fieldType is the type that the i-th field of n goes into, nil where t does not
// tell.
func fieldType(t reflect.Type, n *node, i int) reflect.Type {
	if n.kind == kindTuple {
		if elem := elemType(t); elem != nil {
			return elem
		}
		if list := structFields(t); i < len(list) {
			return list[i].Type
		}
		return nil
	}
	for _, f := range structFields(t) {
		if f.Name == n.fields[i].name {
			return f.Type
		}
	}
	return nil
}
