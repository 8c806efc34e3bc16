package codec

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

	"github.com/duetdb/duet/internal/fields"
)

var (
	scannerType         = reflect.TypeFor[sql.Scanner]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()

	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bigIntType   = reflect.TypeFor[big.Int]()
	bigRatType   = reflect.TypeFor[big.Rat]()
	bigFloatType = reflect.TypeFor[big.Float]()
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	ipType       = reflect.TypeFor[net.IP]()
	ipNetType    = reflect.TypeFor[net.IPNet]()
)

// pgtypePath is the package whose types pgtype itself decodes.
const pgtypePath = "github.com/jackc/pgx/v5/pgtype"

// isPgtype says whether pgtype declares t, or one of its own packages.
func isPgtype(t reflect.Type) bool {
	return t.PkgPath() == pgtypePath || strings.HasPrefix(t.PkgPath(), pgtypePath+"/")
}

// nativeStruct says whether t is a struct of the standard library that is one
// value.
func nativeStruct(t reflect.Type) bool {
	switch t {
	case timeType, bigIntType, bigRatType, bigFloatType, addrType, prefixType, ipNetType:
		return true
	default:
		return isTime(t)
	}
}

// isTime says whether t is time.Time or a type declared as one.
func isTime(t reflect.Type) bool {
	return t == timeType || t.Kind() == reflect.Struct && t.ConvertibleTo(timeType)
}

// decoder compiles the decoder of a column of type oid into dst.
func (t *Types) decoder(oid uint32, dst reflect.Type) (decoder, error) {
	return compile(t.source(oid), dst)
}

// compile finds how a value of src becomes a dst. What comes first wins: what may
// be missing, what pgtype declares, what reads itself, what the standard library
// and Go's own kinds offer for the class, text, and at last what pgtype can do.
func compile(src *source, dst reflect.Type) (decoder, error) {
	if o, ok := optionalOf(dst); ok {
		return compileOptional(src, dst, o)
	}
	if dst.Kind() == reflect.Pointer {
		return compilePointer(src, dst)
	}
	if isPgtype(dst) {
		return compilePgtype(src, dst)
	}
	if src.class == classUUID && isBytes16(dst) {
		return decoder{value: decodeBytes16, typ: dst}, nil
	}
	if reflect.PointerTo(dst).Implements(scannerType) {
		return compileScanner(src, dst), nil
	}
	if dst == anyType {
		return compileAny(src), nil
	}
	if dst == recordType && (src.class == classJSON || src.class == classJSONB) {
		return decoder{}, reasonf("%s does not decode into %v: take any, or a map", src.name(), dst)
	}
	if value := compileClass(src, dst); value != nil {
		return decoder{value: value, typ: dst, direct: directOf(src.class, dst.Kind())}, nil
	}
	if src.class == classArray {
		if dec, ok := compileArray(src, dst); ok {
			return dec, nil
		}
	}
	if src.class == classComposite && compositeInto(dst) {
		return compileComposite(src, dst)
	}
	if src.class != classBytea && reflect.PointerTo(dst).Implements(textUnmarshalerType) {
		return compileTextUnmarshaler(src, dst), nil
	}
	return compilePgtype(src, dst)
}

// compileClass gives the decoder of a class into a Go type, nil if there is none.
func compileClass(src *source, dst reflect.Type) func(ptr, []byte) error {
	switch src.class {
	case classJSON, classJSONB:
		return compileJSON(src, dst)
	case classText:
		if reflect.PointerTo(dst).Implements(textUnmarshalerType) {
			return nil
		}
	case classDate, classTime, classTimestamp, classTimestamptz, classInterval:
		if value := compileTime(src.class, dst); value != nil {
			return value
		}
	case classNumeric:
		if value := compileNumeric(dst); value != nil {
			return value
		}
	case classInet:
		if value := compileInet(dst); value != nil {
			return value
		}
	}
	switch dst.Kind() {
	case reflect.Bool:
		if src.class == classBool {
			return decodeBool
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return compileInteger(src.class, dst)
	case reflect.Float32, reflect.Float64:
		return compileFloat(src.class, dst)
	case reflect.String:
		return compileString(src)
	case reflect.Slice, reflect.Array:
		if dst.Elem().Kind() == reflect.Uint8 {
			return compileBytes(src.class, dst)
		}
	}
	return nil
}

// optional is where a type that may be missing keeps its value and whether there
// is one.
type optional struct {
	value                    reflect.Type
	valueOffset, validOffset uintptr
}

// optionalOf recognises duet.Optional[T], sql.Null[T] and sql.NullString with its
// kin.
func optionalOf(t reflect.Type) (optional, bool) {
	if value, valueOffset, validOffset, ok := fields.IsOptional(t); ok {
		return optional{value, valueOffset, validOffset}, true
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != "database/sql" || !strings.HasPrefix(t.Name(), "Null") || t.NumField() != 2 {
		return optional{}, false
	}
	value, valid := t.Field(0), t.Field(1)
	if valid.Name != "Valid" || valid.Type.Kind() != reflect.Bool {
		return optional{}, false
	}
	return optional{value.Type, value.Offset, valid.Offset}, true
}

func compileOptional(src *source, dst reflect.Type, o optional) (decoder, error) {
	inner, err := compile(src, o.value)
	if err != nil {
		return decoder{}, err
	}
	return decoder{
		typ: dst,
		value: func(p ptr, b []byte) error {
			if err := inner.value(at(p, o.valueOffset), b); err != nil {
				return err
			}
			store(at(p, o.validOffset), true)
			return nil
		},
		null: func(p ptr) error {
			valueAt(p, dst).SetZero()
			return nil
		},
	}, nil
}

func compilePointer(src *source, dst reflect.Type) (decoder, error) {
	elem := dst.Elem()
	inner, err := compile(src, elem)
	if err != nil {
		return decoder{}, err
	}
	return decoder{
		typ: dst,
		value: func(p ptr, b []byte) error {
			target := allocate(elem)
			if err := inner.value(target, b); err != nil {
				return err
			}
			store(p, target)
			return nil
		},
		null: func(p ptr) error {
			store[ptr](p, nil)
			return nil
		},
	}, nil
}
