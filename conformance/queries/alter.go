package queries

import (
	"maps"

	"github.com/duetdb/duet"
)

// WithText gives a copy of the statement with another text in a dialect: for
// tests that plant a fault in the catalogue.
func (s *Statement) WithText(d duet.Dialect, text string) *Statement {
	c := *s
	c.texts = maps.Clone(s.texts)
	c.texts[d] = text
	return &c
}

// WithResult gives a copy of the statement that declares another result, as
// the header's line does: "one int64". An error is of the line.
func (s *Statement) WithResult(result string) (*Statement, error) {
	c := *s
	var err error
	c.Cardinality, c.Shape, err = parseResult(result)
	return &c, err
}
