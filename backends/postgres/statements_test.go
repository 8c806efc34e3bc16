package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// prepared are the texts that a connection has prepared, but for this one.
func prepared(t testing.TB, q duet.Querier) []string {
	t.Helper()
	all, err := duet.QueryAll[string](testContext(t), q, "select statement from pg_prepared_statements where statement not like '%pg_prepared_statements%' order by prepare_time, name")
	must(t, err)
	return all
}

func TestWarmStatementIsOneFlight(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
	ctx := testContext(t)
	var n int
	query := func() {
		t.Helper()
		must(t, c.QueryOne(ctx, "select $1::int4", &n, 7))
		if n != 7 {
			t.Fatal(n)
		}
	}
	wire.reset()
	query()
	wire.want(t, "P[select $1::int4] D S B E S")
	query()
	wire.want(t, "B E S")
	for range 3 {
		query()
	}
	wire.want(t, "B E S B E S B E S")
	if got := prepared(t, c); len(got) != 1 || got[0] != "select $1::int4" {
		t.Errorf("prepared: %q", got)
	}
}

func TestNamedParametersShareOneStatement(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
	ctx := testContext(t)
	var s string
	for i := range 3 {
		must(t, c.QueryOne(ctx, "select $a::text || $b::text || $a::text", &s, duet.Named{"a": "x", "b": fmt.Sprint(i)}))
		if want := fmt.Sprintf("x%dx", i); s != want {
			t.Fatalf("got %q, want %q", s, want)
		}
	}
	if n := wire.count("||"); n != 1 {
		t.Errorf("the text was parsed %d times", n)
	}
}

func TestDescriptionIsSharedByConnections(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 2, DialFunc: wire.dial})
	ctx := testContext(t)
	a, err := c.Acquire(ctx)
	must(t, err)
	defer a.Release()
	b, err := c.Acquire(ctx)
	must(t, err)
	defer b.Release()
	var n int
	must(t, a.QueryOne(ctx, "select $1::int4 + 1", &n, 1))
	wire.reset()
	must(t, b.QueryOne(ctx, "select $1::int4 + 1", &n, 2))
	wire.want(t, "P[select $1::int4 + 1] D B E S")
	must(t, b.QueryOne(ctx, "select $1::int4 + 1", &n, 2))
	wire.want(t, "B E S")
	if n != 3 {
		t.Error(n)
	}
}

func TestStatementCacheEviction(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 1, StatementCacheSize: 3, DialFunc: wire.dial})
	ctx := testContext(t)
	var n int
	for i := range 20 {
		must(t, c.QueryOne(ctx, fmt.Sprintf("select %d", i), &n))
		must(t, c.QueryOne(ctx, "select -1", &n)) // always the most recent but one
	}
	got := value[int](t, c, "select count(*)::int from pg_prepared_statements")
	if got > 4 { // the one that made room for the last is closed with the next flight
		t.Errorf("%d statements are prepared, the cache holds 3", got)
	}
	if n := wire.count("select -1"); n != 1 {
		t.Errorf("the statement in use was parsed %d times", n)
	}
}

func TestLongAndUncachedTexts(t *testing.T) {
	t.Run("MaxCachedText", func(t *testing.T) {
		c := open(t, postgres.Config{MaxConns: 1, MaxCachedText: 100})
		long := "select 1 /* " + strings.Repeat("x", 100) + " */"
		for range 3 {
			if value[int](t, c, long) != 1 || value[int](t, c, "select 2") != 2 {
				t.Fatal("wrong value")
			}
		}
		if got := prepared(t, c); len(got) != 1 || got[0] != "select 2" {
			t.Errorf("prepared: %q", got)
		}
	})
	t.Run("CacheUnnamed", func(t *testing.T) {
		var wire tap
		c := open(t, postgres.Config{MaxConns: 1, StatementCache: postgres.CacheUnnamed, DialFunc: wire.dial})
		for range 3 {
			value[int](t, c, "select 2")
		}
		if got := prepared(t, c); len(got) != 0 {
			t.Errorf("prepared: %q", got)
		}
		wire.reset()
		value[int](t, c, "select 2")
		wire.want(t, "P[select 2] D B E S")
	})
	t.Run("no cache", func(t *testing.T) {
		c := open(t, postgres.Config{MaxConns: 1, StatementCacheSize: -1})
		for range 3 {
			value[int](t, c, "select 2")
		}
		if got := prepared(t, c); len(got) != 0 {
			t.Errorf("prepared: %q", got)
		}
	})
	t.Run("cache of one", func(t *testing.T) {
		c := open(t, postgres.Config{MaxConns: 1, StatementCacheSize: 1})
		for i := range 6 {
			if value[int](t, c, "select 2") != 2 || value[int](t, c, "select 3") != 3 {
				t.Fatal(i)
			}
		}
	})
}

// alterations change what a cached text means, behind the client's back.
var alterations = []struct{ name, create, query, alter, want string }{
	{"column added", "create table t as select 1 as a", "select * from t", "alter table t add b text default 'x'", `[{"a":1,"b":"x"}]`},
	{"column dropped", "create table t as select 1 as a, 2 as b", "select * from t", "alter table t drop b", `[{"a":1}]`},
	{"column retyped", "create table t as select 1 as a", "select * from t", "alter table t alter a type text", `[{"a":"1"}]`},
	{"same size, other type", "create table t as select 1 as a", "select a from t", "alter table t alter a type float4", `[{"a":1}]`},
	{"column renamed", "create table t as select 1 as a", "select * from t", "alter table t rename a to b", `[{"b":1}]`},
	{"function replaced", "create function f() returns int language sql as 'select 1'", "select f()", "drop function f(); create function f() returns text language sql as $$select 'x'$$", `[{"f":"x"}]`},
	{"table replaced", "create table t as select 1 as a", "select * from t", "drop table t; create table t as select 'y'::text as z", `[{"z":"y"}]`},
}

func TestAlteredUnderCachedPlan(t *testing.T) {
	for _, tt := range alterations {
		for _, cfg := range []postgres.Config{{MaxConns: 1}, {MaxConns: 3}, {MaxConns: 2, StatementCache: postgres.CacheUnnamed}} {
			size := cfg.MaxConns
			t.Run(fmt.Sprintf("%s/%d", tt.name, size), func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, cfg)
				o := observe(t, dsn)
				o.do(tt.create)
				var j []byte
				onEach(t, c, int(size), func(q duet.Querier) { must(t, q.QueryJSON(testContext(t), tt.query, &j)) })
				o.do(tt.alter)
				onEach(t, c, int(size), func(q duet.Querier) {
					must(t, q.QueryJSON(testContext(t), tt.query, &j))
					if string(j) != tt.want {
						t.Errorf("got %s, want %s", j, tt.want)
					}
					rows, err := q.Rows(testContext(t), tt.query)
					must(t, err)
					var r duet.Record
					for rows.Next() {
						must(t, rows.Decode(&r))
					}
					must(t, rows.Close())
					if one, err := r.MarshalJSON(); err != nil || "["+string(one)+"]" != tt.want {
						t.Errorf("got %s, want %s: %v", one, tt.want, err)
					}
				})
			})
		}
	}
}

// onEach runs f on n connections of the pool.
func onEach(t testing.TB, c duet.Client, n int, f func(duet.Querier)) {
	t.Helper()
	for range n {
		q, err := c.Acquire(testContext(t))
		must(t, err)
		defer q.Release()
		f(q)
	}
}

func TestAlteredInTransactions(t *testing.T) {
	for _, tt := range alterations {
		t.Run(tt.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
			o := observe(t, dsn)
			ctx := testContext(t)
			o.do(tt.create)
			var j []byte
			check := func(err error) {
				t.Helper()
				must(t, err)
				if string(j) != tt.want {
					t.Errorf("got %s, want %s", j, tt.want)
				}
			}
			must(t, c.QueryJSON(ctx, tt.query, &j))
			o.do(tt.alter)
			t.Log("as the first statement it is played again")
			check(c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { return tx.QueryJSON(ctx, tt.query, &j) }))
		})
	}
}

func TestAlteredAsSecondStatementIsRetried(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
	o := observe(t, dsn)
	ctx := testContext(t)
	o.do("create table t as select 1 as a")
	var j []byte
	for name, read := range map[string]func(tx duet.Tx) error{
		"returned":  func(tx duet.Tx) error { return tx.QueryJSON(ctx, "select * from t", &j) },
		"swallowed": func(tx duet.Tx) error { _ = tx.QueryJSON(ctx, "select * from t", &j); return nil },
		"replaced": func(tx duet.Tx) error {
			if tx.QueryJSON(ctx, "select * from t", &j) != nil {
				return context.DeadlineExceeded
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, c.QueryJSON(ctx, "select * from t", &j))
			o.do("alter table t add " + name + " int")
			attempts := 0
			must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				attempts++
				if _, err := tx.Execute(ctx, "select 1"); err != nil {
					return err
				}
				return read(tx)
			}))
			if attempts != 2 {
				t.Errorf("%d attempts, want 2", attempts)
			}
			if !strings.Contains(string(j), name) {
				t.Errorf("got %s", j)
			}
		})
	}
}

// The parameters' types change: what was described must not be sent for ever.
func TestParameterTypeChanged(t *testing.T) {
	for _, tt := range []struct {
		name, create, cmd, alter string
		before, after            any
	}{
		{"int to text", "create table t (a int)", "select count(*)::int from t where a = $1", "alter table t alter a type text", 1, "x"},
		{"int to bigint", "create table t (a int)", "insert into t values ($1)", "alter table t alter a type bigint", 1, int64(1) << 40},
		{"int to timestamp", "create table t (a int)", "insert into t values ($1)", "alter table t drop a, add a timestamptz", 1, "2024-01-01T00:00:00Z"},
	} {
		for _, inTx := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tx=%v", tt.name, inTx), func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
				o := observe(t, dsn)
				ctx := testContext(t)
				o.do(tt.create)
				run(t, c, tt.cmd, tt.before)
				run(t, c, tt.cmd, tt.before)
				o.do(tt.alter)
				if !inTx {
					run(t, c, tt.cmd, tt.after)
					return
				}
				must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, tt.cmd, tt.after)
					return err
				}))
			})
		}
	}
}

// Two sessions in which one text means two things.
func TestSessionsThatDiffer(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 2})
	observe(t, dsn).do(`create schema a; create schema b;
		create table a.t as select 1::int4 as v; create table b.t as select 1.5::float4 as v`)
	ctx := testContext(t)
	a, err := c.Acquire(ctx)
	must(t, err)
	defer a.Release()
	b, err := c.Acquire(ctx)
	must(t, err)
	defer b.Release()
	run(t, a, "set search_path = a")
	run(t, b, "set search_path = b")
	for i := range 3 {
		if v := value[any](t, a, "select v from t"); v != int32(1) {
			t.Fatalf("%d: a has %v (%T)", i, v, v)
		}
		if v := value[any](t, b, "select v from t"); v != float32(1.5) {
			t.Fatalf("%d: b has %v (%T)", i, v, v)
		}
	}
}

func TestSearchPathOfOptionsSeparatesStatements(t *testing.T) {
	dsn := newDatabase(t)
	var wire tap
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
	observe(t, dsn).do(`create schema a; create schema b;
		create table a.t as select 1::int4 as v; create table b.t as select 'x'::text as v`)
	inA := c.With(duet.Options{Settings: map[string]string{"search_path": "a"}})
	inB := c.With(duet.Options{Settings: map[string]string{"search_path": "b"}})
	for range 3 {
		if v := value[any](t, inA, "select v from t"); v != int32(1) {
			t.Fatalf("a has %v (%T)", v, v)
		}
		if v := value[any](t, inB, "select v from t"); v != "x" {
			t.Fatalf("b has %v (%T)", v, v)
		}
	}
	if n := wire.count("select v from t"); n != 2 {
		t.Errorf("the text was parsed %d times, want once for each search_path", n)
	}
}

func TestDeallocatedBehindOurBack(t *testing.T) {
	for _, text := range []string{"deallocate all", "discard all", "DEALLOCATE PREPARE ALL"} {
		t.Run(text, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			ctx := testContext(t)
			value[int](t, c, "select 1")
			value[int](t, c, "select 2")
			run(t, c, text)
			value[int](t, c, "select 1")
			run(t, c, text)
			must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				value[int](t, tx, "select 1")
				value[int](t, tx, "select 2")
				return nil
			}))
			if text == "discard all" {
				return // not allowed in a transaction
			}
			must(t, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				value[int](t, tx, "select 1")
				run(t, tx, text)
				value[int](t, tx, "select 1")
				return nil
			}))
		})
	}
}

func TestTextsThatCannotBeSent(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	for _, text := range []string{"select 1\x00", "select $1 + $x", "select $70000", "select '\xff'"} {
		_, err := c.Execute(ctx, text, 1)
		if err == nil {
			t.Errorf("%q was accepted", text)
		}
		value[int](t, c, "select 1")
	}
	_, err := c.Execute(ctx, "select $1::text", "a\x00b")
	wantIs(t, err, duet.ErrInvalidArgument)
	_, err = c.Execute(ctx, "select 1; select 2", 1)
	if err == nil {
		t.Error("a script with arguments was accepted")
	}
	if value[int](t, c, "select 1") != 1 {
		t.Error("wrong value")
	}
	allReturned(t, c)
}
