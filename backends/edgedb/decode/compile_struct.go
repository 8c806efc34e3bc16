package decode

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/duetdb/duet/internal/fields"
)

// structure finds how objects, by name, and tuples, by position, go into the
// struct t.
func (c *compiler) structure(n *node, t reflect.Type) (target[reflect.Value], error) {
	shape, err := fields.Of(t)
	if err != nil {
		return target[reflect.Value]{}, &valueError{Reason: err.Error()}
	}
	var steps []step
	taken := map[string]bool{}
	for i, f := range n.fields {
		to := shape.ByName(f.name)
		if n.kind == kindTuple {
			if to = nil; i < len(shape.Fields) {
				to = &shape.Fields[i]
			}
		}
		switch {
		case f.gone || to == nil && !f.seen:
			continue
		case to == nil && c.lax:
			continue
		case to == nil:
			return target[reflect.Value]{}, noField(f.name, t, shape.Fields)
		}
		one, err := c.compile(f.node, false, to.Type)
		if err != nil {
			return target[reflect.Value]{}, within(inField(f.name), err)
		}
		taken[to.Name] = true
		steps = append(steps, step{name: f.name, from: firstField(n) + i, to: to.Index, copy: one})
	}
	for i := range shape.Fields {
		if f := &shape.Fields[i]; !taken[f.Name] {
			return target[reflect.Value]{}, noColumn(f, t, n.names())
		}
	}
	return structTarget(steps, t), nil
}

func structTarget(steps []step, t reflect.Type) target[reflect.Value] {
	marks := implements(t, missingSetterType)
	return target[reflect.Value]{missing: ownMissing(t), set: func(dst reflect.Value, v reflect.Value) error {
		if marks {
			dst.Addr().Interface().(missingSetter).SetMissing(false)
		}
		for i := range steps {
			s := &steps[i]
			if err := s.copy(fieldAt(dst, s.to), v.Field(s.from)); err != nil {
				return within(inField(s.name), err)
			}
		}
		return nil
	}}
}

// fieldAt is the field that index leads to; embedded pointers on the way are
// allocated.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for i, k := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(k)
	}
	return v
}

// noField says that an object's field has no place in t.
func noField(name string, t reflect.Type, list []fields.Field) error {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return reasonf("column %q has no field in %v (fields: %s)", name, t, listNames(names))
}

// noColumn says that nothing is there for a field of t.
func noColumn(f *fields.Field, t reflect.Type, names []string) error {
	return reasonf("field %q (%s) of %v has no column (columns: %s)", f.GoName, f.Name, t, listNames(names))
}

// listNames joins names for a message.
func listNames(names []string) string {
	const most = 40
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
