package codec

import (
	"database/sql/driver"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

var (
	errArgTextElement    = errors.New("an element has no binary form")
	errArgNotRectangular = errors.New("the array is not rectangular")

	argValuerType        = reflect.TypeFor[driver.Valuer]()
	argTextMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// argArray encodes a slice or array of any type and depth.
type argArray struct {
	types *Types
	elem  uint32 // the element type; 0 where nobody knows the array's type
	depth int
	dims  []int
	nulls bool
}

// appendArray encodes rv, a slice or an array, as an array of elem. Its form is
// text where an element has no other, and where elem is 0.
func (t *Types) appendArray(dst []byte, elem uint32, rv reflect.Value, depth int) ([]byte, argForm, error) {
	a := argArray{types: t, elem: elem, depth: depth}
	if err := a.measure(rv); err != nil {
		return dst, argNull, err
	}
	if slices.Contains(a.dims, 0) {
		if err := a.check(rv, 0); err != nil {
			return dst, argNull, err
		}
		if elem == 0 {
			return append(dst, "{}"...), argText, nil
		}
		return appendArrayHeader(dst, elem, nil), argBinary, nil
	}
	if elem != 0 {
		out, err := a.appendBinary(appendArrayHeader(dst, elem, a.dims), rv, 0)
		if err == nil {
			if a.nulls {
				out[len(dst)+7] = 1
			}
			return out, argBinary, nil
		}
		if !errors.Is(err, errArgTextElement) {
			return dst, argNull, err
		}
	}
	out, err := a.appendText(dst, rv, 0)
	return out, argText, err
}

// measure finds the dimensions along the first elements.
func (a *argArray) measure(rv reflect.Value) error {
	for {
		if len(a.dims) == maxDims {
			return fmt.Errorf("an array has at most %d dimensions", maxDims)
		}
		a.dims = append(a.dims, rv.Len())
		if rv.Len() == 0 {
			return nil
		}
		next, ok := a.dimension(rv.Index(0))
		if !ok {
			return nil
		}
		rv = next
	}
}

// dimension says whether a value is one more dimension rather than an element.
func (a *argArray) dimension(rv reflect.Value) (reflect.Value, bool) {
	if rv.Kind() == reflect.Interface {
		rv = rv.Elem()
	}
	if !rv.IsValid() || rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return rv, false
	}
	rt := rv.Type()
	if rt.Elem().Kind() == reflect.Uint8 || isJSONOID(a.elem) {
		return rv, false
	}
	return rv, !rt.Implements(argValuerType) && !rt.Implements(argTextMarshalerType)
}

// check walks an array that has no elements: no part of it may have any.
func (a *argArray) check(rv reflect.Value, level int) error {
	if rv.Len() != a.dims[level] {
		return fmt.Errorf("%w: %d elements instead of %d", errArgNotRectangular, rv.Len(), a.dims[level])
	}
	for i := range rv.Len() {
		next, ok := a.dimension(rv.Index(i))
		if !ok {
			return errArgNotRectangular
		}
		if err := a.check(next, level+1); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return nil
}

// each calls one for the elements of the innermost dimensions, and deeper for
// the parts of the others.
func (a *argArray) each(rv reflect.Value, level int, deeper func(i int, part reflect.Value) error, one func(i int, v any) error) error {
	if rv.Len() != a.dims[level] {
		return fmt.Errorf("%w: %d elements instead of %d", errArgNotRectangular, rv.Len(), a.dims[level])
	}
	innermost := level == len(a.dims)-1
	for i := range rv.Len() {
		part, isPart := a.dimension(rv.Index(i))
		var err error
		switch {
		case isPart == innermost:
			err = errArgNotRectangular
		case isPart:
			err = deeper(i, part)
		default:
			err = one(i, rv.Index(i).Interface())
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return nil
}

func (a *argArray) appendBinary(dst []byte, rv reflect.Value, level int) ([]byte, error) {
	err := a.each(rv, level, func(_ int, part reflect.Value) (err error) {
		dst, err = a.appendBinary(dst, part, level+1)
		return err
	}, func(_ int, v any) error {
		at := len(dst)
		out, form, err := a.types.appendArg(append(dst, 0xff, 0xff, 0xff, 0xff), a.elem, v, a.depth+1)
		switch {
		case err != nil:
			return a.types.explain(err, a.elem, v)
		case form == argText:
			return errArgTextElement
		case len(out) > argMaxSize:
			return errArgSize
		case form == argNull:
			a.nulls = true
		default:
			binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
		}
		dst = out
		return nil
	})
	return dst, err
}

// appendText writes the array literal (PostgreSQL documentation, "Array Input
// and Output Syntax").
func (a *argArray) appendText(dst []byte, rv reflect.Value, level int) ([]byte, error) {
	delimiter := byte(',')
	if a.elem == pgtype.BoxOID {
		delimiter = ';'
	}
	dst = append(dst, '{')
	separate := func(i int) {
		if i > 0 {
			dst = append(dst, delimiter)
		}
	}
	err := a.each(rv, level, func(i int, part reflect.Value) (err error) {
		separate(i)
		dst, err = a.appendText(dst, part, level+1)
		return err
	}, func(i int, v any) error {
		separate(i)
		text, form, err := a.types.appendArg(nil, a.elem, v, a.depth+1)
		switch {
		case err != nil:
			return a.types.explain(err, a.elem, v)
		case form == argNull:
			dst = append(dst, "NULL"...)
			return nil
		case form == argBinary:
			if text, err = a.types.textForm(nil, a.elem, text, 0); err != nil {
				return err
			}
		}
		if len(dst)+len(text) > argMaxSize {
			return errArgSize
		}
		dst = appendQuoted(dst, text)
		return nil
	})
	return append(dst, '}'), err
}

// appendQuoted quotes an element of an array literal.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
