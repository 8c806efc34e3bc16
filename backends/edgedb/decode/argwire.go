package decode

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/edgedb/edgedb-go"
)

// argWire encodes v, which unwrap has seen, as a value of s.
func argWire(s scalar, v any) ([]byte, error) {
	if err := checkPlainText(s, v); err != nil {
		return nil, err
	}
	switch s {
	case scalarJSON:
		return argJSON(v)
	case scalarStr:
		return argStr(v)
	case scalarBytes:
		return argBytes(v)
	case scalarUUID:
		return argUUID(v)
	case scalarBool:
		return argBool(v)
	case scalarInt16, scalarInt32, scalarInt64, scalarMemory:
		return argInt(s, v)
	case scalarFloat32, scalarFloat64:
		return argFloat(s, v)
	case scalarBigInt, scalarDecimal:
		return argNumeric(s, v)
	default:
		return argTime(s, v)
	}
}

func argStr(v any) ([]byte, error) {
	switch v.(type) {
	case edgedb.UUID, edgedb.Memory, edgedb.LocalDateTime, edgedb.LocalDate, edgedb.LocalTime, edgedb.RelativeDuration, edgedb.DateDuration:
		return nil, errUnfit // their text is no form of a str
	}
	text, ok, err := anyText(v)
	if err == nil && !ok {
		err = errUnfit
	}
	return []byte(text), err
}

func argBytes(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch {
	case isBytes(rv.Type()):
		return rv.Bytes(), nil
	case isByteArray(rv.Type()):
		return arrayBytes(rv), nil
	case rv.Kind() == reflect.String:
		return []byte(rv.String()), nil
	}
	text, ok, err := argText(v)
	if err != nil || !ok {
		return nil, firstError(err, errUnfit)
	}
	return []byte(text), nil
}

func arrayBytes(rv reflect.Value) []byte {
	b := make([]byte, rv.Len())
	reflect.Copy(reflect.ValueOf(b), rv)
	return b
}

func argUUID(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch {
	case isByteArray(rv.Type()) && rv.Len() == 16:
		return arrayBytes(rv), nil
	case isBytes(rv.Type()) && rv.Len() == 16:
		return rv.Bytes(), nil
	}
	text, ok, err := argText(v)
	if err != nil || !ok {
		return nil, firstError(err, errUnfit)
	}
	id, err := edgedb.ParseUUID(text)
	if err != nil {
		return nil, errors.New("the text is not a uuid")
	}
	return id[:], nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func argBool(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Bool {
		return wireBool(rv.Bool()), nil
	}
	text, ok, err := argText(v)
	switch {
	case err != nil || !ok:
		return nil, firstError(err, errUnfit)
	case text != "true" && text != "false":
		return nil, errors.New("the text is neither true nor false")
	default:
		return wireBool(text == "true"), nil
	}
}

// argJSON takes strings and bytes for JSON already, unless their type says how it
// is written.
func argJSON(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	_, isJSON := v.(json.Marshaler)
	_, isText := v.(encoding.TextMarshaler)
	var text []byte
	switch {
	case !isJSON && !isText && rv.Kind() == reflect.String:
		text = []byte(rv.String())
	case !isJSON && !isText && isBytes(rv.Type()):
		text = rv.Bytes()
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("encoding a %T as JSON: %w", v, err)
		}
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	return wireJSON(text), nil
}

// argInt encodes integers that fit, floats without a fraction, and texts.
func argInt(s scalar, v any) ([]byte, error) {
	size := scalars[s].plain.Bits() / 8
	if s == scalarMemory {
		size = 8
		if m, ok := parseMemory(v); ok {
			return wireInt(int64(m), size), nil
		}
	}
	whole, err := argWhole(v)
	switch {
	case err == errNotInteger:
		return nil, doesNotFit(s)
	case err != nil:
		return nil, err
	case !whole.IsInt64():
		return nil, doesNotFit(s)
	}
	n := whole.Int64()
	if shift := 64 - 8*size; n<<shift>>shift != n {
		return nil, doesNotFit(s)
	}
	return wireInt(n, size), nil
}

func doesNotFit(s scalar) error { return fmt.Errorf("the value does not fit %s", s.name()) }

func parseMemory(v any) (m edgedb.Memory, ok bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.String {
		return 0, false
	}
	return m, m.UnmarshalText([]byte(rv.String())) == nil
}

// argWhole reads an integer of any size.
func argWhole(v any) (*big.Int, error) {
	if b, ok := v.(*big.Int); ok {
		return b, nil
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.Type() == bigIntType:
		b := rv.Interface().(big.Int)
		return &b, nil
	case rv.CanInt():
		return big.NewInt(rv.Int()), nil
	case rv.CanUint():
		return new(big.Int).SetUint64(rv.Uint()), nil
	case rv.CanFloat():
		f := rv.Float()
		if f != math.Trunc(f) || math.IsInf(f, 0) {
			return nil, errNotInteger
		}
		whole, _ := big.NewFloat(f).Int(nil)
		return whole, nil
	}
	text, ok, err := argText(v)
	if err != nil || !ok {
		return nil, firstError(err, errUnfit)
	}
	negative, digits, _, err := splitNumber(text)
	switch {
	case err != nil:
		return nil, err
	case strings.ContainsAny(text, ".eE"):
		return nil, errNotNumber
	}
	whole := bigFromDigits(digits)
	if negative {
		whole.Neg(whole)
	}
	return whole, nil
}

func argFloat(s scalar, v any) ([]byte, error) {
	bits := scalars[s].plain.Bits()
	f, err := argFloatValue(v, bits)
	if err != nil {
		return nil, err
	}
	if f32 := float64(float32(f)); bits == 32 && (math.IsInf(f32, 0) && !math.IsInf(f, 0) || f32 == 0 && f != 0) {
		return nil, doesNotFit(s)
	}
	return wireFloat(f, bits), nil
}

func argFloatValue(v any, bits int) (float64, error) {
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanFloat():
		return rv.Float(), nil
	case rv.CanInt():
		return float64(rv.Int()), nil
	case rv.CanUint():
		return float64(rv.Uint()), nil
	}
	text, ok, err := argText(v)
	if err != nil || !ok {
		return 0, firstError(err, errUnfit)
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return 0, fmt.Errorf("the text is not a float%d", bits)
	}
	return f, nil
}

// argNumeric encodes decimals and bigints: numbers of all kinds and texts. A float
// goes as the shortest decimal that reads back as the same float.
func argNumeric(s scalar, v any) ([]byte, error) {
	text, err := numberText(v)
	if err != nil {
		return nil, err
	}
	return numericWire(text, s == scalarBigInt)
}

func numberText(v any) (string, error) {
	rv := reflect.ValueOf(v)
	switch n := v.(type) {
	case *big.Int:
		return n.String(), nil
	case *big.Rat:
		return ratText(n)
	case *big.Float:
		return bigFloatText(n)
	case big.Int:
		return n.String(), nil
	case big.Rat:
		return ratText(&n)
	case big.Float:
		return bigFloatText(&n)
	}
	switch {
	case rv.CanInt():
		return strconv.FormatInt(rv.Int(), 10), nil
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10), nil
	case rv.CanFloat():
		f := rv.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "", errors.New("NaN and infinity have no decimal form")
		}
		return strconv.FormatFloat(f, 'f', -1, rv.Type().Bits()), nil
	}
	text, ok, err := argText(v)
	if err == nil && !ok {
		if s, is := v.(fmt.Stringer); is && !isNative(v) { // decimal types
			return s.String(), nil
		}
		err = errUnfit
	}
	return text, err
}

func ratText(n *big.Rat) (string, error) {
	if n.Num().BitLen() > 5*mostWhole || n.Denom().BitLen() > 4*mostPlaces {
		return "", errTooLong
	}
	places, exact := n.FloatPrec()
	if !exact {
		return "", errors.New("the fraction has no finite decimal form; round it first")
	}
	return n.FloatString(places), nil
}

func bigFloatText(n *big.Float) (string, error) {
	if n.IsInf() {
		return "", errors.New("an infinite number has no decimal form")
	}
	if exp := n.MantExp(nil); exp > 4*mostWhole || exp < -4*mostPlaces {
		return "", errTooLong
	}
	return n.Text('f', -1), nil
}
