package typedesc

import (
	"maps"
	"regexp"

	"github.com/duetdb/duet/conformance/queries"
)

// edgeQL is duet.EdgeQL: this package does not import the root.
const edgeQL = 2

// What a real server infers from a text and its schema, and a header does not
// declare: whose objects a shape is of, and that a set literal is never empty.
// The rules cover the texts of the suite; recordings of a real server prove
// them.
var (
	subjectPattern  = regexp.MustCompile(`^select\s+(?:\(\s*(?:select|insert|update|delete)\s+)?([A-Z]\w*)`)
	backlinkPattern = regexp.MustCompile(`(\w+)\s*:=\s*\.<\w+\[is (\w+)\]`)
	literalPattern  = regexp.MustCompile(`(?s)^select\s+\{.+,.+\}$`)
)

// schemaLinks are the targets of the links of the suite's schema.
var schemaLinks = map[string]string{"src": "default::Account", "dst": "default::Account", "account": "default::Account"}

// inferSubject gives the object type whose objects a text selects, "" for a
// free object.
func inferSubject(text string) string {
	if m := subjectPattern.FindStringSubmatch(text); m != nil {
		return "default::" + m[1]
	}
	return ""
}

// inferLinks gives the object types that fields with a shape lead to.
func inferLinks(text string) map[string]string {
	links := maps.Clone(schemaLinks)
	for _, m := range backlinkPattern.FindAllStringSubmatch(text, -1) {
		links[m[1]] = "default::" + m[2]
	}
	return links
}

// bind gives an object type and those within it their names.
func (t *Type) bind(name string, links map[string]string) *Type {
	bound := *t
	bound.Name = name
	bound.Fields = nil
	for _, f := range t.Fields {
		if f.Type.Kind == Object {
			f.Type = f.Type.bind(links[f.Name], links)
		}
		bound.Fields = append(bound.Fields, f)
	}
	return &bound
}

// inferCardinality gives the cardinality of a statement that has results.
func inferCardinality(st *queries.Statement) Cardinality {
	switch st.Cardinality {
	case queries.One:
		return ExactlyOne
	case queries.Optional:
		return AtMostOne
	}
	if st.Shape.Kind != queries.Object && literalPattern.MatchString(st.Text(edgeQL)) {
		return AtLeastOne
	}
	return Many
}
