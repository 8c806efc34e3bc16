package decode

import (
	"fmt"
	"reflect"
)

// setter stores a value in dst, which is addressable and zero. What it stores
// shares no memory with v.
type setter[N any] func(dst reflect.Value, v N) error

// target is how values of the Go type N go into one Go type.
type target[N any] struct {
	set setter[N]
	// missing stores that there is no value; nil where dst has no place for that.
	missing func(dst reflect.Value) error
	typ     reflect.Type
}

// none stores that there is no value, or says that it cannot be.
func (t *target[N]) none(dst reflect.Value) error {
	if t.missing == nil {
		return reasonf("NULL into %v", t.typ)
	}
	return t.missing(dst)
}

func setZero(dst reflect.Value) error {
	dst.SetZero()
	return nil
}

// compileTarget finds how values go into t, as base says for types that always
// have a value. Pointers, duet.Optional, sql.Null and edgedb-go's optional types
// take what their value takes, and what is missing as well.
func compileTarget[N any](t reflect.Type, base func(reflect.Type) (target[N], error)) (target[N], error) {
	if n, ok := nullableOf(t); ok {
		inner, err := compileTarget(n.value, base)
		return target[N]{typ: t, missing: setZero, set: func(dst reflect.Value, v N) error {
			if err := inner.set(dst.Field(n.index), v); err != nil {
				return err
			}
			dst.Field(n.valid).SetBool(true)
			return nil
		}}, err
	}
	if t.Kind() == reflect.Pointer {
		inner, err := compileTarget(t.Elem(), base)
		return target[N]{typ: t, missing: setZero, set: func(dst reflect.Value, v N) error {
			p := reflect.New(t.Elem())
			if err := inner.set(p.Elem(), v); err != nil {
				return err
			}
			dst.Set(p)
			return nil
		}}, err
	}
	if value, ok := edgedbOptional(t); ok {
		inner, err := compileTarget(value, base)
		return target[N]{typ: t, missing: setZero, set: func(dst reflect.Value, v N) error {
			p := reflect.New(value)
			if err := inner.set(p.Elem(), v); err != nil {
				return err
			}
			dst.Addr().MethodByName("Set").Call([]reflect.Value{p.Elem()})
			return nil
		}}, err
	}
	out, err := base(t)
	out.typ = t
	return out, err
}

// assign stores values in a variable of their own type.
func assign[N any](dst reflect.Value, v N) error {
	*dst.Addr().Interface().(*N) = v
	return nil
}

// unfit says that a type has no place for values of another.
func unfit(name string, t reflect.Type) error { return reasonf("%s does not decode into %v", name, t) }

// class is what a scalar type, whose values edgedb-go gives as N, offers.
type class[N any] struct {
	scalar scalar
	// natural is what an any gets.
	natural func(N) any
	// driver is what a sql.Scanner gets: int64, float64, bool, []byte, string or
	// time.Time.
	driver func(N) any
	// text is the value as EdgeQL casts it to str.
	text func(N) string
	// wire is the value in the format of the wire.
	wire func(N) ([]byte, error)
	// into gives the setter for a Go type, nil where it has none.
	into func(t reflect.Type) setter[N]
	// private says that strings and bytes do not take the value's text.
	private bool
}

// target finds how the scalar's values go into t. What comes first wins: the type
// that edgedb-go itself decodes into, types that read themselves, Go's own kinds,
// and at last text.
func (c *class[N]) target(t reflect.Type) (target[N], error) {
	return compileTarget(t, c.base)
}

func (c *class[N]) base(t reflect.Type) (target[N], error) {
	name, out := c.scalar.name(), target[N]{}
	switch {
	case t == scalars[c.scalar].plain && !isBytes(t):
		out.set = assign[N]
	case c.scalar == scalarUUID && isByteArray(t) && t.Len() == 16:
		out.set = c.into(t)
	case implementsOwn(t, c.scalar):
		out.set = c.own(t)
		out.missing = ownMissing(t)
	case implements(t, scannerType) && !isEdgeDB(t):
		out = scannerTarget(name, t, c.driver)
	case t == anyType:
		out.missing = setZero
		out.set = func(dst reflect.Value, v N) error {
			if natural := c.natural(v); natural != nil { // as JSON's null is
				dst.Set(reflect.ValueOf(natural))
			}
			return nil
		}
	default:
		if out.set = c.into(t); out.set == nil {
			out.set = c.textual(t)
		}
	}
	switch {
	case out.set != nil:
		return out, nil
	case c.scalar == scalarJSON && t == recordType:
		return out, reasonf("%s does not decode into %v: take any, or a map", name, t)
	default:
		return out, unfit(name, t)
	}
}

// textual gives the setter for a type that takes a text.
func (c *class[N]) textual(t reflect.Type) setter[N] {
	switch {
	case c.private:
		return nil
	case implements(t, textUnmarshalerType):
		return func(dst reflect.Value, v N) error { return unmarshalText(dst, c.scalar.name(), c.text(v)) }
	case t.Kind() == reflect.String:
		return func(dst reflect.Value, v N) error {
			dst.SetString(c.text(v))
			return nil
		}
	default:
		return nil
	}
}

// own gives the setter for a type with edgedb-go's method for the scalar, such as
// UnmarshalEdgeDBDecimal.
func (c *class[N]) own(t reflect.Type) setter[N] {
	method, _ := reflect.PointerTo(t).MethodByName("UnmarshalEdgeDB" + scalars[c.scalar].method)
	marks := implements(t, missingSetterType)
	return func(dst reflect.Value, v N) error {
		data, err := c.wire(v)
		if err != nil {
			return err
		}
		p := dst.Addr()
		if marks {
			p.Interface().(missingSetter).SetMissing(false)
		}
		if err, _ := method.Func.Call([]reflect.Value{p, reflect.ValueOf(data)})[0].Interface().(error); err != nil {
			return because(err, "%s into %v", c.scalar.name(), t)
		}
		return nil
	}
}

var ownMethodType = typeOf[func([]byte) error]()

// implementsOwn says whether t reads the scalar's wire format itself.
func implementsOwn(t reflect.Type, s scalar) bool {
	if t.Name() == "" || isEdgeDB(t) {
		return false
	}
	v := reflect.Zero(reflect.PointerTo(t)).MethodByName("UnmarshalEdgeDB" + scalars[s].method)
	return v.IsValid() && v.Type() == ownMethodType
}

// ownMissing stores that there is no value in a type that knows that, nil where it
// does not.
func ownMissing(t reflect.Type) func(reflect.Value) error {
	if !implements(t, missingSetterType) {
		return nil
	}
	return func(dst reflect.Value) error {
		dst.SetZero()
		dst.Addr().Interface().(missingSetter).SetMissing(true)
		return nil
	}
}

// scannerTarget gives values to a sql.Scanner as database/sql would.
func scannerTarget[N any](name string, t reflect.Type, driver func(N) any) target[N] {
	scan := func(dst reflect.Value, v any) error {
		dst.SetZero()
		if err := dst.Addr().Interface().(interface{ Scan(any) error }).Scan(v); err != nil {
			return because(err, "%s into %v", name, t)
		}
		return nil
	}
	return target[N]{
		set:     func(dst reflect.Value, v N) error { return scan(dst, driver(v)) },
		missing: func(dst reflect.Value) error { return scan(dst, nil) },
	}
}

// unmarshalText gives text to an encoding.TextUnmarshaler.
func unmarshalText(dst reflect.Value, name, text string) error {
	if err := dst.Addr().Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(text)); err != nil {
		return because(err, "%s into %v", name, dst.Type())
	}
	return nil
}

// abbreviate keeps long numbers out of messages.
func abbreviate(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%.40s…", text)
	}
	return text
}
