package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// misfits are commands that run to their end, and whose results do not fit.
var misfits = []struct {
	name, cmd string
	out       func(q duet.Querier, ctx context.Context, cmd string) error
	outcome   duet.Outcome
	added     int // to n
}{
	{"an insert's column", "insert into log values (300) returning v", into[int8], duet.OutcomeApplied, 1},
	{"an update's column", increment + " returning n + 300", into[int8], duet.OutcomeApplied, 1},
	{"a null", increment + " returning null::int", into[int], duet.OutcomeApplied, 1},
	{"two rows", "insert into log values (1), (2) returning v", into[int], duet.OutcomeApplied, 2},
	{"two rows of JSON", "insert into log values (1), (2) returning v", intoJSON, duet.OutcomeApplied, 2},
	{"no row", "update t set n = n + 1 where n < 0 returning n", into[int], duet.OutcomeNone, 0},
	{"a read", "select n + 300 from t", into[int8], duet.OutcomeNone, 0},
	{"a read of two rows", "select * from (values (1), (2)) v", into[int], duet.OutcomeNone, 0},
	{"a read of nothing", "select n from t where n < 0", into[int], duet.OutcomeNone, 0},
	{"a function", "select add()", into[int8], duet.OutcomeUnknown, 1}, // of which nothing is known
	{"a function, and no row", "select abs(n), pi() from t where n < 0", into[int8], duet.OutcomeNone, 0},
	{"a table of its own", "select 300 as v into nobody", into[int8], duet.OutcomeApplied, 0},
	{"a part that writes", "with w as (insert into log values (1) returning 1) select 300", into[int8], duet.OutcomeApplied, 1},
	{"a part that writes, and no row", "with w as (insert into log values (1) returning 1) select 300 where false", into[int], duet.OutcomeUnknown, 1},
	{"a part that reads", "with w as (select 1) select 300 from w", into[int8], duet.OutcomeNone, 0},
	{"a procedure", "call put(300)", into[int8], duet.OutcomeApplied, 1},
	{"a new table", "create table nobody ()", into[int], duet.OutcomeApplied, 0},
	{"a setting shown", "show server_version", into[int], duet.OutcomeNone, 0},
	{"a plan", "explain insert into log values (1)", into[string], duet.OutcomeNone, 0},
	{"a plan that was run", "explain analyze insert into log values (1)", into[string], duet.OutcomeApplied, 1},
	{"found before it ran", increment + " returning n", into[bool], duet.OutcomeNone, 0},
}

func into[T any](q duet.Querier, ctx context.Context, cmd string) error {
	_, err := duet.QueryOne[T](ctx, q, cmd)
	return err
}

func intoJSON(q duet.Querier, ctx context.Context, cmd string) error {
	var out []byte
	return q.QueryOneJSON(ctx, cmd, &out)
}

// outcomes makes what the commands of misfits use, and gives a function for the
// number of what they did.
func outcomes(t *testing.T, c duet.Client) (n func() int) {
	newCounter(t, c)
	run(t, c, `create table log (v int);
		create function add() returns int language sql as 'insert into log values (1) returning 300';
		create procedure put(inout v int) language plpgsql as $$begin insert into log values (1); end$$`)
	return func() int { return count(t, c) + value[int](t, c, "select count(*)::int from log") }
}

// A command whose result cannot be given says whether it took effect.
func TestOutcomeOfMisfits(t *testing.T) {
	for _, tt := range misfits {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 2})
			n := outcomes(t, c)
			conn, err := c.Acquire(testContext(t))
			must(t, err)
			defer conn.Release()
			for i, q := range []duet.Querier{c, conn} {
				before := n()
				err = tt.out(q, testContext(t), tt.cmd)
				e, ok := errors.AsType[*duet.Error](err)
				if !ok || e.Outcome != tt.outcome {
					t.Errorf("%T: want the outcome %d: %v", q, tt.outcome, err)
				}
				if added := n() - before; added != tt.added {
					t.Errorf("%T: %d was added, want %d: %v", q, added, tt.added, err)
				}
				if i == 0 {
					run(t, c, "drop table if exists nobody")
				}
			}
		})
	}
}

// In a transaction nothing has taken effect before COMMIT, whoever opened it.
func TestOutcomeOfMisfitsInTransactions(t *testing.T) {
	for _, tt := range misfits {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 2})
			n := outcomes(t, c)
			before := n()
			check := func(what string, err error) {
				if e, ok := errors.AsType[*duet.Error](err); !ok || e.Outcome != duet.OutcomeNone {
					t.Errorf("%s: %v", what, err)
				}
				if after := n(); after != before {
					t.Errorf("%s: %d was added", what, after-before)
				}
			}
			check("RawTx", c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error { return tt.out(tx, ctx, tt.cmd) }))
			conn, err := c.Acquire(testContext(t))
			must(t, err)
			defer conn.Release()
			run(t, conn, "begin")
			check("begun by hand", tt.out(conn, testContext(t), tt.cmd))
			run(t, conn, "rollback")
			run(t, conn, "begin; "+increment)
			if e := wantIs(t, into[int](conn, testContext(t), "commit"), duet.ErrNoData); e.Outcome != duet.OutcomeApplied || n() != before+1 {
				t.Errorf("COMMIT by hand: %v", e)
			}
		})
	}
}

// While rows are read, what wrote them goes on: nobody can say yet that it took
// effect, nor that it did not.
func TestOutcomeOfRows(t *testing.T) {
	for _, tt := range []struct {
		cmd     string
		outcome duet.Outcome
	}{
		{"insert into log values (300), (301) returning v", duet.OutcomeUnknown},
		{"select n + 300 from t union all select 301", duet.OutcomeNone},
	} {
		for _, way := range []string{"Decode", "Scan", "Stream"} {
			t.Run(fmt.Sprintf("%s/%s", strings.Fields(tt.cmd)[0], way), func(t *testing.T) {
				c := open(t, postgres.Config{MaxConns: 2})
				n := outcomes(t, c)
				for _, outside := range []bool{true, false} {
					want := duet.OutcomeNone
					if outside {
						want = tt.outcome
					}
					_ = c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
						var q duet.Querier = tx
						if outside {
							q = c
						}
						if e := wantIs(t, rowInto[int8](ctx, q, way, tt.cmd), duet.ErrInvalidResult); e.Outcome != want {
							t.Errorf("outside of a transaction: %v; the outcome is %d, want %d", outside, e.Outcome, want)
						}
						return errors.New("undo")
					})
				}
				want := 0
				if tt.outcome != duet.OutcomeNone {
					want = 2
				}
				if got := n(); got != want {
					t.Errorf("%d rows were written, want %d", got, want)
				}
			})
		}
	}
}

// rowInto reads one row of two.
func rowInto[T any](ctx context.Context, q duet.Querier, way, cmd string) error {
	var v T
	if way == "Stream" {
		for _, err := range duet.Stream[T](ctx, q, cmd) {
			return err
		}
	}
	rows, err := q.Rows(ctx, cmd)
	if err != nil {
		return err
	}
	defer rows.Close()
	rows.Next()
	if way == "Scan" {
		return rows.Scan(&v)
	}
	return rows.Decode(&v)
}
