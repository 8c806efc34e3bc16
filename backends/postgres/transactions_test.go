package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// txKinds are the three ways to a transaction, as one shape.
var txKinds = []struct {
	name  string
	begin string
	run   func(duet.Client, context.Context, func(context.Context, duet.Tx) error) error
}{
	{"RetryingTx", "BEGIN ISOLATION LEVEL SERIALIZABLE", duet.Client.RetryingTx},
	{"RawTx", "BEGIN", duet.Client.RawTx},
	{"Begin", "BEGIN", func(c duet.Client, ctx context.Context, fn func(context.Context, duet.Tx) error) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			return errors.Join(err, tx.Rollback(ctx))
		}
		return tx.Commit(ctx)
	}},
	{"Conn.RawTx", "BEGIN", func(c duet.Client, ctx context.Context, fn func(context.Context, duet.Tx) error) error {
		conn, err := c.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return conn.RawTx(ctx, fn)
	}},
}

// newCounter makes a table with one row whose n is 0.
func newCounter(t testing.TB, q duet.Querier) {
	t.Helper()
	run(t, q, "create table t (id int primary key, n int not null check (n >= 0)); insert into t values (1, 0)")
}

func count(t testing.TB, q duet.Querier) int {
	t.Helper()
	return value[int](t, q, "select n from t where id = 1")
}

const increment = "update t set n = n + 1 where id = 1"

func TestBeginTravelsWithTheFirstStatement(t *testing.T) {
	for _, tt := range txKinds {
		t.Run(tt.name, func(t *testing.T) {
			var wire tap
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
			newCounter(t, c)
			twice := func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				run(t, tx, increment)
				return nil
			}
			ctx := testContext(t)
			must(t, tt.run(c, ctx, twice))
			value[int](t, c, "select n from t where id = 1")
			wire.reset()
			must(t, tt.run(c, ctx, twice))
			want := "P[" + tt.begin + "] B E B E B E S B E S P[COMMIT] B E S" // the first statement is followed by a look at the id
			if tt.name == "Conn.RawTx" {                                      // the reset of a lent connection comes last
				if n := wire.flights(); n != 4 {
					t.Errorf("%d flights, want 3 and the reset: %s", n, wire.trace())
				}
			} else {
				wire.want(t, want)
			}
			if n := count(t, c); n != 4 {
				t.Errorf("n is %d, want 4", n)
			}
		})
	}
}

func TestEmptyTransactionSendsNothing(t *testing.T) {
	for _, tt := range txKinds[:3] {
		t.Run(tt.name, func(t *testing.T) {
			var wire tap
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
			ctx := testContext(t)
			wire.reset()
			must(t, tt.run(c, ctx, func(context.Context, duet.Tx) error { return nil }))
			must(t, tt.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					return tx.Nested(ctx, func(context.Context, duet.Tx) error { return nil })
				})
			}))
			boom := errors.New("boom")
			err := tt.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { return boom })
			})
			if !errors.Is(err, boom) {
				t.Error(err)
			}
			wire.want(t, "")
			allReturned(t, c)
		})
	}
}

// A BEGIN that the server refuses: nothing may run without it, and the closure
// cannot make a success of it.
func TestRefusedBegin(t *testing.T) {
	for _, tt := range txKinds {
		for _, warm := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				var wire tap
				c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
				newCounter(t, c)
				if warm {
					run(t, c, increment)
					run(t, c, "update t set n = 0")
				}
				wire.rewrite = func(p []byte) []byte {
					return bytes.ReplaceAll(p, []byte("BEGIN"), []byte("BEGUN"))
				}
				err := tt.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, increment)
					wantCode(t, err, "42601")
					return nil
				})
				wantIs(t, err, duet.ErrSyntax)
				if n := count(t, c); n != 0 {
					t.Errorf("n is %d: a statement ran without its transaction", n)
				}
				allReturned(t, c)
			})
		}
	}
}

// Whatever a closure sends, nothing runs outside of its transaction, and a
// transaction that was ended by a text is no success.
func TestTransactionCommandsInATransaction(t *testing.T) {
	for _, text := range []string{
		"commit", "end", "COMMIT;", "/* x */ rollback", "abort", "commit and chain", "rollback and chain",
		"commit; begin", "rollback; begin", "insert into t values (9, 9); commit", "commit; insert into t values (9, 9)",
		"select 1; end", "begin; commit", "prepare transaction 'x'",
	} {
		for _, first := range []bool{true, false} {
			t.Run(text, func(t *testing.T) {
				c := open(t, postgres.Config{MaxConns: 1})
				newCounter(t, c)
				ctx := testContext(t)
				err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					if !first {
						run(t, tx, increment)
					}
					if _, err := tx.Execute(ctx, text); err == nil {
						t.Error("no error")
					}
					if _, err := tx.Execute(ctx, "update t set n = 100"); err == nil {
						t.Error("the next statement ran")
					}
					return nil
				})
				if err == nil {
					t.Error("the transaction was a success")
				}
				if n := count(t, c); n > 1 {
					t.Errorf("n is %d: a statement ran outside of its transaction", n)
				}
				allReturned(t, c)
			})
		}
	}
}

// The user's own savepoints are no way out, and no way to lose anything.
func TestSavepointsByHand(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		run(t, tx, "savepoint a")
		run(t, tx, increment)
		run(t, tx, "rollback to savepoint a")
		run(t, tx, "rollback work to a")
		run(t, tx, increment)
		run(t, tx, "release a")
		return nil
	}))
	if n := count(t, c); n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
}

func TestScriptInTransaction(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	for _, fail := range []bool{false, true} {
		err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, increment+"; "+increment+"; select 1")
			must(t, err)
			if fail {
				_, err = tx.Execute(ctx, increment+"; select 1/0; "+increment)
			}
			return err
		})
		if fail {
			wantCode(t, err, "22012")
		} else {
			must(t, err)
		}
		if n := count(t, c); n != 2 {
			t.Errorf("n is %d, want 2", n)
		}
	}
}

func TestSwallowedErrorIsNoSuccess(t *testing.T) {
	for _, tt := range txKinds {
		for name, fail := range map[string]func(context.Context, duet.Tx) error{
			"syntax": func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, "selec 1"); return err },
			"script": func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "select 1; selec 1")
				return err
			},
			"check": func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "update t set n = -1")
				return err
			},
			"setting": func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.With(duet.Options{Settings: map[string]string{"statement_timeout": "x"}}).Execute(ctx, increment)
				return err
			},
			"rows": func(ctx context.Context, tx duet.Tx) error {
				rows, err := tx.Rows(ctx, "select 1 / (5000 - i) from generate_series(1, 10000) i")
				if err != nil {
					return err
				}
				for rows.Next() {
				}
				return rows.Close()
			},
		} {
			for _, first := range []bool{true, false} {
				t.Run(tt.name+"/"+name, func(t *testing.T) {
					c := open(t, postgres.Config{MaxConns: 1})
					newCounter(t, c)
					var failed error
					err := tt.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
						if !first {
							run(t, tx, increment)
						}
						failed = fail(ctx, tx)
						if failed == nil {
							t.Error("no error")
						}
						_, _ = tx.Execute(ctx, increment)
						return nil
					})
					if err == nil || duet.KindOf(err) != duet.KindOf(failed) || !errors.Is(err, failed) {
						t.Errorf("got %v, want an error of the kind of %v", err, failed)
					}
					if n := count(t, c); n != 0 {
						t.Errorf("n is %d, want 0", n)
					}
					allReturned(t, c)
				})
			}
		}
	}
}

// Errors of ours, found before or after the server did its part, do not end a
// transaction.
func TestClientSideErrorsLeaveTheTransactionUsable(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	must(t, c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
		var n int
		wantIs(t, tx.QueryOne(ctx, "select $1::int4", &n, "x", "y"), duet.ErrInvalidArgument)
		wantIs(t, tx.QueryOne(ctx, "select $1::int4", &n, make(chan int)), duet.ErrInvalidArgument)
		wantIs(t, tx.QueryOne(ctx, "select 'x'::text", &n), duet.ErrInvalidResult)
		wantIs(t, tx.QueryOne(ctx, "select 1 where false", &n), duet.ErrNoData)
		wantIs(t, tx.QueryOne(ctx, "select generate_series(1, 2)", &n), duet.ErrCardinality)
		wantIs(t, tx.QueryOne(ctx, "select 1", n), duet.ErrInvalidArgument)
		run(t, tx, increment)
		return nil
	}))
	if n := count(t, c); n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
}

func TestHandleAfterItsEnd(t *testing.T) {
	for _, tt := range txKinds {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			newCounter(t, c)
			ctx := testContext(t)
			var kept, nested, view duet.Tx
			must(t, tt.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
				kept, view = tx, tx.With(duet.Options{Name: "view"})
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					nested = tx
					_, err := tx.Execute(ctx, increment)
					return err
				})
			}))
			for _, tx := range []duet.Tx{kept, nested, view} {
				_, err := tx.Execute(ctx, increment)
				wantIs(t, err, duet.ErrClosed)
				_, err = tx.Rows(ctx, "select 1")
				wantIs(t, err, duet.ErrClosed)
				wantIs(t, tx.Nested(ctx, func(context.Context, duet.Tx) error { return nil }), duet.ErrClosed)
			}
			if n := count(t, c); n != 1 {
				t.Errorf("n is %d, want 1", n)
			}
		})
	}
}

func TestOpenTxEnds(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	tx, err := c.Begin(ctx)
	must(t, err)
	run(t, tx, increment)
	must(t, tx.Commit(ctx))
	must(t, tx.Rollback(ctx))
	must(t, tx.Rollback(ctx))
	wantIs(t, tx.Commit(ctx), duet.ErrClosed)

	tx, err = c.Begin(ctx)
	must(t, err)
	run(t, tx, increment)
	must(t, tx.Rollback(ctx))
	wantIs(t, tx.Commit(ctx), duet.ErrClosed)

	tx, err = c.Begin(ctx)
	must(t, err)
	_, err = tx.Execute(ctx, "update t set n = -1")
	wantIs(t, err, duet.ErrCheckViolation)
	wantIs(t, tx.Commit(ctx), duet.ErrCheckViolation)
	must(t, tx.Rollback(ctx))
	if n := count(t, c); n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
	allReturned(t, c)
}

func TestPanicAndGoexitInClosures(t *testing.T) {
	for _, tt := range txKinds {
		if tt.name == "Begin" {
			continue
		}
		for _, depth := range []int{0, 1, 3} {
			t.Run(tt.name, func(t *testing.T) {
				c := open(t, postgres.Config{MaxConns: 1})
				newCounter(t, c)
				ctx := testContext(t)
				deep := func(end func()) func(context.Context, duet.Tx) error {
					fn := func(ctx context.Context, tx duet.Tx) error { run(t, tx, increment); end(); return nil }
					for range depth {
						inner := fn
						fn = func(ctx context.Context, tx duet.Tx) error { return tx.Nested(ctx, inner) }
					}
					return fn
				}
				func() {
					defer func() {
						if recover() != "boom" {
							t.Error("the panic did not come through")
						}
					}()
					_ = tt.run(c, ctx, deep(func() { panic("boom") }))
				}()
				done := make(chan bool)
				go func() {
					defer close(done)
					_ = tt.run(c, ctx, deep(runtime.Goexit))
					t.Error("Goexit did not go on")
				}()
				<-done
				if n := count(t, c); n != 0 {
					t.Errorf("n is %d, want 0", n)
				}
				allReturned(t, c)
			})
		}
	}
}

func TestRowsLeftOpenInClosure(t *testing.T) {
	for _, tt := range txKinds {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			newCounter(t, c)
			ctx := testContext(t)
			var rows duet.Rows
			err := tt.run(c, ctx, func(ctx context.Context, tx duet.Tx) (err error) {
				run(t, tx, increment)
				rows, err = tx.Rows(ctx, "select generate_series(1, 100000)")
				must(t, err)
				rows.Next()
				_, err = tx.Execute(ctx, increment)
				wantIs(t, err, duet.ErrInvalidArgument)
				return nil
			})
			wantIs(t, err, duet.ErrInvalidArgument)
			if n := count(t, c); n != 0 {
				t.Errorf("n is %d, want 0", n)
			}
			for rows.Next() {
			}
			if rows.Close() == nil {
				t.Error("the rows ended as if nothing had happened")
			}
			allReturned(t, c)
		})
	}
}

// A goroutine that outlives the closure must not touch the connection's next
// life.
func TestGoroutineOutlivesClosure(t *testing.T) {
	for _, tt := range txKinds {
		for _, first := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, postgres.Config{MaxConns: 2})
				newCounter(t, c)
				o := observe(t, dsn)
				late := make(chan error, 1)
				err := tt.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
					if !first {
						run(t, tx, increment)
					}
					go func() {
						_, err := tx.Execute(ctx, "select pg_sleep(5)")
						late <- err
					}()
					o.awaitRunning("select pg_sleep(5)")
					_, err := tx.Execute(ctx, increment)
					wantIs(t, err, duet.ErrInvalidArgument)
					return nil
				})
				wantIs(t, err, duet.ErrInvalidArgument)
				select {
				case err := <-late:
					if err == nil {
						t.Error("the late call had no error")
					}
				case <-time.After(4 * time.Second):
					t.Error("the late call goes on after its transaction")
				}
				if n := count(t, c); n != 0 {
					t.Errorf("n is %d, want 0", n)
				}
				allReturned(t, c)
			})
		}
	}
}

func TestTxOptions(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	level := func(opt duet.Options, f func(duet.Client, context.Context, func(context.Context, duet.Tx) error) error) (s string) {
		t.Helper()
		must(t, f(c.With(opt), ctx, func(ctx context.Context, tx duet.Tx) error {
			s = value[string](t, tx, "select current_setting('transaction_isolation') || ',' || current_setting('transaction_read_only') || ',' || current_setting('transaction_deferrable')")
			return nil
		}))
		return s
	}
	for _, tt := range []struct {
		opt         duet.Options
		retry, once string
	}{
		{duet.Options{}, "serializable,off,off", "read committed,off,off"},
		{duet.Options{Isolation: duet.RepeatableRead}, "repeatable read,off,off", "repeatable read,off,off"},
		{duet.Options{Isolation: duet.IsolationDefault}, "read committed,off,off", "read committed,off,off"},
		{duet.Options{Access: duet.ReadOnly, Deferrable: duet.On}, "serializable,on,on", "read committed,on,on"},
	} {
		if got := level(tt.opt, duet.Client.RetryingTx); got != tt.retry {
			t.Errorf("RetryingTx with %+v: %s, want %s", tt.opt, got, tt.retry)
		}
		if got := level(tt.opt, duet.Client.RawTx); got != tt.once {
			t.Errorf("RawTx with %+v: %s, want %s", tt.opt, got, tt.once)
		}
	}
	must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.With(duet.Options{Isolation: duet.Serializable}).Execute(ctx, "select 1")
		wantIs(t, err, duet.ErrInvalidArgument)
		run(t, tx, "select 1")
		return nil
	}))
	err := c.With(duet.Options{Access: duet.ReadOnly}).RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "create table x ()")
		return err
	})
	wantIs(t, err, duet.ErrReadOnly)
}

// Options.Timeout bounds each call, a commit among them.
func TestTimeoutOption(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	run(t, c, `create table t (n int);
		create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(3); return null; end';
		create constraint trigger s after insert on t deferrable initially deferred for each row execute function slow()`)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	hasty := c.With(duet.Options{Timeout: 200 * time.Millisecond})
	for name, f := range map[string]func() error{
		"statement": func() error { _, err := hasty.Execute(ctx, "select pg_sleep(3)"); return err },
		"commit": func() error {
			return hasty.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "insert into t values (1)")
				return err
			})
		},
	} {
		start := time.Now()
		err := f()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		if name == "commit" {
			wantIs(t, err, duet.ErrCommitUnknown)
		}
	}
	allReturned(t, c)
	held, err := c.Acquire(ctx)
	must(t, err)
	defer held.Release()
	for name, f := range map[string]func() error{
		"query":   func() error { _, err := hasty.Execute(ctx, "select 1"); return err },
		"RawTx":   func() error { return hasty.RawTx(ctx, func(context.Context, duet.Tx) error { return nil }) },
		"Begin":   func() error { _, err := hasty.Begin(ctx); return err },
		"Acquire": func() error { _, err := hasty.Acquire(ctx); return err },
	} {
		start := time.Now()
		err := f()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
			t.Errorf("waiting in %s: %v after %v", name, err, time.Since(start))
		}
	}
}
