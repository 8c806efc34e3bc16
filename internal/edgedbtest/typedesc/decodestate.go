package typedesc

import (
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// DecodeState reads a state that has the type of DescribeState with the same
// globals. No bytes are the empty state, whose id is zero. Errors are *Error.
func DecodeState(globals []Global, data []byte) (State, error) {
	var s State
	if len(data) == 0 {
		return s, nil
	}
	err := sparse(data, len(stateFields), func(i int, v []byte) error {
		if v == nil {
			return nil
		}
		var err error
		switch stateFields[i] {
		case "module":
			s.Module, err = stateString(v)
		case "aliases":
			s.Aliases, err = stateAliases(v)
		case "config":
			s.Config, err = stateValues(configFields(), v, setting)
		default:
			s.Globals, err = stateValues(globalFields(globals), v, globalValue)
		}
		return err
	})
	return s, err
}

// sparse reads a sparse object: the section "Sparse Objects" of the page "Data
// wire formats". A missing value is nil.
func sparse(data []byte, fields int, field func(i int, v []byte) error) error {
	r := reader{rest: data}
	for range r.int32() {
		i := r.int32()
		v := r.value()
		if r.short {
			break
		}
		if i < 0 || int(i) >= fields {
			return inputError("invalid index %d of a state's element", i)
		}
		if err := field(int(i), v); err != nil {
			return err
		}
	}
	return r.check()
}

// stateValues reads a sparse object as a map.
func stateValues(fields []Field, data []byte, value func(f Field, v []byte) (any, error)) (map[string]any, error) {
	values := map[string]any{}
	return values, sparse(data, len(fields), func(i int, v []byte) error {
		values[fields[i].Name] = nil
		if v == nil {
			return nil
		}
		one, err := value(fields[i], v)
		values[fields[i].Name] = one
		return err
	})
}

func stateString(v []byte) (string, error) {
	if !utf8.Valid(v) {
		return "", inputError("invalid UTF-8 in a state")
	}
	return string(v), nil
}

// stateAliases reads an array of pairs.
func stateAliases(data []byte) (map[string]string, error) {
	aliases := map[string]string{}
	return aliases, stateArray(data, func(v []byte) error {
		r := reader{rest: v}
		if n := r.int32(); n != 2 {
			return inputError("tuple length mismatch: %d vs 2", n)
		}
		r.int32() // reserved
		alias := r.value()
		r.int32() // reserved
		module := r.value()
		if r.short || alias == nil || module == nil {
			return inputError("invalid NULL inside type")
		}
		aliases[string(alias)] = string(module)
		return r.check()
	})
}

func stateArray(data []byte, element func(v []byte) error) error {
	r := reader{rest: data}
	dimensions, _, _ := r.int32(), r.int32(), r.int32()
	if dimensions != 0 && dimensions != 1 {
		return inputError("unsupported array dimensions")
	}
	if dimensions == 0 {
		return r.check()
	}
	count, _ := r.int32(), r.int32()
	for range count {
		v := r.value()
		if r.short {
			break
		}
		if v == nil {
			return inputError("invalid NULL inside type")
		}
		if err := element(v); err != nil {
			return err
		}
	}
	return r.check()
}

// setting reads the value of a setting.
func setting(f Field, v []byte) (any, error) {
	switch {
	case f.Cardinality == Many:
		list := []string{}
		err := stateArray(v, func(v []byte) error {
			one, err := stateString(v)
			list = append(list, one)
			return err
		})
		return list, err
	case f.Type.Name == "std::bool":
		if len(v) != 1 {
			return nil, f.Type.malformed()
		}
		return v[0] != 0, nil
	case f.Type.Name == "std::duration":
		d, ok := readInterval(v)
		if !ok || d.days != 0 || d.months != 0 || d.micros > math.MaxInt64/1000 || d.micros < math.MinInt64/1000 {
			return nil, f.Type.malformed()
		}
		return time.Duration(d.micros) * time.Microsecond, nil
	case f.Type.Kind == Enum && !slices.Contains(f.Type.Labels, string(v)):
		return nil, f.Type.malformed()
	}
	return stateString(v)
}

func globalValue(f Field, v []byte) (any, error) {
	if f.Type.Name == "std::str" {
		return stateString(v)
	}
	return slices.Clone(v), nil
}
