package postgres_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// cancelled runs f, ends its ctx once ready says so, and checks the promises: ctx's
// error, soon.
func cancelled(t *testing.T, ready func(), f func(ctx context.Context) error) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan error, 1)
	go func() { got <- f(ctx) }()
	ready()
	stop()
	start := time.Now()
	select {
	case err := <-got:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if _, ok := errors.AsType[*duet.Error](err); !ok {
			t.Errorf("%v has no *duet.Error", err)
		}
		return err
	case <-time.After(3 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("it goes on %v after its ctx ended\n%s", time.Since(start), buf[:runtime.Stack(buf, true)])
		return nil
	}
}

const sleepy = "select pg_sleep(30)"

func TestCancelEverywhere(t *testing.T) {
	sleep := func(ctx context.Context, q duet.Querier) error { _, err := q.Execute(ctx, sleepy); return err }
	for _, tt := range []struct {
		name string
		run  func(context.Context, duet.Client) error
	}{
		{"Execute", func(ctx context.Context, c duet.Client) error { return sleep(ctx, c) }},
		{"script", func(ctx context.Context, c duet.Client) error {
			_, err := c.Execute(ctx, "select 1; "+sleepy)
			return err
		}},
		{"Query", func(ctx context.Context, c duet.Client) error { var s []string; return c.Query(ctx, sleepy, &s) }},
		{"Rows", func(ctx context.Context, c duet.Client) error { _, err := c.Rows(ctx, sleepy); return err }},
		{"Rows later", func(ctx context.Context, c duet.Client) error {
			rows, err := c.Rows(ctx, "select i, pg_sleep(case when i > 1000 then 30 else 0 end), repeat('x', 1000) from generate_series(1, 2000) i")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		}},
		{"first statement", func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error { return sleep(ctx, tx) })
		}},
		{"later statement", func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				return sleep(ctx, tx)
			})
		}},
		{"swallowed", func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				_ = sleep(ctx, tx)
				return nil
			})
		}},
		{"Rows in a transaction", func(ctx context.Context, c duet.Client) error {
			return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				rows, err := tx.Rows(ctx, "select i, pg_sleep(case when i > 1000 then 30 else 0 end) from generate_series(1, 2000) i")
				if err != nil {
					return err
				}
				for rows.Next() {
				}
				return rows.Close()
			})
		}},
		{"nested", func(ctx context.Context, c duet.Client) error {
			return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { return sleep(ctx, tx) })
				_, again := tx.Execute(t.Context(), increment)
				wantIs(t, again, duet.ErrClosed)
				return err
			})
		}},
		{"Begin", func(ctx context.Context, c duet.Client) error {
			tx, err := c.Begin(ctx)
			if err != nil {
				return err
			}
			run(t, tx, increment)
			err = sleep(ctx, tx)
			return errors.Join(err, tx.Rollback(ctx))
		}},
		{"Conn", func(ctx context.Context, c duet.Client) error {
			conn, err := c.Acquire(ctx)
			if err != nil {
				return err
			}
			defer conn.Release()
			err = sleep(ctx, conn)
			value[int](t, conn, "select 1") // it is asked to stop, and goes on
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
			newCounter(t, c)
			o := observe(t, dsn)
			connects := c.Pool().Stat().Connects
			for range 2 { // cold and warm
				err := cancelled(t, func() { o.awaitRunning("%pg_sleep(%") }, func(ctx context.Context) error { return tt.run(ctx, c) })
				wantIs(t, err, context.Canceled)
				eventually(t, "the statement has stopped", func() bool { return o.running("%pg_sleep(%") == 0 })
				if n := count(t, c); n != 0 {
					t.Errorf("n is %d, want 0", n)
				}
				allReturned(t, c)
			}
			if got := c.Pool().Stat().Connects; got != connects {
				t.Errorf("the connection was not kept: %d more were made", got-connects)
			}
		})
	}
}

func TestCancelCommit(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, Options: duet.Options{CommitGrace: -1}})
	run(t, c, `create table t (n int);
		create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end';
		create constraint trigger s after insert on t deferrable initially deferred for each row execute function slow()`)
	o := observe(t, dsn)
	err := cancelled(t, func() { o.awaitRunning("COMMIT") }, func(ctx context.Context) error {
		return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into t values (1)")
			return err
		})
	})
	wantIs(t, err, duet.ErrCommitUnknown)
	if n := value[int](t, c, "select count(*)::int from t"); n != 1 {
		t.Errorf("the commit that was under way was not left alone: %d rows", n)
	}
	allReturned(t, c)
}

func TestCancelBeforeCommit(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	for _, kind := range txKinds {
		ctx, stop := context.WithCancel(t.Context())
		err := kind.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			stop()
			return nil
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, duet.ErrCommitUnknown) {
			t.Errorf("%s: %v", kind.name, err)
		}
		if n := count(t, c); n != 0 {
			t.Errorf("%s: n is %d, want 0", kind.name, n)
		}
		_, err = c.Execute(ctx, increment)
		wantIs(t, err, context.Canceled)
	}
	allReturned(t, c)
}

func TestCancelWaitingForThePool(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	held, err := c.Acquire(testContext(t))
	must(t, err)
	for name, f := range map[string]func(context.Context) error{
		"Execute": func(ctx context.Context) error { _, err := c.Execute(ctx, "select 1"); return err },
		"Rows":    func(ctx context.Context) error { _, err := c.Rows(ctx, "select 1"); return err },
		"Begin":   func(ctx context.Context) error { _, err := c.Begin(ctx); return err },
		"Acquire": func(ctx context.Context) error { _, err := c.Acquire(ctx); return err },
		"RetryingTx": func(ctx context.Context) error {
			return c.RetryingTx(ctx, func(context.Context, duet.Tx) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := cancelled(t, func() {
				eventually(t, "it waits", func() bool { return c.Pool().Stat().Waiting == 1 })
			}, f)
			wantIs(t, err, duet.ErrPoolExhausted)
		})
	}
	held.Release()
	run(t, c, "select 1")
	allReturned(t, c)
}

func TestCancelWhileDialing(t *testing.T) {
	dsn := newDatabase(t)
	var dials int
	dialing := make(chan struct{}, 10)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 2, DialFunc: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 2 {
			dialing <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	held, err := c.Acquire(testContext(t))
	must(t, err)
	cancelled(t, func() { <-dialing }, func(ctx context.Context) error { _, err := c.Execute(ctx, "select 1"); return err })
	held.Release()
	run(t, c, "select 1")
	allReturned(t, c)
}

// A server that does not stop: the connection is given up, its slot is freed.
func TestCancelIsIgnored(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, CancelTimeout: 200 * time.Millisecond})
	o := observe(t, dsn)
	const stubborn = `do $$ begin loop begin perform pg_sleep(1); exit when false;
		exception when query_canceled then null; end; end loop; end $$`
	cancelled(t, func() { o.awaitRunning("do %") }, func(ctx context.Context) error { _, err := c.Execute(ctx, stubborn); return err })
	run(t, c, "select 1")
	allReturned(t, c)
	o.killAll()
}

// Cancelling must not hit the connection's next statement.
func TestCancelHitsNobodyElse(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	for i := range 60 {
		short, stop := context.WithTimeout(ctx, time.Duration(i%12)*time.Millisecond)
		_, err := c.Execute(short, "select pg_sleep(0.006)")
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		stop()
		if _, err := c.Execute(ctx, "select pg_sleep(0.002)"); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	allReturned(t, c)
}
