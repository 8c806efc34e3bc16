package codec

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/duetdb/duet/internal/fields"
)

// shadowOf gives the type through which encoding/json writes a dst: one of the
// same layout in which the structs that have no json tag carry one with duet's
// name for each field. dst itself is returned where nothing would change, and
// for what encoding/json is to treat by its own rules: types with methods for
// JSON or text, structs with a json tag, and structs that contain themselves.
func shadowOf(dst reflect.Type) reflect.Type {
	return (&shadows{}).of(dst)
}

// shadows builds shadow types; open are the structs being built.
type shadows struct {
	open []reflect.Type
}

func (s *shadows) of(t reflect.Type) reflect.Type {
	p := reflect.PointerTo(t)
	if p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType) {
		return t
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.ofStruct(t)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		elem := s.of(t.Elem())
		if elem == t.Elem() {
			return t
		}
		switch t.Kind() {
		case reflect.Pointer:
			return reflect.PointerTo(elem)
		case reflect.Slice:
			return reflect.SliceOf(elem)
		default:
			return reflect.ArrayOf(t.Len(), elem)
		}
	default:
		return t
	}
}

// ofStruct gives up, and returns t, where a field cannot be shown to
// encoding/json under another name.
func (s *shadows) ofStruct(t reflect.Type) reflect.Type {
	for _, open := range s.open {
		if open == t {
			return t
		}
	}
	if t.NumField() == 0 || hasJSONTag(t) {
		return t
	}
	described, err := fields.Of(t)
	if err != nil {
		return t
	}
	s.open = append(s.open, t)
	defer func() { s.open = s.open[:len(s.open)-1] }()
	names := map[int]string{}
	for _, f := range described.Fields {
		if len(f.Index) == 1 {
			names[f.Index[0]] = f.Name
		}
	}
	shadow := make([]reflect.StructField, t.NumField())
	for i := range shadow {
		f, ok := s.ofField(t.Field(i), i, names)
		if !ok {
			return t
		}
		shadow[i] = f
	}
	return sameLayout(t, reflect.StructOf(shadow))
}

// ofField shows a field under its name, or hides it. Embedded structs stay
// embedded, so that encoding/json flattens them too.
func (s *shadows) ofField(sf reflect.StructField, i int, names map[int]string) (reflect.StructField, bool) {
	f := reflect.StructField{Name: "Field" + strconv.Itoa(i) + "_", Type: sf.Type, Tag: `json:"-"`}
	name, shown := names[i]
	switch {
	case shown:
		if strings.ContainsAny(name, "\",\\`") {
			return f, false
		}
		f.Type, f.Tag = s.of(sf.Type), reflect.StructTag(`json:`+strconv.Quote(name))
	case sf.Anonymous && fields.Flattens(sf):
		f.Type, f.Tag, f.Anonymous = s.of(sf.Type), "", true
		// StructOf does not embed what has methods.
		return f, f.Type != sf.Type || sf.Type.NumMethod() == 0 && reflect.PointerTo(sf.Type).NumMethod() == 0
	}
	return f, true
}

// sameLayout gives shadow if values of t can be written through it, else t.
func sameLayout(t, shadow reflect.Type) reflect.Type {
	if t.Size() != shadow.Size() || t.Align() != shadow.Align() {
		return t
	}
	for i := range t.NumField() {
		if t.Field(i).Offset != shadow.Field(i).Offset {
			return t
		}
	}
	return shadow
}

// hasJSONTag says whether the struct is written for encoding/json.
func hasJSONTag(t reflect.Type) bool {
	for i := range t.NumField() {
		if _, ok := t.Field(i).Tag.Lookup("json"); ok {
			return true
		}
	}
	return false
}
