package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"

	"github.com/duetdb/duet"
)

func TestPingEdgeDB(t *testing.T) {
	server := edgedbtest.Shared(t)
	r := duetRun(t, "ping", "--dsn", server.NewBranch(t), "--count", "3")
	r.want(t, exitOK, "edgedb 5.8+local at "+server.Addr(), "")
	r.want(t, exitOK, "3 round trips: min ", "")
	r = duetRun(t, "ping", "--dsn", "edgedb://anna:s3cr3t@127.0.0.1:1/db?wait_until_available=1ms")
	r.want(t, exitFailed, "", "127.0.0.1:1")
	if strings.Contains(r.out+r.err, "s3cr3t") {
		t.Errorf("the password is shown: %s", r.err)
	}
}

func TestQueryEdgeDB(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	text := func(name string) string { return queries.Get(name).Text(duet.EdgeQL) }
	tests := []struct {
		name string
		args []string
		out  string
	}{
		{"table", []string{text("two_columns")}, "n  s\n-  -\n1  x\n(1 row)\n"},
		{"scalars", []string{text("two_of_them")}, "value\n-----\n1\n2\n(2 rows)\n"},
		{"nothing", []string{text("nothing")}, "value\n-----\n(0 rows)\n"},
		{"json", []string{"--json", text("bools")}, "[true, false]\n"},
		{"jsonl", []string{"--jsonl", text("objects"), "--arg", "2"}, "{\"i\":0,\"s\":\"0\"}\n{\"i\":1,\"s\":\"1\"}\n"},
		{"positional", []string{"--jsonl", text("three_args"), "--arg", "41", "--arg", "hi", "--arg", "true"}, "[42,\"hi!\",false]\n"},
		{"named", []string{"--jsonl", text("named_a_b"), "--arg", "b=y", "--arg", "a=x"}, "[\"x\",\"y\"]\n"},
		{"an array", []string{"--jsonl", text("echo_ints"), "--arg", "[3, 1]"}, "[3,1]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := duetRun(t, append([]string{"query", "--dsn", dsn}, tt.args...)...)
			r.want(t, exitOK, "", "")
			if !sameLoosely(r.out, tt.out) {
				t.Errorf("%q, want %q", r.out, tt.out)
			}
		})
	}
	duetRun(t, "query", "--dsn", dsn, text("setup_color")).want(t, exitOK, "\n", "")
	duetRun(t, "query", "--dsn", dsn, text("setup_color")).want(t, exitFailed, "", "already exists")
	duetRun(t, "query", "--dsn", dsn, text("syntax_error")).want(t, exitFailed, "", "EdgeQLSyntaxError")
	duetRun(t, "query", "--dsn", dsn, text("echo_int64"), "--arg", "x").want(t, exitFailed, "", "duet: ")
}

// sameLoosely compares without white space within a line: it is the server's
// own in JSON.
func sameLoosely(a, b string) bool {
	squeeze := strings.NewReplacer(" ", "")
	return squeeze.Replace(a) == squeeze.Replace(b)
}

// Both backends side by side, Kill included.
func TestConformanceOnBoth(t *testing.T) {
	postgres, edgedb := pgtest.Shared(t).NewDatabase(t), edgedbtest.Shared(t).NewBranch(t)
	args := []string{"conformance", "--dsn", postgres, "--dsn", edgedb, "--run", "^(cardinality/.*|nested/.*|faults/raw-tx)$"}
	r := duetRun(t, append(args, "--json")...)
	r.want(t, exitOK, "", "")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 2 {
		t.Fatalf("want two lines:\n%s", r.out)
	}
	want := []struct {
		backend         string
		passed, skipped int
	}{{"postgres", 16, 0}, {"edgedb", 8, 8}}
	for i, line := range lines {
		var report struct {
			Backend                 string
			Passed, Failed, Skipped int
		}
		if err := json.Unmarshal([]byte(line), &report); err != nil {
			t.Fatal(err)
		}
		if report.Backend != want[i].backend || report.Passed != want[i].passed || report.Failed != 0 || report.Skipped != want[i].skipped {
			t.Errorf("line %d: %+v, want %+v", i, report, want[i])
		}
	}
	r = duetRun(t, args...)
	r.want(t, exitOK, "== edgedb\n", "")
	r.want(t, exitOK, "  edgedb 5.8+local\n", "")
	r.want(t, exitOK, "\nskipped on edgedb, the backend cannot do: nested transactions:\n  nested/", "")
}
