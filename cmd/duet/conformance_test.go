package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestConformanceJSON(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	r := duetRun(t, "conformance", "--dsn", dsn, "--json", "--run", "^(cardinality|values)/")
	r.want(t, exitOK, `{"backend":"postgres","passed":`, "")
	if strings.Count(r.out, "\n") != 1 {
		t.Fatalf("want one line:\n%s", r.out)
	}
	var report struct {
		Backend                 string
		Passed, Failed, Skipped *int
		Scenarios               []struct{ ID, Status string }
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Passed == nil || report.Failed == nil || report.Skipped == nil {
		t.Fatalf("a count is missing: %s", r.out)
	}
	if *report.Passed < 5 || *report.Failed != 0 || *report.Passed+*report.Skipped != len(report.Scenarios) {
		t.Errorf("%d passed, %d failed, %d skipped of %d", *report.Passed, *report.Failed, *report.Skipped, len(report.Scenarios))
	}
}

func TestConformanceList(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	r := duetRun(t, "conformance", "--dsn", dsn, "--run", "^faults/idle$")
	r.want(t, exitOK, "ok    faults/idle", "")
	r.want(t, exitOK, "1 passed, 0 failed, 0 skipped", "")
}

// A server that gives up on locks before it looks for deadlocks breaks a promise.
func TestConformanceFails(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t) + "&options=-c%20lock_timeout%3D200"
	args := []string{"conformance", "--dsn", dsn, "--run", "^(retries/deadlock|cardinality/.*)$"}
	r := duetRun(t, args...)
	r.want(t, exitFailed, "FAIL  retries/deadlock\n        promise: ", "duet: not every scenario passed")
	r = duetRun(t, append(args, "--json")...)
	r.want(t, exitFailed, `"failed":1,"skipped":0,`, "duet: not every scenario passed")
	if strings.Count(r.out, "\n") != 1 {
		t.Errorf("want one line:\n%s", r.out)
	}
}

// Where the suite cannot even begin, that is a failure too.
func TestConformanceCannotConnect(t *testing.T) {
	r := duetRun(t, "conformance", "--json", "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db")
	r.want(t, exitFailed, "", "127.0.0.1:1")
	if strings.Contains(r.out+r.err, "s3cr3t") {
		t.Errorf("the password is shown: %s", r.err)
	}
}

func TestConformanceStartsItsOwnServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server")
	}
	duetRun(t, "conformance", "--run", "^cardinality/").want(t, exitOK, "0 failed", "")
}

func TestWithLabel(t *testing.T) {
	plainEnvironment(t)
	tests := []struct{ dsn, want string }{
		{"", "application_name='a b'"},
		{"host=h application_name=x password='p w'", "password='p w' host=h application_name='a b'"},
		{"postgres://u:p%20w@h:1/d?sslmode=disable", "user=u password='p w' dbname=d host=h port=1 sslmode=disable application_name='a b'"},
	}
	for _, tt := range tests {
		if got, err := withLabel(tt.dsn, "a b"); got != tt.want || err != nil {
			t.Errorf("withLabel(%q): %q, %v, want %q", tt.dsn, got, err, tt.want)
		}
	}
}

// Several databases run one after another: a JSON line for each, or a table with
// a column for each.
func TestConformanceSeveral(t *testing.T) {
	server := pgtest.Shared(t)
	first, second := server.NewDatabase(t), server.NewDatabase(t)+"&options=-c%20lock_timeout%3D200"
	args := []string{"conformance", "--dsn", first, "--dsn", second, "--run", "^(retries/deadlock|cardinality/.*)$"}
	r := duetRun(t, append(args, "--json")...)
	r.want(t, exitFailed, `"passed":6,"failed":1,"skipped":0,`, "duet: not every scenario passed")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"backend":"postgres","passed":7,"failed":0,`) {
		t.Errorf("want a line for each database:\n%s", r.out)
	}
	r = duetRun(t, args...)
	column := "postgres " + server.Version
	width := strings.Repeat("-", max(len(column), len("6 ok, 1 FAILED")))
	r.want(t, exitFailed, strings.Join([]string{
		"subject      " + pad(column, 16) + column,
		"-----------  " + pad(strings.Repeat("-", len(column)), 16) + width,
	}, "\n"), "duet: not every scenario passed")
	r.want(t, exitFailed, "\ncardinality  "+pad("6 ok", 16)+"6 ok\n", "")
	r.want(t, exitFailed, "\nretries      "+pad("1 ok", 16)+"1 FAILED\n", "")
	r.want(t, exitFailed, "\nall          "+pad("7 ok", 16)+"6 ok, 1 FAILED\n", "")
	r.want(t, exitFailed, "\nfailed on postgres: retries/deadlock\n", "")
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

func TestReportTable(t *testing.T) {
	result := func(id string, status conformance.Status, reason string) conformance.Result {
		return conformance.Result{ID: id, Status: status, Reason: reason}
	}
	var out strings.Builder
	err := writeReports(streams{out: &out}, []conformance.Report{
		{Backend: "postgres", Server: "15.1", Scenarios: []conformance.Result{result("a/x", conformance.Passed, ""), result("a/y", conformance.Passed, "")}},
		{Backend: "edgedb", Server: "5.8", Scenarios: []conformance.Result{
			result("a/x", conformance.Skipped, "cannot"), result("a/y", conformance.Skipped, "cannot"), result("b/z", conformance.Failed, "bad"),
		}},
		{Backend: "other", Scenarios: []conformance.Result{result("setup", conformance.Failed, "no route")}},
	})
	want := `
subject  postgres 15.1  edgedb 5.8           other
-------  -------------  -------------------  --------
a        2 ok           2 skipped
b                       1 FAILED
setup                                        1 FAILED
all      2 ok           2 skipped, 1 FAILED  1 FAILED
skipped on edgedb, cannot:
  a/x a/y
failed on other: setup
`
	want = strings.Replace(want, "skipped on edgedb", "failed on edgedb: b/z\nskipped on edgedb", 1)
	if err != nil || out.String() != want {
		t.Errorf("the table (%v) is\n%s\nwant\n%s", err, out.String(), want)
	}
}

// Where one of several cannot be reached, nothing is run.
func TestConformanceOneCannotConnect(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	r := duetRun(t, "conformance", "--dsn", dsn, "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db")
	r.want(t, exitFailed, "", "127.0.0.1:1")
	if r.out != "" || strings.Contains(r.err, "s3cr3t") {
		t.Errorf("something was run, or the password is shown:\n%s%s", r.out, r.err)
	}
}
