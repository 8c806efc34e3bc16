package typedesc

import "encoding/binary"

// Arg is a value for a parameter of the SQL twin, in PostgreSQL's binary format.
type Arg struct {
	// OID is the parameter's type; 0 where PostgreSQL has to infer it, which it
	// does for enumerations.
	OID uint32
	// Value is nil for NULL, and not nil for an empty value.
	Value []byte
}

// DecodeArgs reads the arguments of an Execute message: a tuple of the
// parameters in their order. There is one Arg per parameter. A tuple, and an
// array of tuples, is given as jsonb, which is what the SQL twins have in their
// place. Scalars are left to PostgreSQL to look at. Errors are *Error with what
// EdgeDB says.
func DecodeArgs(params []Field, data []byte) ([]Arg, error) {
	if len(params) == 0 {
		if len(data) > 0 {
			return nil, inputError("absence of query arguments must be encoded with a 'zero' type " +
				"(id: 00000000-0000-0000-0000-000000000000, encoded with zero bytes)")
		}
		return nil, nil
	}
	if len(data) == 0 {
		b := newBuilder(2)
		return nil, inputError("insufficient data for type-id %s", b.params(params))
	}
	r := reader{rest: data}
	if got := r.int32(); !r.short && int(got) != len(params) {
		return nil, inputError("invalid argument count, expected: %d, got: %d", len(params), got)
	}
	args := make([]Arg, len(params))
	for i, p := range params {
		r.int32() // reserved
		v := r.value()
		if r.short {
			return nil, r.check()
		}
		if v == nil && p.Cardinality != AtMostOne {
			return nil, &Error{Code: CodeQuery, Message: "parameter $" + p.Name + " is required"}
		}
		var err error
		if args[i], err = p.Type.arg(v); err != nil {
			return nil, err
		}
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return args, nil
}

// arg makes an argument of a value, nil for a missing one.
func (t *Type) arg(value []byte) (Arg, error) {
	a := Arg{OID: t.oid(), Value: value}
	var err error
	switch {
	case t.hasTuple():
		a.OID = oidJSONB
		if value != nil {
			a.Value, err = t.appendJSON([]byte{1}, value)
		}
	case t.Kind == Array && value != nil:
		a.Value, err = t.recodeArray(value)
	}
	return a, err
}

// hasTuple says whether a type is or holds a tuple, of which PostgreSQL has no
// type.
func (t *Type) hasTuple() bool {
	switch t.Kind {
	case Tuple, NamedTuple, Object:
		return true
	case Array:
		return t.Elem.hasTuple()
	}
	return false
}

// recodeArray puts PostgreSQL's type of the elements into an array, where
// EdgeDB's format has a reserved field, and refuses arrays that hold NULL.
func (t *Type) recodeArray(value []byte) ([]byte, error) {
	r := reader{rest: value}
	dimensions, flags := r.int32(), r.uint32()
	r.uint32() // reserved
	if !r.short && dimensions != 0 && dimensions != 1 {
		return nil, inputError("unsupported array dimensions")
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(dimensions))
	out = binary.BigEndian.AppendUint32(out, flags)
	out = binary.BigEndian.AppendUint32(out, t.Elem.oid())
	if dimensions == 0 {
		return out, r.check()
	}
	count, bound := r.int32(), r.int32()
	if !r.short && bound != 1 {
		return nil, inputError("unsupported array bound")
	}
	out = binary.BigEndian.AppendUint32(out, uint32(count))
	out = binary.BigEndian.AppendUint32(out, uint32(bound))
	for range count {
		v := r.value()
		if r.short {
			break
		}
		if v == nil {
			return nil, inputError("invalid NULL inside type")
		}
		out = appendValue(out, v)
	}
	return out, r.check()
}
