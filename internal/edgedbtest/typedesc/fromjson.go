package typedesc

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fromJSON makes a value of EdgeDB's binary format of JSON, written as
// PostgreSQL's functions write values of the SQL twin's types.
func (t *Type) fromJSON(raw json.RawMessage) ([]byte, error) {
	switch t.Kind {
	case Array:
		var raws []json.RawMessage
		if json.Unmarshal(raw, &raws) != nil {
			return nil, t.notJSON(raw)
		}
		values, err := t.Elem.valuesFromJSON(raws)
		if err != nil {
			return nil, err
		}
		return appendArray(nil, t.Elem.oid(), values), nil
	case Tuple, NamedTuple, Object:
		return t.fieldsFromJSON(raw)
	case Range:
		return t.rangeFromJSON(raw)
	case Multirange:
		var raws []json.RawMessage
		if json.Unmarshal(raw, &raws) != nil {
			return nil, t.notJSON(raw)
		}
		values, err := (&Type{Kind: Range, Elem: t.Elem}).valuesFromJSON(raws)
		out := binary.BigEndian.AppendUint32(nil, uint32(len(values)))
		for _, v := range values {
			out = appendValue(out, v)
		}
		return out, err
	case Enum:
		var label string
		if json.Unmarshal(raw, &label) != nil || !slices.Contains(t.Labels, label) {
			return nil, t.notJSON(raw)
		}
		return []byte(label), nil
	}
	return t.scalarFromJSON(raw)
}

func (t *Type) notJSON(raw []byte) error {
	return internalError("the JSON %.100q is no %s", raw, t.displayName())
}

func (t *Type) valuesFromJSON(raws []json.RawMessage) ([][]byte, error) {
	values := make([][]byte, 0, len(raws))
	for _, raw := range raws {
		if string(raw) == "null" && t.scalarName() != "std::json" {
			return nil, internalError("a null among values of %s", t.displayName())
		}
		v, err := t.fromJSON(raw)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// fieldsFromJSON reads an object or, of tuples, an array.
func (t *Type) fieldsFromJSON(raw json.RawMessage) ([]byte, error) {
	var (
		list  []json.RawMessage
		named map[string]json.RawMessage
	)
	if t.Kind != Object && json.Unmarshal(raw, &list) == nil {
		if len(list) != len(t.Fields) {
			return nil, t.notJSON(raw)
		}
	} else if t.Kind == Tuple || json.Unmarshal(raw, &named) != nil || named == nil {
		return nil, t.notJSON(raw)
	}
	dst := binary.BigEndian.AppendUint32(nil, uint32(len(t.Fields)))
	for i, f := range t.Fields {
		one := named[f.Name]
		if named == nil {
			one = list[i]
		}
		v, err := f.fromJSON(one)
		if err != nil {
			return nil, err
		}
		dst = appendValue(binary.BigEndian.AppendUint32(dst, fieldOID(f)), v)
	}
	return dst, nil
}

// rangeFromJSON reads the form in which EdgeDB writes ranges as JSON.
func (t *Type) rangeFromJSON(raw json.RawMessage) ([]byte, error) {
	var v struct {
		Empty         bool
		Lower, Upper  json.RawMessage
		LowerIncluded bool `json:"inc_lower"`
		UpperIncluded bool `json:"inc_upper"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return nil, t.notJSON(raw)
	}
	if v.Empty {
		return []byte{rangeEmpty}, nil
	}
	flags := bit(v.LowerIncluded)*rangeLowerIncluded | bit(v.UpperIncluded)*rangeUpperIncluded
	out := []byte{flags}
	bound := func(raw json.RawMessage, infinite byte) error {
		if len(raw) == 0 || string(raw) == "null" {
			out[0] |= infinite
			return nil
		}
		value, err := t.Elem.fromJSON(raw)
		out = appendValue(out, value)
		return err
	}
	if err := bound(v.Lower, rangeLowerInfinite); err != nil {
		return nil, err
	}
	return out, bound(v.Upper, rangeUpperInfinite)
}

// scalarFromJSON reads a scalar: a string's contents, or a number as it stands.
func (t *Type) scalarFromJSON(raw json.RawMessage) ([]byte, error) {
	if t.Name == "std::json" {
		return append([]byte{1}, raw...), nil
	}
	text, quoted := string(raw), false
	if len(raw) > 0 && raw[0] == '"' {
		if json.Unmarshal(raw, &text) != nil {
			return nil, t.notJSON(raw)
		}
		quoted = true
	}
	data, err := t.parse(text, quoted)
	if err != nil {
		return nil, t.notJSON(raw)
	}
	if !t.holds(data) {
		return nil, &Error{Code: CodeInvalidValue, Message: "value out of range for " + t.Name}
	}
	return data, nil
}

// parse reads a scalar as PostgreSQL writes it.
func (t *Type) parse(text string, quoted bool) ([]byte, error) {
	switch t.Name {
	case "std::str", "std::uuid", "std::bytes", "std::datetime", "cal::local_datetime", "cal::local_date", "cal::local_time",
		"std::duration", "cal::relative_duration", "cal::date_duration":
		if !quoted {
			return nil, strconv.ErrSyntax
		}
		return t.parseText(text)
	case "std::bool":
		if quoted || text != "true" && text != "false" {
			return nil, strconv.ErrSyntax
		}
		return []byte{bit(text == "true")}, nil
	case "std::float32", "std::float64":
		return t.parseFloat(text)
	case "std::decimal", "std::bigint":
		return parseNumeric(text)
	case "cfg::memory":
		return parseMemory(text)
	}
	size := int(map[string]int{"std::int16": 2, "std::int32": 4, "std::int64": 8}[t.Name])
	n, err := strconv.ParseInt(text, 10, 8*size)
	if err != nil || quoted || size == 0 {
		return nil, strconv.ErrSyntax
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))[8-size:], nil
}

// parseFloat reads a number, or Infinity, -Infinity or NaN.
func (t *Type) parseFloat(text string) ([]byte, error) {
	if t.Name == "std::float32" {
		v, err := strconv.ParseFloat(text, 32)
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(v))), err
	}
	v, err := strconv.ParseFloat(text, 64)
	bits := math.Float64bits(v)
	if math.IsNaN(v) {
		bits = 0x7ff8 << 48 // as PostgreSQL writes it
	}
	return binary.BigEndian.AppendUint64(nil, bits), err
}

// parseText reads the scalars that JSON has as strings.
func (t *Type) parseText(text string) ([]byte, error) {
	switch t.Name {
	case "std::str":
		return []byte(text), nil
	case "std::uuid":
		id, err := parseUUID(text)
		return id[:], err
	case "std::bytes":
		digits, ok := strings.CutPrefix(text, `\x`)
		if !ok {
			return nil, strconv.ErrSyntax
		}
		return hex.DecodeString(digits)
	case "cal::local_time":
		micros, err := parseClock(text)
		return binary.BigEndian.AppendUint64(nil, uint64(micros)), err
	case "std::duration", "cal::relative_duration", "cal::date_duration":
		v, err := parseInterval(text)
		return v.append(nil), err
	}
	v, err := time.Parse(timeLayouts[t.Name], text)
	if err != nil {
		return nil, err
	}
	micros := v.UnixMicro() - epoch
	if t.Name == "cal::local_date" {
		return binary.BigEndian.AppendUint32(nil, uint32(int32(micros/(24*hour)))), nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(micros)), nil
}

// epoch is 2000-01-01T00:00Z, from which EdgeDB and PostgreSQL count, in
// microseconds since 1970.
const epoch = 946684800 * second

// timeLayouts are how JSON has times.
var timeLayouts = map[string]string{
	"std::datetime":       "2006-01-02T15:04:05.999999-07:00",
	"cal::local_datetime": "2006-01-02T15:04:05.999999",
	"cal::local_date":     "2006-01-02",
}
