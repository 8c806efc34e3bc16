package edgeqltext_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
)

// recordedCase is what a real server was asked.
type recordedCase struct {
	Name, Call, EdgeQL, Args, Error string
}

func recorded(t testing.TB) []recordedCase {
	t.Helper()
	files, err := filepath.Glob("../../../internal/edgedbtest/testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases: %v", err)
	}
	var all []recordedCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []recordedCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, cases...)
	}
	return all
}

var key = regexp.MustCompile(`"([^"]*)":`)

// argumentsOf reads arguments in Go's syntax: the keys of a map, or how many
// values there are.
func argumentsOf(args string) (names []string, values int) {
	inner, ok := strings.CutPrefix(args, "[]interface {}{")
	if !ok {
		return nil, 0
	}
	inner = strings.TrimSuffix(inner, "}")
	if strings.HasPrefix(inner, "map[string]interface {}{") {
		for _, m := range key.FindAllStringSubmatch(inner, -1) {
			names = append(names, m[1])
		}
		return names, 0
	}
	depth, quoted, values := 0, false, 1
	for i, c := range inner {
		switch {
		case c == '"' && (i == 0 || inner[i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case strings.ContainsRune("{([", c):
			depth++
		case strings.ContainsRune("})]", c):
			depth--
		case c == ',' && depth == 0:
			values++
		}
	}
	return nil, values
}

func TestRecorded(t *testing.T) {
	empty := []string{"empty text", "only a comment", "only a semicolon"}
	texts, withNames, withNumbers := 0, 0, 0
	for _, c := range recorded(t) {
		if c.EdgeQL == "" && c.Name != "empty text" {
			continue
		}
		texts++
		p, err := edgeqltext.Parse(c.EdgeQL)
		if err != nil {
			t.Errorf("%s: %q: %v", c.Name, c.EdgeQL, err)
			continue
		}
		if p.Empty != slices.Contains(empty, c.Name) {
			t.Errorf("%s: %q: empty is %v", c.Name, c.EdgeQL, p.Empty)
		}
		names, values := argumentsOf(c.Args)
		switch c.Name {
		case "mixed arguments":
			if !p.Mixed {
				t.Errorf("%q is not mixed", c.EdgeQL)
			}
			continue
		case "missing argument":
			values = 1
		case "too many arguments":
			values = 1
		case "unused named argument":
			names = []string{"a"}
		case "missing named argument":
			names = []string{"a", "b"}
		}
		if p.Mixed || p.Positional != values || !slices.Equal(slices.Sorted(slices.Values(p.Names)), slices.Sorted(slices.Values(names))) {
			t.Errorf("%s: %q takes %q and %d, was given %q and %d", c.Name, c.EdgeQL, p.Names, p.Positional, names, values)
		}
		if names != nil {
			withNames++
		}
		if values > 0 {
			withNumbers++
		}
	}
	if texts < 200 || withNames < 5 || withNumbers < 50 {
		t.Errorf("only %d texts, %d with names, %d with numbers", texts, withNames, withNumbers)
	}
}

// The statements of the recorded scripts, told by what they begin with.
func TestRecordedStatements(t *testing.T) {
	begin := map[string]int{}
	for _, c := range recorded(t) {
		p, err := edgeqltext.Parse(c.EdgeQL)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Statements {
			begin[s.Words[0]]++
		}
	}
	known := []string{
		"", "select", "insert", "update", "delete", "with", "for", "create", "drop", "alter", "start", "declare", "configure", "group", "set", "reset", "commit", "describe",
	}
	for _, word := range slices.Sorted(maps.Keys(begin)) {
		if !slices.Contains(known, word) {
			t.Errorf("%d recorded statements begin with %q", begin[word], word)
		}
	}
	if begin["create"] < 5 || begin["select"] < 100 || begin[""] > 5 {
		t.Errorf("statements begin with %v", begin)
	}
}
