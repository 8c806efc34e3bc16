package typedesc

import (
	"strings"

	"github.com/duetdb/duet/conformance/queries"
)

// Kind is the kind of a type.
type Kind uint8

// The kinds.
const (
	// Scalar is a scalar of the standard library.
	Scalar Kind = iota
	// Enum is an enumeration of the schema.
	Enum
	// Array is an array of Elem.
	Array
	// Tuple has the elements Fields, without names.
	Tuple
	// NamedTuple has the elements Fields.
	NamedTuple
	// Range is a range of Elem.
	Range
	// Multirange is a multirange of Elem.
	Multirange
	// Object is a shape of an object type of the schema, or of a free object
	// where Name is "".
	Object
)

// Type is the type of a value. It is never changed once made.
type Type struct {
	Kind Kind
	// Name is the qualified name of a scalar, an enumeration or an object type.
	Name string
	// Labels are those of an enumeration.
	Labels []string
	// Elem is that of an array, a range or a multirange.
	Elem *Type
	// Fields are those of a tuple or an object, in order.
	Fields []Field
	// ImplicitID says of an object that its field id is there without the text's
	// asking for it.
	ImplicitID bool
}

// Cardinality is a cardinality as the protocol names it: enum Cardinality of
// the page "Messages".
type Cardinality byte

// The cardinalities.
const (
	// NoResult is that of a statement without results.
	NoResult Cardinality = 'n'
	// AtMostOne is one or none.
	AtMostOne Cardinality = 'o'
	// ExactlyOne is always one.
	ExactlyOne Cardinality = 'A'
	// Many is any number.
	Many Cardinality = 'm'
	// AtLeastOne is any number but none.
	AtLeastOne Cardinality = 'M'
)

// Field is an element of a tuple or an object, or a parameter.
type Field struct {
	Name string
	Type *Type
	// Cardinality is ExactlyOne, AtMostOne or, of objects alone, Many. A field
	// with many values is described as a set.
	Cardinality Cardinality
	// Link says that the field is a link and not a property.
	Link bool
}

// enumName is the only enumeration of the suite's schema: shapes do not name it.
const enumName = "default::Color"

// FromShape makes the type of a declared shape. Objects are free ones.
func FromShape(s *queries.Shape) *Type {
	switch s.Kind {
	case queries.Enum:
		return &Type{Kind: Enum, Name: enumName, Labels: s.Labels}
	case queries.Array:
		return &Type{Kind: Array, Elem: FromShape(s.Elems[0])}
	case queries.Tuple:
		t := &Type{Kind: Tuple}
		for _, e := range s.Elems {
			t.Fields = append(t.Fields, Field{Type: FromShape(e), Cardinality: ExactlyOne})
		}
		return t
	case queries.Object:
		t := &Type{Kind: Object}
		for _, f := range s.Fields {
			t.Fields = append(t.Fields, field(f))
		}
		return t
	default:
		return &Type{Name: qualified(s.Name)}
	}
}

func field(f queries.Field) Field {
	made := Field{Name: f.Name, Type: FromShape(f.Shape), Cardinality: ExactlyOne}
	switch {
	case f.Shape.Multi:
		made.Cardinality = Many
	case f.Shape.Optional:
		made.Cardinality = AtMostOne
	}
	made.Link = made.Type.Kind == Object
	return made
}

// qualified gives a scalar's name with its module.
func qualified(name string) string {
	for _, module := range []string{"std::", "cal::", "cfg::"} {
		if _, ok := scalars[module+name]; ok {
			return module + name
		}
	}
	return name
}

// displayName is a type's name in the way that names of collections hold it.
func (t *Type) displayName() string {
	switch t.Kind {
	case Array:
		return "array<" + t.Elem.nested() + ">"
	case Range:
		return "range<" + t.Elem.nested() + ">"
	case Multirange:
		return "multirange<" + t.Elem.nested() + ">"
	case Tuple, NamedTuple:
		names := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			names[i] = f.Type.nested()
			if t.Kind == NamedTuple {
				names[i] = f.Name + ":" + names[i]
			}
		}
		return "tuple<" + strings.Join(names, ", ") + ">"
	default:
		return t.Name
	}
}

// nested is a type's name within the name of a collection: EdgeDB writes | in
// place of ::, and doubles what is there already.
func (t *Type) nested() string {
	name := strings.ReplaceAll(t.displayName(), "|", "||")
	return strings.ReplaceAll(name, "::", "|")
}
