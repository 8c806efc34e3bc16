package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// readers are all the ways to read one row, as JSON.
var readers = []struct {
	name string
	read func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error)
}{
	{"Query", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		var all []duet.Record
		if err := q.Query(ctx, cmd, &all, args...); err != nil || len(all) != 1 {
			return fmt.Sprint(len(all), " rows"), err
		}
		return jsonOf(all[0])
	}},
	{"QueryOne", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		var one duet.Record
		if err := q.QueryOne(ctx, cmd, &one, args...); err != nil {
			return "", err
		}
		return jsonOf(one)
	}},
	{"QueryJSON", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		var j []byte
		if err := q.QueryJSON(ctx, cmd, &j, args...); err != nil || len(j) < 2 {
			return string(j), err
		}
		return string(j[1 : len(j)-1]), nil
	}},
	{"QueryOneJSON", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		var j []byte
		err := q.QueryOneJSON(ctx, cmd, &j, args...)
		return string(j), err
	}},
	{"Rows", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		rows, err := q.Rows(ctx, cmd, args...)
		if err != nil {
			return "", err
		}
		var r duet.Record
		for rows.Next() {
			if err := rows.Decode(&r); err != nil {
				return "", errors.Join(err, rows.Close())
			}
		}
		if err := rows.Close(); err != nil {
			return "", err
		}
		return jsonOf(r)
	}},
	{"Stream", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		var last duet.Record
		for r, err := range duet.Stream[duet.Record](ctx, q, cmd, args...) {
			if err != nil {
				return "", err
			}
			last = r
		}
		return jsonOf(last)
	}},
	{"Execute", func(ctx context.Context, q duet.Querier, cmd string, args ...any) (string, error) {
		r, err := q.Execute(ctx, cmd, args...)
		if err == nil && r.RowsAffected != 1 {
			err = fmt.Errorf("%+v", r)
		}
		return "", err
	}},
}

func jsonOf(r duet.Record) (string, error) {
	j, err := json.Marshal(r)
	return string(j), err
}

// cacheWays are how the client may keep its statements.
var cacheWays = []struct {
	name string
	cfg  postgres.Config
}{
	{"named", postgres.Config{MaxConns: 1}},
	{"named, 3 connections", postgres.Config{MaxConns: 3}},
	{"unnamed", postgres.Config{MaxConns: 1, StatementCache: postgres.CacheUnnamed}},
	{"unnamed, 2 connections", postgres.Config{MaxConns: 2, StatementCache: postgres.CacheUnnamed}},
	{"none kept", postgres.Config{MaxConns: 1, StatementCacheSize: -1}},
}

// stales change what a text means while the client does not look. want is the
// row that the text then gives.
var stales = []struct{ name, create, cmd, alter, want string }{
	{"column added", "create table t as select 1 as a", "select * from t", "alter table t add b text default 'x'", `{"a":1,"b":"x"}`},
	{"column added before an enum", "create type mood as enum ('x'); create table t as select 'x'::mood as m, 1 as a", "select * from t", "alter table t add b int default 7", `{"m":"x","a":1,"b":7}`},
	{"column dropped", "create table t as select 1 as a, 2 as b", "select * from t", "alter table t drop b", `{"a":1}`},
	{"column dropped beside an enum", "create type mood as enum ('x'); create table t as select 'x'::mood as m, 1 as a, 2 as b", "select * from t", "alter table t drop b", `{"m":"x","a":1}`},
	{"column retyped", "create table t as select 1 as a", "select * from t", "alter table t alter a type text", `{"a":"1"}`},
	{"same size, other type", "create table t as select 1 as a", "select a from t", "alter table t alter a type float4", `{"a":1}`},
	{"other size", "create table t as select 1 as a", "select a from t", "alter table t alter a type bigint using 1099511627776", `{"a":1099511627776}`},
	{"column renamed", "create table t as select 1 as a", "select * from t", "alter table t rename a to b", `{"b":1}`},
	{"columns swapped", "create table t as select 1 as a, 2 as b", "select * from t", "alter table t rename a to c; alter table t rename b to a; alter table t rename c to b", `{"b":1,"a":2}`},
	{"int to enum", "create table t as select 1 as a, 5 as n", "select * from t", "create type mood as enum ('1'); alter table t alter a type mood using '1'", `{"a":"1","n":5}`},
	{"enum to int", "create type mood as enum ('1'); create table t as select '1'::mood as a, 5 as n", "select * from t", "alter table t alter a type int using 1", `{"a":1,"n":5}`},
	{"text to enum", "create table t as select 'x'::text as a", "select a from t", "create type mood as enum ('x'); alter table t alter a type mood using 'x'", `{"a":"x"}`},
	{"enum to text", "create type mood as enum ('x'); create table t as select 'x'::mood as a", "select a from t", "alter table t alter a type text", `{"a":"x"}`},
	{"enum value added", "create type mood as enum ('x'); create table t as select 'x'::mood as a", "select a from t", "alter type mood add value 'y' | update t set a = 'y'", `{"a":"y"}`},
	{"enum replaced", "create type mood as enum ('x'); create table t as select 'x'::mood as a", "select a from t", "drop table t; drop type mood; create type mood as enum ('y'); create table t as select 'y'::mood as a", `{"a":"y"}`},
	{"enum literal, replaced", "create type mood as enum ('x')", "select 'x'::mood as a", "drop type mood; create type mood as enum ('y', 'x')", `{"a":"x"}`},
	{"enum renamed", "create type mood as enum ('x'); create table t as select 'x'::mood as a", "select a from t", "alter type mood rename to temper", `{"a":"x"}`},
	{"composite attribute added", "create type pair as (a int, b int); create table t as select row(1, 2)::pair as p", "select p from t", "alter type pair add attribute c int", `{"p":"(1,2,)"}`},
	{"composite replaced", "create type pair as (a int, b int); create table t as select row(1, 2)::pair as p", "select p from t", "drop type pair cascade; create type pair as (a text); alter table t add p pair default row('z')::pair", `{"p":"(z)"}`},
	{"domain replaced", "create domain d as int; create table t as select 1::d as a", "select a from t", "drop domain d cascade; create domain d as text; alter table t add a d default 'x'", `{"a":"x"}`},
	{"function replaced", "create function f() returns int language sql as 'select 1'", "select f() as f", "drop function f(); create function f() returns text language sql as $$select 'x'$$", `{"f":"x"}`},
	{"function's table replaced", "create function f() returns table (a int) language sql as 'select 1'", "select * from f()", "drop function f(); create function f() returns table (a int, b text) language sql as $$select 1, 'x'$$", `{"a":1,"b":"x"}`},
	{"table replaced", "create table t as select 1 as a", "select * from t", "drop table t; create table t as select 'y'::text as z", `{"z":"y"}`},
	{"table renamed away", "create table t as select 1 as a; create table u as select 2.5::float8 as a", "select * from t", "alter table t rename to v; alter table u rename to t", `{"a":2.5}`},
	{"view replaced", "create view t as select 1 as a", "select * from t", "drop view t; create view t as select 'x'::text as a, 2 as b", `{"a":"x","b":2}`},
	{"view grown", "create view t as select 1 as a", "select * from t", "create or replace view t as select 1 as a, 2 as b", `{"a":1,"b":2}`},
	{"table becomes view", "create table t as select 1 as a", "select * from t", "drop table t; create view t as select 'x'::text as a", `{"a":"x"}`},
}

// onAlone runs f once for each connection of the pool, with all others lent: the
// call has to use that one.
func onAlone(t testing.TB, c duet.Client, n int, f func()) {
	t.Helper()
	lent := make([]duet.Conn, n)
	defer func() {
		for _, l := range lent {
			l.Release()
		}
	}()
	for i := range lent {
		var err error
		lent[i], err = c.Acquire(testContext(t))
		must(t, err)
	}
	for i := range lent {
		lent[i].Release()
		f()
		var err error
		lent[i], err = c.Acquire(testContext(t))
		must(t, err)
	}
}

// Whatever changed since a statement was prepared, the next call just works and
// gives what is there now, on every connection.
func TestStaleJustWorks(t *testing.T) {
	for _, way := range cacheWays {
		t.Run(way.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, way.cfg)
			o := observe(t, dsn)
			ctx := testContext(t)
			for _, tt := range stales {
				for _, warm := range []string{"all", "one", "lent"} {
					for _, r := range readers {
						t.Run(fmt.Sprintf("%s/%s/%s", tt.name, warm, r.name), func(t *testing.T) {
							o.do("drop schema public cascade; create schema public")
							o.do(tt.create)
							size := int(way.cfg.MaxConns)
							switch warm {
							case "one":
								_, err := r.read(ctx, c, tt.cmd)
								must(t, err)
							default:
								onAlone(t, c, size, func() { _, err := r.read(ctx, c, tt.cmd); must(t, err) })
							}
							for script := range strings.SplitSeq(tt.alter, " | ") {
								o.do(script)
							}
							check := func(q duet.Querier) {
								got, err := r.read(ctx, q, tt.cmd)
								if err != nil {
									t.Errorf("%v", err)
								} else if got != tt.want && r.name != "Execute" {
									t.Errorf("got %s, want %s", got, tt.want)
								}
							}
							if warm == "lent" {
								onEach(t, c, size, check)
								return
							}
							onAlone(t, c, size, func() { check(c) })
						})
					}
				}
			}
			allReturned(t, c)
		})
	}
}
