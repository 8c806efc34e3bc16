package sqltext

import (
	"slices"
	"testing"
)

func TestCalls(t *testing.T) {
	tests := []struct {
		text  string
		names []string
		into  bool
	}{
		{text: ""},
		{text: "SELECT 1"},
		{text: "SELECT balance FROM account WHERE name = $1"},
		{text: "SELECT (1), ((2))", names: []string{"select"}},
		{text: "SELECT f(1), app . G (2), f(3)", names: []string{"f", "g"}},
		{text: `SELECT "F""x"(1), "a.b" ('x')`, names: []string{`F"x`, "a.b"}},
		{text: `SELECT U&"\0066"(1)`, names: []string{`U&"\0066"`}},
		{text: "SELECT f -- (no\n /* g( */ (1)", names: []string{"f"}},
		{text: "SELECT 'f(1)', $$g(1)$$, E'h(\\'' , f", names: nil},
		{text: "SELECT a.b::numeric(10,2)", names: []string{"numeric"}},
		{text: "SELECT x.* INTO t FROM x", into: true},
		{text: `SELECT "into" FROM x`},
		{text: "WITH w(a) AS (DELETE FROM t RETURNING a) SELECT count(*) FROM w", names: []string{"w", "as", "count"}},
		{text: "SELECT f 'x' (1)"},
		{text: "SELECT f(", names: []string{"f"}},
	}
	for _, tt := range tests {
		names, into := Calls(tt.text, true)
		if !slices.Equal(names, tt.names) || into != tt.into {
			t.Errorf("%s: %q, %v; want %q, %v", tt.text, names, into, tt.names, tt.into)
		}
	}
}
