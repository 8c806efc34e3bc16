package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// connectEdgeDB opens a client for a branch that is closed at the end of the
// test.
func connectEdgeDB(t *testing.T, dsn string, hooks duet.Hooks) duet.Client {
	t.Helper()
	client, err := edgedb.Connect(t.Context(), dsn, edgedb.Config{Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanup(t.Context())
		defer stop()
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return client
}

func typeIsThere(t *testing.T, client duet.Client) bool {
	t.Helper()
	there, err := duet.QueryOne[bool](t.Context(), client, edgeInstalled, "default::Account")
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func TestDemoOnEdgeDB(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	client := connectEdgeDB(t, dsn, duet.Hooks{})
	r := duetRun(t, "demo", "--dsn", dsn, "--transfers", "400", "--accounts", "4", "--workers", "8") // conflicts are sure
	if r.code != exitOK || lastLine(r.out) != "demo: ok, 10 checks passed" {
		t.Fatalf("exit %d:\n%s%s", r.code, r.out, r.err)
	}
	r.want(t, exitOK, "0x05030101: ", "")
	r.want(t, exitOK, "  unique violation", "")
	if typeIsThere(t, client) {
		t.Error("the type is still there")
	}
}

// Both backends stand side by side in one table.
func TestDemoOnBoth(t *testing.T) {
	r := duetRun(t, "demo", "--dsn", pgtest.Shared(t).NewDatabase(t), "--dsn", edgedbtest.Shared(t).NewBranch(t),
		"--transfers", "300", "--accounts", "4", "--workers", "8")
	if r.code != exitOK || lastLine(r.out) != "demo: ok, 21 checks passed" {
		t.Fatalf("exit %d:\n%s%s", r.code, r.out, r.err)
	}
	wantLine(t, r.out, "How it went", "PostgreSQL 15", "EdgeDB 5")
	wantLine(t, r.out, "  unique violation", "23505", "0x05020001")
	wantLine(t, r.out, "  syntax error", "42601", "0x0401")
	wantLine(t, r.out, "transfers  ", "300 ", "300")
	wantLine(t, r.out, "  retries after conflict", "40001: ", "0x05030101: ")
	wantLine(t, r.out, "checks  ", "11 ok", "10 ok")
	for line := range strings.Lines(r.out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
}

// wantLine holds that a line begins with a text and contains others.
func wantLine(t *testing.T, out, begin string, contains ...string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, begin) {
			continue
		}
		for _, c := range contains {
			if !strings.Contains(line, c) {
				t.Errorf("the line %q lacks %q", line, c)
			}
		}
		return
	}
	t.Errorf("no line begins with %q:\n%s", begin, out)
}

func TestDemoLeavesForeignTypesAlone(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	client := connectEdgeDB(t, dsn, duet.Hooks{})
	for _, text := range []string{edgeColor, edgeAccount} {
		if _, err := client.Execute(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	duetRun(t, "demo", "--dsn", dsn, "--transfers", "1").want(t, exitFailed, "demo: FAILED, the branch has a type Account that the demo did not make", "")
	if !typeIsThere(t, client) {
		t.Error("the foreign type was dropped")
	}
}

func TestDemoReplacesTypesOfABrokenDemo(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	client := connectEdgeDB(t, dsn, duet.Hooks{})
	if _, err := openEdgeBank(t.Context(), client, 3); err != nil {
		t.Fatal(err)
	}
	duetRun(t, "demo", "--dsn", dsn, "--transfers", "10").want(t, exitOK, "demo: ok", "")
}

func TestDemoInterruptedOnEdgeDB(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	client := connectEdgeDB(t, dsn, duet.Hooks{})
	for _, at := range []string{"as JSON", "transfers between", "a second"} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		out := &stopper{at: at, stop: stop}
		code := run(ctx, []string{"demo", "--dsn", dsn, "--transfers", "1000000"}, streams{in: strings.NewReader(""), out: out, err: out})
		stop()
		if code != exitFailed || lastLine(out.text.String()) != "demo: FAILED, interrupted" {
			t.Errorf("interrupted at %q: exit %d:\n%s", at, code, out.text.String())
		}
		if typeIsThere(t, client) {
			t.Errorf("interrupted at %q: the type is still there", at)
		}
	}
}

// The demo's checks are worth what they find, on EdgeDB too.
func TestDemoChecksFindFaultsOnEdgeDB(t *testing.T) {
	tests := []struct {
		name  string
		fault string
		args  []any
		finds string
	}{
		{"none", "select 1", nil, ""},
		{"applied twice", edgeMove, []any{"n1", "n2", 1}, "that nobody asked for"},
		{"lost money", edgeAdd, []any{"n2", -1}, "sum of all balances"},
		{"an account less", "delete Account filter .name = <str>$0", []any{edgeVictim}, "balances is what"},
		{"everything lost", "delete Transfer; delete Account;", nil, "applied exactly once"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tally tally
			client := connectEdgeDB(t, edgedbtest.Shared(t).NewBranch(t), tally.hooks())
			b, err := openEdgeBank(t.Context(), client, 10)
			if err != nil {
				t.Fatal(err)
			}
			w := newWork(b, demoOptions{transfers: 50, accounts: 10, workers: 4}, &tally)
			var out bytes.Buffer
			if err := w.run(t.Context(), streams{out: &out, err: &out}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Execute(t.Context(), tt.fault, tt.args...); err != nil {
				t.Fatal(err)
			}
			checks, err := w.checks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, c := range checks {
				if c.failure != "" {
					failed = append(failed, c.name+": "+c.failure)
				}
			}
			all := strings.Join(failed, "\n")
			if (tt.finds == "") != (all == "") || !strings.Contains(all, tt.finds) {
				t.Errorf("the failed checks are %q, want one with %q", all, tt.finds)
			}
		})
	}
}
