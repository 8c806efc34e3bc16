package sqltext

import (
	"slices"
	"testing"
)

func TestCalls(t *testing.T) {
	tests := []struct {
		text    string
		names   []string
		into    bool
		foreign bool
	}{
		{text: ""},
		{text: "SELECT 1"},
		{text: "SELECT balance FROM account WHERE name = $1"},
		{text: "SELECT (1), ((2))", names: []string{"select"}},
		{text: "SELECT f(1), app . G (2), f(3)", names: []string{"f", "g"}, foreign: true},
		{text: "SELECT pg_catalog.f(1), (t).g(2)", names: []string{"f", "g"}},
		{text: `SELECT "App"."Trim"(x.y)`, names: []string{"Trim"}, foreign: true},
		{text: "SELECT db.app.trim(1)", names: []string{"trim"}, foreign: true},
		{text: "SELECT a.b + f(1), a.b, (g(2)), x IN (3)", names: []string{"f", "g", "in"}},
		{text: "SELECT ÄRGER(1)", names: []string{"Ärger"}},
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
		names, foreign, into := Calls(tt.text, true)
		if !slices.Equal(names, tt.names) || into != tt.into || foreign != tt.foreign {
			t.Errorf("%s: %q, %v, %v; want %q, %v, %v", tt.text, names, foreign, into, tt.names, tt.foreign, tt.into)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		text  string
		names []string
	}{
		{text: ""},
		{text: "SELECT a.B, 'c', $1, $d, 1.5e3 FROM \"E\" -- f", names: []string{"select", "a", "b", "from", "E"}},
		{text: "TABLE Ä, A, \"x\"\"y\"", names: []string{"table", "Ä", "a", `x"y`}},
		{text: `SELECT U&"\0066"`, names: []string{"select", `U&"\0066"`}},
	}
	for _, tt := range tests {
		if names := Names(tt.text, true); !slices.Equal(names, tt.names) {
			t.Errorf("%s: %q, want %q", tt.text, names, tt.names)
		}
	}
}
