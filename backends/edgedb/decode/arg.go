package decode

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"time"
)

// arg is an argument as edgedb-go gets it. Its methods, one for each scalar type,
// tell it the type that the parameter was declared with. edgedb-go wants a slice
// for an array and takes a nil one for a missing argument; that is why an arg is a
// slice, with the elements where the argument is a list, else with its one item.
// What the user gave is behind the elements, where only the capacity reaches.
type arg []any

// item is one value.
type item struct {
	// name is the parameter's, with its $; index is the element's in a list, from
	// 1, else 0.
	name  string
	index int
	v     any
	// given is the type of what the user gave, which may have led to v.
	given reflect.Type
	// alone says that the value is no element of a list.
	alone bool
}

// mostDepth bounds the pointers, Valuers and Optionals followed for one value: a
// pointer can lead to itself, and so can a Value.
const mostDepth = 32

// wrapArg makes what edgedb-go takes for one argument.
func wrapArg(name string, v any) (any, error) {
	given := reflect.TypeOf(v)
	v, err := unwrap(v)
	switch {
	case err != nil:
		return nil, fmt.Errorf("argument %s: %w", name, err)
	case v == nil:
		return arg(nil), nil
	case passes(v):
		return v, nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		return arg(nil), nil
	}
	if !isListValue(rv) {
		return arg{&item{name: name, v: v, given: given, alone: true}}, nil
	}
	list := make([]any, rv.Len(), rv.Len()+1)
	for i := range list {
		e := rv.Index(i).Interface()
		given := reflect.TypeOf(e)
		e, err := unwrap(e)
		switch {
		case err != nil:
			return nil, fmt.Errorf("argument %s, element %d: %w", name, i+1, err)
		case e != nil && passes(e):
			list[i] = e
		default:
			list[i] = &item{name: name, index: i + 1, v: e, given: given}
		}
	}
	return arg(append(list, &item{name: name, v: v, given: given, alone: true})[:len(list)]), nil
}

// unwrap follows what says that a value may be missing, and Valuers; nil is what
// is missing.
func unwrap(v any) (any, error) {
	for range mostDepth {
		switch known := v.(type) {
		case nil, string, int, int64, int32, int16, float64, bool, []byte, time.Time, time.Duration, [16]byte, []string, []int64:
			return v, nil
		case netip.Addr:
			if !known.IsValid() {
				return nil, nil
			}
		case netip.Prefix:
			if known == (netip.Prefix{}) {
				return nil, nil
			}
		}
		rv := reflect.ValueOf(v)
		if (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Map) && rv.IsNil() {
			return nil, nil
		}
		if value, present, ok := edgedbValue(rv); ok {
			if !present {
				return nil, nil
			}
			v = value
			continue
		}
		if passes(v) {
			return v, nil
		}
		if valuer, ok := v.(driver.Valuer); ok {
			value, err := valuer.Value()
			if err != nil {
				return nil, fmt.Errorf("the Value method of %T: %w", v, err)
			}
			v = value
			continue
		}
		if n, ok := nullableOf(rv.Type()); ok {
			if !rv.Field(n.valid).Bool() {
				return nil, nil
			}
			v = rv.Field(n.index).Interface()
			continue
		}
		if !isPlainPointer(rv) {
			return v, nil
		}
		v = rv.Elem().Interface()
	}
	return nil, fmt.Errorf("a %T leads through more than %d pointers or Valuers", v, mostDepth)
}

// isPlainPointer says that nothing is lost by following rv: a pointer may have
// methods that its value has not, and a big.Int must not be copied.
func isPlainPointer(rv reflect.Value) bool {
	if rv.Kind() != reflect.Pointer {
		return false
	}
	elem := rv.Type().Elem()
	switch elem {
	case bigIntType, bigRatType, bigFloatType:
		return false
	}
	for _, marshaler := range []reflect.Type{typeOf[encoding.TextMarshaler](), typeOf[json.Marshaler]()} {
		if rv.Type().Implements(marshaler) && !elem.Implements(marshaler) {
			return false
		}
	}
	return true
}

// edgedbValue takes the value out of edgedb.OptionalStr and its kin; the optional
// ranges stay as they are, since edgedb-go knows them by their type.
func edgedbValue(rv reflect.Value) (value any, present, ok bool) {
	t := rv.Type()
	if rv.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, is := edgedbOptional(t); !is || strings.HasPrefix(t.Name(), "OptionalRange") {
		return nil, false, false
	}
	p := rv
	if rv.Kind() != reflect.Pointer {
		p = reflect.New(t)
		p.Elem().Set(rv)
	}
	got := p.MethodByName("Get").Call(nil)
	return got[0].Interface(), got[1].Bool(), true
}

// passing maps a reflect.Type to whether its values pass. It only ever repeats what
// the type itself says.
var passing sync.Map

// passes says whether edgedb-go is to get v as it is: a range, or a type that has
// methods of edgedb-go's for what it is sent as.
func passes(v any) bool {
	t := reflect.TypeOf(v)
	if known, ok := passing.Load(t); ok {
		return known.(bool)
	}
	does := passesType(t)
	passing.Store(t, does)
	return does
}

func passesType(t reflect.Type) bool {
	if isEdgeDB(t) {
		return strings.HasPrefix(t.Name(), "Range") || strings.HasPrefix(t.Name(), "OptionalRange")
	}
	for s := scalarUnknown + 1; s < scalarCount; s++ {
		if m, ok := t.MethodByName("MarshalEdgeDB" + scalars[s].method); ok && m.Type.NumIn() == 1 && m.Type.NumOut() == 2 {
			return true
		}
	}
	return false
}

// isListValue says whether a value's elements may be those of an array. Bytes and
// uuids are values of their own.
func isListValue(rv reflect.Value) bool {
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return false
	}
	t := rv.Type()
	return t.Elem().Kind() != reflect.Uint8 && !t.Implements(typeOf[encoding.TextMarshaler]())
}

// Missing says whether there is no value.
func (a arg) Missing() bool { return a == nil }

// whole is the argument as one value: for a list, what the user gave.
func (a arg) whole() *item {
	if i, ok := first(a); ok && i.alone {
		return i
	}
	i, _ := a[:len(a)+1][len(a)].(*item)
	return i
}

func first(a arg) (*item, bool) {
	if len(a) == 0 {
		return nil, false
	}
	i, ok := a[0].(*item)
	return i, ok
}

// wire encodes the argument as s.
func (a arg) wire(s scalar) ([]byte, error) {
	i := a.whole()
	b, err := argWire(s, i.v)
	return b, i.explain(err, s)
}

// Missing says whether there is no value.
func (i *item) Missing() bool { return i.v == nil }

// wire encodes an element as s.
func (i *item) wire(s scalar) ([]byte, error) {
	if i.alone {
		if err := checkPlainText(s, i.v); err != nil {
			return nil, i.explain(err, s)
		}
		return nil, &argumentError{name: i.name, reason: fmt.Sprintf("a Go %v cannot be sent as array<%s>", i.given, s.name())}
	}
	b, err := argWire(s, i.v)
	return b, i.explain(err, s)
}

// explain puts the argument's name before an error.
func (i *item) explain(err error, s scalar) error {
	if err == nil {
		return nil
	}
	name := i.name
	if i.index > 0 {
		name = fmt.Sprintf("%s, element %d", name, i.index)
	}
	if err == errUnfit {
		return &argumentError{name: name, reason: fmt.Sprintf("a Go %v cannot be sent as %s", i.given, s.name())}
	}
	return &argumentError{name: name, reason: err.Error()}
}
