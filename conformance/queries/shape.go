package queries

import (
	"fmt"
	"strings"
)

// Cardinality is how many rows a statement gives.
type Cardinality uint8

// The cardinalities.
const (
	// None: a statement that is run for its effect.
	None Cardinality = iota
	// One: always exactly one row.
	One
	// Optional: one row or none.
	Optional
	// Many: any number of rows.
	Many
)

var cardinalities = map[string]Cardinality{"none": None, "one": One, "optional": Optional, "many": Many}

// Kind is the kind of a shape.
type Kind uint8

// The kinds.
const (
	// Scalar is a scalar type, named by Shape.Name.
	Scalar Kind = iota
	// Enum is an enumeration; its labels are in Shape.Labels.
	Enum
	// Array is an array of Shape.Elems[0].
	Array
	// Tuple is a tuple of Shape.Elems.
	Tuple
	// Object has the fields Shape.Fields.
	Object
)

// Shape is the type of a value.
type Shape struct {
	Kind   Kind
	Name   string
	Labels []string
	Elems  []*Shape
	Fields []Field
	// Optional says that the value may be missing.
	Optional bool
	// Multi says that there are any number of values; SQL gives an array.
	Multi bool
}

// Field is a field of an object.
type Field struct {
	Name  string
	Shape *Shape
}

var scalars = map[string]bool{
	"bool": true, "int16": true, "int32": true, "int64": true, "float32": true, "float64": true, "str": true, "bytes": true,
	"uuid": true, "datetime": true, "duration": true, "local_date": true, "local_time": true, "local_datetime": true,
	"json": true, "bigint": true, "decimal": true,
}

// parseResult reads "none", "one SHAPE", "optional SHAPE" or "many SHAPE".
func parseResult(text string) (Cardinality, *Shape, error) {
	word, rest, _ := strings.Cut(text, " ")
	c, ok := cardinalities[word]
	if !ok {
		return 0, nil, fmt.Errorf("the result %q begins with none of none, one, optional, many", text)
	}
	if c == None {
		if rest != "" {
			return 0, nil, fmt.Errorf("the result %q has no rows, and a shape", text)
		}
		return None, nil, nil
	}
	p := parser{rest: rest}
	s := p.shape()
	return c, s, p.end()
}

// parseArgs reads "name SHAPE, name SHAPE".
func parseArgs(text string) ([]Arg, error) {
	if text == "" {
		return nil, nil
	}
	p := parser{rest: text}
	var args []Arg
	for {
		name := p.word()
		args = append(args, Arg{Name: name, Shape: p.shape()})
		if !p.take(",") {
			return args, p.end()
		}
	}
}

// parser reads shapes. The first thing that is wrong stays in err, and from
// then on nothing is read.
type parser struct {
	rest string
	err  error
}

func (p *parser) shape() *Shape {
	s := &Shape{}
	if p.take("{") {
		s.Kind = Object
		for p.err == nil {
			name := p.word()
			p.need(":")
			s.Fields = append(s.Fields, Field{Name: name, Shape: p.shape()})
			if !p.take(",") {
				break
			}
		}
		p.need("}")
		return s
	}
	switch word := p.word(); {
	case word == "optional" || word == "multi":
		s = p.shape()
		s.Optional, s.Multi = s.Optional || word == "optional", s.Multi || word == "multi"
	case word == "array":
		s.Kind, s.Elems = Array, p.elems()
	case word == "tuple":
		s.Kind, s.Elems = Tuple, p.elems()
	case word == "enum":
		s.Kind, s.Labels = Enum, p.labels()
	case scalars[word]:
		s.Name = word
	default:
		p.fail(word)
	}
	return s
}

func (p *parser) elems() []*Shape {
	p.need("<")
	var elems []*Shape
	for p.err == nil {
		elems = append(elems, p.shape())
		if !p.take(",") {
			break
		}
	}
	p.need(">")
	return elems
}

func (p *parser) labels() []string {
	p.need("<")
	var labels []string
	for p.err == nil {
		labels = append(labels, p.word())
		if !p.take(",") {
			break
		}
	}
	p.need(">")
	return labels
}

func (p *parser) word() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	n := strings.IndexAny(p.rest+" ", " ,:<>{}")
	word := p.rest[:n]
	if word == "" {
		p.fail("")
	}
	p.rest = p.rest[n:]
	return word
}

func (p *parser) take(mark string) bool {
	if p.err != nil {
		return false
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.rest, " "), mark)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) need(mark string) {
	if p.err == nil && !p.take(mark) {
		p.err = fmt.Errorf("%q is wanted before %q", mark, p.rest)
	}
}

func (p *parser) fail(word string) {
	if p.err == nil {
		p.err = fmt.Errorf("%q before %q is not a shape", word, p.rest)
	}
}

func (p *parser) end() error {
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.err = fmt.Errorf("%q is left over", p.rest)
	}
	return p.err
}
