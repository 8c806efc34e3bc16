package typedesc

import (
	"encoding/binary"
	"encoding/json"
)

// Column is a column of a row as PostgreSQL gave it, in its binary format.
type Column struct {
	// Name is matched with an object's fields; of other results it is not used.
	Name string
	OID  uint32
	// Data is nil for NULL.
	Data []byte
}

// EncodeRow makes one element of a Data message of a row: a value of type t in
// EdgeDB's binary format. A row of an object has a column per field, of other
// types one column. Objects within, tuples and sets may be json, jsonb, arrays
// or records; elements of tuples are taken in order.
//
// ok is false where the row is no value: a NULL in place of a scalar, which is
// an empty set. Errors are *Error.
func EncodeRow(t *Type, row []Column) (data []byte, ok bool, err error) {
	if t.Kind == Object {
		data, err = t.objectFromRow(row)
		return data, err == nil, err
	}
	if len(row) != 1 {
		return nil, false, internalError("a row of %d columns is no %s", len(row), t.displayName())
	}
	if row[0].Data == nil {
		return nil, false, nil
	}
	data, err = t.fromSQL(row[0].OID, row[0].Data)
	return data, err == nil, err
}

// EncodeJSON makes a row's value as JSON, otherwise as EncodeRow.
func EncodeJSON(t *Type, row []Column) (text []byte, ok bool, err error) {
	data, ok, err := EncodeRow(t, row)
	if err != nil || !ok {
		return nil, false, err
	}
	text, err = t.appendJSON(nil, data)
	return text, err == nil, err
}

// EncodeJSONSet makes the JSON array of all rows' values; "[]" of none.
func EncodeJSONSet(t *Type, rows [][]Column) ([]byte, error) {
	out := []byte{'['}
	for _, row := range rows {
		text, ok, err := EncodeJSON(t, row)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		out = append(out, text...)
	}
	return append(out, ']'), nil
}

// objectFromRow matches columns with fields by name.
func (t *Type) objectFromRow(row []Column) ([]byte, error) {
	if len(row) != len(t.Fields) {
		return nil, internalError("a row of %d columns is no object of %d fields", len(row), len(t.Fields))
	}
	columns := make(map[string]Column, len(row))
	for _, c := range row {
		columns[c.Name] = c
	}
	return t.appendFields(nil, func(i int) (Column, bool) {
		c, ok := columns[t.Fields[i].Name]
		return c, ok
	})
}

// appendFields writes a tuple or an object of columns.
func (t *Type) appendFields(dst []byte, column func(i int) (Column, bool)) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(t.Fields)))
	for i, f := range t.Fields {
		c, ok := column(i)
		if !ok {
			return nil, internalError("there is no column %q", f.Name)
		}
		v, err := f.fromColumn(c)
		if err != nil {
			return nil, err
		}
		dst = appendValue(binary.BigEndian.AppendUint32(dst, fieldOID(f)), v)
	}
	return dst, nil
}

// fromColumn makes a field's value; nil where it is missing.
func (f Field) fromColumn(c Column) ([]byte, error) {
	if c.OID == oidJSON && f.isCollection() {
		return f.fromJSON(c.Data)
	}
	if c.OID == oidJSONB && f.isCollection() && len(c.Data) > 0 {
		return f.fromJSON(c.Data[1:])
	}
	if f.Cardinality == Many || f.Cardinality == AtLeastOne {
		if c.Data == nil {
			return f.Type.appendSet(nil, nil), nil
		}
		values, err := f.Type.valuesFromSQL(c.Data)
		if err != nil {
			return nil, err
		}
		return f.Type.appendSet(nil, values), nil
	}
	if c.Data == nil {
		return nil, f.missing()
	}
	return f.Type.fromSQL(c.OID, c.Data)
}

// isCollection says that JSON stands for the field's value and is not that
// value.
func (f Field) isCollection() bool {
	return f.Cardinality == Many || f.Cardinality == AtLeastOne || f.Type.scalarName() != "std::json"
}

// missing is the error of a field that is missing, nil where it may be.
func (f Field) missing() error {
	if f.Cardinality == AtMostOne {
		return nil
	}
	return internalError("the field %q is required, and is missing", f.Name)
}

// fromJSON makes a field's value of JSON; no bytes and null are nothing.
func (f Field) fromJSON(raw json.RawMessage) ([]byte, error) {
	if f.Cardinality == Many || f.Cardinality == AtLeastOne {
		var raws []json.RawMessage
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &raws); err != nil {
				return nil, internalError("the field %q is no array", f.Name)
			}
		}
		values, err := f.Type.valuesFromJSON(raws)
		if err != nil {
			return nil, err
		}
		return f.Type.appendSet(nil, values), nil
	}
	if len(raw) == 0 || string(raw) == "null" && (f.Type.scalarName() != "std::json" || f.Cardinality == AtMostOne) {
		return nil, f.missing()
	}
	return f.Type.fromJSON(raw)
}
