package duet

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Record is a row, or a composite value, of any shape: ordered, read by name
// and by index. The zero value has no fields. It is safe for concurrent
// reading.
type Record struct {
	names  []string
	values []any
}

// NewRecord makes a Record. It keeps both slices; names may be shared between
// records and must not be changed afterwards.
func NewRecord(names []string, values []any) Record {
	return Record{names: names[:min(len(names), len(values))], values: values[:min(len(names), len(values))]}
}

// Len counts the fields.
func (r Record) Len() int { return len(r.values) }

// Name gives the name of the i-th field, from 0; "" out of range.
func (r Record) Name(i int) string {
	if i < 0 || i >= len(r.names) {
		return ""
	}
	return r.names[i]
}

// At gives the value of the i-th field, from 0; nil out of range.
func (r Record) At(i int) any {
	if i < 0 || i >= len(r.values) {
		return nil
	}
	return r.values[i]
}

// Get gives the value of the first field with that name, and whether there is
// one; a NULL is nil.
func (r Record) Get(name string) (any, bool) {
	for i, n := range r.names {
		if n == name {
			return r.values[i], true
		}
	}
	return nil, false
}

// All walks names and values in order.
func (r Record) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, n := range r.names {
			if !yield(n, r.values[i]) {
				return
			}
		}
	}
}

// Map copies the fields into a map; of fields with one name the last one wins.
func (r Record) Map() map[string]any {
	m := make(map[string]any, len(r.names))
	for i, n := range r.names {
		m[n] = r.values[i]
	}
	return m
}

// MarshalJSON writes an object with the fields in order.
func (r Record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, n := range r.names {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(r.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
