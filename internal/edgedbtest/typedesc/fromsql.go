package typedesc

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

// The microseconds of datetimes, since 2000: from the year 1 to the end of the
// year 9999.
const (
	minDatetime = -63082281600 * second
	maxDatetime = 252455616000*second - 1
)

// fromSQL makes a value of EdgeDB's binary format of one in PostgreSQL's.
func (t *Type) fromSQL(oid uint32, data []byte) ([]byte, error) {
	if oid == oidJSONB {
		if len(data) == 0 || data[0] != 1 {
			return nil, internalError("jsonb of an unknown version")
		}
		data = data[1:]
	}
	if oid == oidJSON || oid == oidJSONB {
		if t.Kind == Scalar && t.Name == "std::json" {
			return append([]byte{1}, data...), nil
		}
		return t.fromJSON(data)
	}
	switch t.Kind {
	case Enum:
		if !slices.Contains(t.Labels, string(data)) || oid != oidText && oid < oidFirstUser {
			return nil, t.mismatch(oid)
		}
		return data, nil
	case Array:
		return t.arrayFromSQL(oid, data)
	case Tuple, NamedTuple, Object:
		return t.recordFromSQL(oid, data)
	case Range:
		return t.rangeFromSQL(oid, data)
	case Multirange:
		return t.multirangeFromSQL(oid, data)
	}
	return t.scalarFromSQL(oid, data)
}

// mismatch is the error of a column that has not the declared type.
func (t *Type) mismatch(oid uint32) error {
	return internalError("a value of PostgreSQL's type %d is no %s", oid, t.displayName())
}

func (t *Type) scalarFromSQL(oid uint32, data []byte) ([]byte, error) {
	want := scalars[t.Name].oid
	if t.Name == "std::str" && (oid == oidVarchar || oid == oidBpchar || oid == oidName) {
		want = oid
	}
	if oid != want || want == 0 {
		return nil, t.mismatch(oid)
	}
	if size, ok := sizes[oid]; ok && len(data) != size {
		return nil, t.mismatch(oid)
	}
	if !t.holds(data) {
		return nil, &Error{Code: CodeInvalidValue, Message: "value out of range for " + t.Name}
	}
	return data, nil
}

// sizes are the lengths of values of PostgreSQL's types.
var sizes = map[uint32]int{16: 1, 21: 2, 23: 4, 20: 8, 700: 4, 701: 8, 2950: 16, 1184: 8, 1114: 8, 1082: 4, 1083: 8, 1186: 16}

// holds says whether a scalar has a value that PostgreSQL's type for it has.
func (t *Type) holds(data []byte) bool {
	switch t.Name {
	case "std::str":
		return utf8.Valid(data)
	case "std::decimal":
		return checkNumeric(data, false)
	case "std::bigint":
		return checkNumeric(data, true)
	case "std::datetime", "cal::local_datetime":
		v := int64(binary.BigEndian.Uint64(data))
		return v >= minDatetime && v <= maxDatetime
	case "cal::local_date":
		v := int64(int32(binary.BigEndian.Uint32(data)))
		return v >= minDatetime/(24*hour) && v <= maxDatetime/(24*hour)
	case "cal::local_time":
		return binary.BigEndian.Uint64(data) <= 24*hour
	case "std::duration":
		v, ok := readInterval(data)
		return ok && v.days == 0 && v.months == 0 && v.micros != math.MinInt64
	case "cal::date_duration":
		v, ok := readInterval(data)
		return ok && v.micros == 0
	case "cfg::memory":
		return int64(binary.BigEndian.Uint64(data)) >= 0
	}
	return true
}

// elements reads PostgreSQL's array of at most one dimension, and gives its
// elements and their type.
func elements(data []byte) (values [][]byte, oid uint32, err error) {
	r := reader{rest: data}
	dimensions, _ := r.int32(), r.int32()
	oid = r.uint32()
	if r.short || dimensions != 0 && dimensions != 1 {
		return nil, 0, internalError("an array of %d dimensions", dimensions)
	}
	if dimensions == 1 {
		count, _ := r.int32(), r.int32()
		for range count {
			if r.short {
				break
			}
			values = append(values, r.value())
		}
	}
	if !r.done() {
		return nil, 0, internalError("an array that does not end where it should")
	}
	return values, oid, nil
}

// valuesFromSQL makes the elements of an array or a set.
func (t *Type) valuesFromSQL(data []byte) ([][]byte, error) {
	values, oid, err := elements(data)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if v == nil {
			return nil, internalError("a NULL in an array of %s", t.displayName())
		}
		if values[i], err = t.fromSQL(oid, v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (t *Type) arrayFromSQL(oid uint32, data []byte) ([]byte, error) {
	if want := t.oid(); want != 0 && oid != want && oid < oidFirstUser {
		return nil, t.mismatch(oid)
	}
	values, err := t.Elem.valuesFromSQL(data)
	if err != nil {
		return nil, err
	}
	return appendArray(nil, t.Elem.oid(), values), nil
}

// appendArray writes an array, or a set of what is no array.
func appendArray(dst []byte, oid uint32, values [][]byte) []byte {
	dimensions := uint32(min(len(values), 1))
	for _, v := range []uint32{dimensions, 0, oid} {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	if dimensions == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(values)))
	dst = binary.BigEndian.AppendUint32(dst, 1)
	for _, v := range values {
		dst = appendValue(dst, v)
	}
	return dst
}

// appendSet writes a set. Each array in a set has an envelope.
func (t *Type) appendSet(dst []byte, values [][]byte) []byte {
	if t.Kind != Array {
		return appendArray(dst, t.oid(), values)
	}
	enveloped := make([][]byte, len(values))
	for i, v := range values {
		one := binary.BigEndian.AppendUint32(nil, 1)
		enveloped[i] = appendValue(binary.BigEndian.AppendUint32(one, t.oid()), v)
	}
	return appendArray(dst, oidRecord, enveloped)
}

// recordFromSQL reads a composite value, whose fields have no names.
func (t *Type) recordFromSQL(oid uint32, data []byte) ([]byte, error) {
	if oid != oidRecord && oid < oidFirstUser {
		return nil, t.mismatch(oid)
	}
	r := reader{rest: data}
	if count := r.int32(); int(count) != len(t.Fields) {
		return nil, internalError("a record of %d fields is no %s", count, t.displayName())
	}
	row := make([]Column, len(t.Fields))
	for i := range row {
		row[i] = Column{Name: t.Fields[i].Name, OID: r.uint32(), Data: r.value()}
	}
	if !r.done() {
		return nil, internalError("a record that does not end where it should")
	}
	return t.appendFields(nil, func(i int) (Column, bool) { return row[i], true })
}

// The flags of a range: the section "Ranges" of the page "Data wire formats".
const (
	rangeEmpty         = 1 << 0
	rangeLowerIncluded = 1 << 1
	rangeUpperIncluded = 1 << 2
	rangeLowerInfinite = 1 << 3
	rangeUpperInfinite = 1 << 4
)

// hasBounds says which bounds follow the flags of a range.
func hasBounds(flags byte) (lower, upper bool) {
	return flags&(rangeEmpty|rangeLowerInfinite) == 0, flags&(rangeEmpty|rangeUpperInfinite) == 0
}

func (t *Type) rangeFromSQL(oid uint32, data []byte) ([]byte, error) {
	if want := t.oid(); want != 0 && oid != want {
		return nil, t.mismatch(oid)
	}
	r := reader{rest: data}
	flags := r.uint8()
	out := []byte{flags}
	lower, upper := hasBounds(flags)
	for _, has := range []bool{lower, upper} {
		if !has {
			continue
		}
		bound, err := t.Elem.fromSQL(t.Elem.oid(), r.value())
		if err != nil {
			return nil, err
		}
		out = appendValue(out, bound)
	}
	if !r.done() {
		return nil, internalError("a range that does not end where it should")
	}
	return out, nil
}

func (t *Type) multirangeFromSQL(oid uint32, data []byte) ([]byte, error) {
	if want := t.oid(); want != 0 && oid != want {
		return nil, t.mismatch(oid)
	}
	one := &Type{Kind: Range, Elem: t.Elem}
	r := reader{rest: data}
	count := r.uint32()
	out := binary.BigEndian.AppendUint32(nil, count)
	for range count {
		if r.short {
			break
		}
		v, err := one.rangeFromSQL(one.oid(), r.value())
		if err != nil {
			return nil, err
		}
		out = appendValue(out, v)
	}
	if !r.done() {
		return nil, internalError("a multirange that does not end where it should")
	}
	return out, nil
}
