package decode

import (
	"reflect"
)

// draft is a shape in the making.
type draft struct {
	root *node
	// types are the Go types that values at the nodes go into, where they are
	// known.
	types map[*node]reflect.Type
	// spare are fields that an object had when their order was not known.
	spare map[*node][]field
	// changed says that root is no longer what the cache has.
	changed bool
}

// newDraft begins with what is known, or with one unknown value. row is the Go
// type of a row, or nil.
func newDraft(known *node, row reflect.Type) *draft {
	d := &draft{types: map[*node]reflect.Type{}, spare: map[*node][]field{}}
	if known == nil {
		d.root, d.changed = &node{}, true
	} else {
		d.root = known.clone()
	}
	d.bind(d.root, row)
	return d
}

// bind says which Go type the values at n go into.
func (d *draft) bind(n *node, t reflect.Type) {
	t = valueType(t)
	d.types[n] = t
	switch {
	case n.kind == kindList:
		d.bind(n.elem, elemType(t))
	case n.kind == kindRange || !n.hasFields():
	default:
		if n.kind == kindObject && !n.ordered && structFields(t) == nil {
			// All names are needed, and in order: they are asked for one by one.
			d.spare[n] = n.fields
			n.ordered, n.fields, d.changed = true, nil, true
		}
		for i, f := range n.fields {
			d.bind(f.node, fieldType(t, n, i))
		}
	}
}

// expand makes n an object or a tuple, which was a value.
func (d *draft) expand(n *node, k kind) {
	*n = node{kind: k, ordered: true}
	if k != kindObject {
		return
	}
	fields := structFields(d.types[n])
	n.ordered = fields == nil
	for i := range fields {
		f := &node{}
		n.fields = append(n.fields, field{name: fields[i].Name, node: f})
		d.bind(f, fields[i].Type)
	}
}

// add adds a field that is known to exist.
func (d *draft) add(n *node, name string) {
	f := &node{}
	for _, old := range d.spare[n] {
		if old.name == name {
			f = old.node
		}
	}
	n.fields = append(n.fields, field{name: name, node: f, seen: true})
	d.bind(f, fieldType(d.types[n], n, len(n.fields)-1))
}

// firstRange is the range that is tried first: if it is refused, edgedb-go says
// which it should be.
const firstRange = scalarInt64

// mend changes the draft so that the mismatch does not come again; false where
// edgedb-go cannot decode the result, or what it said was not understood.
func (d *draft) mend(m mismatch, shadow reflect.Type) bool {
	if m.what == wantsOther || m.what == wantsOptional {
		return false
	}
	n := m.at(d.root, shadow)
	if n == nil {
		return false
	}
	d.changed = true
	switch m.what {
	case wantsObject, wantsTuple:
		kind := kindObject
		if m.what == wantsTuple {
			kind = kindTuple
		}
		if n.kind == kind {
			return false
		}
		d.expand(n, kind)
	case wantsSet, wantsArray:
		if n.kind == kindList {
			return false
		}
		elem := &node{}
		*n = node{kind: kindList, elem: elem, array: m.what == wantsArray}
		d.bind(elem, elemType(d.types[n]))
	case wantsRange:
		if n.kind == kindRange {
			return false
		}
		*n = node{kind: kindRange, scalar: firstRange}
	case wantsScalar:
		return d.mendScalar(n, m.scalar)
	case wantsField, wantsElement, wantsNamed:
		return d.mendField(n, m)
	}
	return true
}

func (d *draft) mendScalar(n *node, s scalar) bool {
	if n.kind == kindRange {
		_, known := rangeTypes[s]
		if !known || n.scalar == s {
			return false
		}
		n.scalar = s
		return true
	}
	if n.kind == kindScalar && n.scalar == s {
		return false
	}
	*n = node{scalar: s}
	return true
}

func (d *draft) mendField(n *node, m mismatch) bool {
	if m.what == wantsField && n.kind != kindObject {
		d.expand(n, kindObject) // what it was taken for is a struct too
	}
	if !n.hasFields() || n.field(m.name) != nil {
		return false
	}
	// Of protocol 2.0 edgedb-go takes named tuples for tuples, with names.
	kind := n.kind
	switch {
	case m.what == wantsNamed, m.what == wantsElement && m.name != tupleName(len(n.fields)):
		kind = kindNamed
	case m.what == wantsElement:
		kind = kindTuple
	}
	if n.kind != kind {
		*n = node{kind: kind, ordered: true}
	}
	d.add(n, m.name)
	return true
}
