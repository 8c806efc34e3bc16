package typedesc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// appendJSON writes a value of EdgeDB's binary format as EdgeDB writes it as
// JSON.
func (t *Type) appendJSON(dst, data []byte) ([]byte, error) {
	switch t.Kind {
	case Enum:
		return appendQuoted(dst, string(data)), nil
	case Array:
		return t.Elem.valuesToJSON(dst, data, false)
	case Tuple, NamedTuple, Object:
		return t.fieldsToJSON(dst, data)
	case Range:
		return t.rangeToJSON(dst, data)
	case Multirange:
		r := reader{rest: data}
		one := &Type{Kind: Range, Elem: t.Elem}
		return one.listToJSON(dst, &r, int64(r.uint32()), false)
	}
	return t.scalarToJSON(dst, data)
}

// malformed is the error of bytes that are no value of the type.
func (t *Type) malformed() error { return inputError("malformed data of type %s", t.displayName()) }

// valuesToJSON writes an array, or with set a set, of values of a type.
func (t *Type) valuesToJSON(dst, data []byte, set bool) ([]byte, error) {
	r := reader{rest: data}
	dimensions, _, _ := r.int32(), r.int32(), r.int32()
	count := int64(0)
	if dimensions == 1 {
		count, _ = int64(r.int32()), r.int32()
	}
	if dimensions < 0 || dimensions > 1 {
		return nil, t.malformed()
	}
	return t.listToJSON(dst, &r, count, set && t.Kind == Array)
}

// listToJSON writes count values, which may have an envelope each.
func (t *Type) listToJSON(dst []byte, r *reader, count int64, enveloped bool) ([]byte, error) {
	dst = append(dst, '[')
	for i := range count {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		v := r.value()
		if enveloped {
			inner := reader{rest: v}
			inner.take(8)
			v = inner.value()
		}
		if v == nil {
			return nil, t.malformed()
		}
		var err error
		if dst, err = t.appendJSON(dst, v); err != nil {
			return nil, err
		}
	}
	if !r.done() {
		return nil, t.malformed()
	}
	return append(dst, ']'), nil
}

func (t *Type) fieldsToJSON(dst, data []byte) ([]byte, error) {
	r := reader{rest: data}
	if int(r.int32()) != len(t.Fields) {
		return nil, t.malformed()
	}
	open, end := byte('{'), byte('}')
	if t.Kind == Tuple {
		open, end = '[', ']'
	}
	dst = append(dst, open)
	for i, f := range t.Fields {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if t.Kind != Tuple {
			dst = append(appendQuoted(dst, f.Name), ": "...)
		}
		r.int32()
		var err error
		if dst, err = f.toJSON(dst, r.value()); err != nil {
			return nil, err
		}
	}
	if !r.done() {
		return nil, t.malformed()
	}
	return append(dst, end), nil
}

func (f Field) toJSON(dst, value []byte) ([]byte, error) {
	switch {
	case value == nil && f.Cardinality != AtMostOne:
		return nil, f.Type.malformed()
	case value == nil:
		return append(dst, "null"...), nil
	case f.Cardinality == Many || f.Cardinality == AtLeastOne:
		return f.Type.valuesToJSON(dst, value, true)
	}
	return f.Type.appendJSON(dst, value)
}

func (t *Type) rangeToJSON(dst, data []byte) ([]byte, error) {
	r := reader{rest: data}
	flags := r.uint8()
	if flags&rangeEmpty != 0 {
		return append(dst, `{"empty": true}`...), r.check()
	}
	lower, upper := hasBounds(flags)
	var err error
	bound := func(name string, has bool) {
		dst = append(dst, name...)
		if !has {
			dst = append(dst, "null"...)
			return
		}
		v := r.value()
		if v == nil && err == nil {
			err = t.malformed()
		}
		if err == nil {
			dst, err = t.Elem.appendJSON(dst, v)
		}
	}
	bound(`{"lower": `, lower)
	bound(`, "upper": `, upper)
	if err == nil && !r.done() {
		err = t.malformed()
	}
	return fmt.Appendf(dst, `, "inc_lower": %t, "inc_upper": %t}`, flags&rangeLowerIncluded != 0, flags&rangeUpperIncluded != 0), err
}

// scalarToJSON writes a scalar, after a look at its length and its value.
func (t *Type) scalarToJSON(dst, data []byte) ([]byte, error) {
	if size, ok := sizes[scalars[t.Name].oid]; ok && len(data) != size || !t.holds(data) {
		return nil, t.malformed()
	}
	switch t.Name {
	case "std::bool":
		return strconv.AppendBool(dst, data[0] != 0), nil
	case "std::int16":
		return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(data))), 10), nil
	case "std::int32":
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(data))), 10), nil
	case "std::int64":
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(data)), 10), nil
	case "std::float32":
		return appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(data))), 32), nil
	case "std::float64":
		return appendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(data)), 64), nil
	case "std::decimal", "std::bigint":
		text, err := numericText(data)
		return append(dst, text...), err
	case "std::json":
		if len(data) == 0 || data[0] != 1 || !json.Valid(data[1:]) {
			return nil, t.malformed()
		}
		return append(dst, data[1:]...), nil
	}
	text, ok := t.text(data)
	if !ok {
		return nil, t.malformed()
	}
	return appendQuoted(dst, text), nil
}

// text writes the scalars that JSON has as strings.
func (t *Type) text(data []byte) (string, bool) {
	switch t.Name {
	case "std::str":
		return string(data), true
	case "std::bytes":
		return base64.StdEncoding.EncodeToString(data), true
	case "std::uuid":
		return UUID(data).String(), true
	case "std::datetime", "cal::local_datetime":
		v := int64(binary.BigEndian.Uint64(data))
		return time.UnixMicro(v + epoch).UTC().Format(timeLayouts[t.Name]), true
	case "cal::local_date":
		v := int64(int32(binary.BigEndian.Uint32(data)))
		return time.UnixMicro(v*24*hour + epoch).UTC().Format(timeLayouts[t.Name]), true
	case "cal::local_time":
		return clock(int64(binary.BigEndian.Uint64(data))), true
	case "std::duration", "cal::relative_duration", "cal::date_duration":
		v, ok := readInterval(data)
		zero := "PT0S"
		if t.Name == "cal::date_duration" {
			zero = "P0D"
		}
		return v.text(zero), ok
	case "cfg::memory":
		return memoryText(int64(binary.BigEndian.Uint64(data))), true
	}
	return "", false
}

// clock writes the time of a day, 24:00 included.
func clock(micros int64) string {
	text := fmt.Sprintf("%02d:%02d:%02d", micros/hour, micros%hour/minute, micros%minute/second)
	if rest := micros % second; rest != 0 {
		text += seconds(rest)[1:]
	}
	return text
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

// appendQuoted writes a string of JSON.
func appendQuoted(dst []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // strings always encode
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
