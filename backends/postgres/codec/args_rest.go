package codec

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"github.com/duetdb/duet/internal/fields"
	"github.com/jackc/pgx/v5/pgtype"
)

// argMaxDepth bounds the pointers, Valuers and Optionals followed for one value:
// a pointer can lead to itself, and so can a Value.
const argMaxDepth = 32

// appendRest encodes what is neither a common type nor fits the parameter as it
// is: NULLs with a type, Valuers, wrappers, arrays, JSON, named types, text
// marshalers, and what pgtype knows.
func (t *Types) appendRest(dst []byte, oid uint32, v any, depth int) ([]byte, argForm, error) {
	if depth > argMaxDepth {
		return dst, argNull, fmt.Errorf("a %T leads through more than %d pointers or Valuers", v, argMaxDepth)
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.IsNil() {
		return dst, argNull, nil
	}
	if valuer, ok := v.(driver.Valuer); ok {
		value, err := valuer.Value()
		if err != nil {
			return dst, argNull, fmt.Errorf("the Value method of %T: %w", v, err)
		}
		return t.appendArg(dst, oid, value, depth+1)
	}
	if value, valid, ok := optionalValue(rv); ok {
		if !valid {
			return dst, argNull, nil
		}
		return t.appendArg(dst, oid, value, depth+1)
	}
	if (rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map) && rv.IsNil() {
		return dst, argNull, nil
	}
	if isPlainPointer(rv) {
		return t.appendArg(dst, oid, rv.Elem().Interface(), depth+1)
	}
	base, known := t.baseOID(oid)
	switch {
	case isJSONOID(base):
		return appendArgJSON(dst, base, v, rv)
	case base != oid:
		// Depth ends a chain that a base type of its own would make.
		return t.appendArg(dst, base, v, depth+1)
	case !known:
		return t.appendUnknown(dst, oid, v, rv, depth)
	}
	return t.appendTyped(dst, oid, v, rv, depth)
}

// appendTyped encodes for a type that is known and not JSON.
func (t *Types) appendTyped(dst []byte, oid uint32, v any, rv reflect.Value, depth int) ([]byte, argForm, error) {
	if elem, ok := t.arrayElement(oid); ok && (rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array) {
		return t.appendArray(dst, elem, rv, depth)
	}
	if marshaler, ok := v.(encoding.TextMarshaler); ok && isTextOID(oid) && !throughPointer(rv) {
		return appendMarshaled(dst, oid, marshaler)
	}
	out, form, err := t.appendKind(dst, oid, rv, depth)
	if err != errArgUnfit {
		return out, form, err
	}
	switch v := v.(type) {
	case time.Time, time.Duration, netip.Addr, netip.Prefix, net.IP, *big.Int, *big.Rat, *big.Float:
		// Their text is no form of the types that appendCommon and appendKnown
		// have refused.
		return dst, argNull, errArgUnfit
	case encoding.TextMarshaler:
		if throughPointer(rv) { // its value has no form of the type, nor has it
			return dst, argNull, errArgUnfit
		}
		return appendMarshaled(dst, oid, v)
	case fmt.Stringer:
		if oid == pgtype.NumericOID { // decimal types
			return appendArgString(dst, oid, v.String())
		}
	}
	return t.appendForeign(dst, oid, v)
}

// isPlainPointer says that nothing is lost by following rv at once: a pointer to
// a struct may have methods, or fields that have methods, which its value has
// not.
func isPlainPointer(rv reflect.Value) bool {
	if rv.Kind() != reflect.Pointer {
		return false
	}
	if _, _, ok := optionalValue(rv.Elem()); ok {
		return true
	}
	if kind := rv.Type().Elem().Kind(); kind == reflect.Struct || kind == reflect.Array {
		return false
	}
	for _, marshaler := range []reflect.Type{argTextMarshalerType, reflect.TypeFor[json.Marshaler]()} {
		if rv.Type().Implements(marshaler) && !rv.Type().Elem().Implements(marshaler) {
			return false
		}
	}
	return true
}

// throughPointer says that rv is a pointer whose value is a TextMarshaler
// itself: then the value's own rules come first.
func throughPointer(rv reflect.Value) bool {
	return rv.Kind() == reflect.Pointer && rv.Type().Elem().Implements(argTextMarshalerType)
}

func appendMarshaled(dst []byte, oid uint32, m encoding.TextMarshaler) ([]byte, argForm, error) {
	text, err := m.MarshalText()
	if err != nil {
		return dst, argNull, fmt.Errorf("the MarshalText method of %T: %w", m, err)
	}
	if err := checkArgText(text); err != nil {
		return dst, argNull, err
	}
	if isTextOID(oid) {
		return append(dst, text...), argBinary, nil
	}
	return append(dst, text...), argText, nil
}

// appendKind follows pointers, and named types to their underlying ones.
func (t *Types) appendKind(dst []byte, oid uint32, rv reflect.Value, depth int) ([]byte, argForm, error) {
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.Type().Implements(argTextMarshalerType) && !throughPointer(rv) {
			return dst, argNull, errArgUnfit // the pointer's own text
		}
		return t.appendArg(dst, oid, rv.Elem().Interface(), depth+1)
	case reflect.Bool:
		return appendArgBool(dst, oid, rv.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendArgInt(dst, oid, rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return appendArgUint(dst, oid, rv.Uint())
	case reflect.Float32:
		return appendArgFloat(dst, oid, rv.Float(), 32)
	case reflect.Float64:
		return appendArgFloat(dst, oid, rv.Float(), 64)
	case reflect.String:
		return appendArgString(dst, oid, rv.String())
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return appendArgBytes(dst, oid, rv.Bytes())
		}
	case reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 && (oid == pgtype.ByteaOID || oid == pgtype.UUIDOID && rv.Len() == 16) {
			b := make([]byte, rv.Len())
			reflect.Copy(reflect.ValueOf(b), rv)
			return append(dst, b...), argBinary, nil
		}
	case reflect.Struct:
		if rv.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
			return appendArgTime(dst, oid, rv.Convert(reflect.TypeFor[time.Time]()).Interface().(time.Time))
		}
	}
	return dst, argNull, errArgUnfit
}

// appendUnknown encodes for a type that nobody has described: everything that
// has an obvious text goes as that.
func (t *Types) appendUnknown(dst []byte, oid uint32, v any, rv reflect.Value, depth int) ([]byte, argForm, error) {
	if marshaler, ok := v.(encoding.TextMarshaler); ok && !throughPointer(rv) {
		return appendMarshaled(dst, oid, marshaler)
	}
	switch rv.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, rv.Bool()), argText, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if _, ok := v.(time.Duration); !ok {
			return strconv.AppendInt(dst, rv.Int(), 10), argText, nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(dst, rv.Uint(), 10), argText, nil
	case reflect.Float32:
		return strconv.AppendFloat(dst, rv.Float(), 'g', -1, 32), argText, nil
	case reflect.Float64:
		return strconv.AppendFloat(dst, rv.Float(), 'g', -1, 64), argText, nil
	case reflect.Slice, reflect.Array:
		if rv.Type().Elem().Kind() != reflect.Uint8 {
			return t.appendArray(dst, 0, rv, depth)
		}
	}
	out, form, err := t.appendKind(dst, oid, rv, depth)
	if err != errArgUnfit {
		return out, form, err
	}
	return t.appendForeign(dst, oid, v)
}

// appendForeign lets pgtype encode. Its errors show the value, so they are not
// passed on.
func (t *Types) appendForeign(dst []byte, oid uint32, v any) (_ []byte, form argForm, err error) {
	forms := []argForm{argBinary, argText}
	if t.lookup(oid) == nil { // pgtype would guess by the Go type
		forms = forms[1:]
	}
	var value []byte
	t.withMap(func(m *pgtype.Map) {
		for _, form = range forms {
			if value, err = m.Encode(oid, int16(form), v, make([]byte, 0, 64)); err == nil {
				return
			}
		}
	})
	switch {
	case err != nil:
		return dst, argNull, errArgUnfit
	case value == nil:
		return dst, argNull, nil
	case len(value) > argMaxSize:
		return dst, argNull, errArgSize
	case form == argText:
		if err := checkArgText(value); err != nil {
			return dst, argNull, err
		}
	}
	return append(dst, value...), form, nil
}

// appendArgJSON encodes any value for json and jsonb: strings and bytes are JSON
// already, unless their type says how it is written.
func appendArgJSON(dst []byte, oid uint32, v any, rv reflect.Value) ([]byte, argForm, error) {
	_, isJSON := v.(json.Marshaler)
	_, isText := v.(encoding.TextMarshaler)
	if !isJSON && !isText {
		switch {
		case rv.Kind() == reflect.String:
			return appendArgString(dst, oid, rv.String())
		case rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8:
			return appendArgBytes(dst, oid, rv.Bytes())
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return dst, argNull, fmt.Errorf("encoding a %T as JSON: %w", v, err)
	}
	return appendArgBytes(dst, oid, text)
}

// optionalValue recognises duet.Optional, whatever its type argument.
func optionalValue(rv reflect.Value) (value any, valid, ok bool) {
	if rv.Kind() != reflect.Struct {
		return nil, false, false
	}
	if _, _, _, ok = fields.IsOptional(rv.Type()); !ok {
		return nil, false, false
	}
	if !rv.FieldByName("Valid").Bool() {
		return nil, false, true
	}
	return rv.FieldByName("Value").Interface(), true, true
}
