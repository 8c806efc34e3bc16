// Package fields says which names the fields of a Go struct go by, for both
// backends: by tag, else by the snake_case of the field's name.
package fields

import (
	"encoding"
	"fmt"
	"reflect"
	"sync"
)

// Field is one field of a struct, or of a struct embedded in it.
type Field struct {
	// Name is what the field is matched by.
	Name string
	// GoName is the field's name in Go, with the embedded structs it is reached
	// through: "Base.ID".
	GoName string
	// Index is the field's path, as for [reflect.Value.FieldByIndex].
	Index []int
	// Offset is the field's distance from the struct's start in bytes; it has no
	// meaning where Indirect is set.
	Offset uintptr
	// Indirect says that the path leads through an embedded pointer, which must
	// be allocated before the field exists.
	Indirect bool
	// Type is the field's type.
	Type reflect.Type
}

// Struct describes a struct type.
type Struct struct {
	// Type is the struct's type.
	Type reflect.Type
	// Fields are the fields that take part, in order of declaration. They must
	// not be changed.
	Fields []Field

	byName map[string]int
}

// ByName finds a field, nil if there is none of that name.
func (s *Struct) ByName(name string) *Field {
	if i, ok := s.byName[name]; ok {
		return &s.Fields[i]
	}
	return nil
}

// Names lists the names of all fields, in order.
func (s *Struct) Names() []string {
	names := make([]string, len(s.Fields))
	for i := range s.Fields {
		names[i] = s.Fields[i].Name
	}
	return names
}

// cache maps a reflect.Type to its *Struct. It only ever repeats what the type
// itself says, so sharing it changes nothing.
var cache sync.Map

// Of describes t, a struct type. Exported fields take part under the name of
// their tag `duet`, else `edgedb`, else `db`, else the [Snake] case of their
// name; a tag "-" leaves the field out.
//
// Embedded structs are flattened by the rules of Go: a shallower field hides a
// deeper one of the same name. An embedded struct whose tag gives a name, or
// that reads itself from text or from a database/sql value (time.Time), is a
// field like any other; `edgedb:"$inline"` flattens in any case. Two fields of
// one name at one depth are an error, and so is an embedded pointer to an
// unexported struct, which cannot be allocated from outside its package.
//
// Of is safe for concurrent use; what it returns is cached and shared.
func Of(t reflect.Type) (*Struct, error) {
	if s, ok := cache.Load(t); ok {
		return s.(*Struct), nil
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is not a struct", t)
	}
	s, err := collect(t)
	if err != nil {
		return nil, err
	}
	shared, _ := cache.LoadOrStore(t, s)
	return shared.(*Struct), nil
}

// level is a struct whose fields are yet to be looked at.
type level struct {
	typ  reflect.Type
	path Field
}

// collect walks the embedded structs breadth first, so that what is shallower
// is seen first.
func collect(t reflect.Type) (*Struct, error) {
	found := map[string]Field{}
	seen := map[reflect.Type]bool{t: true}
	for current := []level{{typ: t}}; len(current) > 0; {
		var next []level
		here := map[string]Field{}
		for _, l := range current {
			embedded, err := scan(l, t, found, here)
			if err != nil {
				return nil, err
			}
			for _, e := range embedded {
				if !seen[e.typ] {
					next = append(next, e)
				}
			}
		}
		for name, f := range here {
			found[name] = f
		}
		for _, e := range next {
			seen[e.typ] = true
		}
		current = next
	}
	return arrange(t, found), nil
}

// scan adds the fields of one struct to here and returns the structs embedded in
// it. Names in found are hidden by shallower fields.
func scan(l level, root reflect.Type, found, here map[string]Field) ([]level, error) {
	var embedded []level
	for i := range l.typ.NumField() {
		sf := l.typ.Field(i)
		tag := readTag(sf.Tag)
		if tag.skip {
			continue
		}
		f := l.path.child(sf, i)
		if inner, ok := flattens(sf, tag); ok {
			if sf.Type.Kind() == reflect.Pointer {
				if !sf.IsExported() {
					return nil, fmt.Errorf("%v: embedded pointer to the unexported struct %v cannot be set: embed the struct itself or leave it out with `duet:\"-\"`", root, inner)
				}
				f.Indirect = true
			}
			embedded = append(embedded, level{typ: inner, path: f})
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f.Name = tag.name
		if f.Name == "" {
			f.Name = Snake(sf.Name)
		}
		if _, hidden := found[f.Name]; hidden {
			continue
		}
		if other, ok := here[f.Name]; ok {
			return nil, fmt.Errorf("%v: the fields %s and %s have the same name %q: change the tag of one", root, other.GoName, f.GoName, f.Name)
		}
		here[f.Name] = f
	}
	return embedded, nil
}

// child is the field sf, the i-th of the struct that f leads to.
func (f Field) child(sf reflect.StructField, i int) Field {
	c := Field{
		GoName:   sf.Name,
		Index:    append(append([]int(nil), f.Index...), i),
		Offset:   f.Offset + sf.Offset,
		Indirect: f.Indirect,
		Type:     sf.Type,
	}
	if f.GoName != "" {
		c.GoName = f.GoName + "." + sf.Name
	}
	return c
}

var (
	scannerType   = reflect.TypeFor[interface{ Scan(src any) error }]()
	unmarshalType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Flattens says whether sf is an embedded struct, or a pointer to one, whose
// fields [Of] takes for fields of the struct around it.
func Flattens(sf reflect.StructField) bool {
	t := readTag(sf.Tag)
	if t.skip {
		return false
	}
	_, ok := flattens(sf, t)
	return ok
}

// flattens says whether sf is an embedded struct whose fields stand for it.
func flattens(sf reflect.StructField, t tag) (reflect.Type, bool) {
	inner := sf.Type
	if inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	if !sf.Anonymous || inner.Kind() != reflect.Struct {
		return nil, false
	}
	if t.inline {
		return inner, true
	}
	if t.name != "" {
		return nil, false
	}
	p := reflect.PointerTo(inner)
	if sf.IsExported() && (p.Implements(scannerType) || p.Implements(unmarshalType)) {
		return nil, false
	}
	return inner, true
}

// arrange puts the fields into the order of declaration.
func arrange(t reflect.Type, found map[string]Field) *Struct {
	s := &Struct{Type: t, byName: make(map[string]int, len(found))}
	for _, f := range found {
		s.Fields = append(s.Fields, f)
	}
	sortByIndex(s.Fields)
	for i, f := range s.Fields {
		s.byName[f.Name] = i
	}
	return s
}
