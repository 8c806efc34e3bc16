package decode

import "reflect"

// For the tests.
var (
	NumericText      = numericText
	NumericWire      = numericWire
	ISODuration      = isoDuration
	ParseISODuration = parseISODuration
	MostStatements   = mostStatements
)

// ScalarCount counts the scalar types, with the unknown one.
const ScalarCount = int(scalarCount)

// FromWire reads a value of the i-th scalar type.
func FromWire(i int, data []byte) (reflect.Value, error) { return fromWire(scalar(i), data) }

// CopyWire reads a value of the i-th scalar type into out, a *T.
func CopyWire(i int, data []byte, out any) error {
	copy, err := cellCopier(reflect.TypeOf(out).Elem())
	if err != nil {
		return err
	}
	c := cell{{scalar: scalar(i), seen: true, raw: data}}
	return copy(reflect.ValueOf(out).Elem(), reflect.ValueOf(&c).Elem())
}

// JSON is a parsed JSON value, as its elements and keys.
func JSON(text []byte) (any, error) {
	v, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	return v.plain(), nil
}

func (v *jsonValue) plain() any {
	switch v.kind {
	case jsonArray:
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = e.plain()
		}
		return list
	case jsonObject:
		m := map[string]any{}
		for i, e := range v.list {
			m[v.keys[i]] = e.plain()
		}
		return m
	case jsonString:
		return v.text()
	case jsonBool:
		return v.raw[0] == 't'
	case jsonNull:
		return nil
	default:
		return string(v.raw)
	}
}

// JSONInto decodes the server's JSON into out, a *T.
func JSONInto(text []byte, out any, lax bool) error {
	v, err := parseJSON(text)
	if err != nil {
		return err
	}
	row, err := (&compiler{lax: lax}).jsonRow(reflect.TypeOf(out).Elem())
	if err != nil {
		return err
	}
	return row(reflect.ValueOf(out).Elem(), v)
}

// Statements counts what the cache holds.
func (c *Cache) Statements() int { return len(c.statements) }
