package main

import (
	"encoding/json"
	"strings"
	"testing"

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
