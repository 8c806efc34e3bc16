package fields

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
)

// NamedValues gives the values of a text's named parameters out of the one argument
// that must hold them: a map with string keys, none of them superfluous, or a
// struct.
func NamedValues(names []string, args []any) ([]any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("the text has named parameters (%s), so there must be exactly one argument, a map, duet.Named or struct; there are %d",
			list(names), len(args))
	}
	if m, ok := args[0].(map[string]any); ok {
		return fromMap(names, m)
	}
	v := reflect.ValueOf(args[0])
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Map && v.Type().ConvertibleTo(reflect.TypeFor[map[string]any]()): // duet.Named
		return fromMap(names, v.Convert(reflect.TypeFor[map[string]any]()).Interface().(map[string]any))
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			m[k.String()] = v.MapIndex(k).Interface()
		}
		return fromMap(names, m)
	case v.Kind() == reflect.Struct:
		return fromStruct(names, v)
	default:
		return nil, fmt.Errorf("the text has named parameters (%s): %T is not a map with string keys, nor a struct", list(names), args[0])
	}
}

func fromMap(names []string, m map[string]any) ([]any, error) {
	values := make([]any, len(names))
	var missing []string
	for i, name := range names {
		v, ok := m[name]
		if !ok {
			missing = append(missing, name)
		}
		values[i] = v
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no value for the parameter %s", list(missing))
	}
	if len(m) > len(names) {
		var extra []string
		for k := range m {
			if !slices.Contains(names, k) {
				extra = append(extra, k)
			}
		}
		sort.Strings(extra)
		return nil, fmt.Errorf("the text has no parameter %s", list(extra))
	}
	return values, nil
}

// fromStruct takes the fields that the text names; others are not missed, since
// a struct is rarely made for one text.
func fromStruct(names []string, v reflect.Value) ([]any, error) {
	shape, err := Of(v.Type())
	if err != nil {
		return nil, err
	}
	values := make([]any, len(names))
	for i, name := range names {
		f := shape.ByName(name)
		if f == nil {
			return nil, fmt.Errorf("%s has no field for the parameter $%s", v.Type(), name)
		}
		if fv, err := v.FieldByIndexErr(f.Index); err == nil {
			values[i] = fv.Interface()
		}
	}
	return values, nil
}

func list(names []string) string { return "$" + strings.Join(names, ", $") }
