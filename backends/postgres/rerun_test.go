package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// singles are the calls that are single statements.
func singles() int {
	for i, c := range calls {
		if c.name == "RetryingTx" {
			return i
		}
	}
	return 0
}

// alone waits until the client's sessions have ended on the server: what they
// did is done.
func (o observer) alone() {
	o.t.Helper()
	eventually(o.t, "the sessions have ended", func() bool {
		return o.one("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()") == "0"
	})
}

// The stream ends behind each message of the answer in turn: what the caller is
// told is the truth, and the statement is applied once at most, or where it may
// run twice, twice at most.
func TestAnswerEndsAnywhere(t *testing.T) {
	for _, call := range calls[:singles()] {
		for _, warm := range []bool{true, false} {
			for _, idempotent := range []duet.Toggle{duet.Off, duet.On} {
				t.Run(fmt.Sprintf("%s/warm=%v/idempotent=%v", call.name, warm, idempotent == duet.On), func(t *testing.T) {
					dsn := newDatabase(t)
					o := observe(t, dsn)
					o.do("create table t (id int primary key, n int not null); insert into t values (1, 0)")
					told := ""
					for keep := 0; ; keep++ {
						o.do("update t set n = 0")
						var l loser
						c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: l.dial, Options: duet.Options{Idempotent: idempotent}})
						ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
						defer stop()
						if warm {
							must(t, call.run(ctx, c))
							o.do("update t set n = 0")
						}
						l.arm(keep)
						err := call.run(ctx, c)
						lost := l.disarm()
						must(t, c.Close(ctx))
						o.alone()
						n := o.one("select n from t")
						if lost == 0 {
							must(t, err)
							if n != "1" {
								t.Errorf("n is %s, want 1", n)
							}
							if keep < 3 {
								t.Errorf("only %d messages came", keep)
							}
							t.Logf("told, with 0, 1, … messages kept:%s", told)
							return
						}
						e, _ := errors.AsType[*duet.Error](err)
						switch {
						case err == nil && n == "1":
							told += " ok"
						case err == nil && n == "2" && idempotent == duet.On:
							told += " twice"
						case e != nil && e.Outcome == duet.OutcomeUnknown && (n == "0" || n == "1") && errors.Is(err, duet.ErrUnavailable):
							told += " unknown"
							if idempotent == duet.On && call.name != "Rows" {
								t.Errorf("%d kept: it may run twice, and was not run again: %v", keep, err)
							}
						case e != nil && e.Outcome == duet.OutcomeNone && n == "0":
							told += " none"
						default:
							t.Errorf("%d kept: n is %s, and the caller was told %v", keep, n, err)
						}
					}
				})
			}
		}
	}
}

// A FATAL error before anything else is proof that nothing was run only where
// PostgreSQL itself says it, of a session that it ended: a pooler that lost the
// server says much the same of a statement that may have run.
func TestFatalBeforeTheFirstReply(t *testing.T) {
	for _, tt := range []struct {
		code, routine string
		again         bool
	}{
		{"57P01", "ProcessInterrupts", true},
		{"57P05", "ProcessInterrupts", true},
		{"25P03", "ProcessInterrupts", true},
		{"53300", "", true},
		{"57P03", "", true},
		{"57P01", "", false},
		{"57P02", "quickdie", false},
		{"08P01", "", false},
		{"08006", "", false},
		{"58000", "", false},
		{"XX000", "", false},
		{"", "", false},
	} {
		for _, call := range calls[:singles()] {
			t.Run(fmt.Sprintf("%s %s/%s", tt.code, tt.routine, call.name), func(t *testing.T) {
				var l loser
				c := open(t, postgres.Config{MaxConns: 1, DialFunc: l.dial})
				newCounter(t, c)
				ctx := testContext(t)
				must(t, call.run(ctx, c))
				run(t, c, "update t set n = 0")
				l.refuse(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: tt.code, Message: "gone", Routine: tt.routine}, true)
				err := call.run(ctx, c)
				if l.disarm() != 1 {
					t.Fatal("it was not refused")
				}
				if tt.again && call.name != "script" { // a script may have committed on its way
					must(t, err)
				} else if e, ok := errors.AsType[*duet.Error](err); !ok || e.Outcome != duet.OutcomeUnknown {
					t.Errorf("got %v, want one whose outcome is unknown", err)
				}
				want := 0
				if err == nil {
					want = 1
				}
				if n := count(t, c); n != want {
					t.Errorf("n is %d, want %d", n, want)
				}
			})
		}
	}
}

// However many idle connections died, one call works; it takes none but those,
// and one new one.
func TestManyIdleConnectionsDie(t *testing.T) {
	const size = 16
	for _, call := range calls[:singles()] {
		t.Run(call.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: size})
			newCounter(t, c)
			ctx := testContext(t)
			onEach(t, c, size, func(q duet.Querier) { run(t, q, increment) })
			before, made := count(t, c), c.Pool().Stat().Connects
			observe(t, dsn).killAll()
			must(t, call.run(ctx, c))
			if n := count(t, c); n != before+1 {
				t.Errorf("n rose by %d, want 1", n-before)
			}
			if n := c.Pool().Stat().Connects - made; n > 2 {
				t.Errorf("%d connections were made for it", n)
			}
			allReturned(t, c)
		})
	}
}

// A server that lets everybody in and then drops them is not stormed: a call
// tries a few times, however large the pool is, and its ctx ends it.
func TestServerDropsEverybody(t *testing.T) {
	for _, idempotent := range []duet.Toggle{duet.Off, duet.On} {
		for _, code := range []string{"57P01", "08P01", "57P02"} {
			t.Run(fmt.Sprintf("idempotent=%v/%s", idempotent == duet.On, code), func(t *testing.T) {
				var l loser
				c := open(t, postgres.Config{MaxConns: 100, DialFunc: l.dial, Options: duet.Options{Idempotent: idempotent}})
				newCounter(t, c)
				run(t, c, increment)
				l.dials.Store(0)
				l.refuse(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: "gone", Routine: "ProcessInterrupts"}, false)
				_, err := c.Execute(testContext(t), increment)
				if err == nil {
					t.Error("it succeeded")
				}
				if n := l.dials.Load(); n > 4 {
					t.Errorf("%d connections were made for one call", n)
				}
				_, err = c.Rows(testContext(t), increment+" returning n")
				if err == nil {
					t.Error("it succeeded")
				}
				if n := l.dials.Load(); n > 9 { // the second call has no idle connection to find dead
					t.Errorf("%d connections were made for two calls", n)
				}
				for _, way := range []string{"Execute", "Rows"} {
					l.dials.Store(0)
					err = c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
						if way == "Rows" {
							return readRows(tx.Rows(ctx, increment+" returning n"))
						}
						_, err := tx.Execute(ctx, increment)
						return err
					})
					if err == nil {
						t.Error("it succeeded")
					}
					if n := l.dials.Load(); n > 5 { // as for one that finds no idle connection
						t.Errorf("%d connections were made for one transaction", n)
					}
				}
				l.disarm()
				run(t, c, increment)
				allReturned(t, c)
			})
		}
	}
}

// An idempotent statement was lost and then could not be tried again: what the
// first try may have done is not forgotten.
func TestOutcomeSurvivesTheSecondTry(t *testing.T) {
	for _, rows := range []bool{false, true} {
		t.Run(fmt.Sprintf("rows=%v", rows), func(t *testing.T) {
			dsn := newDatabase(t)
			var l loser
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: l.dial, Options: duet.Options{Idempotent: duet.On}})
			run(t, c, "create table t (id int primary key)")
			const cmd = "insert into t values ($1) returning id"
			call := func(id int) error {
				if rows {
					return readRows(c.Rows(testContext(t), cmd, id))
				}
				return c.QueryOne(testContext(t), cmd, new(int), id)
			}
			must(t, call(1))
			l.arm(0)
			err := call(2) // the second try finds the row of the first
			if e := wantIs(t, err, duet.ErrUniqueViolation); e.Outcome != duet.OutcomeUnknown {
				t.Errorf("it was applied, and is said not to be: %v", err)
			}
			if n := value[int](t, c, "select count(*)::int from t"); n != 2 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// COMMIT by hand whose answer was lost.
func TestCommitByHandIsLost(t *testing.T) {
	for _, script := range []string{"commit", increment + "; commit; select 1"} {
		dsn := newDatabase(t)
		var l loser
		c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: l.dial})
		newCounter(t, c)
		conn, err := c.Acquire(testContext(t))
		must(t, err)
		run(t, conn, "begin")
		if script == "commit" {
			run(t, conn, increment)
		}
		l.arm(0)
		_, err = conn.Execute(testContext(t), script)
		if e := wantIs(t, err, duet.ErrUnavailable); e.Outcome != duet.OutcomeUnknown {
			t.Errorf("%s: its outcome is said to be known: %v", script, err)
		}
		conn.Release()
		if n := count(t, c); n != 1 {
			t.Errorf("n is %d", n)
		}
	}
}

// The session under a connection is another one than before, as behind a pooler:
// the prepared name is not there. It is prepared again, once, each time.
func TestPreparedNameIsLost(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
	run(t, c, "create function lose() returns void language plpgsql as $$begin execute 'deallocate all'; end$$; create table t (n int)")
	for _, r := range readers {
		for range 3 {
			_, err := r.read(testContext(t), c, "insert into t values ($1) returning n", 1)
			must(t, err)
			run(t, c, "select lose() from (values (1)) v")
			wire.reset()
			_, err = r.read(testContext(t), c, "insert into t values ($1) returning n", 1)
			must(t, err)
			wire.want(t, "B E S C P[insert into t values ($1) returning n] D B E S")
			_, err = r.read(testContext(t), c, "insert into t values ($1) returning n", 1)
			must(t, err)
			wire.want(t, "B E S")
		}
	}
	if n := value[int](t, c, "select count(*)::int from t"); n != 9*len(readers) {
		t.Errorf("%d rows, want %d", n, 9*len(readers))
	}
}

// No two sessions have a name in common: where a pooler swaps them, the name is
// not there, and never another text's.
func TestNamesAreNobodyElses(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 2})
	seen := map[string]bool{}
	onEach(t, c, 2, func(q duet.Querier) {
		names, err := duet.QueryAll[string](testContext(t), q, "select name from pg_prepared_statements")
		must(t, err)
		if len(names) == 0 {
			t.Error("nothing is prepared")
		}
		for _, n := range names {
			if seen[n] {
				t.Errorf("two sessions have %s", n)
			}
			seen[n] = true
		}
	})
}
