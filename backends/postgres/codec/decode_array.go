package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// arrayReader walks the elements of an array (PostgreSQL source,
// utils/adt/arrayfuncs.c, array_send): the number of dimensions, a flag, the
// elements' type, length and lower bound of each dimension, the elements.
type arrayReader struct {
	dims [maxDims]int
	n    int
	rest []byte
}

// maxDims is PostgreSQL's own limit.
const maxDims = 6

// openArray checks the header. The lengths of the dimensions are trusted only as
// far as there are bytes for that many elements.
func openArray(src []byte, elem uint32) (arrayReader, error) {
	var r arrayReader
	if len(src) < 12 {
		return r, reasonf("malformed array: it has %d bytes", len(src))
	}
	n := binary.BigEndian.Uint32(src)
	if n > maxDims || len(src) < 12+8*int(n) {
		return r, reasonf("malformed array: %d dimensions in %d bytes", n, len(src))
	}
	if got := binary.BigEndian.Uint32(src[8:]); got != elem {
		return r, reasonf("malformed array: its elements have type oid %d, not %d", got, elem)
	}
	r.n, r.rest = int(n), src[12+8*n:]
	room, total := int64(len(r.rest)/4), int64(1)
	for i := range r.n {
		length := int64(int32(binary.BigEndian.Uint32(src[12+8*i:])))
		if length < 0 || length > room || total*length > room {
			return r, reasonf("malformed array: dimension %d of %d elements in %d bytes", i+1, length, len(src))
		}
		total *= length
		r.dims[i] = int(length)
	}
	if total == 0 {
		r.n = 0
	}
	if r.n == 0 {
		return r, r.close()
	}
	return r, nil
}

// next gives the next element; null says that it is NULL.
func (r *arrayReader) next() (src []byte, null bool, err error) {
	if len(r.rest) < 4 {
		return nil, false, reasonf("malformed array: it ends too early")
	}
	size := int(int32(binary.BigEndian.Uint32(r.rest)))
	r.rest = r.rest[4:]
	if size == -1 {
		return nil, true, nil
	}
	if size < 0 || size > len(r.rest) {
		return nil, false, reasonf("malformed array: an element has %d bytes where %d are left", size, len(r.rest))
	}
	src = r.rest[:size:size]
	r.rest = r.rest[size:]
	return src, false, nil
}

// close checks that nothing follows the last element.
func (r *arrayReader) close() error {
	if len(r.rest) != 0 {
		return reasonf("malformed array: %d bytes follow its last element", len(r.rest))
	}
	return nil
}

// inElement says which element err is about.
func inElement(i int, err error) error {
	return within(fmt.Sprintf("element %d", i+1), err)
}

// arrayLevel is one dimension of a destination.
type arrayLevel struct {
	typ   reflect.Type
	size  uintptr
	empty reflect.Value // of a slice
}

// arrayPlan decodes arrays into slices and Go arrays, nested once for each
// dimension.
type arrayPlan struct {
	levels []arrayLevel
	leaf   decoder
	elem   uint32
}

// compileArray compiles arrays into []T, [][]T and so on, [N]T at any level, and
// []any.
func compileArray(src *source, dst reflect.Type) (decoder, bool) {
	if dst.Kind() == reflect.Slice && dst.Elem() == anyType {
		read := anyArray(src)
		return decoder{typ: dst, value: func(p ptr, b []byte) error {
			list, err := read(b)
			store(p, list)
			return err
		}}, true
	}
	plan := &arrayPlan{elem: src.elem.oid}
	for typ := dst; ; {
		if typ.Kind() != reflect.Slice && typ.Kind() != reflect.Array || len(plan.levels) == maxDims {
			return decoder{}, false
		}
		level := arrayLevel{typ: typ, size: typ.Elem().Size()}
		if typ.Kind() == reflect.Slice {
			level.empty = reflect.MakeSlice(typ, 0, 0)
		}
		plan.levels = append(plan.levels, level)
		typ = typ.Elem()
		leaf, err := compile(src.elem, typ)
		if err == nil {
			plan.leaf = leaf
			return decoder{typ: dst, value: plan.decode}, true
		}
	}
}

func (a *arrayPlan) decode(p ptr, src []byte) error {
	r, err := openArray(src, a.elem)
	if err != nil {
		return err
	}
	if r.n == 0 {
		return a.levels[0].storeEmpty(p)
	}
	if r.n != len(a.levels) {
		return reasonf("an array of %d dimensions into %v", r.n, a.levels[0].typ)
	}
	if err := a.fill(p, &r, 0); err != nil {
		return err
	}
	return r.close()
}

func (l *arrayLevel) storeEmpty(p ptr) error {
	if l.typ.Kind() == reflect.Slice {
		valueAt(p, l.typ).Set(l.empty)
		return nil
	}
	if l.typ.Len() != 0 {
		return reasonf("0 elements do not fit %v", l.typ)
	}
	return nil
}

// fill decodes the dimension depth into the slice or Go array at p.
func (a *arrayPlan) fill(p ptr, r *arrayReader, depth int) error {
	level, n := &a.levels[depth], r.dims[depth]
	base := p
	if level.typ.Kind() == reflect.Slice {
		v := valueAt(p, level.typ)
		v.SetZero()
		v.Grow(n)
		v.SetLen(n)
		base = ref[sliceHeader](p).data
	} else if level.typ.Len() != n {
		return reasonf("%d elements do not fit %v", n, level.typ)
	}
	for i := range n {
		target := at(base, uintptr(i)*level.size)
		var err error
		if depth+1 < len(a.levels) {
			err = a.fill(target, r, depth+1)
		} else {
			err = a.element(target, r)
		}
		if err != nil {
			return inElement(i, err)
		}
	}
	return nil
}

func (a *arrayPlan) element(p ptr, r *arrayReader) error {
	src, null, err := r.next()
	switch {
	case err != nil:
		return err
	case null:
		return a.leaf.storeNull(p)
	default:
		return a.leaf.value(p, src)
	}
}

// anyArray decodes arrays into []any, nested once for each dimension; NULL is
// nil.
func anyArray(src *source) func([]byte) ([]any, error) {
	leaf := src.elem.anyForm()
	elem := src.elem.oid
	return func(b []byte) ([]any, error) {
		r, err := openArray(b, elem)
		if err != nil {
			return nil, err
		}
		if r.n == 0 {
			return []any{}, nil
		}
		list, err := anyLevel(&r, 0, leaf)
		if err != nil {
			return nil, err
		}
		return list, r.close()
	}
}

func anyLevel(r *arrayReader, depth int, leaf func([]byte) (any, error)) ([]any, error) {
	list := make([]any, r.dims[depth])
	for i := range list {
		if depth+1 < r.n {
			inner, err := anyLevel(r, depth+1, leaf)
			if err != nil {
				return nil, inElement(i, err)
			}
			list[i] = inner
			continue
		}
		src, null, err := r.next()
		if err == nil && !null {
			list[i], err = leaf(src)
		}
		if err != nil {
			return nil, inElement(i, err)
		}
	}
	return list, nil
}
