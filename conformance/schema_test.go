package conformance_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/google/go-cmp/cmp"
)

// declarations takes a schema apart: SDL, or DDL without its "create" and
// "set". Each declaration is one element, with those in it following in order,
// behind the path to them, so that the order of declarations and of white space
// is no difference.
func declarations(text string) []string {
	text = regexp.MustCompile(`(?m)#.*$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\b(create|set) `).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "default::", "")
	var all, path []string
	rest := strings.Join(strings.Fields(text), " ")
	for rest != "" {
		i := strings.IndexAny(rest, "{};")
		if i < 0 {
			i = len(rest)
			rest += ";"
		}
		if head := strings.TrimSpace(rest[:i]); head != "" {
			path = append(path, head)
			all = append(all, strings.Join(path, " / "))
			if rest[i] != '{' {
				path = path[:len(path)-1]
			}
		}
		if rest[i] == '}' && len(path) > 0 {
			path = path[:len(path)-1]
		}
		rest = rest[i+1:]
	}
	slices.Sort(all)
	return all
}

func TestSchemaAgreesWithTheStatements(t *testing.T) {
	sdl, err := os.ReadFile("schema.edgeql")
	if err != nil {
		t.Fatal(err)
	}
	var ddl []string
	for _, name := range queries.Names() {
		if strings.HasPrefix(name, "setup_") && name != "setup_commit_token" { // which only its own scenarios make
			ddl = append(ddl, queries.Get(name).Text(duet.EdgeQL))
		}
	}
	want := declarations("module default {" + strings.Join(ddl, ";") + "}")
	got := declarations(string(sdl))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema.edgeql differs (-statements +schema.edgeql):\n%s", diff)
	}
	if len(got) < 20 {
		t.Errorf("there are only %d declarations: %q", len(got), got)
	}
	if cmp.Equal(got, declarations(strings.Replace(string(sdl), "min_value(0)", "min_value(1)", 1))) {
		t.Error("the test sees no difference where there is one")
	}
}
