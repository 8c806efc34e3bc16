package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// staleInTx are changes that fail a statement which was prepared before, by the
// code that the server has for each.
var staleInTx = []struct {
	name, create, cmd, alter, code string
	arg                            string
}{
	{"result type", "create table t as select 1 as a", "select * from t", "alter table t add b int", "0A000", ""},
	{"parameter's operator", "create table t (a text)", "select count(*) from t where a = $1", "alter table t alter a type uuid using a::uuid", "42883", "00000000-0000-0000-0000-000000000001"},
	{"parameter's assignment", "create table t (a text)", "insert into t values ($1)", "alter table t drop a, add a date", "42804", "2024-05-06"},
	{"parameter's type is gone", "create type mood as enum ('x')", "select $1::mood", "drop type mood; create type mood as enum ('x')", "XX000", "x"},
	{"deallocated", "create table t as select 1 as a; create function f() returns void language plpgsql as $$begin execute 'deallocate all'; end$$", "select * from t", "select 1", "26000", ""},
}

// Inside a transaction nothing can be run again but all of it: RetryingTx does,
// the others say what it is, and an attempt of the caller's own just works.
func TestStaleInTransaction(t *testing.T) {
	for _, kind := range txKinds {
		for _, nested := range []bool{false, true} {
			for _, tt := range staleInTx {
				t.Run(fmt.Sprintf("%s/nested=%v/%s", kind.name, nested, tt.name), func(t *testing.T) {
					dsn := newDatabase(t)
					c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
					o := observe(t, dsn)
					ctx := testContext(t)
					o.do(tt.create)
					var args []any
					if tt.arg != "" {
						args = []any{tt.arg}
					}
					run(t, c, tt.cmd, args...)
					run(t, c, "select 1")
					o.do(tt.alter)
					attempts := 0
					attempt := func() error {
						return kind.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
							attempts++
							run(t, tx, "select 1")
							if tt.code == "26000" && attempts == 1 {
								run(t, tx, "do $$begin execute 'deallocate all'; end$$")
							}
							body := func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, tt.cmd, args...); return err }
							if nested {
								return tx.Nested(ctx, body)
							}
							return body(ctx, tx)
						})
					}
					err := attempt()
					if kind.name != "RetryingTx" {
						e := wantCode(t, err, tt.code)
						if e.Outcome != duet.OutcomeNone || !strings.Contains(err.Error(), "run the transaction again") {
							t.Errorf("%v", err)
						}
						if serial := errors.Is(err, duet.ErrSerialization); serial != (tt.code == "0A000" || tt.code == "26000") {
							t.Errorf("kind %v", e.Kind)
						}
						err = attempt()
					}
					must(t, err)
					if attempts != 2 {
						t.Errorf("%d attempts, want 2", attempts)
					}
				})
			}
		}
	}
}

// What fails for good is tried once more and no oftener: the table is gone, a
// value is wrong, or it is the text itself that names what is not there.
func TestNotStaleInTransaction(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
	o := observe(t, dsn)
	o.do("create table t as select 1 as a; create type mood as enum ('x')")
	run(t, c, "select * from t")
	run(t, c, "select $1::mood", "x")
	o.do("drop table t")
	for _, tt := range []struct {
		cmd, code string
		args      []any
		most      int
	}{
		{"select * from t", "42P01", nil, 2},
		{"select $1::mood", "22P02", []any{"y"}, 1},
		{"execute nothing", "26000", nil, 1},
		{"do $$begin raise exception 'x' using errcode = '26000'; end$$", "26000", nil, 1},
		{"do $$begin raise exception 'cached plan must not change result type' using errcode = '0A000'; end$$", "0A000", nil, 1},
	} {
		attempts := 0
		err := c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
			attempts++
			run(t, tx, "select 1")
			_, err := tx.Execute(ctx, tt.cmd, tt.args...)
			return err
		})
		wantCode(t, err, tt.code)
		if attempts > tt.most {
			t.Errorf("%s: %d attempts, want at most %d", tt.cmd, attempts, tt.most)
		}
	}
}

// A part of a script has been committed when it meets what looks like a stale
// plan: it must not be run again, and nobody may say that nothing was done.
func TestStaleInsideScriptIsNotRunAgain(t *testing.T) {
	for _, script := range []string{
		"begin; " + increment + "; commit; execute nothing",
		"begin; " + increment + "; commit; do $$begin raise exception 'cached plan must not change result type' using errcode = '0A000'; end$$",
		"begin; " + increment + "; commit; select 1/0",
		"call p()",
		"call p($1)",
		"do $$begin update t set n = n + 1; commit; raise exception 'x' using errcode = '26000'; end$$",
		"begin; " + increment + "; commit; begin",
	} {
		t.Run(script, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			newCounter(t, c)
			run(t, c, "create procedure p(v int default 0) language plpgsql as $$begin update t set n = n + 1; commit; raise exception 'x' using errcode = '26000'; end$$")
			var args []any
			if strings.Contains(script, "$1") {
				args = []any{1}
			}
			_, err := c.Execute(testContext(t), script, args...)
			e, ok := errors.AsType[*duet.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if e.Outcome != duet.OutcomeUnknown {
				t.Errorf("it was applied, and is said not to be: %v", err)
			}
			if n := count(t, c); n != 1 {
				t.Errorf("n is %d, want 1", n)
			}
		})
	}
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	_, err := c.Execute(testContext(t), increment+"; select 1/0")
	if e := wantCode(t, err, "22012"); e.Outcome != duet.OutcomeNone || count(t, c) != 0 {
		t.Errorf("%v: all of it was rolled back", err)
	}
}

// A destination that did not fit before the table was changed fits afterwards.
func TestDestinationFitsAfterTheChange(t *testing.T) {
	type row struct {
		A int
		B string
	}
	for _, way := range cacheWays {
		t.Run(way.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, way.cfg)
			o := observe(t, dsn)
			ctx := testContext(t)
			o.do("create table t as select 1 as a")
			var all []row
			var one row
			wantIs(t, c.Query(ctx, "select * from t", &all), duet.ErrInvalidResult)
			wantIs(t, c.QueryOne(ctx, "select * from t", &one), duet.ErrInvalidResult)
			o.do("alter table t add b text not null default 'x'")
			onAlone(t, c, int(way.cfg.MaxConns), func() {
				must(t, c.Query(ctx, "select * from t", &all))
				must(t, c.QueryOne(ctx, "select * from t", &one))
			})
			if len(all) != 1 || all[0] != one || one.B != "x" {
				t.Errorf("got %v, %v", all, one)
			}
		})
	}
}

// A statement that writes is not run again where its rows can no longer be
// decoded; the error says that it was applied.
func TestColumnsChangeUnderAWrite(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, StatementCache: postgres.CacheUnnamed})
	o := observe(t, dsn)
	o.do("create table t (id int, a int); insert into t values (0, 1)")
	const cmd = "update t set id = id + 1 returning a"
	value[any](t, c, cmd)
	o.do("create type mood as enum ('x'); alter table t alter a type mood using 'x'")
	var v any
	err := c.QueryOne(testContext(t), cmd, &v)
	if e := wantIs(t, err, duet.ErrInvalidResult); e.Outcome != duet.OutcomeApplied {
		t.Errorf("it was applied, and that is not said: %v", err)
	}
	if n := value[int](t, c, "select id from t"); n != 2 {
		t.Errorf("it was run %d times, want 2", n)
	}
	if v := value[any](t, c, cmd); v != "x" {
		t.Errorf("the next call got %v", v)
	}
}

// Another session changes the table all the time: no error reaches a caller, no
// value is wrong, and each write happens once.
func TestChangesUnderLoad(t *testing.T) {
	states := []string{
		"drop table if exists t; create table t as select 42 as a",
		"alter table t add b text default 'b42'",
		"alter table t alter a type bigint",
		"alter table t drop b",
		"alter table t alter a type text",
		"drop table t; create table t as select 42::numeric as a, 7::float8 as c",
		"alter table t rename c to b",
		"drop table t; create table t as select 'b42'::text as b, 42::int as a",
	}
	allowed := map[string]bool{
		`{"a":42}`: true, `{"a":42,"b":"b42"}`: true, `{"a":"42"}`: true, `{"a":42,"c":7}`: true, `{"a":"42","c":7}`: true, // a Record has numerics as text
		`{"a":"42","b":7}`: true, `{"a":42,"b":7}`: true, `{"b":"b42","a":42}`: true,
	}
	logs := []string{"alter table log alter v type bigint", "alter table log alter v type numeric", "alter table log alter v type int"}
	for _, way := range []struct {
		name string
		cfg  postgres.Config
	}{
		{"named", postgres.Config{MaxConns: 4}},
		{"unnamed", postgres.Config{MaxConns: 4, StatementCache: postgres.CacheUnnamed}},
		{"few", postgres.Config{MaxConns: 2, StatementCacheSize: 2}},
	} {
		t.Run(way.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, way.cfg)
			o := observe(t, dsn)
			o.do(states[0] + "; create table log (v int)")
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
			defer stop()
			var wg sync.WaitGroup
			var reads, writes, changes atomic.Int64
			for i := range 8 {
				wg.Go(func() {
					for n := i; ctx.Err() == nil && !t.Failed(); n++ {
						r := readers[n%len(readers)]
						got, err := r.read(t.Context(), c, "select * from t")
						if err != nil {
							t.Errorf("%s: %v", r.name, err)
						} else if r.name != "Execute" && !allowed[got] {
							t.Errorf("%s: got %s", r.name, got)
						}
						reads.Add(1)
						if got, err := r.read(t.Context(), c, "insert into log values ($1) returning v", 7); err != nil {
							t.Errorf("%s: %v", r.name, err)
						} else if r.name != "Execute" && got != `{"v":7}` && got != `{"v":"7"}` {
							t.Errorf("%s: got %s", r.name, got)
						}
						writes.Add(1)
					}
				})
			}
			for n := 1; ctx.Err() == nil; n++ {
				o.do("begin; " + states[n%len(states)] + "; commit")
				if n%5 == 0 {
					o.do(logs[n/5%len(logs)])
				}
				changes.Add(1)
			}
			wg.Wait()
			if n := value[int64](t, c, "select count(*) from log"); n != writes.Load() {
				t.Errorf("%d rows were inserted by %d calls", n, writes.Load())
			}
			t.Logf("%d reads, %d writes, %d changes", reads.Load(), writes.Load(), changes.Load())
			allReturned(t, c)
		})
	}
}
