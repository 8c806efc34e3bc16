package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func schemaIsThere(t *testing.T, client duet.Client) bool {
	t.Helper()
	there, err := duet.QueryOne[bool](t.Context(), client, "select to_regnamespace('duet_demo') is not null")
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func TestDemoStartsItsOwnServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server")
	}
	r := duetRun(t, "demo", "--transfers", "300", "--workers", "4")
	r.want(t, exitOK, "started for this demo", "")
	if got := lastLine(r.out); got != "demo: ok, 21 checks passed" {
		t.Errorf("the last line is %q", got)
	}
}

func TestDemoOnDSN(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	client := connectTo(t, dsn)
	for _, args := range [][]string{
		{"--transfers", "2000", "--accounts", "4", "--workers", "8"}, // conflicts are sure
		{"--transfers", "1", "--accounts", "2", "--workers", "3", "--plain"},
	} {
		r := duetRun(t, append([]string{"demo", "--dsn", dsn}, args...)...)
		if r.code != exitOK || lastLine(r.out) != "demo: ok, 11 checks passed" {
			t.Fatalf("%v: exit %d:\n%s%s", args, r.code, r.out, r.err)
		}
		for line := range strings.Lines(r.out) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("a line of %d characters: %s", n, line)
			}
		}
		if strings.ContainsAny(r.out, "\r\x1b") {
			t.Error("a buffer is not a terminal, but gets control characters")
		}
		if schemaIsThere(t, client) {
			t.Error("the schema is still there")
		}
	}
}

func TestDemoLeavesForeignSchemasAlone(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	client := connectTo(t, dsn)
	script := "create schema duet_demo; create table duet_demo.precious as select 42 as n"
	if _, err := client.Execute(t.Context(), script); err != nil {
		t.Fatal(err)
	}
	for _, comment := range []string{"", "comment on schema duet_demo is 'ours'"} {
		if _, err := client.Execute(t.Context(), comment); err != nil {
			t.Fatal(err)
		}
		r := duetRun(t, "demo", "--dsn", dsn, "--transfers", "1")
		r.want(t, exitFailed, "demo: FAILED, the database has a schema duet_demo that the demo did not make", "")
		if n, err := duet.QueryOne[int](t.Context(), client, "select n from duet_demo.precious"); n != 42 || err != nil {
			t.Fatalf("the foreign schema's table: %d, %v", n, err)
		}
	}
}

func TestDemoReplacesWhatABrokenDemoLeft(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	client := connectTo(t, dsn)
	if _, err := client.Execute(t.Context(), bankSchema+"; insert into duet_demo.account values (1, 5)"); err != nil {
		t.Fatal(err)
	}
	duetRun(t, "demo", "--dsn", dsn, "--transfers", "10").want(t, exitOK, "demo: ok", "")
}

func TestDemoKeepsASecondOneOut(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	b := openTestBank(t, dsn, nil, 2)
	duetRun(t, "demo", "--dsn", dsn, "--transfers", "1").want(t, exitFailed, "demo: FAILED, another duet demo is running", "")
	if !schemaIsThere(t, b.client) {
		t.Error("the second demo dropped the first one's schema")
	}
}

func TestDemoUnreachable(t *testing.T) {
	r := duetRun(t, "demo", "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db")
	r.want(t, exitFailed, "demo: FAILED, ", "")
	if strings.Contains(r.out+r.err, "s3cr3t") {
		t.Errorf("the password is shown:\n%s%s", r.out, r.err)
	}
}

// stopper ends a ctx when something was written.
type stopper struct {
	mu   sync.Mutex
	text bytes.Buffer
	at   string
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if strings.Contains(s.text.String(), s.at) {
		s.stop()
	}
	return len(p), nil
}

func TestDemoInterrupted(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	client := connectTo(t, dsn)
	for _, at := range []string{"duet demo:", "Servers\n", "as JSON", "transfers between", "a second"} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		out := &stopper{at: at, stop: stop}
		start := time.Now()
		code := run(ctx, []string{"demo", "--dsn", dsn, "--transfers", "1000000"}, streams{in: strings.NewReader(""), out: out, err: out})
		stop()
		if code != exitFailed || lastLine(out.text.String()) != "demo: FAILED, interrupted" {
			t.Errorf("interrupted at %q: exit %d:\n%s", at, code, out.text.String())
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("interrupted at %q: it took %v", at, took)
		}
		if schemaIsThere(t, client) {
			t.Errorf("interrupted at %q: the schema is still there", at)
		}
	}
}

func openTestBank(t *testing.T, dsn string, tally *tally, accounts int) *bank {
	t.Helper()
	var hooks duet.Hooks
	if tally != nil {
		hooks = tally.hooks()
	}
	client, err := postgres.Connect(t.Context(), dsn, postgres.Config{Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openBank(t.Context(), dsn, client, accounts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := closeClient(ctx, client, b.close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return b
}

// The demo's checks are worth what they find.
func TestDemoChecksFindFaults(t *testing.T) {
	tests := []struct{ name, fault, finds string }{
		{"none", "", ""},
		{"applied twice", "insert into duet_demo.transfer select * from duet_demo.transfer where id = 7", "applied exactly once"},
		{"lost", "delete from duet_demo.transfer where id = 7", "applied exactly once"},
		{"lost money", "update duet_demo.account set balance = balance - 1 where id = 2", "sum of all balances"},
		{"money at the wrong place", "update duet_demo.account set balance = balance + case id when 1 then 1 else -1 end where id in (1, 2)", "balances is what"},
		{"negative", "update duet_demo.account set balance = balance + case id when 1 then -100000 else 100000 end where id in (1, 2)", "negative"},
		{"another amount", "update duet_demo.transfer set amount = amount + 1 where id = 7", "as it was asked"},
		{"another answer", "update duet_demo.transfer set accepted = not accepted where id = 7", "told the truth"},
		{"an account less", "delete from duet_demo.account where id = 3", "balances is what"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tally tally
			b := openTestBank(t, pgtest.Shared(t).NewDatabase(t), &tally, 10)
			w := newWork(b, demoOptions{transfers: 100, accounts: 10, workers: 4}, &tally)
			var out bytes.Buffer
			if err := w.run(t.Context(), streams{out: &out, err: &out}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.client.Execute(t.Context(), tt.fault); err != nil {
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

func TestTransfers(t *testing.T) {
	w := newWork(nil, demoOptions{accounts: 1000}, nil)
	hot := 0
	for id := int64(1); id <= 20000; id++ {
		tr := w.transfer(id)
		if tr != w.transfer(id) {
			t.Fatalf("transfer %d is not the same twice", id)
		}
		if tr.payer == tr.payee || min(tr.payer, tr.payee) < 1 || max(tr.payer, tr.payee) > 1000 || tr.amount < 1 || tr.amount > mostAmount {
			t.Fatalf("transfer %d is %+v", id, tr)
		}
		if max(tr.payer, tr.payee) <= hotAccounts {
			hot++
		}
	}
	if hot < 2000 || hot > 2100 {
		t.Errorf("%d of 20000 transfers are between hot accounts, want a tenth", hot)
	}
}
