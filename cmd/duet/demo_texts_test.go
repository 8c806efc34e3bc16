package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// The demo's EdgeQL is of the catalogue: no other text is known to the server
// that speaks EdgeDB's protocol, and few others are proven on a real one.
func TestDemoTextsAreOfTheCatalogue(t *testing.T) {
	known := map[string]bool{}
	for _, name := range queries.Names() {
		known[queries.Get(name).Text(duet.EdgeQL)] = true
	}
	found := 0
	check := func(lit *ast.BasicLit) {
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if found++; !known[text] {
			t.Errorf("the catalogue lacks %q", text)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "demo_edgedb.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "edge") && len(v.Values) == 1 {
			lit, ok := v.Values[0].(*ast.BasicLit)
			if ok && v.Names[0].Name != "edgeOwner" && v.Names[0].Name != "edgeVictim" {
				check(lit)
			}
		}
		return true
	})
	if found < 24 {
		t.Errorf("only %d texts were found", found)
	}
}
