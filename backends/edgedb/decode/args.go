package decode

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
)

// Args turns a user's arguments into what edgedb-go takes. named says that the
// text has parameters such as $name, and names lists them, each once; args must
// then be exactly one [duet.Named], map with string keys or struct. Values are
// converted when edgedb-go encodes them, as only then the declared type is
// known; [ArgumentError] reads what comes of that.
//
// What a Go value becomes is in the package's documentation. An error names the
// argument and its Go type, never its value.
func Args(named bool, names []string, args []any) ([]any, error) {
	if !named {
		out := make([]any, len(args))
		for i, v := range args {
			wrapped, err := wrapArg("$"+strconv.Itoa(i), v)
			if err != nil {
				return nil, err
			}
			out[i] = wrapped
		}
		return out, nil
	}
	values, err := namedValues(names, args)
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(names))
	for i, name := range names {
		if m[name], err = wrapArg("$"+name, values[i]); err != nil {
			return nil, err
		}
	}
	return []any{m}, nil
}

// namedValues gives the values of names out of the one argument that holds them.
func namedValues(names []string, args []any) ([]any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("the text has named parameters (%s), so there must be exactly one argument, a map, duet.Named or struct; there are %d",
			listParameters(names), len(args))
	}
	switch m := args[0].(type) {
	case duet.Named:
		return fromMap(names, m)
	case map[string]any:
		return fromMap(names, m)
	}
	v := reflect.ValueOf(args[0])
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			m[k.String()] = v.MapIndex(k).Interface()
		}
		return fromMap(names, m)
	case v.Kind() == reflect.Struct:
		return fromStruct(names, v)
	default:
		return nil, fmt.Errorf("the text has named parameters (%s): %T is not a map with string keys, nor a struct", listParameters(names), args[0])
	}
}

func fromMap(names []string, m map[string]any) ([]any, error) {
	values := make([]any, len(names))
	var missing, extra []string
	for i, name := range names {
		v, ok := m[name]
		if !ok {
			missing = append(missing, name)
		}
		values[i] = v
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no value for the parameter %s", listParameters(missing))
	}
	for k := range m {
		if !slices.Contains(names, k) {
			extra = append(extra, k)
		}
	}
	if len(extra) > 0 {
		sort.Strings(extra)
		return nil, fmt.Errorf("the text has no parameter %s", listParameters(extra))
	}
	return values, nil
}

// fromStruct takes the fields that the text names; others are not missed, since a
// struct is rarely made for one text.
func fromStruct(names []string, v reflect.Value) ([]any, error) {
	shape, err := fields.Of(v.Type())
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

func listParameters(names []string) string { return "$" + strings.Join(names, ", $") }
