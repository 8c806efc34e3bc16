package codec

import (
	"encoding/binary"
	"reflect"

	"github.com/duetdb/duet"
)

// decoder decodes the values of one column into one Go type. It is safe for
// concurrent use.
type decoder struct {
	// value stores src at p. It does not keep src, which dies with the next
	// read from the connection, and what it stores shares nothing with what was
	// at p before.
	value func(p ptr, src []byte) error
	// null stores NULL at p. It is nil where the type cannot hold NULL.
	null func(p ptr) error
	// typ is the Go type.
	typ reflect.Type
	// direct is what a row decoder may do instead of calling value.
	direct direct
}

// storeNull stores NULL or says that it cannot be.
func (d *decoder) storeNull(p ptr) error {
	if d.null == nil {
		return reasonf("NULL into %v", d.typ)
	}
	return d.null(p)
}

// step decodes one column of a row.
type step struct {
	decoder
	offset uintptr
	// hops lead through embedded pointers, before offset.
	hops []hop
	// skip is set for a column that has no field and needs none.
	skip bool
}

// hop is an embedded pointer on the way to a field.
type hop struct {
	offset uintptr
	elem   reflect.Type
}

// shape is what a row becomes.
type shape uint8

const (
	// shapePlain is a struct or a scalar, decoded in place.
	shapePlain shape = iota
	shapeList
	shapeMap
	shapeRecord
	// shapePointer is a pointer to another shape.
	shapePointer
)

// RowDecoder decodes the rows of one statement into one Go type. It is compiled
// by [Types.RowDecoder] and safe for concurrent use.
type RowDecoder struct {
	typ     reflect.Type
	shape   shape
	columns []string
	steps   []step
	// clear is set where decoding leaves parts of the destination alone.
	clear bool
	// inner decodes what a pointer points to.
	inner *RowDecoder
}

// Type is the Go type that rows become.
func (d *RowDecoder) Type() reflect.Type { return d.typ }

// decode decodes the body of a DataRow message (PostgreSQL documentation,
// section "Message Formats") into the value of type d.typ at p. n is the row's
// number for errors; fresh says that the value is zero.
func (d *RowDecoder) decode(p ptr, row []byte, n int, fresh bool) error {
	if d.shape != shapePlain {
		return d.decodeShape(p, row, n)
	}
	if d.clear && !fresh {
		valueAt(p, d.typ).SetZero()
	}
	return d.decodeInto(p, row, n)
}

// decodeInto runs the steps.
func (d *RowDecoder) decodeInto(p ptr, row []byte, n int) error {
	if len(row) < 2 || int(binary.BigEndian.Uint16(row)) != len(d.steps) {
		return wrongCount(row, len(d.steps), n)
	}
	rest := row[2:]
	for i := range d.steps {
		if len(rest) < 4 {
			return malformed(n, "it ends before column %d", i+1)
		}
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size > len(rest) || size < -1 {
			return malformed(n, "column %d has %d bytes where %d are left", i+1, size, len(rest))
		}
		s := &d.steps[i]
		if s.direct != notDirect && size >= 0 && s.hops == nil && !s.skip && decodeDirect(s.direct, at(p, s.offset), rest[:size:size]) {
			rest = rest[size:]
			continue
		}
		var err error
		switch {
		case size < 0:
			if !s.skip {
				err = s.storeNull(s.address(p))
			}
		case s.skip:
			rest = rest[size:]
		case s.hops == nil:
			err = s.value(at(p, s.offset), rest[:size:size])
			rest = rest[size:]
		default:
			err = s.value(s.address(p), rest[:size:size])
			rest = rest[size:]
		}
		if err != nil {
			return inColumn(n, d.columns[i], err)
		}
	}
	if len(rest) != 0 {
		return malformed(n, "%d bytes follow its last column", len(rest))
	}
	return nil
}

func wrongCount(row []byte, want, n int) error {
	if len(row) < 2 {
		return malformed(n, "it has %d bytes", len(row))
	}
	return malformed(n, "it has %d columns, not %d", binary.BigEndian.Uint16(row), want)
}

// address is where the step's value lies in the struct at p; embedded pointers
// on the way are allocated.
func (s *step) address(p ptr) ptr {
	for i := range s.hops {
		slot := ref[ptr](at(p, s.hops[i].offset))
		if *slot == nil {
			*slot = allocate(s.hops[i].elem)
		}
		p = *slot
	}
	return at(p, s.offset)
}

// decodeShape decodes rows that are not decoded in place.
func (d *RowDecoder) decodeShape(p ptr, row []byte, n int) error {
	if d.shape == shapePointer {
		target := allocate(d.inner.typ)
		if err := d.inner.decode(target, row, n, true); err != nil {
			return err
		}
		store(p, target)
		return nil
	}
	values := make([]any, len(d.steps))
	if len(values) > 0 {
		if err := d.decodeInto(addressOf(&values[0]), row, n); err != nil {
			return err
		}
	} else if err := d.decodeInto(nil, row, n); err != nil {
		return err
	}
	switch d.shape {
	case shapeList:
		store(p, values)
	case shapeRecord:
		store(p, duet.NewRecord(d.columns, values))
	default:
		m := make(map[string]any, len(values))
		for i, v := range values {
			m[d.columns[i]] = v
		}
		store(p, m)
	}
	return nil
}
