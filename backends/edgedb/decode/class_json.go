package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"

	"github.com/duetdb/duet/internal/fields"
)

// jsonClass is the class of json. Strings and bytes take the text as it stands,
// everything else what encoding/json makes of it.
func jsonClass() *class[[]byte] {
	return &class[[]byte]{
		scalar:  scalarJSON,
		natural: jsonNatural,
		driver:  func(v []byte) any { return copyBytes(v) },
		text:    func(v []byte) string { return string(v) },
		wire:    func(v []byte) ([]byte, error) { return wireJSON(v), nil },
		into:    jsonInto,
	}
}

// jsonNatural gives map[string]any, []any, string, bool, nil, and json.Number,
// which keeps every digit; bytes for what is not JSON.
func jsonNatural(v []byte) any {
	var out any
	if err := unmarshalJSON(v, &out); err != nil {
		return copyBytes(v)
	}
	return out
}

func jsonInto(t reflect.Type) setter[[]byte] {
	own := implements(t, jsonUnmarshalerType) || implements(t, textUnmarshalerType)
	switch {
	case t == recordType:
		return nil
	case t.Kind() == reflect.String && !own:
		return func(dst reflect.Value, v []byte) error {
			dst.SetString(string(v))
			return nil
		}
	case isBytes(t) && (!own || t == rawType):
		return setBytes
	default:
		return func(dst reflect.Value, v []byte) error {
			if err := jsonToGo(v, dst); err != nil {
				return because(err, "json into %v", t)
			}
			return nil
		}
	}
}

// unmarshalJSON decodes one value with exact numbers.
func unmarshalJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// jsonToGo decodes a json value. A struct that has no json tag is matched by
// duet's names, and so are the structs in its fields, slices and pointers. All
// else follows encoding/json: structs with a json tag, those that contain
// themselves, the values of maps, and what unmarshals itself.
func jsonToGo(text []byte, dst reflect.Value) error {
	if !ourStruct(dst.Type(), nil) {
		return unmarshalJSON(text, dst.Addr().Interface())
	}
	value, err := parseJSON(text)
	if err != nil {
		return err
	}
	return jsonByName(value, dst)
}

// ourStruct says whether duet's names matter somewhere in t. open are the structs
// that t is in.
func ourStruct(t reflect.Type, open []reflect.Type) bool {
	if implements(t, jsonUnmarshalerType) || implements(t, textUnmarshalerType) {
		return false
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return ourStruct(t.Elem(), open)
	case reflect.Struct:
		if t.NumField() == 0 || hasJSONTag(t) || containsItself(t, t, nil) {
			return false
		}
		_, err := fields.Of(t)
		return err == nil
	default:
		return false
	}
}

// hasJSONTag says whether a struct is written for encoding/json.
func hasJSONTag(t reflect.Type) bool {
	for i := range t.NumField() {
		if _, ok := t.Field(i).Tag.Lookup("json"); ok {
			return true
		}
	}
	return false
}

// containsItself says whether a value of t can hold another root.
func containsItself(t, root reflect.Type, open []reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return t.Elem() == root || containsItself(t.Elem(), root, open)
	case reflect.Struct:
		for _, o := range open {
			if o == t {
				return false
			}
		}
		open = append(open, t)
		for i := range t.NumField() {
			if f := t.Field(i).Type; f == root || containsItself(f, root, open) {
				return true
			}
		}
	}
	return false
}

// jsonByName stores value in dst, whose structs are matched by duet's names. As in
// encoding/json a missing or an extra key is no error, and null leaves dst as it
// is.
func jsonByName(value *jsonValue, dst reflect.Value) error {
	t := dst.Type()
	if !ourStruct(t, nil) {
		return unmarshalJSON(value.raw, dst.Addr().Interface())
	}
	switch {
	case value.kind == jsonNull:
		dst.SetZero()
		return nil
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		if err := jsonByName(value, p.Elem()); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	case t.Kind() == reflect.Slice && value.kind == jsonArray:
		dst.Set(reflect.MakeSlice(t, len(value.list), len(value.list)))
		for i, v := range value.list {
			if err := jsonByName(v, dst.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case t.Kind() == reflect.Array && value.kind == jsonArray:
		for i, v := range value.list[:min(len(value.list), t.Len())] {
			if err := jsonByName(v, dst.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case t.Kind() != reflect.Struct || value.kind != jsonObject:
		// encoding/json has the words for what does not fit.
		return unmarshalJSON(value.raw, dst.Addr().Interface())
	}
	shape, err := fields.Of(t)
	if err != nil {
		return err
	}
	for i, key := range value.keys {
		if f := shape.ByName(key); f != nil {
			if err := jsonByName(value.list[i], fieldAt(dst, f.Index)); err != nil {
				return err
			}
		}
	}
	return nil
}
