package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
)

// jsonText is the text of a json or jsonb value; a jsonb has a version number in
// front (PostgreSQL source, utils/adt/jsonb.c, jsonb_send).
func jsonText(c class, src []byte) ([]byte, error) {
	if c == classJSON {
		return src, nil
	}
	if len(src) == 0 || src[0] != 1 {
		return nil, reasonf("malformed jsonb: version 1 is known")
	}
	return src[1:], nil
}

// compileJSON decodes json and jsonb: into strings and bytes as it stands, into
// everything else by encoding/json.
func compileJSON(src *source, dst reflect.Type) func(ptr, []byte) error {
	c := src.class
	own := reflect.PointerTo(dst).Implements(jsonUnmarshalerType) || reflect.PointerTo(dst).Implements(textUnmarshalerType)
	switch {
	case dst.Kind() == reflect.String && !own:
		return func(p ptr, b []byte) error {
			text, err := jsonText(c, b)
			store(p, string(text))
			return err
		}
	case dst.Kind() == reflect.Slice && dst.Elem().Kind() == reflect.Uint8 && (!own || dst == reflect.TypeFor[json.RawMessage]()):
		return func(p ptr, b []byte) error {
			text, err := jsonText(c, b)
			if err != nil {
				return err
			}
			return decodeBytes(p, text)
		}
	}
	shadow := shadowOf(dst)
	return func(p ptr, b []byte) error {
		text, err := jsonText(c, b)
		if err != nil {
			return err
		}
		valueAt(p, dst).SetZero()
		if err := unmarshalJSON(text, valueAt(p, shadow).Addr().Interface()); err != nil {
			return because(err, "%s into %v", src.name(), dst)
		}
		return nil
	}
}

// jsonForm reads a value without a Go type: map[string]any, []any, string, bool,
// nil, and json.Number, which keeps every digit.
func (s *source) jsonForm() func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		text, err := jsonText(s.class, b)
		if err != nil {
			return nil, err
		}
		var v any
		if err := unmarshalJSON(text, &v); err != nil {
			return nil, because(err, "malformed %s", s.name())
		}
		return v, nil
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
