package codec

import (
	"encoding/binary"
	"fmt"
	"time"
)

// appendArrayHeader writes what precedes the elements of an array's binary
// form: the number of dimensions, whether there is a NULL, the element type,
// then length and lower bound of each dimension (PostgreSQL source,
// utils/adt/arrayfuncs.c, array_send).
func appendArrayHeader(dst []byte, elem uint32, dims []int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(dims)))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, elem)
	for _, n := range dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		dst = append(dst, 0, 0, 0, 1)
	}
	return dst
}

// appendSlice encodes the slices that most array arguments are, without
// reflection.
func (t *Types) appendSlice(dst []byte, oid uint32, v any) ([]byte, argForm, error) {
	switch v := v.(type) {
	case []string:
		return appendArgSlice(t, dst, oid, v, appendArgString)
	case []int:
		return appendArgSlice(t, dst, oid, v, appendSignedElement)
	case []int64:
		return appendArgSlice(t, dst, oid, v, appendSignedElement)
	case []int32:
		return appendArgSlice(t, dst, oid, v, appendSignedElement)
	case []int16:
		return appendArgSlice(t, dst, oid, v, appendSignedElement)
	case []float64:
		return appendArgSlice(t, dst, oid, v, appendFloat64Element)
	case []float32:
		return appendArgSlice(t, dst, oid, v, appendFloat32Element)
	case []bool:
		return appendArgSlice(t, dst, oid, v, appendArgBool)
	case []time.Time:
		return appendArgSlice(t, dst, oid, v, appendArgTime)
	case [][]byte:
		return appendArgSlice(t, dst, oid, v, appendArgBytes)
	case [][16]byte:
		return appendArgSlice(t, dst, oid, v, appendArgUUID)
	default:
		return dst, argNull, errArgUnfit
	}
}

func appendSignedElement[T int | int64 | int32 | int16](dst []byte, oid uint32, v T) ([]byte, argForm, error) {
	return appendArgInt(dst, oid, int64(v))
}

func appendFloat64Element(dst []byte, oid uint32, v float64) ([]byte, argForm, error) {
	return appendArgFloat(dst, oid, v, 64)
}

func appendFloat32Element(dst []byte, oid uint32, v float32) ([]byte, argForm, error) {
	return appendArgFloat(dst, oid, float64(v), 32)
}

// appendArgSlice encodes a slice as an array of one dimension, where every
// element has a binary form.
func appendArgSlice[T any](
	t *Types, dst []byte, oid uint32, s []T, one func([]byte, uint32, T) ([]byte, argForm, error),
) ([]byte, argForm, error) {
	elem, ok := t.arrayElement(oid)
	if !ok {
		return dst, argNull, errArgUnfit
	}
	if s == nil {
		return dst, argNull, nil
	}
	if len(s) == 0 {
		return appendArrayHeader(dst, elem, nil), argBinary, nil
	}
	at := len(dst)
	out := appendArrayHeader(dst, elem, []int{len(s)})
	for i, v := range s {
		sized := len(out)
		out = append(out, 0xff, 0xff, 0xff, 0xff)
		var form argForm
		var err error
		out, form, err = one(out, elem, v)
		switch {
		case err == errArgUnfit || err == nil && form == argText:
			return dst, argNull, errArgUnfit
		case err != nil:
			return dst, argNull, fmt.Errorf("element %d: %w", i+1, err)
		case len(out)-at > argMaxSize:
			return dst, argNull, errArgSize
		case form == argNull:
			out[at+7] = 1
		default:
			binary.BigEndian.PutUint32(out[sized:], uint32(len(out)-sized-4))
		}
	}
	return out, argBinary, nil
}
