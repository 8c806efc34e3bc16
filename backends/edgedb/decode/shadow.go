package decode

import (
	"fmt"
	"reflect"
	"strconv"
)

// The shadow is the Go type that edgedb-go decodes a result into, made from the
// shape alone. edgedb-go wants exact types: a struct with a tagged field for each
// field of an object or a tuple, a slice for a set or an array, and for what may
// be missing a type of its own. Those take what is required as well, so that the
// shape need not know the difference: only places where a value is always there,
// rows and elements, have plain types. Go never frees a type that was made: there
// are as many as there are shapes, and few more for finding them out.

// misfit is a type that no scalar but json decodes into.
type misfit [0]struct{}

// shadows makes shadow types.
type shadows struct{ tuples int }

// shadowOf gives the type for rows of the shape n.
func shadowOf(n *node) reflect.Type { return (&shadows{}).of(n, true) }

func (s *shadows) of(n *node, plain bool) reflect.Type {
	switch n.kind {
	case kindScalar:
		if n.misfit {
			return typeOf[misfit]()
		}
		if plain {
			return scalars[n.scalar].plain
		}
		return scalars[n.scalar].optional
	case kindRange:
		if plain {
			return rangeTypes[n.scalar].plain
		}
		return rangeTypes[n.scalar].optional
	case kindList:
		return reflect.SliceOf(s.of(n.elem, true))
	default:
		return s.ofStruct(n)
	}
}

// firstField is where the fields of a tuple begin in its shadow: edgedb-go names
// a tuple that does not fit by its Go type alone, so each has a field that makes
// its type unlike all others. It has no size.
func firstField(n *node) int {
	if n.kind == kindObject {
		return 0
	}
	return 1
}

func (s *shadows) ofStruct(n *node) reflect.Type {
	list := make([]reflect.StructField, 0, len(n.fields)+1)
	if n.kind != kindObject {
		list = append(list, reflect.StructField{Name: "Tuple" + strconv.Itoa(s.tuples), Type: typeOf[struct{}]()})
		s.tuples++
	}
	for i, f := range n.fields {
		list = append(list, reflect.StructField{
			// A name that no column has: edgedb-go looks for those too.
			Name: fmt.Sprintf("Field_%d_of_duet", i),
			Type: s.of(f.node, false),
			Tag:  reflect.StructTag("edgedb:" + strconv.Quote(f.name)),
		})
	}
	return reflect.StructOf(list)
}

// tupleTypes gives the shadow type of each tuple in a tree whose rows have the
// shadow type t.
func tupleTypes(n *node, t reflect.Type, visit func(*node, reflect.Type)) {
	switch {
	case n.kind == kindList:
		tupleTypes(n.elem, t.Elem(), visit)
	case n.hasFields():
		if n.kind != kindObject {
			visit(n, t)
		}
		for i, f := range n.fields {
			tupleTypes(f.node, t.Field(firstField(n)+i).Type, visit)
		}
	}
}
