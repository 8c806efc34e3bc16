package typedesc

import (
	"fmt"
	"strings"
	"testing"
)

// parsed is a descriptor taken apart, in a way of its own: it shares nothing
// with the code that writes descriptors but the numbers of the tags.
type parsed struct {
	tag        byte
	id         UUID
	name       string
	free       bool
	implicit   bool
	labels     []string
	refs       []int // of elements
	owners     []int // object types: the shape's, then each element's source
	flags      []uint32
	cards      []Cardinality
	names      []string
	dimensions []int32
}

// parseDescriptors reads all descriptors; the last one is that of the id.
func parseDescriptors(t testing.TB, data []byte, major int) []parsed {
	t.Helper()
	r := reader{rest: data}
	var all []parsed
	for len(r.rest) > 0 {
		one := &r
		if major >= 2 {
			one = &reader{rest: r.value()}
		}
		p := parsed{tag: one.uint8(), id: UUID(one.take(16))}
		p.read(t, one, major)
		if one.short || major >= 2 && !one.done() {
			t.Fatalf("descriptor %d of % x does not end where it should", len(all), data)
		}
		for _, i := range append(append([]int{}, p.refs...), p.owners...) {
			if i >= len(all) && !p.free {
				t.Fatalf("descriptor %d refers to %d, which comes later", len(all), i)
			}
		}
		all = append(all, p)
	}
	return all
}

func (p *parsed) read(t testing.TB, r *reader, major int) {
	named := func() {
		if major >= 2 {
			p.name = string(r.value())
			if defined, ancestors := r.uint8(), r.uint16(); defined != 1 || ancestors != 0 {
				t.Fatalf("%s: schema_defined %d, %d ancestors", p.name, defined, ancestors)
			}
		}
	}
	ref := func() int { return int(r.uint16()) }
	switch p.tag {
	case 0:
		p.refs = []int{ref()}
	case 2:
		if major >= 2 {
			t.Fatal("protocol 2 has no base scalars")
		}
	case 3:
		named()
	case 4, 5:
		named()
		for range r.uint16() {
			if p.tag == 5 {
				p.names = append(p.names, string(r.value()))
			}
			p.refs = append(p.refs, ref())
		}
	case 6:
		named()
		p.refs = []int{ref()}
		for range r.uint16() {
			p.dimensions = append(p.dimensions, r.int32())
		}
	case 7:
		named()
		for range r.uint16() {
			p.labels = append(p.labels, string(r.value()))
		}
	case 9, 12:
		named()
		p.refs = []int{ref()}
	case 10:
		p.name = string(r.value())
		if r.uint8() != 1 {
			t.Fatalf("%s is not of the schema", p.name)
		}
	case 1, 8:
		p.shape(r, major)
	default:
		t.Fatalf("descriptor with tag %d", p.tag)
	}
}

func (p *parsed) shape(r *reader, major int) {
	typed := p.tag == 1 && major >= 2
	if typed {
		p.free = r.uint8() == 1
		p.owners = append(p.owners, int(r.uint16()))
	}
	for range r.uint16() {
		p.flags = append(p.flags, r.uint32())
		p.cards = append(p.cards, Cardinality(r.uint8()))
		p.names = append(p.names, string(r.value()))
		p.refs = append(p.refs, int(r.uint16()))
		p.implicit = p.implicit || p.flags[len(p.flags)-1]&1 != 0
		if typed {
			p.owners = append(p.owners, int(r.uint16()))
		}
	}
}

// dump writes descriptors as text, one per line. Ids that depend on a type that
// the user made are left out: they vary.
func dump(all []parsed) string {
	var out strings.Builder
	varies := make([]bool, len(all))
	for i, p := range all {
		varies[i] = strings.HasPrefix(p.name, "default::")
		for _, ref := range p.refs {
			varies[i] = varies[i] || varies[ref]
		}
		id := p.id.String()
		if varies[i] {
			id = "*"
		}
		fmt.Fprintf(&out, "%d: tag %d %s %q free=%t %q refs=%v owners=%v flags=%v cards=%q names=%q %v\n",
			i, p.tag, id, p.name, p.free, p.labels, p.refs, p.owners, p.flags, p.cards, p.names, p.dimensions)
	}
	return out.String()
}

// typeOf makes a type of descriptors, so that what was recorded can be read
// without a declared shape.
func typeOf(t testing.TB, all []parsed) *Type {
	t.Helper()
	types := make([]*Type, len(all))
	for i, p := range all {
		made := &Type{Name: p.name, Labels: p.labels}
		switch p.tag {
		case 0:
			made = types[p.refs[0]]
		case 3, 10:
		case 4:
			made.Kind = Tuple
		case 5:
			made.Kind = NamedTuple
		case 6:
			made.Kind = Array
		case 7:
			made.Kind = Enum
		case 9:
			made.Kind = Range
		case 12:
			made.Kind = Multirange
		case 1:
			made.Kind, made.ImplicitID = Object, p.implicit
			if !p.free {
				made.Name = all[p.owners[0]].name
			}
		default:
			t.Fatalf("tag %d is not for results", p.tag)
		}
		switch made.Kind {
		case Array, Range, Multirange:
			if p.tag != 0 {
				made.Name, made.Elem = "", types[p.refs[0]]
			}
		case Tuple, NamedTuple, Object:
			if p.tag == 1 || p.tag == 4 || p.tag == 5 {
				made.Fields = p.fields(types)
			}
			if p.tag == 4 || p.tag == 5 {
				made.Name = ""
			}
		}
		types[i] = made
	}
	return types[len(types)-1]
}

func (p parsed) fields(types []*Type) []Field {
	var fields []Field
	for i, ref := range p.refs {
		f := Field{Type: types[ref], Cardinality: ExactlyOne}
		if p.names != nil {
			f.Name = p.names[i]
		}
		if p.cards != nil {
			f.Cardinality, f.Link = p.cards[i], p.flags[i]&4 != 0
		}
		fields = append(fields, f)
	}
	return fields
}
