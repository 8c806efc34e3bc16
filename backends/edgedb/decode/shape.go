package decode

import (
	"slices"
	"strconv"
)

// kind is what a place in a result's shape holds.
type kind uint8

const (
	// kindScalar is one value; which type it has may not be known yet.
	kindScalar kind = iota
	// kindObject has named fields, kindNamed is a named tuple, kindTuple has
	// fields named "0", "1" and so on.
	kindObject
	kindNamed
	kindTuple
	// kindList is a set or an array: on the wire and in Go they are alike.
	kindList
	// kindRange is a range of the scalar.
	kindRange
)

// node is a place in a result's shape. A node that others can see is never
// changed: who learns more makes a copy.
type node struct {
	kind   kind
	scalar scalar
	fields []field
	// elem is a list's element.
	elem *node
	// array says that a list is known to be an array, or a multirange.
	array bool
	// ordered says that fields are all there are, in the server's order. Else
	// they are names that a Go struct has, with all that the server has among
	// them; those that were never seen may not exist.
	ordered bool
	// misfit gives a scalar a shadow that edgedb-go must refuse.
	misfit bool
}

// field is a field of an object or a tuple.
type field struct {
	name string
	node *node
	// seen says that the field is known to exist, gone that it does not: an object
	// was there and had no such field.
	seen, gone bool
}

// hasFields says whether the node is a struct in the shadow.
func (n *node) hasFields() bool {
	return n.kind == kindObject || n.kind == kindNamed || n.kind == kindTuple
}

// field finds a field by name, nil if there is none.
func (n *node) field(name string) *field {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

// names lists the fields that are known to exist.
func (n *node) names() []string {
	names := make([]string, 0, len(n.fields))
	for _, f := range n.fields {
		if f.seen {
			names = append(names, f.name)
		}
	}
	return names
}

// certain says whether all fields below n are known to exist.
func (n *node) certain() bool {
	if n.kind == kindList {
		return n.elem.certain()
	}
	for _, f := range n.fields {
		if !f.seen || !f.node.certain() {
			return false
		}
	}
	return true
}

// clone copies the whole tree below n.
func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	c := *n
	c.elem = n.elem.clone()
	c.fields = slices.Clone(n.fields)
	for i := range c.fields {
		c.fields[i].node = c.fields[i].node.clone()
	}
	return &c
}

// typeName is how EdgeQL names the node's type; "" where it is not known.
func (n *node) typeName() string {
	switch n.kind {
	case kindScalar:
		return n.scalar.name()
	case kindRange:
		return "range<" + n.scalar.name() + ">"
	case kindList:
		elem := n.elem.typeName()
		switch {
		case !n.array || elem == "":
			return elem
		case n.elem.kind == kindRange:
			return "multirange<" + n.elem.scalar.name() + ">"
		default:
			return "array<" + elem + ">"
		}
	case kindObject:
		return "object"
	default:
		text := "tuple<"
		for i, f := range n.fields {
			if i > 0 {
				text += ", "
			}
			if n.kind == kindNamed {
				text += f.name + ": "
			}
			text += f.node.typeName()
		}
		return text + ">"
	}
}

// describe names the node for messages.
func (n *node) describe() string {
	name := n.typeName()
	switch {
	case name != "" && n.kind == kindList && !n.array:
		return "set of " + name
	case name != "":
		return name
	}
	return "a value"
}

// tupleName is the name of a tuple's i-th element.
func tupleName(i int) string { return strconv.Itoa(i) }
