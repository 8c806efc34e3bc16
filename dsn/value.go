package dsn

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Value is one resolved parameter.
type Value struct {
	Keyword string // libpq's keyword, EdgeDB's parameter, or the name of a setting
	// Value is the parameter's text. For a secret that is not empty it is a
	// mask, unless the value comes from a method whose name says Revealed.
	Value  string
	Source Source
	// Secret is true for libpq's password fields and keys, for EdgeDB's password
	// and secret key, and for a value that seems to hold a connection string with
	// one.
	Secret bool
}

// Values is an ordered list of parameters.
type Values []Value

// Get gives the value of a keyword.
func (v Values) Get(keyword string) (Value, bool) {
	for _, value := range v {
		if value.Keyword == keyword {
			return value, true
		}
	}
	return Value{}, false
}

// MarshalJSON gives one object in the order of the list: each keyword with
// {"value":…,"source":…}. Values are shown as they are in the list, so masked
// unless revealed.
func (v Values) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, value := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(value.Keyword)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(struct {
			Value  string `json:"value"`
			Source Source `json:"source"`
		}{value.Value, value.Source})
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(body)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// String gives what [Format] does.
func (v Values) String() string { return Format(v) }

// Format writes values as a keyword/value connection string, which libpq and
// [ParsePostgres] read back to the same values. Sources are not kept. Of masked
// values it writes the mask.
func Format(values Values) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(value.Keyword)
		b.WriteByte('=')
		writeValue(&b, value.Value)
	}
	return b.String()
}

// writeValue quotes text where it must be.
func writeValue(b *strings.Builder, text string) {
	plain := text != ""
	for i := 0; i < len(text) && plain; i++ {
		plain = !isSpace(text[i]) && text[i] != '\'' && text[i] != '\\'
	}
	if plain {
		b.WriteString(text)
		return
	}
	b.WriteByte('\'')
	for i := 0; i < len(text); i++ {
		if text[i] == '\'' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('\'')
}
