package decode

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// jsonKind is what a JSON value is.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a JSON value whose numbers keep their digits and whose objects
// their order.
type jsonValue struct {
	kind jsonKind
	// raw is the value's text.
	raw []byte
	// list are an array's elements or an object's values; keys are an object's.
	list []*jsonValue
	keys []string
}

// parseJSON reads one value. It takes what encoding/json takes.
func parseJSON(text []byte) (*jsonValue, error) {
	if !json.Valid(text) {
		// Unmarshal says what is wrong.
		if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
			return nil, err
		}
		return nil, errors.New("not JSON")
	}
	p := jsonParser{text: text}
	p.space()
	return p.value(), nil
}

// jsonParser walks a text that is known to be valid, as deep as encoding/json lets
// it nest.
type jsonParser struct {
	text []byte
	at   int
}

func (p *jsonParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// value reads the value at p.at, and the space that follows.
func (p *jsonParser) value() *jsonValue {
	start := p.at
	v := &jsonValue{}
	switch p.text[p.at] {
	case '{':
		v.kind = jsonObject
		p.members(v, '}')
	case '[':
		v.kind = jsonArray
		p.members(v, ']')
	case '"':
		v.kind = jsonString
		p.string()
	case 't':
		v.kind = jsonBool
		p.at += len("true")
	case 'f':
		v.kind = jsonBool
		p.at += len("false")
	case 'n':
		p.at += len("null")
	default:
		v.kind = jsonNumber
		for p.at < len(p.text) && strings.IndexByte("+-.0123456789Ee", p.text[p.at]) >= 0 {
			p.at++
		}
	}
	v.raw = p.text[start:p.at:p.at]
	p.space()
	return v
}

// members reads what is between brackets.
func (p *jsonParser) members(v *jsonValue, end byte) {
	p.at++
	p.space()
	for p.text[p.at] != end {
		if end == '}' {
			start := p.at
			p.string()
			v.keys = append(v.keys, unquoteJSON(p.text[start:p.at]))
			p.space()
			p.at++ // the colon
			p.space()
		}
		v.list = append(v.list, p.value())
		if p.text[p.at] == ',' {
			p.at++
			p.space()
		}
	}
	p.at++
}

func (p *jsonParser) string() {
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
}

// unquoteJSON gives the text of a valid JSON string.
func unquoteJSON(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	plain := utf8.Valid(inner)
	for _, c := range inner {
		plain = plain && c != '\\'
	}
	if plain {
		return string(inner)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return string(inner)
	}
	return s
}

// text is a string's text, and the text of anything else as it stands.
func (v *jsonValue) text() string {
	if v.kind == jsonString {
		return unquoteJSON(v.raw)
	}
	return string(v.raw)
}

// member gives an object's value, the last of several, as encoding/json does.
func (v *jsonValue) member(name string) *jsonValue {
	for i := len(v.keys) - 1; i >= 0; i-- {
		if v.keys[i] == name {
			return v.list[i]
		}
	}
	return nil
}

// what names the kind of value for messages.
func (v *jsonValue) what() string {
	return [...]string{"null", "a bool", "a number", "a string", "an array", "an object"}[v.kind]
}
