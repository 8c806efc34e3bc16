package typedesc

import (
	"strconv"

	"github.com/duetdb/duet/conformance/queries"
)

// OutputFormat is how a client wants the results: enum OutputFormat of the page
// "Messages".
type OutputFormat byte

// The formats.
const (
	// Binary is one value in EdgeDB's binary format per result.
	Binary OutputFormat = 'b'
	// JSON is one text for the whole result: an array, or the value alone where
	// the client expects at most one.
	JSON OutputFormat = 'j'
	// JSONElements is one text per result.
	JSONElements OutputFormat = 'J'
	// NoOutput is that the results are not sent.
	NoOutput OutputFormat = 'n'
)

// Description is what CommandDataDescription tells of a statement.
type Description struct {
	// InputID is zero and Input empty where there are no arguments.
	InputID UUID
	Input   []byte
	// OutputID is zero and Output empty where there are no results.
	OutputID    UUID
	Output      []byte
	Cardinality Cardinality
}

// Describe gives the descriptors of a statement in a format, for protocol 1 or
// 2 (major). A statement whose result is declared as none has none in any
// format.
func Describe(st *queries.Statement, format OutputFormat, major int) Description {
	d := Description{Cardinality: NoResult}
	if params := Params(st); len(params) > 0 {
		b := newBuilder(major)
		d.InputID = b.params(params)
		d.Input = b.out
	}
	t := ResultType(st)
	if t == nil || format == NoOutput {
		return d
	}
	if format != Binary {
		t = &Type{Name: "std::str"}
	}
	b := newBuilder(major)
	d.OutputID = b.describe(t)
	d.Output = b.out
	d.Cardinality = inferCardinality(st)
	return d
}

// ResultType gives the type of one of the statement's results, nil where it
// has none. Objects have the name of their type in the suite's schema.
func ResultType(st *queries.Statement) *Type {
	if st.Shape == nil {
		return nil
	}
	t := FromShape(st.Shape)
	if t.Kind == Object {
		text := st.Text(edgeQL)
		t = t.bind(inferSubject(text), inferLinks(text))
	}
	return t
}

// Params gives the statement's parameters in the order in which their values
// come: named "0", "1" and so on, or by their names.
func Params(st *queries.Statement) []Field {
	var params []Field
	for i, arg := range st.Args {
		f := Field{Name: arg.Name, Type: FromShape(arg.Shape), Cardinality: ExactlyOne}
		if !st.Named {
			f.Name = strconv.Itoa(i)
		}
		if arg.Shape.Optional {
			f.Cardinality = AtMostOne
		}
		params = append(params, f)
	}
	return params
}
