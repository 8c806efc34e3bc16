package codec

import (
	"fmt"
	"reflect"
)

// Slice is a validated destination for all rows of a result: a *[]T.
type Slice struct {
	header *sliceHeader
	typ    reflect.Type
	elem   reflect.Type
	size   uintptr
}

// SliceTarget takes out, a *[]T. It does not touch what out points to.
func SliceTarget(out any) (Slice, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.Kind() != reflect.Pointer || v.Type().Elem().Kind() != reflect.Slice {
		return Slice{}, fmt.Errorf("the destination must be a pointer to a slice, such as *[]T, and is %s", describe(out))
	}
	if v.IsNil() {
		return Slice{}, fmt.Errorf("the destination is a nil %T: pass the address of a slice", out)
	}
	typ := v.Type().Elem()
	return Slice{header: ref[sliceHeader](pointerOf(v)), typ: typ, elem: typ.Elem(), size: typ.Elem().Size()}, nil
}

// describe names what was passed where something else is wanted.
func describe(out any) string {
	if out == nil {
		return "nil"
	}
	return reflect.TypeOf(out).String()
}

// Elem is T, the type of a row.
func (s *Slice) Elem() reflect.Type { return s.elem }

// Len counts the rows stored so far.
func (s *Slice) Len() int { return s.header.len }

// Reset makes the slice empty, not nil and without capacity: rows are never
// written over those of an earlier result, which the caller may have kept.
func (s *Slice) Reset() { s.ResetFor(0) }

// mostExpected bounds the memory, in bytes, that ResetFor makes ahead of rows.
const mostExpected = 1 << 20

// ResetFor is Reset with room for as many rows as are expected, bounded to 1
// MiB: rows that come as expected are then stored without growing.
func (s *Slice) ResetFor(rows int) {
	if s.size > 0 {
		rows = min(rows, int(mostExpected/s.size))
	}
	valueAt(ptr(s.header), s.typ).Set(reflect.MakeSlice(s.typ, 0, rows))
}

// Append decodes row, the body of a DataRow message, with d, which must have
// been compiled for Elem, and appends it. n is the row's number for errors, from
// 1. After an error the slice holds the rows before it. Append must follow a
// Reset.
func (s *Slice) Append(d *RowDecoder, row []byte, n int) error {
	if d.typ != s.elem {
		return wrongType(d, s.elem)
	}
	h := s.header
	if h.len == h.cap {
		s.grow()
	}
	p := at(h.data, uintptr(h.len)*s.size)
	if err := d.decode(p, row, n, true); err != nil {
		if s.size > 0 {
			valueAt(p, s.elem).SetZero()
		}
		return err
	}
	h.len++
	return nil
}

// largeRow is the size in bytes from which the first row gets room for itself
// alone.
const largeRow = 256

// grow makes room: little for the first rows, as most results are short.
func (s *Slice) grow() {
	n := 3 * s.header.cap
	switch {
	case s.header.cap == 0 && s.size < largeRow:
		n = 4
	case s.header.cap == 0:
		n = 1
	case s.header.cap >= 256:
		n = s.header.cap
	}
	valueAt(ptr(s.header), s.typ).Grow(n)
}

// Pointer is a validated destination for one row: a *T.
type Pointer struct {
	p    ptr
	elem reflect.Type
}

// PointerTarget takes out, a *T. It does not touch what out points to, and does
// not allocate.
func PointerTarget(out any) (Pointer, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.Kind() != reflect.Pointer {
		return Pointer{}, fmt.Errorf("the destination must be a pointer, and is %s", describe(out))
	}
	if v.IsNil() {
		return Pointer{}, fmt.Errorf("the destination is a nil %T: pass the address of a value", out)
	}
	return Pointer{p: pointerOf(v), elem: v.Type().Elem()}, nil
}

// Elem is T.
func (t Pointer) Elem() reflect.Type { return t.elem }

// Reset sets the destination to its zero value.
func (t Pointer) Reset() { valueAt(t.p, t.elem).SetZero() }

// Decode decodes row, the body of a DataRow message, with d, which must have
// been compiled for Elem; what the destination held before is gone. n is the
// row's number for errors, from 1.
func (t Pointer) Decode(d *RowDecoder, row []byte, n int) error {
	if d.typ != t.elem {
		return wrongType(d, t.elem)
	}
	return d.decode(t.p, row, n, false)
}

// wrongType keeps a mistake of the caller from writing over foreign memory.
func wrongType(d *RowDecoder, elem reflect.Type) error {
	return fmt.Errorf("a row decoder for %v was given a %v", d.typ, elem)
}
