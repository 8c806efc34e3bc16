package decode

import (
	"reflect"

	"github.com/duetdb/duet/internal/fields"
)

// rangeFields are the parts of a range, as EdgeDB's JSON names them.
var rangeFields = []string{"lower", "upper", "inc_lower", "inc_upper", "empty"}

// compileRange finds how ranges go into t: edgedb-go's own types, a struct with
// some of the fields lower, upper, inc_lower, inc_upper and empty, or a map or a
// Record of them.
func compileRange(n *node, plain bool, t reflect.Type) (copier, error) {
	own := rangeTypes[n.scalar].plain
	out, err := compileTarget(t, func(t reflect.Type) (target[reflect.Value], error) {
		switch {
		case t == own:
			return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
				dst.Set(v)
				return nil
			}}, nil
		case t == anyType:
			return target[reflect.Value]{missing: setZero, set: func(dst reflect.Value, v reflect.Value) error {
				dst.Set(v)
				return nil
			}}, nil
		case t == recordType || isAnyMap(t):
			return rangeValues(n, t)
		case t.Kind() == reflect.Struct && !nativeStruct(t):
			return rangeStruct(n, t)
		default:
			return target[reflect.Value]{}, unfit(n.describe(), t)
		}
	})
	if err != nil {
		return nil, err
	}
	if plain {
		return copier(out.set), nil
	}
	return func(dst, src reflect.Value) error {
		got := src.Addr().MethodByName("Get").Call(nil)
		if !got[1].Bool() {
			return out.none(dst)
		}
		return out.set(dst, got[0])
	}, nil
}

// rangePart gives the i-th part of the range v, in an addressable value.
func rangePart(v reflect.Value, i int) reflect.Value {
	method := [...]string{"Lower", "Upper", "IncLower", "IncUpper", "Empty"}[i]
	part := v.MethodByName(method).Call(nil)[0]
	p := reflect.New(part.Type()).Elem()
	p.Set(part)
	return p
}

// rangePartCopier compiles for the i-th part.
func rangePartCopier(n *node, i int, t reflect.Type) (copier, error) {
	if i < 2 {
		return compileScalar(n.scalar, false, t)
	}
	return compileScalar(scalarBool, true, t)
}

func rangeStruct(n *node, t reflect.Type) (target[reflect.Value], error) {
	shape, err := fields.Of(t)
	if err != nil {
		return target[reflect.Value]{}, &valueError{Reason: err.Error()}
	}
	var steps []step
	for i, name := range rangeFields {
		f := shape.ByName(name)
		if f == nil {
			continue
		}
		one, err := rangePartCopier(n, i, f.Type)
		if err != nil {
			return target[reflect.Value]{}, within(inField(name), err)
		}
		steps = append(steps, step{name: name, from: i, to: f.Index, copy: one})
	}
	if len(steps) != len(shape.Fields) || len(steps) == 0 {
		return target[reflect.Value]{}, unfit(n.describe(), t)
	}
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		for _, s := range steps {
			if err := s.copy(fieldAt(dst, s.to), rangePart(v, s.from)); err != nil {
				return within(inField(s.name), err)
			}
		}
		return nil
	}}, nil
}

func rangeValues(n *node, t reflect.Type) (target[reflect.Value], error) {
	copiers := make([]copier, len(rangeFields))
	for i := range rangeFields {
		one, err := rangePartCopier(n, i, anyType)
		if err != nil {
			return target[reflect.Value]{}, err
		}
		copiers[i] = one
	}
	return target[reflect.Value]{set: func(dst reflect.Value, v reflect.Value) error {
		list := make([]any, len(copiers))
		for i, one := range copiers {
			if err := one(reflect.ValueOf(list).Index(i), rangePart(v, i)); err != nil {
				return within(inField(rangeFields[i]), err)
			}
		}
		storeValues(dst, rangeFields, list)
		return nil
	}}, nil
}
