package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// calls are all the ways to run one increment, which fail or happen once.
var calls = []struct {
	name string
	run  func(context.Context, duet.Client) error
}{
	{"Execute", func(ctx context.Context, c duet.Client) error { _, err := c.Execute(ctx, increment); return err }},
	{"script", func(ctx context.Context, c duet.Client) error {
		_, err := c.Execute(ctx, increment+"; select 1")
		return err
	}},
	{"Query", func(ctx context.Context, c duet.Client) error {
		var n []int
		return c.Query(ctx, increment+" returning n", &n)
	}},
	{"QueryOne", func(ctx context.Context, c duet.Client) error {
		var n int
		return c.QueryOne(ctx, increment+" returning n", &n)
	}},
	{"QueryJSON", func(ctx context.Context, c duet.Client) error {
		var j []byte
		return c.QueryJSON(ctx, increment+" returning n", &j)
	}},
	{"Rows", func(ctx context.Context, c duet.Client) error {
		rows, err := c.Rows(ctx, increment+" returning n")
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Close()
	}},
	{"settings", func(ctx context.Context, c duet.Client) error {
		_, err := c.With(duet.Options{Settings: map[string]string{"my.x": "1"}}).Execute(ctx, increment)
		return err
	}},
	{"RetryingTx", inTxOf(duet.Client.RetryingTx, false)},
	{"RawTx", inTxOf(duet.Client.RawTx, false)},
	{"RawTx with Rows", inTxOf(duet.Client.RawTx, true)},
	{"Begin", func(ctx context.Context, c duet.Client) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		if _, err := tx.Execute(ctx, increment); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}},
	{"Nested", func(ctx context.Context, c duet.Client) error {
		return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { return tx.Nested(ctx, plusQuietly) })
	}},
}

func inTxOf(f func(duet.Client, context.Context, func(context.Context, duet.Tx) error) error, rows bool) func(context.Context, duet.Client) error {
	return func(ctx context.Context, c duet.Client) error {
		return f(c, ctx, func(ctx context.Context, tx duet.Tx) error {
			if !rows {
				return plusQuietly(ctx, tx)
			}
			rows, err := tx.Rows(ctx, increment+" returning n")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Close()
		})
	}
}

// All idle connections are dead: whatever is called next just works.
func TestIdleConnectionsDie(t *testing.T) {
	for _, size := range []int32{1, 8} {
		for _, call := range calls {
			t.Run(fmt.Sprintf("%s/%d", call.name, size), func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, postgres.Config{MaxConns: size})
				newCounter(t, c)
				ctx := testContext(t)
				must(t, call.run(ctx, c)) // warm
				onEach(t, c, int(size), func(q duet.Querier) { run(t, q, increment) })
				before := count(t, c)
				observe(t, dsn).killAll()
				must(t, call.run(ctx, c))
				if n := count(t, c); n != before+1 {
					t.Errorf("n rose by %d, want 1", n-before)
				}
				allReturned(t, c)
			})
		}
	}
}

// The connection dies as the first flight is written: none of it was sent.
func TestDiesAtTheFirstWrite(t *testing.T) {
	for _, call := range calls {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/warm=%v", call.name, warm), func(t *testing.T) {
				var wire tap
				c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
				newCounter(t, c)
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				defer stop()
				if warm {
					must(t, call.run(ctx, c))
				}
				before := count(t, c)
				n := 0
				wire.on(func(m message) verdict {
					if n++; n == 1 {
						return cutBefore
					}
					return pass
				})
				must(t, call.run(ctx, c))
				if got := count(t, c) - before; got != 1 {
					t.Errorf("n rose by %d, want 1", got)
				}
				allReturned(t, c)
			})
		}
	}
}

// The answer is lost: outside of transactions nobody knows, and nothing is run
// twice; inside of one it is played again.
func TestAnswerIsLost(t *testing.T) {
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			var wire tap
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
			newCounter(t, c)
			ctx := testContext(t)
			must(t, call.run(ctx, c))
			run(t, c, "update t set n = 0")
			outside := true
			switch call.name {
			case "RetryingTx", "RawTx", "RawTx with Rows", "Begin", "Nested":
				outside = false
			}
			cut := false
			wire.on(func(m message) verdict {
				if cut || m.typ != 'E' && m.typ != 'Q' {
					return pass
				}
				cut = true
				return cutAfter
			})
			err := call.run(ctx, c)
			wire.on(nil)
			n := count(t, c)
			if !outside {
				must(t, err)
				if n != 1 {
					t.Errorf("n is %d, want 1", n)
				}
				return
			}
			e := wantIs(t, err, duet.ErrUnavailable)
			if e.Outcome != duet.OutcomeUnknown {
				t.Errorf("the outcome is said to be known: %v", err)
			}
			if n > 1 {
				t.Errorf("n is %d: it was run twice", n)
			}
			allReturned(t, c)
		})
	}
}

func TestKilledWhileRunning(t *testing.T) {
	for _, idempotent := range []duet.Toggle{duet.Off, duet.On} {
		t.Run(fmt.Sprint(idempotent), func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 2})
			run(t, c, "create sequence calls")
			o := observe(t, dsn)
			got := make(chan error, 1)
			go func() { // the second call is quick
				_, err := c.With(duet.Options{Idempotent: idempotent}).Execute(t.Context(), "select pg_sleep(case when nextval('calls') = 1 then 20 else 0 end)")
				got <- err
			}()
			o.killRunning("select pg_sleep(case%")
			err := <-got
			if idempotent == duet.On {
				must(t, err)
			} else if e := wantIs(t, err, duet.ErrUnavailable); e.Outcome != duet.OutcomeUnknown {
				t.Errorf("the outcome is said to be known: %v", err)
			}
			want := map[duet.Toggle]int{duet.Off: 1, duet.On: 2}[idempotent]
			if n := value[int](t, c, "select last_value::int from calls"); n != want {
				t.Errorf("it was run %d times, want %d", n, want)
			}
			allReturned(t, c)
		})
	}
}

func TestCommitAnswerLost(t *testing.T) {
	for _, kind := range txKinds {
		t.Run(kind.name, func(t *testing.T) {
			var wire tap
			var resolved []duet.CommitInfo
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial, Hooks: duet.Hooks{
				CommitResolved: func(_ context.Context, i duet.CommitInfo) { resolved = append(resolved, i) },
			}})
			newCounter(t, c)
			attempts := 0
			wire.on(cutOnce("COMMIT", 1, cutAfter))
			err := kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				return plusQuietly(ctx, tx)
			})
			e := wantIs(t, err, duet.ErrCommitUnknown)
			if e.Phase != duet.PhaseCommit || attempts != 1 {
				t.Errorf("phase %v, %d attempts", e.Phase, attempts)
			}
			if n := count(t, c); n != 1 {
				t.Errorf("n is %d, want 1", n)
			}
			allReturned(t, c)
		})
	}
}

func TestCommitNeverSent(t *testing.T) {
	for _, kind := range txKinds {
		t.Run(kind.name, func(t *testing.T) {
			var wire tap
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
			newCounter(t, c)
			attempts := 0
			wire.on(cutOnce("COMMIT", 1, cutBefore))
			err := kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				return plusQuietly(ctx, tx)
			})
			want := 0
			if kind.name == "RetryingTx" {
				must(t, err)
				want = 1
			} else {
				wantIs(t, err, duet.ErrUnavailable)
			}
			if n := count(t, c); n != want || attempts != 1+want {
				t.Errorf("n is %d after %d attempts, want %d", n, attempts, want)
			}
			allReturned(t, c)
		})
	}
}

// The connection dies between two statements: the handle is dead, and another
// attempt makes it good.
func TestDiesInsideTransaction(t *testing.T) {
	for _, swallow := range []bool{false, true} {
		t.Run(fmt.Sprint(swallow), func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
			newCounter(t, c)
			o := observe(t, dsn)
			attempts := 0
			must(t, c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				run(t, tx, increment)
				if attempts > 1 {
					return nil
				}
				o.killAll()
				_, err := tx.Execute(ctx, increment)
				wantIs(t, err, duet.ErrUnavailable)
				_, err = tx.Execute(ctx, increment)
				wantIs(t, err, duet.ErrClosed)
				if swallow {
					return nil
				}
				return err
			}))
			if n := count(t, c); n != 1 || attempts != 2 {
				t.Errorf("n is %d after %d attempts", n, attempts)
			}
			allReturned(t, c)
		})
	}
}

// A pool of one whose only connection died under Begin: the replay must not wait
// for the slot that it holds itself.
func TestReplayInFullPool(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	o := observe(t, dsn)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	tx, err := c.Begin(ctx)
	must(t, err)
	o.killAll()
	run(t, tx, increment)
	must(t, tx.Commit(ctx))
	must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		o.killAll()
		run(t, tx, increment)
		err := c.QueryOne(ctx, "select 1", new(int))
		wantIs(t, err, duet.ErrPoolExhausted)
		return nil
	}))
	if n := count(t, c); n != 2 {
		t.Errorf("n is %d, want 2", n)
	}
	allReturned(t, c)
}

func TestConflictsAreRetried(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 4})
	newCounter(t, c)
	var retries int
	ctx := testContext(t)
	first := true
	must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		n, err := duet.QueryOne[int](ctx, tx, "select n from t where id = 1")
		if err != nil {
			return err
		}
		if first {
			first = false
			run(t, c, increment)
		} else {
			retries++
		}
		_, err = tx.Execute(ctx, "update t set n = $1 where id = 1", n+1)
		return err
	}))
	if n := count(t, c); n != 2 || retries != 1 {
		t.Errorf("n is %d after %d retries", n, retries)
	}
	err := c.RawTx(ctx, func(context.Context, duet.Tx) error { return errors.New("boom") })
	if err == nil || err.Error() != "boom" {
		t.Error(err)
	}
}

// A conflict that shows at COMMIT is retried like any other.
func TestConflictAtCommit(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	run(t, c, `create sequence calls;
		create function conflict() returns trigger language plpgsql as
		'begin if nextval(''calls'') < 3 then raise exception ''x'' using errcode = ''40001''; end if; return null; end';
		create constraint trigger s after update on t deferrable initially deferred for each row execute function conflict()`)
	attempts := 0
	must(t, c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
		attempts++
		return plusQuietly(ctx, tx)
	}))
	if n := count(t, c); n != 1 || attempts != 3 {
		t.Errorf("n is %d after %d attempts", n, attempts)
	}
	run(t, c, "select setval('calls', 1)")
	err := c.RawTx(testContext(t), plusQuietly)
	if e := wantIs(t, err, duet.ErrSerialization); e.Phase != duet.PhaseCommit {
		t.Errorf("phase %v", e.Phase)
	}
	run(t, c, "select setval('calls', 1)")
	_, err = c.Execute(testContext(t), increment)
	if e := wantIs(t, err, duet.ErrSerialization); e.Outcome != duet.OutcomeNone {
		t.Errorf("%+v", e)
	}
	if n := count(t, c); n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
	allReturned(t, c)
}
