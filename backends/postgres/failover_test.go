package postgres_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/duetdb/duet/retry"
)

func TestTargetSessionAttrs(t *testing.T) {
	a, b := startPair(t, false)
	const nobody = 0
	for _, tt := range []struct {
		attrs                   string
		ab, ba, onlyA, onlyB, n int
	}{
		{"any", a.Port, b.Port, a.Port, b.Port, 0},
		{"read-write", a.Port, a.Port, a.Port, nobody, 0},
		{"primary", a.Port, a.Port, a.Port, nobody, 0},
		{"standby", b.Port, b.Port, nobody, b.Port, 0},
		{"read-only", b.Port, b.Port, nobody, b.Port, 0},
		{"prefer-standby", b.Port, b.Port, a.Port, b.Port, 0},
	} {
		for _, list := range []struct {
			servers []*pgtest.Server
			want    int
		}{
			{[]*pgtest.Server{a, b}, tt.ab}, {[]*pgtest.Server{b, a}, tt.ba}, {[]*pgtest.Server{a}, tt.onlyA}, {[]*pgtest.Server{b}, tt.onlyB},
		} {
			c, err := postgres.Connect(testContext(t), both("target_session_attrs="+tt.attrs, list.servers...), postgres.Config{})
			if err != nil {
				wantIs(t, err, duet.ErrUnavailable)
				if list.want != nobody || !strings.Contains(err.Error(), tt.attrs) {
					t.Errorf("%s: %v", tt.attrs, err)
				}
				continue
			}
			if got := value[int](t, c, askPort); got != list.want {
				t.Errorf("%s: connected to %d, want %d", tt.attrs, got, list.want)
			}
			must(t, c.Close(testContext(t)))
		}
	}
	// Each connection chooses anew.
	c := openDSN(t, both("load_balance_hosts=random", a, b), postgres.Config{MaxConns: 1, MaxConnUses: 1})
	seen := map[int]int{}
	for range 60 {
		seen[value[int](t, c, askPort)]++
	}
	if len(seen) != 2 {
		t.Errorf("60 connections went to %v", seen)
	}
	t.Logf("60 connections at random: %v", seen)
}

// mode is a transaction's isolation and whether it can write.
const mode = "select current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')"

// RetryingTx takes what a standby has, and all of it again once it is promoted.
func TestRetryingTxOnAStandby(t *testing.T) {
	a, b := startPair(t, false)
	observe(t, a.DSN()).do("create table t (n int)")
	replicated(t, a, b)
	ctx := testContext(t)
	retries := atomic.Int32{}
	cfg := postgres.Config{MaxConns: 1, Hooks: duet.Hooks{Retry: func(context.Context, duet.RetryInfo) { retries.Add(1) }}}
	insert := func(c duet.Client) (before string, err error) {
		err = c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			if err := tx.QueryOne(ctx, mode, &before); err != nil {
				return err
			}
			_, err := tx.Execute(ctx, "insert into t values (1)")
			return err
		})
		return before, err
	}
	only := openDSN(t, both("", b), cfg)
	standby := openDSN(t, both("target_session_attrs=standby", b, a), cfg)
	prefer := openDSN(t, both("target_session_attrs=prefer-standby", a, b), cfg)
	reader := openDSN(t, both("", b), cfg).With(duet.Options{Access: duet.ReadOnly})
	for name, c := range map[string]duet.Client{"any": only, "standby": standby, "prefer-standby": prefer} {
		got, err := insert(c)
		if wantIs(t, err, duet.ErrReadOnly); got != "repeatable read on" || errors.Is(err, duet.ErrUnavailable) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		err = c.With(duet.Options{Isolation: duet.Serializable}).RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "select 1")
			return err
		})
		wantCode(t, err, "0A000")
	}
	if n := retries.Load(); n != 0 {
		t.Errorf("%d retries of what cannot succeed", n)
	}

	must(t, b.Promote(ctx))
	_, err := insert(reader)
	if wantIs(t, err, duet.ErrReadOnly); retries.Load() != 0 {
		t.Errorf("what the caller wanted to be read-only was tried %d times again", retries.Load())
	}
	// The idle connection still reports a standby: its first transaction is
	// read-only, and the second attempt is not.
	if got, err := insert(only); err != nil || got != "serializable off" || retries.Load() != 1 {
		t.Errorf("after the promotion: %s, %v, %d retries", got, err, retries.Load())
	}
	run(t, standby, "select 1") // which tells that it is none any more
	_, err = standby.Execute(ctx, "select 1")
	wantIs(t, err, duet.ErrUnavailable)
	run(t, prefer, "select 1")
	if got, err := insert(prefer); err != nil || got != "serializable off" {
		t.Errorf("where a standby was only preferred: %s, %v", got, err)
	}
	if n, at := value[int](t, only, "select count(*) from t"), value[int](t, prefer, askPort); n != 1 || at != a.Port {
		t.Errorf("%d rows; where no standby is left, the first host is taken, not %d", n, at)
	}
}

// A transaction of which nothing was sent yet begins anew where it moves to.
func TestTransactionMovesToAnotherKindOfServer(t *testing.T) {
	a, b := startPair(t, false)
	observe(t, a.DSN()).do("create table t (n int)")
	replicated(t, a, b)
	ctx := testContext(t)
	c := openDSN(t, both("", b, a), postgres.Config{MaxConns: 1})
	attempts := 0
	must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			must(t, b.Stop(ctx, "fast"))
		}
		if got := value[string](t, tx, mode); got != "serializable off" {
			t.Errorf("on the primary: %s", got)
		}
		_, err := tx.Execute(ctx, "insert into t values (1)")
		return err
	}))
	must(t, b.Start(ctx))
	c = openDSN(t, both("", a, b), postgres.Config{MaxConns: 1})
	attempts = 0
	must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			must(t, a.Stop(ctx, "fast"))
		}
		if got := value[string](t, tx, mode); got != "repeatable read on" {
			t.Errorf("on the standby: %s", got)
		}
		return nil
	}))
	if attempts != 1 {
		t.Errorf("%d attempts", attempts)
	}
}

// A primary is made read-only under a client that wants to write: its
// connections go, whoever notices first, and no other refusal does that.
func TestReadOnlyErrorsEvict(t *testing.T) {
	a, b := startPair(t, false)
	ctx := testContext(t)
	observe(t, a.DSN()).do("create table t (n int)")
	var d dials
	retries := 0
	hooks := d.hooks()
	hooks.Retry = func(context.Context, duet.RetryInfo) { retries++ }
	c := openDSN(t, both("target_session_attrs=read-write", a, b), postgres.Config{MaxConns: 5, Hooks: hooks,
		Options: duet.Options{Retry: &retry.Policy{Unavailable: retry.Rule{MaxAttempts: 3}}}})
	idle(t, c, 4)
	d.take()
	const insert = "insert into t values (1)"

	// The caller's own doing.
	readOnly := c.With(duet.Options{Access: duet.ReadOnly})
	for name, f := range map[string]func() error{
		"a statement":     func() error { _, err := readOnly.Execute(ctx, insert); return err },
		"a transaction":   func() error { return readOnly.RetryingTx(ctx, doing(insert)) },
		"SET TRANSACTION": func() error { return c.RetryingTx(ctx, doing("set transaction read only", insert)) },
		"SET LOCAL":       func() error { return c.RetryingTx(ctx, doing("set local transaction_read_only = on", insert)) },
		"Settings": func() error {
			_, err := c.With(settings("default_transaction_read_only", "on")).Execute(ctx, insert)
			return err
		},
		"a function's doing": func() error {
			_, err := c.Execute(ctx, "do $$ begin set local transaction_read_only = on; insert into t values (1); end $$")
			return err
		},
		"SET on a lent connection": func() error {
			conn, err := c.Acquire(ctx)
			must(t, err)
			defer conn.Release()
			run(t, conn, "set default_transaction_read_only = on")
			_, err = conn.Execute(ctx, insert)
			return err
		},
		"BEGIN by hand": func() error {
			conn, err := c.Acquire(ctx)
			must(t, err)
			defer conn.Release()
			run(t, conn, "begin read only")
			_, err = conn.Execute(ctx, insert)
			return err
		},
	} {
		if err := f(); !errors.Is(err, duet.ErrReadOnly) || errors.Is(err, duet.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	run(t, c, insert)
	if s := c.Pool().Stat(); s.Closed != 0 || len(d.take()) != 0 || retries != 0 {
		t.Errorf("connections were given up: %+v, %d retries", s, retries)
	}

	// The server's doing.
	for name, f := range map[string]func() error{
		"a statement":   func() error { _, err := c.Execute(ctx, insert); return err },
		"DDL":           func() error { _, err := c.Execute(ctx, "create table u (n int)"); return err },
		"a transaction": func() error { return c.RawTx(ctx, doing(insert)) },
		"Begin": func() error {
			tx, err := c.Begin(ctx)
			must(t, err)
			defer func() { _ = tx.Rollback(ctx) }()
			_, err = tx.Execute(ctx, insert)
			return err
		},
		"a swallowed error": func() error {
			return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { _, _ = tx.Execute(ctx, insert); return nil })
		},
		"an answer": func() error { run(t, c, "select 1"); return nil },
		"an answer to a reader": func() error {
			if err := readOnly.RawTx(ctx, doing(insert)); !errors.Is(err, duet.ErrReadOnly) || errors.Is(err, duet.ErrUnavailable) {
				t.Errorf("what the caller asked for: %v", err)
			}
			run(t, c, "select 1") // until now it may have been the session's own setting
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			idle(t, c, 4)
			lent, err := c.Acquire(ctx)
			must(t, err)
			must(t, a.Configure(ctx, map[string]string{"default_transaction_read_only": "on"}))
			err = f()
			if !strings.HasPrefix(name, "an answer") {
				wantIs(t, err, duet.ErrUnavailable)
				wantIs(t, err, duet.ErrReadOnly)
			}
			eventually(t, "no idle connection is left", func() bool { s := c.Pool().Stat(); return s.Idle == 0 && s.Total == 1 })
			_, err = c.Execute(ctx, "select 1")
			wantIs(t, err, duet.ErrUnavailable)
			lent.Release()
			eventually(t, "the lent one is closed, too", func() bool { return c.Pool().Stat().Total == 0 })
			must(t, a.Configure(ctx, map[string]string{"default_transaction_read_only": "off"}))
			run(t, c, insert)
		})
	}

	// RetryingTx moves to the new primary by itself.
	idle(t, c, 4)
	must(t, a.Configure(ctx, map[string]string{"default_transaction_read_only": "on"}))
	must(t, b.Promote(ctx))
	d.take()
	retries = 0
	must(t, c.RetryingTx(ctx, doing(insert)))
	if got := value[int](t, c, askPort); got != b.Port || retries != 1 {
		t.Errorf("on %d, want %d, after %d retries", got, b.Port, retries)
	}
	if got := d.take(); len(got) < 2 || !slices.Equal(got[:2], []string{address(a), address(b)}) {
		t.Errorf("dialled %q", got)
	}
}

// doing is a closure that runs commands.
func doing(commands ...string) func(context.Context, duet.Tx) error {
	return func(ctx context.Context, tx duet.Tx) error {
		for _, cmd := range commands {
			if _, err := tx.Execute(ctx, cmd); err != nil {
				return err
			}
		}
		return nil
	}
}

// The old primary is cut off, but not from the connections that there are: they
// go as soon as a connection shows that another host is the primary.
func TestConnectingElsewhereEvicts(t *testing.T) {
	a, b := startPair(t, false)
	ctx := testContext(t)
	var cut atomic.Bool
	dial := func(ctx context.Context, network, at string) (net.Conn, error) {
		if cut.Load() && at == address(a) {
			return nil, errors.New("cut off")
		}
		var nd net.Dialer
		return nd.DialContext(ctx, network, at)
	}
	for _, tt := range []struct {
		name, dsn string
		evicts    bool
	}{
		{"any host will do", both("", a, b), false},
		{"the primary is a host before", both("target_session_attrs=read-write", b, a), true},
		{"the old primary cannot be reached", both("target_session_attrs=primary", a, b), true},
	} {
		cut.Store(false)
		c := openDSN(t, tt.dsn, postgres.Config{MaxConns: 4, DialFunc: dial})
		idle(t, c, 3)
		var lent [4]duet.Conn
		for i := range 3 {
			var err error
			lent[i], err = c.Acquire(ctx)
			must(t, err)
		}
		cut.Store(true)
		if tt.evicts && observe(t, b.DSN()).one("select pg_is_in_recovery()") == "t" {
			must(t, b.Promote(ctx))
		}
		var err error
		lent[3], err = c.Acquire(ctx)
		must(t, err)
		if from, to := value[int](t, lent[0], askPort), value[int](t, lent[3], askPort); from != a.Port || to != b.Port {
			t.Fatalf("%s: from %d to %d", tt.name, from, to)
		}
		for _, conn := range lent {
			conn.Release()
		}
		if !tt.evicts {
			if s := c.Pool().Stat(); s.Closed != 0 {
				t.Errorf("%s, and %+v", tt.name, s)
			}
			continue
		}
		eventually(t, "the connections to the old primary are closed", func() bool { s := c.Pool().Stat(); return s.Idle == 1 && s.Total == 1 })
		for range 3 {
			if got := value[int](t, c, askPort); got != b.Port {
				t.Errorf("%s: on %d, want %d", tt.name, got, b.Port)
			}
		}
	}
}
