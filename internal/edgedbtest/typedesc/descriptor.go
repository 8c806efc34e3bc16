package typedesc

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// The tags of descriptors: the page "Type descriptors".
const (
	tagSet         = 0
	tagShape       = 1
	tagBaseScalar  = 2 // protocol 1 only
	tagScalar      = 3
	tagTuple       = 4
	tagNamedTuple  = 5
	tagArray       = 6
	tagEnum        = 7
	tagInputShape  = 8
	tagRange       = 9
	tagObject      = 10
	tagMultirange  = 12
	flagImplicit   = 1 << 0
	flagLink       = 1 << 2
	freeObjectName = "std::FreeObject"
)

// builder writes descriptors, each once, in the order in which EdgeDB does: a
// type after those that it refers to.
type builder struct {
	major     int
	out       []byte
	positions map[UUID]uint16
}

func newBuilder(major int) *builder {
	return &builder{major: major, positions: map[UUID]uint16{}}
}

// add writes one descriptor unless it is there already.
func (b *builder) add(id UUID, tag byte, body func([]byte) []byte) UUID {
	if _, ok := b.positions[id]; ok {
		return id
	}
	one := body(append([]byte{tag}, id[:]...))
	if b.major >= 2 {
		b.out = binary.BigEndian.AppendUint32(b.out, uint32(len(one)))
	}
	b.out = append(b.out, one...)
	b.positions[id] = uint16(len(b.positions))
	return id
}

// ref appends the position of a descriptor.
func (b *builder) ref(dst []byte, id UUID) []byte {
	return binary.BigEndian.AppendUint16(dst, b.positions[id])
}

// head appends what protocol 2 says of a type: its name, whether the schema
// defines it, and no ancestors.
func (b *builder) head(dst []byte, name string) []byte {
	if b.major < 2 {
		return dst
	}
	dst = append(appendString(dst, name), 1)
	return append(dst, 0, 0)
}

// describe writes a type and all that it refers to, and gives its id.
func (b *builder) describe(t *Type) UUID {
	switch t.Kind {
	case Enum:
		return b.enum(t)
	case Array:
		return b.collection(t, "array", tagArray)
	case Range:
		return b.collection(t, "range", tagRange)
	case Multirange:
		return b.collection(t, "multirange", tagMultirange)
	case Tuple, NamedTuple:
		return b.tuple(t)
	case Object:
		return b.object(t)
	default:
		return b.scalar(t)
	}
}

func (b *builder) scalar(t *Type) UUID {
	n := scalars[t.Name].id
	id := UUID{14: byte(n >> 8), 15: byte(n)}
	if b.major < 2 {
		return b.add(id, tagBaseScalar, func(dst []byte) []byte { return dst })
	}
	return b.add(id, tagScalar, func(dst []byte) []byte { return b.head(dst, t.Name) })
}

func (b *builder) enum(t *Type) UUID {
	return b.add(derive(t.Name+"-ScalarType"), tagEnum, func(dst []byte) []byte {
		dst = b.head(dst, t.Name)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.Labels)))
		for _, label := range t.Labels {
			dst = appendString(dst, label)
		}
		return dst
	})
}

func (b *builder) collection(t *Type, kind string, tag byte) UUID {
	elem := b.describe(t.Elem)
	return b.add(derive(kind+"\x00"+elem.String()), tag, func(dst []byte) []byte {
		dst = b.ref(b.head(dst, t.displayName()), elem)
		if t.Kind == Array {
			// One dimension of any length.
			dst = append(dst, 0, 1, 0xff, 0xff, 0xff, 0xff)
		}
		return dst
	})
}

func (b *builder) tuple(t *Type) UUID {
	if len(t.Fields) == 0 {
		return b.add(emptyTuple, tagTuple, func(dst []byte) []byte { return append(b.head(dst, "tuple<>"), 0, 0) })
	}
	ids := make([]UUID, len(t.Fields))
	for i, f := range t.Fields {
		ids[i] = b.describe(f.Type)
	}
	text, tag := "tuple\x00"+joinIDs(ids), byte(tagTuple)
	if t.Kind == NamedTuple {
		text, tag = text+"\x00"+joinNames(t.Fields), tagNamedTuple
	}
	return b.add(derive(text), tag, func(dst []byte) []byte {
		dst = binary.BigEndian.AppendUint16(b.head(dst, t.displayName()), uint16(len(ids)))
		for i, id := range ids {
			if t.Kind == NamedTuple {
				dst = appendString(dst, t.Fields[i].Name)
			}
			dst = b.ref(dst, id)
		}
		return dst
	})
}

func (b *builder) set(elem UUID) UUID {
	return b.add(derive("set-of::"+elem.String()), tagSet, func(dst []byte) []byte { return b.ref(dst, elem) })
}

// fields writes the types of an object's fields.
func (b *builder) fields(fields []Field) []UUID {
	ids := make([]UUID, len(fields))
	for i, f := range fields {
		ids[i] = b.describe(f.Type)
		if f.Cardinality == Many || f.Cardinality == AtLeastOne {
			ids[i] = b.set(ids[i])
		}
	}
	return ids
}

// object writes a shape. Its id tells whether the text asks for the object's id.
func (b *builder) object(t *Type) UUID {
	ids := b.fields(t.Fields)
	name := t.Name
	if name == "" {
		name = freeObjectName
	}
	implicit := t.ImplicitID || !slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Name == "id" })
	var links, props []string
	for _, f := range t.Fields {
		links, props = append(links, pythonBool(f.Link)), append(props, "False")
	}
	id := shapeID(name, ids, t.Fields) +
		fmt.Sprintf("%s;[%s];[%s]", pythonBool(implicit), strings.Join(props, ", "), strings.Join(links, ", "))
	return b.add(derive(id), tagShape, func(dst []byte) []byte {
		var source []byte
		if b.major >= 2 {
			free := t.Name == ""
			source = []byte{0, 0}
			if !free {
				source = b.ref(nil, b.objectType(t.Name))
			}
			dst = append(append(dst, bit(free)), source...)
		}
		return b.elements(dst, t.Fields, ids, source, implicit)
	})
}

func (b *builder) objectType(name string) UUID {
	return b.add(derive(name+"-ObjectType"), tagObject, func(dst []byte) []byte { return append(appendString(dst, name), 1) })
}

// elements appends the elements of a shape; source is the position of the
// object type that has them, nothing where the protocol does not tell it.
func (b *builder) elements(dst []byte, fields []Field, ids []UUID, source []byte, implicit bool) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(fields)))
	for i, f := range fields {
		flags := uint32(0)
		if implicit && f.Name == "id" {
			flags |= flagImplicit
		}
		if f.Link {
			flags |= flagLink
		}
		dst = binary.BigEndian.AppendUint32(dst, flags)
		dst = appendString(append(dst, byte(f.Cardinality)), f.Name)
		dst = append(b.ref(dst, ids[i]), source...)
	}
	return dst
}

// params writes the shape of arguments, which is that of a free object.
func (b *builder) params(fields []Field) UUID {
	ids := b.fields(fields)
	return b.add(derive(shapeID(freeObjectName, ids, fields)+"False;None;None"), tagShape, func(dst []byte) []byte {
		var source []byte
		if b.major >= 2 {
			source = []byte{0, 0}
			dst = append(dst, 1, 0, 0)
		}
		return b.elements(dst, fields, ids, source, false)
	})
}

// inputShape writes the shape of a sparse object of fields with those types.
func (b *builder) inputShape(fields []Field, ids []UUID) UUID {
	return b.add(derive(shapeID(freeObjectName, ids, fields)+"False;None;None"), tagInputShape, func(dst []byte) []byte {
		return b.elements(dst, fields, ids, nil, false)
	})
}

// shapeID begins the text that the id of a shape is derived from.
func shapeID(name string, ids []UUID, fields []Field) string {
	parts := []string{name, joinIDs(ids)}
	if len(fields) > 0 {
		cardinalities := make([]string, len(fields))
		for i, f := range fields {
			cardinalities[i] = string(rune(f.Cardinality))
		}
		parts = append(parts, joinNames(fields), strings.Join(cardinalities, ":"))
	}
	return strings.Join(parts, "\x00")
}

func joinIDs(ids []UUID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ":")
}

func joinNames(fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return strings.Join(names, ":")
}

// pythonBool writes a bool as the texts that ids are derived from hold it.
func pythonBool(v bool) string {
	if v {
		return "True"
	}
	return "False"
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}
