package duet_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/duetdb/duet"

// arrows says which packages of the module the code of a folder may import,
// apart from the folders below it: docs/design.md, section 1. Folders that are
// not here may not be there: who adds one decides where its arrows point.
var arrows = map[string][]string{
	".":                            {"pool", "retry"},
	"pool":                         {},
	"retry":                        {},
	"dsn":                          {},
	"backends":                     {".", "dsn", "backends/*"},
	"backends/postgres":            {".", "dsn", "pool", "retry", "internal/caret", "internal/committoken", "internal/fields"},
	"backends/postgres/wire":       {},
	"backends/postgres/sqltext":    {},
	"backends/postgres/codec":      {".", "internal/fields", "internal/decodeerr"},
	"backends/edgedb":              {".", "dsn", "pool", "retry", "internal/caret", "internal/committoken", "internal/fields"},
	"backends/edgedb/edgeqltext":   {},
	"backends/edgedb/decode":       {".", "internal/fields", "internal/decodeerr"},
	"conformance":                  {".", "pool", "retry"},
	"conformance/queries":          {"."},
	"internal/caret":               {},
	"internal/committoken":         {},
	"internal/decodeerr":           {},
	"internal/faultproxy":          {},
	"internal/fields":              {},
	"internal/pgtest":              {},
	"internal/edgedbtest":          {".", "conformance/queries", "backends/postgres/wire", "internal/pgtest"},
	"internal/edgedbtest/typedesc": {"conformance/queries"},
	"cmd/duet":                     {".", "dsn", "pool", "retry", "conformance", "backends", "backends/*", "internal/pgtest", "internal/edgedbtest", "internal/faultproxy"},
	"examples":                     {".", "dsn", "pool", "retry", "backends", "backends/*"},
}

// forbidden are what each folder's code must not import from elsewhere.
var forbidden = map[string][]string{
	".":    {"github.com/", "golang.org/", "net", "database/sql"},
	"dsn":  {"github.com/", "golang.org/"},
	"pool": {"github.com/jackc/pgx", "github.com/cenkalti", "database/sql"},
}

// source is one Go file of the module.
type source struct {
	path, dir string // with slashes, from the module's root
	test      bool
	file      *ast.File
}

func (s source) imports() []string {
	var all []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			all = append(all, p)
		}
	}
	return all
}

// sources parses all files of the module; modules within it are not part of it.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == "." {
				return nil
			}
			_, err := os.Stat(filepath.Join(p, "go.mod"))
			if err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
		slashed := filepath.ToSlash(p)
		all = append(all, source{path: slashed, dir: path.Dir(slashed), test: strings.HasSuffix(p, "_test.go"), file: file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d files were found: the test does not see the module", len(all))
	}
	return all
}

// folder finds the entry of arrows for a folder, or "".
func folder(dir string) string {
	if _, ok := arrows[dir]; ok {
		return dir
	}
	if strings.HasPrefix(dir, "examples/") {
		return "examples"
	}
	return ""
}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		from := folder(s.dir)
		seen[from] = true
		if from == "" {
			t.Errorf("%s: no rule says what the folder %s may import", s.path, s.dir)
			continue
		}
		for _, imported := range s.imports() {
			if fault := arrowFault(from, s.dir, imported); fault != "" {
				t.Errorf("%s imports %s: %s", s.path, imported, fault)
			}
		}
	}
	for dir := range arrows {
		if !seen[dir] {
			t.Errorf("there is a rule for %s, but no code", dir)
		}
	}
}

// arrowFault says what is wrong with an import, "" if nothing is.
func arrowFault(from, dir, imported string) string {
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		for _, bad := range forbidden[from] {
			if imported == bad || strings.HasSuffix(bad, "/") && strings.HasPrefix(imported, bad) || strings.HasPrefix(imported, bad+"/") {
				return "it must do without " + bad
			}
		}
		return ""
	}
	to := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
	if to == "" {
		to = "."
	}
	if dir != "." && strings.HasPrefix(to, dir+"/") {
		return ""
	}
	for _, allowed := range arrows[from] {
		below, star := strings.CutSuffix(allowed, "/*")
		if allowed == to || star && strings.HasPrefix(to, below+"/") {
			return ""
		}
	}
	return "the arrow points the wrong way"
}

func TestArrowFaults(t *testing.T) {
	tests := []struct {
		dir, imported string
		fault         bool
	}{
		{".", module + "/retry", false},
		{".", module + "/dsn", true},
		{".", module + "/backends/postgres", true},
		{".", "github.com/jackc/pgx/v5/pgtype", true},
		{".", "net/netip", true},
		{".", "errors", false},
		{"pool", module, true},
		{"pool", "github.com/jackc/puddle/v2", false},
		{"conformance", module + "/backends/postgres", true},
		{"conformance", module + "/conformance/queries", false},
		{"conformance/queries", module + "/conformance", true},
		{"backends/postgres", module + "/backends", true},
		{"backends/postgres", module + "/internal/pgtest", true},
		{"backends/postgres/wire", module + "/backends/postgres/codec", true},
		{"cmd/duet", module + "/backends/postgres/sqltext", false},
		{"examples/report", module + "/internal/pgtest", true},
	}
	for _, tt := range tests {
		if got := arrowFault(folder(tt.dir), tt.dir, tt.imported); (got != "") != tt.fault {
			t.Errorf("%s -> %s: %q", tt.dir, tt.imported, got)
		}
	}
}

// Who wants PostgreSQL alone compiles nothing of EdgeDB's, of the command's, nor
// the connections and pools of pgx.
func TestPostgresReaches(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath", "./backends/postgres").Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Logf("%s", failed.Stderr)
		}
		t.Fatal(err)
	}
	var reached []string
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		reached = append(reached, p.ImportPath)
	}
	if !slices.Contains(reached, "github.com/jackc/pgx/v5/pgtype") {
		t.Fatalf("%d packages, and pgtype is not among them: go list told something else", len(reached))
	}
	exact := []string{"github.com/jackc/pgx/v5", "testing", module + "/backends", module + "/conformance"}
	for _, p := range reached {
		for _, bad := range []string{
			"edgedb", "geldata", "cobra", "pflag", "kerberos", "gokrb5", "gssapi", "opentelemetry", "pgconn", "pgxpool", "embedded-postgres", "pgtest", "lib/pq",
		} {
			if strings.Contains(strings.ToLower(p), bad) {
				t.Errorf("backends/postgres reaches %s", p)
			}
		}
		if slices.Contains(exact, p) {
			t.Errorf("backends/postgres reaches %s", p)
		}
	}
}

// The library has no init, and at most one of its files is unsafe.
func TestNoInitAndLittleUnsafe(t *testing.T) {
	var unsafe []string
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if slices.Contains(s.imports(), "unsafe") {
			unsafe = append(unsafe, s.path)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has a func init", s.path)
			}
		}
	}
	if len(unsafe) > 1 {
		t.Errorf("%d files import unsafe, want at most one: %v", len(unsafe), unsafe)
	}
}
