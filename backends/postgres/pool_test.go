package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func TestMaxConnsIsHonoured(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn+"&application_name=at_most_3", postgres.Config{MaxConns: 3})
	o := observe(t, dsn)
	ctx := testContext(t)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 3 {
				if _, err := c.Execute(ctx, "select pg_sleep(0.002)"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if n := o.one("select count(*) from pg_stat_activity where application_name = 'at_most_3' and backend_type = 'client backend'"); n > "3" {
			t.Errorf("%s sessions, at most 3 are allowed", n)
		}
	}
	wg.Wait()
	allReturned(t, c)
}

func TestAcquireTimeoutNamesTheHolder(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1, AcquireTimeout: 50 * time.Millisecond})
	ctx := testContext(t)
	held, err := c.With(duet.Options{Name: "greedy"}).Acquire(ctx)
	must(t, err)
	_, err = c.Execute(ctx, "select 1")
	e := wantIs(t, err, duet.ErrPoolExhausted)
	if !strings.Contains(err.Error(), `"greedy"`) || e.Phase != duet.PhasePool || e.Command != "select 1" {
		t.Errorf("%v", err)
	}
	held.Release()
	held.Release()
	_, err = held.Execute(ctx, "select 1")
	wantIs(t, err, duet.ErrClosed)
	_, err = held.Begin(ctx)
	wantIs(t, err, duet.ErrClosed)
	run(t, c, "select 1")
}

// A closure that calls its own client, where that could only wait for itself.
func TestClientInsideItsOwnClosure(t *testing.T) {
	for _, kind := range txKinds {
		if kind.name == "Begin" {
			continue // has no ctx that knows
		}
		t.Run(kind.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			start := time.Now()
			must(t, kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, "select 1")
				var n []int
				wantIs(t, c.Query(ctx, "select 1", &n), duet.ErrPoolExhausted)
				_, err := c.Rows(ctx, "select 1")
				wantIs(t, err, duet.ErrPoolExhausted)
				_, err = c.Begin(ctx)
				wantIs(t, err, duet.ErrPoolExhausted)
				wantIs(t, c.RetryingTx(ctx, func(context.Context, duet.Tx) error { return nil }), duet.ErrPoolExhausted)
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, err := c.With(duet.Options{Name: "x"}).Acquire(ctx)
					wantIs(t, err, duet.ErrPoolExhausted)
					return nil
				})
			}))
			if time.Since(start) > 10*time.Second {
				t.Errorf("it waited for %v", time.Since(start))
			}
			allReturned(t, c)
		})
	}
}

func TestConnectionHooks(t *testing.T) {
	var connects, acquires, releases atomic.Int32
	var failAcquire, failRelease atomic.Bool
	boom := errors.New("boom")
	c := open(t, postgres.Config{
		MaxConns: 1,
		OnConnect: func(ctx context.Context, conn duet.Conn) error {
			connects.Add(1)
			_, err := conn.Execute(ctx, "select 1")
			return err
		},
		OnAcquire: func(ctx context.Context, conn duet.Conn) error {
			acquires.Add(1)
			if failAcquire.Load() {
				return boom
			}
			_, err := conn.Execute(ctx, "set my.x = 'lent'")
			return err
		},
		OnRelease: func(conn duet.Conn) error {
			releases.Add(1)
			if failRelease.Load() {
				return boom
			}
			return nil
		},
	})
	ctx := testContext(t)
	if got := value[string](t, c, mySetting); got != "lent" {
		t.Errorf("what OnAcquire set is %q", got)
	}
	must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if got := value[string](t, tx, mySetting); got != "lent" {
			t.Errorf("what OnAcquire set is %q", got)
		}
		return nil
	}))
	failAcquire.Store(true)
	_, err := c.Execute(ctx, "select 1")
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	failAcquire.Store(false)
	allReturned(t, c)
	run(t, c, "select 1")
	before := connects.Load()
	failRelease.Store(true)
	run(t, c, "select 1")
	failRelease.Store(false)
	run(t, c, "select 1")
	if connects.Load() != before+1 {
		t.Errorf("%d connections were made after OnRelease failed, want 1", connects.Load()-before)
	}
	if a, r := acquires.Load(), releases.Load(); a < 6 || r != a-1 {
		t.Errorf("%d acquires, %d releases", a, r)
	}
}

func TestOnConnectFails(t *testing.T) {
	boom := errors.New("boom")
	_, err := postgres.Connect(testContext(t), newDatabase(t), postgres.Config{
		OnConnect: func(context.Context, duet.Conn) error { return boom },
	})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	var kept duet.Conn
	c := open(t, postgres.Config{MaxConns: 1, OnConnect: func(_ context.Context, conn duet.Conn) error { kept = conn; return nil }})
	_, err = kept.Execute(testContext(t), "select 1")
	wantIs(t, err, duet.ErrClosed)
	kept.Release()
	run(t, c, "select 1")
}

func TestExpire(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 2})
	ctx := testContext(t)
	held, err := c.Acquire(ctx)
	must(t, err)
	pid := value[int](t, held, "select pg_backend_pid()")
	idle := value[int](t, c, "select pg_backend_pid()")
	c.Pool().Expire()
	if value[int](t, held, "select pg_backend_pid()") != pid {
		t.Error("the lent connection was taken away")
	}
	held.Release()
	for range 4 {
		if got := value[int](t, c, "select pg_backend_pid()"); got == pid || got == idle {
			t.Error("an expired connection is still used")
		}
	}
	allReturned(t, c)
}

func TestTerminateAndCloseWithRunningQueries(t *testing.T) {
	for _, how := range []string{"Terminate", "Close", "Close by force"} {
		t.Run(how, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 6})
			newCounter(t, c)
			o := observe(t, dsn)
			seconds := "30"
			if how == "Close" {
				seconds = "0.3"
			}
			sleep := "select pg_sleep(" + seconds + ")"
			got := make(chan error, 4)
			go func() { _, err := c.Execute(t.Context(), sleep); got <- err }()
			go func() {
				got <- c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, sleep); return err })
			}()
			go func() {
				rows, err := c.Rows(t.Context(), sleep)
				if err == nil {
					for rows.Next() {
					}
					err = rows.Close()
				}
				got <- err
			}()
			go func() {
				conn, err := c.Acquire(t.Context())
				if err == nil {
					_, err = conn.Execute(t.Context(), sleep)
					conn.Release()
				}
				got <- err
			}()
			eventually(t, "four are running", func() bool { return o.running("select pg_sleep(%") == 4 })
			start := time.Now()
			switch how {
			case "Terminate":
				c.Pool().Terminate()
			case "Close":
				must(t, c.Close(testContext(t)))
			default:
				ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer stop()
				err := c.Close(ctx)
				if err == nil || !strings.Contains(err.Error(), "4 connections") || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
			}
			for range 4 {
				if err := <-got; how == "Close" {
					must(t, err)
				} else if !errors.Is(err, duet.ErrUnavailable) && !errors.Is(err, duet.ErrClosed) {
					t.Errorf("%v", err)
				}
			}
			if time.Since(start) > 10*time.Second {
				t.Errorf("it took %v", time.Since(start))
			}
			_, err := c.Execute(t.Context(), "select 1")
			wantIs(t, err, duet.ErrClosed)
			wantIs(t, c.RetryingTx(t.Context(), func(context.Context, duet.Tx) error { return nil }), duet.ErrClosed)
			must(t, c.Close(testContext(t)))
			must(t, c.Close(testContext(t)))
		})
	}
}

func TestMinConnsAreKept(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MinConns: 3, MaxConns: 5})
	eventually(t, "three are idle", func() bool { return c.Pool().Stat().Idle >= 3 })
	observe(t, dsn).killAll()
	run(t, c, "select 1")
	c.Pool().Expire()
	eventually(t, "three are idle again", func() bool { return c.Pool().Stat().Idle >= 3 })
}

func TestLimits(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1, MaxConnUses: 3})
	seen := map[int]int{}
	for range 12 {
		seen[value[int](t, c, "select pg_backend_pid()")]++
	}
	for pid, n := range seen {
		if n > 3 {
			t.Errorf("the session %d was used %d times, at most 3 are allowed", pid, n)
		}
	}
	for _, cfg := range []postgres.Config{{MinConns: -1}, {MinConns: 5, MaxConns: 2}, {AcquireTimeout: -1}, {StatementCache: 9}, {Options: duet.Options{Globals: map[string]any{"a": 1}}}} {
		_, err := postgres.Connect(testContext(t), "postgres://127.0.0.1:1/x", cfg)
		if duet.KindOf(err) != duet.KindConfig {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// Conn is for one goroutine, and says so.
func TestConnIsBusy(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	conn, err := c.Acquire(ctx)
	must(t, err)
	tx, err := conn.Begin(ctx)
	must(t, err)
	_, err = conn.Execute(ctx, "select 1")
	wantIs(t, err, duet.ErrInvalidArgument)
	run(t, tx, "create table x ()")
	_, err = conn.Begin(ctx)
	wantIs(t, err, duet.ErrInvalidArgument)
	conn.Release() // rolls back
	_, err = tx.Execute(ctx, "select 1")
	wantIs(t, err, duet.ErrClosed)
	if err := tx.Commit(ctx); err == nil {
		t.Error("committed on a connection that was released")
	}
	_ = tx.Rollback(ctx)
	if n := value[int](t, c, "select count(*)::int from pg_class where relname = 'x'"); n != 0 {
		t.Error("the transaction was committed")
	}
	conn, err = c.Acquire(ctx)
	must(t, err)
	rows, err := conn.Rows(ctx, "select generate_series(1, 100000)")
	must(t, err)
	rows.Next()
	conn.Release()
	for rows.Next() {
	}
	_ = rows.Close()
	value[int](t, c, "select 1")
	allReturned(t, c)
}
