package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// state is where a call is when its ctx ends.
type state struct {
	name  string
	setUp string // what another session holds open meanwhile
	run   func(ctx context.Context, c duet.Client) error
	ready func(o observer) // returns once the call is there
}

func execute(cmd string) func(context.Context, duet.Client) error {
	return func(ctx context.Context, c duet.Client) error { _, err := c.Execute(ctx, cmd); return err }
}

func whileRunning(pattern string) func(observer) {
	return func(o observer) { o.awaitRunning(pattern) }
}

// serverStates are states of which the server knows.
func serverStates() []state {
	var halfRead atomic.Bool
	reading := func(o observer) { eventually(o.t, "a row is read", func() bool { return halfRead.Swap(false) }) }
	const endless = "select generate_series(1, 2000000000) as i, repeat('x', 100)" // sent as it is made
	return []state{
		{name: "waiting for a lock", setUp: "begin; lock table held", run: execute("insert into held values (1)"), ready: func(o observer) {
			eventually(o.t, "it waits for the lock", func() bool {
				return o.one("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into held%'") == "1"
			})
		}},
		{name: "COPY to a file of the server", run: execute("copy (select pg_sleep(30)) to '/dev/null'"), ready: whileRunning("copy %")},
		{name: "a script", run: execute("create table s (n int); insert into s select 1; select pg_sleep(30)"), ready: whileRunning("create table s%")},
		{name: "a statement that does not stop at once", run: execute("do $$ begin perform pg_sleep(30); exception when query_canceled then perform pg_sleep(0.3); end $$"), ready: whileRunning("do %")},
		{name: "Query of an endless result", run: func(ctx context.Context, c duet.Client) error {
			var rows []struct {
				I      int
				Repeat string
			}
			return c.Query(ctx, endless, &rows)
		}, ready: whileRunning("select generate_series%")},
		{name: "QueryJSON of an endless result", run: func(ctx context.Context, c duet.Client) error {
			var out []byte
			return c.QueryJSON(ctx, endless, &out)
		}, ready: whileRunning("select generate_series%")},
		{name: "Execute of an endless result", run: execute(endless), ready: whileRunning("select generate_series%")},
		{name: "Rows of an endless result", run: func(ctx context.Context, c duet.Client) error {
			rows, err := c.Rows(ctx, endless)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		}, ready: whileRunning("select generate_series%")},
		{name: "Rows half read", run: func(ctx context.Context, c duet.Client) error {
			rows, err := c.Rows(ctx, endless)
			if err != nil {
				return err
			}
			if !rows.Next() {
				return rows.Err()
			}
			halfRead.Store(true)
			<-ctx.Done()
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		}, ready: reading},
		{name: "Rows half read in a transaction", run: func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				rows, err := tx.Rows(ctx, endless)
				if err != nil {
					return err
				}
				rows.Next()
				halfRead.Store(true)
				<-ctx.Done()
				_ = rows.Close()
				return rows.Err()
			})
		}, ready: reading},
		{name: "Nested, after others", run: func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, _ = tx.Execute(ctx, "select 1")
					return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, sleepy); return err })
				})
			})
		}, ready: whileRunning(sleepy)},
		{name: "with an advisory lock", run: execute("select pg_advisory_lock(1), pg_sleep(30)"), ready: whileRunning("select pg_advisory_lock%")},
		{name: "with settings", run: func(ctx context.Context, c duet.Client) error {
			_, err := c.With(duet.Options{Settings: map[string]string{"my.x": "1"}}).Execute(ctx, sleepy)
			return err
		}, ready: whileRunning(sleepy)},
	}
}

// TestCancelInEveryState ends the ctx of a call wherever it can be while the
// server works for it: the call is back soon, the server stops, and the
// connection goes on.
func TestCancelInEveryState(t *testing.T) {
	for _, s := range serverStates() {
		t.Run(s.name, func(t *testing.T) {
			dsn := newDatabase(t)
			var sk sockets
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: sk.dial})
			o, holder := observe(t, dsn), observe(t, dsn)
			holder.do("create table held (n int)")
			if s.setUp != "" {
				holder.do(s.setUp)
			}
			var late lateness
			for range 3 { // cold and warm
				err := cancelledLate(t, func() { s.ready(o) }, &late, func(ctx context.Context) error { return s.run(ctx, c) })
				wantIs(t, err, context.Canceled)
				if got := value[int](t, c, "select 1"); got != 1 {
					t.Errorf("then: %d", got)
				}
				if n := o.one("select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid()"); n != "0" {
					t.Errorf("the server goes on")
				}
				if n := o.one("select count(*) from pg_locks where locktype = 'advisory'"); n != "0" {
					t.Error("a lock is left")
				}
				allReturned(t, c)
			}
			open, most, sessions, cancels := sk.figures()
			t.Logf("back after ctx's end: %v; %d connections, %d CancelRequests", &late, sessions, cancels)
			if open != 1 || most != 1 || sessions != 1 {
				t.Errorf("%d open, at most %d, %d in all: want 1", open, most, sessions)
			}
		})
	}
}

// errClosure is what closures fail with.
var errClosure = errors.New("no")

// silentStates are states in which the network falls silent before the text
// reaches the server: no answer ever comes, nor does the cancelling help.
func silentStates() []struct {
	name, at string
	deaf     bool
	run      func(ctx context.Context, c duet.Client) error
} {
	inTx := func(fn func(ctx context.Context, tx duet.Tx) error) func(context.Context, duet.Client) error {
		return func(ctx context.Context, c duet.Client) error { return c.RetryingTx(ctx, fn) }
	}
	one := func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, "select 1"); return err }
	return []struct {
		name, at string
		deaf     bool
		run      func(ctx context.Context, c duet.Client) error
	}{
		{"a statement", "select 1, 2", false, execute("select 1, 2")},
		{"a script", "select 1; select 2", false, execute("create table if not exists q (n int); select 1; select 2")},
		{"before the answer to BEGIN", "BEGIN", false, inTx(one)},
		{"SAVEPOINT", "SAVEPOINT", false, inTx(func(ctx context.Context, tx duet.Tx) error {
			return errors.Join(one(ctx, tx), tx.Nested(ctx, one))
		})},
		{"ROLLBACK TO", "ROLLBACK TO", false, inTx(func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { return errors.Join(one(ctx, tx), errClosure) })
		})},
		{"ROLLBACK", "ROLLBACK", false, inTx(func(ctx context.Context, tx duet.Tx) error { return errors.Join(one(ctx, tx), errClosure) })},
		{"Rows", "generate_series", false, func(ctx context.Context, c duet.Client) error {
			_, err := c.Rows(ctx, "select generate_series(1, 10)")
			return err
		}},
		{"settings before BEGIN", "my.x", false, func(ctx context.Context, c duet.Client) error {
			return c.With(duet.Options{Settings: map[string]string{"my.x": "1"}}).RetryingTx(ctx, one)
		}},
		{"a huge argument that nobody reads", "huge", true, func(ctx context.Context, c duet.Client) error {
			arg := []byte("huge" + strings.Repeat("x", 64<<20))
			_, err := c.Execute(ctx, "select length($1::bytea)", arg)
			clear(arg) // it is the caller's again
			return err
		}},
		{"Ping", "-- ping", false, func(ctx context.Context, c duet.Client) error { return c.Ping(ctx) }},
	}
}

// TestCancelInSilence: nothing comes any more, and nothing helps: the call is
// back soon all the same, and its slot is free after CancelTimeout.
func TestCancelInSilence(t *testing.T) {
	for _, s := range silentStates() {
		t.Run(s.name, func(t *testing.T) {
			g, dsn := openGate(t, newDatabase(t))
			var sk sockets
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: sk.dial, CancelTimeout: 200 * time.Millisecond})
			silent := g.silenceAt(s.at, s.deaf)
			var late lateness
			_ = cancelledLate(t, func() {
				<-silent
				time.Sleep(20 * time.Millisecond) // so that the caller is reading
			}, &late, func(ctx context.Context) error {
				err := s.run(ctx, c)
				if errors.Is(err, errClosure) { // the closure's own error comes first
					return &duet.Error{Err: ctx.Err()}
				}
				return err
			})
			began := time.Now()
			if got := value[int](t, c, "select 1"); got != 1 {
				t.Errorf("then: %d", got)
			}
			allReturned(t, c)
			open, most, sessions, cancels := sk.figures()
			t.Logf("back after ctx's end: %v; slot free after %v; %d connections, %d CancelRequests", &late, time.Since(began).Round(time.Millisecond), sessions, cancels)
			if open != 1 || most != 1 || sessions != 2 {
				t.Errorf("%d open, at most %d, %d in all: want 1, 1, 2", open, most, sessions)
			}
		})
	}
}

// TestCancelDuringReset: a statement that took an advisory lock has been
// answered, and the answer to what lets go of it does not come. The call does
// not wait for that beyond its ctx's end.
func TestCancelDuringReset(t *testing.T) {
	g, dsn := openGate(t, newDatabase(t))
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, CancelTimeout: 200 * time.Millisecond})
	silent := g.silenceAt("pg_advisory_unlock_all", false)
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	back := make(chan error, 1)
	go func() { _, err := c.Execute(ctx, "select pg_advisory_lock(1)"); back <- err }()
	<-silent
	began := time.Now()
	stop()
	if err := <-back; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("back %v after its ctx's end", took)
	}
	run(t, c, "select 1")
	allReturned(t, c)
}
