package decode

import (
	"fmt"
	"reflect"

	"github.com/duetdb/duet"
)

// list finds how sets and arrays go into t.
func (c *compiler) list(n *node, t reflect.Type) (target[reflect.Value], error) {
	switch {
	case t == anyType:
		inner, err := c.list(n, typeOf[[]any]())
		return target[reflect.Value]{missing: setZero, set: boxed(typeOf[[]any](), inner.set)}, err
	case t.Kind() == reflect.Slice:
		return c.slice(n, t)
	case t.Kind() == reflect.Array:
		return c.array(n, t)
	default:
		return target[reflect.Value]{}, unfit(n.describe(), t)
	}
}

// boxed stores in an any what set stores in a t.
func boxed(t reflect.Type, set setter[reflect.Value]) setter[reflect.Value] {
	return func(dst reflect.Value, v reflect.Value) error {
		p := reflect.New(t).Elem()
		if err := set(p, v); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	}
}

func (c *compiler) slice(n *node, t reflect.Type) (target[reflect.Value], error) {
	if n.elem.kind == kindScalar && flat(n.elem.scalar) && t.Elem() == scalars[n.elem.scalar].plain {
		return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
			dst.Set(reflect.MakeSlice(t, v.Len(), v.Len()))
			reflect.Copy(dst, v)
			return nil
		}}, nil
	}
	elem, err := c.element(n, t)
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		dst.Set(reflect.MakeSlice(t, v.Len(), v.Len()))
		return copyElements(elem, dst, v)
	}}, err
}

func (c *compiler) array(n *node, t reflect.Type) (target[reflect.Value], error) {
	elem, err := c.element(n, t)
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		if v.Len() != t.Len() {
			return reasonf("%d elements do not fit %v", v.Len(), t)
		}
		return copyElements(elem, dst, v)
	}}, err
}

// element compiles for the elements of the list type t. Where they are scalars, it
// is the list that does not fit.
func (c *compiler) element(n *node, t reflect.Type) (copier, error) {
	elem, err := c.compile(n.elem, true, t.Elem())
	if err != nil && n.elem.kind == kindScalar {
		err = unfit(n.describe(), t)
	}
	return elem, err
}

func copyElements(elem copier, dst, src reflect.Value) error {
	for i := range src.Len() {
		if err := elem(dst.Index(i), src.Index(i)); err != nil {
			return within(fmt.Sprintf("element %d", i+1), err)
		}
	}
	return nil
}

// flat says whether copying a value's memory copies the value.
func flat(s scalar) bool {
	switch s {
	case scalarUnknown, scalarBytes, scalarJSON, scalarBigInt, scalarDecimal:
		return false
	default:
		return true
	}
}

// fields finds how objects and tuples go into t.
func (c *compiler) fields(n *node, t reflect.Type) (target[reflect.Value], error) {
	var out target[reflect.Value]
	var err error
	switch {
	case t == anyType && n.kind == kindTuple:
		out, err = c.values(n, typeOf[[]any]())
		return target[reflect.Value]{missing: setZero, set: boxed(typeOf[[]any](), out.set)}, err
	case t == anyType:
		out, err = c.values(n, recordType)
		return target[reflect.Value]{missing: setZero, set: boxed(recordType, out.set)}, err
	case t == recordType || isAnyMap(t) || isAnyList(t):
		return c.values(n, t)
	case n.kind == kindTuple && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		return c.elements(n, t)
	case t.Kind() == reflect.Struct && !nativeStruct(t):
		return c.structure(n, t)
	default:
		return out, unfit(n.describe(), t)
	}
}

// step moves one field of an object.
type step struct {
	name string
	from int // in the shadow
	to   []int
	copy copier
}

// values stores the fields in a Record, a map[string]any or a []any.
func (c *compiler) values(n *node, t reflect.Type) (target[reflect.Value], error) {
	var steps []step
	var names []string
	for i, f := range n.fields {
		if f.gone {
			continue
		}
		one, err := c.compile(f.node, false, anyType)
		if err != nil {
			return target[reflect.Value]{}, within(inField(f.name), err)
		}
		steps = append(steps, step{name: f.name, from: firstField(n) + i, copy: one})
		names = append(names, f.name)
	}
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		list := make([]any, len(steps))
		into := reflect.ValueOf(list)
		for i := range steps {
			if err := steps[i].copy(into.Index(i), v.Field(steps[i].from)); err != nil {
				return within(inField(steps[i].name), err)
			}
		}
		storeValues(dst, names, list)
		return nil
	}}, nil
}

// storeValues stores names and values in a Record, a map[string]any or a []any.
func storeValues(dst reflect.Value, names []string, list []any) {
	switch {
	case dst.Type() == recordType:
		dst.Set(reflect.ValueOf(duet.NewRecord(names, list)))
	case dst.Kind() == reflect.Map:
		m := make(map[string]any, len(list))
		for i, v := range list {
			m[names[i]] = v
		}
		dst.Set(reflect.ValueOf(m).Convert(dst.Type()))
	default:
		dst.Set(reflect.ValueOf(list).Convert(dst.Type()))
	}
}

// elements stores a tuple's elements in a slice or an array.
func (c *compiler) elements(n *node, t reflect.Type) (target[reflect.Value], error) {
	copiers := make([]copier, len(n.fields))
	for i, f := range n.fields {
		one, err := c.compile(f.node, false, t.Elem())
		if err != nil {
			return target[reflect.Value]{}, within(fmt.Sprintf("element %d", i+1), err)
		}
		copiers[i] = one
	}
	if t.Kind() == reflect.Array && t.Len() != len(copiers) {
		return target[reflect.Value]{}, reasonf("%d elements do not fit %v", len(copiers), t)
	}
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		if t.Kind() == reflect.Slice {
			dst.Set(reflect.MakeSlice(t, len(copiers), len(copiers)))
		}
		for i, one := range copiers {
			if err := one(dst.Index(i), v.Field(firstField(n)+i)); err != nil {
				return within(fmt.Sprintf("element %d", i+1), err)
			}
		}
		return nil
	}}, nil
}

func inField(name string) string { return fmt.Sprintf("field %q", name) }
