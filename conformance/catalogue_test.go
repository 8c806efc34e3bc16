package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/conformance/queries"
)

func TestScenarios(t *testing.T) {
	seen := map[string]bool{}
	id := regexp.MustCompile(`^[a-z]+/[a-z0-9-]+$`)
	for _, s := range conformance.Scenarios() {
		if !id.MatchString(s.ID) || seen[s.ID] {
			t.Errorf("the id %q is malformed or used twice", s.ID)
		}
		seen[s.ID] = true
		if !strings.HasSuffix(s.Promise, ".") || s.Run == nil {
			t.Errorf("%s has no promise, or does nothing", s.ID)
		}
		if s.Subject()+"/" != s.ID[:len(s.Subject())+1] {
			t.Errorf("the subject of %s is %q", s.ID, s.Subject())
		}
	}
	if len(seen) < 60 {
		t.Errorf("there are %d scenarios, want at least 60", len(seen))
	}
}

// sources parses the package's files other than tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.File{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = f
	}
	return all
}

func TestEveryStatementIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, _ := strconv.Unquote(lit.Value)
				used[s] = true
			}
			return true
		})
	}
	for _, name := range queries.Names() {
		if !used[name] {
			t.Errorf("no scenario uses the statement %s", name)
		}
	}
}

func TestImports(t *testing.T) {
	const module = "github.com/duetdb/duet"
	allowed := map[string]bool{module: true, module + "/conformance/queries": true, module + "/retry": true}
	for file, f := range sources(t) {
		for _, imp := range f.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			if std := !strings.Contains(strings.Split(path, "/")[0], "."); !std && !allowed[path] {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}
