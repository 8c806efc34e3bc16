package decode

import (
	"encoding/base64"
	"reflect"
	"time"

	"github.com/edgedb/edgedb-go"
)

// jsonScalar gives the setter for types that are one scalar value; nil where t is
// none of those.
func jsonScalar(t reflect.Type) (setter[*jsonValue], error) {
	switch t {
	case typeOf[edgedb.UUID](), timeType, durationType, typeOf[edgedb.Duration](), typeOf[edgedb.Memory](),
		typeOf[edgedb.LocalDateTime](), typeOf[edgedb.LocalDate](), typeOf[edgedb.LocalTime](),
		typeOf[edgedb.RelativeDuration](), typeOf[edgedb.DateDuration]():
		return jsonText(t), nil
	case bigIntType, bigRatType, bigFloatType:
		return jsonDecimal(t)
	}
	for s := scalarUnknown + 1; s < scalarCount; s++ {
		if implementsOwn(t, s) {
			return jsonOwn(s, t)
		}
	}
	switch {
	case isByteArray(t) && t.Len() == 16, isTime(t):
		return jsonText(t), nil
	case implements(t, scannerType) || implements(t, jsonUnmarshalerType):
		return nil, nil
	case implements(t, textUnmarshalerType):
		return func(dst reflect.Value, v *jsonValue) error { return unmarshalText(dst, v.what(), v.text()) }, nil
	case isBytes(t) || isByteArray(t):
		return jsonBytes, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(dst reflect.Value, v *jsonValue) error {
			if v.kind != jsonBool {
				return reasonf("%s into %v", v.what(), t)
			}
			dst.SetBool(v.raw[0] == 't')
			return nil
		}, nil
	case reflect.String:
		return func(dst reflect.Value, v *jsonValue) error {
			dst.SetString(v.text())
			return nil
		}, nil
	case reflect.Float32, reflect.Float64, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return jsonDecimal(t)
	default:
		return nil, nil
	}
}

// jsonDecimal reads numbers, and for floats the names of what JSON has no number
// for.
func jsonDecimal(t reflect.Type) (setter[*jsonValue], error) {
	set := decimalInto(t)
	isFloat := t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
	return func(dst reflect.Value, v *jsonValue) error {
		switch text := v.text(); {
		case v.kind == jsonNumber:
			return set(dst, text)
		case isFloat && v.kind == jsonString && (text == "NaN" || text == "Infinity" || text == "-Infinity"):
			return set(dst, text)
		default:
			return reasonf("%s into %v", v.what(), t)
		}
	}, nil
}

// jsonBytes reads the base64 that bytes are in JSON; what is no string is the text
// of a json value.
func jsonBytes(dst reflect.Value, v *jsonValue) error {
	if v.kind != jsonString {
		return setBytes(dst, v.raw)
	}
	b, err := base64.StdEncoding.DecodeString(v.text())
	if err != nil {
		return because(err, "a string into %v, which takes base64 here", dst.Type())
	}
	return setBytes(dst, b)
}

// jsonText reads the types whose values are texts in JSON.
func jsonText(t reflect.Type) setter[*jsonValue] {
	return func(dst reflect.Value, v *jsonValue) error {
		if v.kind != jsonString {
			return reasonf("%s into %v", v.what(), t)
		}
		err := setText(dst, t, v.text())
		if _, ours := err.(*valueError); err != nil && !ours {
			return because(err, "a string into %v", t)
		}
		return err
	}
}

func setText(dst reflect.Value, t reflect.Type, text string) error {
	switch {
	case isTime(t):
		v, err := parseTime(text)
		if err != nil {
			return err
		}
		dst.Set(reflect.ValueOf(v).Convert(t))
		return nil
	case t == durationType:
		v, err := parseGoDuration(text)
		if err != nil {
			return err
		}
		return assign(dst, v)
	case t == typeOf[edgedb.Duration]():
		months, days, micros, err := parseISODuration(text)
		if err != nil || months != 0 || days != 0 {
			return errNotDuration
		}
		return assign(dst, edgedb.Duration(micros))
	case t == typeOf[edgedb.RelativeDuration]() || t == typeOf[edgedb.DateDuration]():
		return setEdgeDBDuration(dst, t, text)
	case isByteArray(t):
		v, err := edgedb.ParseUUID(text)
		if err != nil {
			return err
		}
		return setBytes(dst, v[:])
	default:
		return unmarshalText(dst, "a string", text)
	}
}

// setEdgeDBDuration stores months, days and microseconds in edgedb-go's own types.
func setEdgeDBDuration(dst reflect.Value, t reflect.Type, text string) error {
	months, days, micros, err := parseISODuration(text)
	if err != nil {
		return err
	}
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return errDurationRange
	}
	if t == typeOf[edgedb.RelativeDuration]() {
		return assign(dst, edgedb.NewRelativeDuration(int32(months), int32(days), micros))
	}
	if micros != 0 {
		return errNotDuration
	}
	return assign(dst, edgedb.NewDateDuration(int32(months), int32(days)))
}

// parseTime reads a datetime, a local_datetime, a local_date or a local_time.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{localDateTimeLayout, localDateLayout, localTimeLayout} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// parseGoDuration reads a duration without months, or a local_time.
func parseGoDuration(text string) (time.Duration, error) {
	if t, err := time.Parse(localTimeLayout, text); err == nil {
		return t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), nil
	}
	months, days, micros, err := parseISODuration(text)
	if err != nil {
		return 0, err
	}
	return goDuration(micros, days, months)
}

// jsonOwn reads values for a type that reads the scalar's wire format itself.
func jsonOwn(s scalar, t reflect.Type) (setter[*jsonValue], error) {
	into, err := compileScalar(s, s != scalarDecimal, t)
	if err != nil {
		return nil, err
	}
	plain := scalars[s].plain
	var from setter[*jsonValue]
	switch s {
	case scalarDecimal:
		from = func(dst reflect.Value, v *jsonValue) error {
			if v.kind != jsonNumber {
				return reasonf("%s into %v", v.what(), t)
			}
			return assign(dst, decimal{text: v.text(), set: true})
		}
	case scalarBigInt:
		from = func(dst reflect.Value, v *jsonValue) error {
			whole, err := wholeNumber(v.text(), t)
			if err != nil {
				return err
			}
			return assign(dst, whole)
		}
	case scalarJSON:
		from = func(dst reflect.Value, v *jsonValue) error { return setBytes(dst, v.raw) }
	default:
		if from, err = jsonScalar(plain); from == nil || err != nil {
			return nil, reasonf("JSON does not decode into %v", t)
		}
	}
	return func(dst reflect.Value, v *jsonValue) error {
		p := reflect.New(plain).Elem()
		if err := from(p, v); err != nil {
			return err
		}
		return into(dst, p)
	}, nil
}
