package queries_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/google/go-cmp/cmp"
)

func TestFiles(t *testing.T) {
	if err := queries.Check(); err != nil {
		t.Fatal(err)
	}
	if n := len(queries.Names()); n < 100 {
		t.Errorf("there are %d statements, want at least 100", n)
	}
	for _, name := range queries.Names() {
		s := queries.Get(name)
		for _, d := range []duet.Dialect{duet.SQL, duet.EdgeQL} {
			text, none := s.Text(d), s.None(d)
			if (text == "") == (none == "") {
				t.Errorf("%s in %s: text %q, none %q: want exactly one", name, d, text, none)
			}
			checkParameters(t, s, d, text)
		}
	}
}

// checkParameters holds that a text mentions each of its declared arguments.
func checkParameters(t *testing.T, s *queries.Statement, d duet.Dialect, text string) {
	if text == "" || s.Name == "mixed_args" {
		return
	}
	for i, a := range s.Args {
		parameter := "$" + a.Name
		if !s.Named {
			first := map[duet.Dialect]int{duet.SQL: 1, duet.EdgeQL: 0}[d]
			parameter = "$" + string(rune('0'+(i+first)%10))
			if i+first > 9 {
				continue
			}
		}
		if !strings.Contains(text, parameter) {
			t.Errorf("%s in %s does not use %s", s.Name, d, parameter)
		}
	}
	if len(s.Args) == 0 && strings.Contains(text, "$") {
		t.Errorf("%s in %s uses an argument that is not declared", s.Name, d)
	}
}

func TestGet(t *testing.T) {
	s := queries.Get("account")
	if s == nil {
		t.Fatal("there is no statement account")
	}
	if got, want := s.Text(duet.EdgeQL), "select Account { id, name, balance, note, color, tags } filter .name = <str>$0"; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
	str := func() *queries.Shape { return &queries.Shape{Name: "str"} }
	enum := &queries.Shape{Kind: queries.Enum, Labels: []string{"Red", "Green", "Blue"}, Optional: true}
	note, tags := str(), str()
	note.Optional, tags.Multi = true, true
	want := &queries.Shape{Kind: queries.Object, Fields: []queries.Field{
		{Name: "id", Shape: &queries.Shape{Name: "uuid"}}, {Name: "name", Shape: str()}, {Name: "balance", Shape: &queries.Shape{Name: "int64"}},
		{Name: "note", Shape: note}, {Name: "color", Shape: enum}, {Name: "tags", Shape: tags},
	}}
	if diff := cmp.Diff(want, s.Shape); diff != "" {
		t.Errorf("the shape differs (-want +got):\n%s", diff)
	}
	if s.Cardinality != queries.Optional || s.Named || len(s.Args) != 1 || s.Args[0].Name != "name" {
		t.Errorf("cardinality %d, named %t, args %v", s.Cardinality, s.Named, s.Args)
	}
	if s := queries.Get("nosuch"); s != nil || s.Text(duet.SQL) != "" {
		t.Errorf("Get(nosuch) = %v, want nil without a text", s)
	}
}

func TestBadFiles(t *testing.T) {
	good := map[duet.Dialect]string{
		duet.SQL:    "-- name: x\n-- args: a int64\n-- result: one int64\nSELECT $1",
		duet.EdgeQL: "# name: x\n# args: a int64\n# result: one int64\nselect <int64>$0",
	}
	tests := map[string]struct{ sql, edgeql, want string }{
		"twin missing":    {"", good[duet.EdgeQL], "x.sql is missing"},
		"headers differ":  {strings.Replace(good[duet.SQL], "one int64", "one str", 1), good[duet.EdgeQL], "differ"},
		"wrong name":      {strings.Replace(good[duet.SQL], "name: x", "name: y", 1), good[duet.EdgeQL], `names it "y"`},
		"no result":       {"-- name: x\nSELECT 1", good[duet.EdgeQL], "lacks"},
		"no text":         {"-- name: x\n-- result: one int64\n", good[duet.EdgeQL], "has no text"},
		"unknown key":     {"-- name: x\n-- colour: red\nSELECT 1", good[duet.EdgeQL], "not understood"},
		"key twice":       {"-- name: x\n-- name: x\nSELECT 1", good[duet.EdgeQL], "twice"},
		"unknown scalar":  {strings.Replace(good[duet.SQL], "one int64", "one int65", 1), good[duet.EdgeQL], "int65"},
		"open object":     {strings.Replace(good[duet.SQL], "one int64", "one {a: str", 1), good[duet.EdgeQL], `"}" is wanted`},
		"left over":       {strings.Replace(good[duet.SQL], "one int64", "one str str", 1), good[duet.EdgeQL], "left over"},
		"bad cardinality": {strings.Replace(good[duet.SQL], "one int64", "two str", 1), good[duet.EdgeQL], "none of none"},
		"unproven SQL":    {"-- unproven: why\n" + good[duet.SQL], good[duet.EdgeQL], "only EdgeQL"},
		"none and a text": {good[duet.SQL], "# none: why\n" + good[duet.EdgeQL], "has one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			texts := map[string]string{"x.edgeql": tt.edgeql}
			if tt.sql != "" {
				texts["x.sql"] = tt.sql
			}
			_, err := queries.Load(texts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := queries.Load(map[string]string{"x.sql": good[duet.SQL], "x.edgeql": good[duet.EdgeQL]}); err != nil {
		t.Errorf("the good pair: %v", err)
	}
}

// TestReadme holds that README.md lists the unproven texts, and no other.
func TestReadme(t *testing.T) {
	f, err := os.Open("README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var listed, unproven []string
	within := false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		within = within || strings.HasPrefix(sc.Text(), "## Texts that are not proven")
		if name, _, ok := strings.Cut(strings.TrimPrefix(sc.Text(), "| `"), "` |"); within && ok {
			listed = append(listed, name)
		}
	}
	proven := 0
	for _, name := range queries.Names() {
		switch s := queries.Get(name); {
		case s.Unproven != "":
			unproven = append(unproven, name)
		case s.None(duet.EdgeQL) == "":
			proven++
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(unproven, listed); diff != "" {
		t.Errorf("README.md lists other texts (-files +README.md):\n%s", diff)
	}
	if total := proven + len(unproven); len(unproven)*5 > total {
		t.Errorf("%d of %d EdgeQL texts are not proven, want at most a fifth", len(unproven), total)
	}
}

func ExampleGet() {
	s := queries.Get("one")
	os.Stdout.WriteString(s.Text(duet.SQL) + "\n" + s.Text(duet.EdgeQL) + "\n")
	// Output:
	// SELECT 1::int8 AS "?column?"
	// select 1
}
