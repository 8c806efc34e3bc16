package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func TestRowsReadAll(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	for range 2 { // cold and warm
		rows, err := c.Rows(ctx, "select i as n, 'x' || i as s, null::date as d from generate_series(1, $1::int) i", 3)
		must(t, err)
		cols := rows.Columns()
		if len(cols) != 3 || cols[0] != (duet.Column{Name: "n", Type: "int4"}) || cols[1].Type != "text" || cols[2].Type != "date" {
			t.Errorf("%+v", cols)
		}
		wantIs(t, rows.Scan(new(int)), duet.ErrInvalidArgument) // before Next
		for i := 1; rows.Next(); i++ {
			var n int
			var s string
			var d *time.Time
			must(t, rows.Scan(&n, &s, &d))
			var r struct {
				N int64
				S string
				D duet.Optional[time.Time]
			}
			must(t, rows.Decode(&r))
			if n != i || r.N != int64(i) || r.S != s || d != nil || r.D.Valid {
				t.Errorf("%d: %d %q %+v", i, n, s, r)
			}
			wantIs(t, rows.Scan(&n), duet.ErrInvalidResult)
			wantIs(t, rows.Decode(&n), duet.ErrInvalidResult)
			wantIs(t, rows.Decode(n), duet.ErrInvalidArgument)
		}
		if rows.Next() || rows.Err() != nil || rows.Close() != nil || rows.Close() != nil {
			t.Error("the end has no end")
		}
		if r := rows.Result(); r.RowsAffected != 3 || r.Status != "SELECT 3" {
			t.Errorf("%+v", r)
		}
		wantIs(t, rows.Scan(new(int)), duet.ErrInvalidArgument)
	}
	rows, err := c.Rows(ctx, "select 1 where false")
	must(t, err)
	if rows.Next() || len(rows.Columns()) != 1 || rows.Close() != nil {
		t.Error("an empty result is not empty")
	}
	rows, err = c.Rows(ctx, "create table t ()")
	must(t, err)
	if rows.Next() || len(rows.Columns()) != 0 || rows.Close() != nil || rows.Result().Status != "CREATE TABLE" {
		t.Error("a command without rows has rows")
	}
	_, err = c.Rows(ctx, "selec")
	wantIs(t, err, duet.ErrSyntax)
	allReturned(t, c)
}

func TestRowsErrorMidStream(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	rows, err := c.Rows(ctx, "select 1 / (5000 - i) from generate_series(1, 10000) i")
	must(t, err)
	n := 0
	for rows.Next() {
		n++
	}
	wantCode(t, rows.Err(), "22012")
	wantCode(t, rows.Close(), "22012")
	if n != 4999 {
		t.Errorf("%d rows, want 4999", n)
	}
	value[int](t, c, "select 1")
	allReturned(t, c)
}

func TestRowsClosedEarly(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	pid := value[int](t, c, "select pg_backend_pid()")
	ctx := testContext(t)
	start := time.Now()
	for range 20 {
		rows, err := c.Rows(ctx, "select generate_series(1, 100000000)")
		must(t, err)
		rows.Next()
		must(t, rows.Close())
		if rows.Next() {
			t.Error("a row after Close")
		}
		if value[int](t, c, "select 1") != 1 {
			t.Error("wrong value")
		}
	}
	if time.Since(start) > 20*time.Second {
		t.Errorf("it took %v: the rest was read", time.Since(start))
	}
	if got := value[int](t, c, "select pg_backend_pid()"); got != pid {
		t.Error("the connection was not kept")
	}
	t.Log("what a command does is not undone by closing its rows early")
	rows, err := c.Rows(ctx, "insert into t select i, 0 from generate_series(2, 50000) i returning id")
	must(t, err)
	rows.Next()
	must(t, rows.Close())
	if n := value[int](t, c, "select count(*)::int from t"); n != 50000 {
		t.Errorf("%d rows are in the table, want 50000", n)
	}
	rows, err = c.Rows(ctx, "with x as (delete from t where id > 1 returning id) select * from x")
	must(t, err)
	rows.Next()
	must(t, rows.Close())
	if n := value[int](t, c, "select count(*)::int from t"); n != 1 {
		t.Errorf("%d rows are in the table, want 1", n)
	}
	allReturned(t, c)
}

// Closing rows early in a transaction must not fail the transaction.
func TestRowsClosedEarlyInTransaction(t *testing.T) {
	for _, kind := range txKinds {
		for _, first := range []bool{true, false} {
			t.Run(kind.name, func(t *testing.T) {
				c := open(t, postgres.Config{MaxConns: 1})
				newCounter(t, c)
				ctx := testContext(t)
				for range 2 {
					must(t, kind.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
						if !first {
							run(t, tx, increment)
						}
						for v, err := range duet.Stream[int](ctx, tx, "select generate_series(1, 500000)") {
							must(t, err)
							if v == 2 {
								break
							}
						}
						run(t, tx, increment)
						return nil
					}))
				}
				want := 4
				if first {
					want = 2
				}
				if n := count(t, c); n != want {
					t.Errorf("n is %d, want %d", n, want)
				}
			})
		}
	}
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	conn, err := c.Acquire(testContext(t))
	must(t, err)
	run(t, conn, "begin; "+increment)
	rows, err := conn.Rows(testContext(t), "select generate_series(1, 500000)")
	must(t, err)
	rows.Next()
	_, err = conn.Execute(testContext(t), increment)
	wantIs(t, err, duet.ErrInvalidArgument)
	must(t, rows.Close())
	run(t, conn, increment)
	run(t, conn, "commit")
	conn.Release()
	if n := count(t, c); n != 2 {
		t.Errorf("n is %d, want 2", n)
	}
}

func TestRowsAreReadAsTheyAreAskedFor(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	rows, err := c.Rows(ctx, "select repeat('x', 1000000) from generate_series(1, 300)")
	must(t, err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var b []byte
		var s string
		must(t, rows.Scan(&s))
		if b = []byte(s); len(b) != 1000000 {
			t.Fatal(len(b))
		}
		n++
	}
	must(t, rows.Err())
	if n != 300 {
		t.Error(n)
	}
}

func TestStreamedRowStaysValid(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	type row struct {
		S string
		B []byte
		A []string
		J any
	}
	var all []row
	for r, err := range duet.Stream[row](testContext(t), c, `select repeat(i::text, 50) as s, repeat(i::text, 50)::bytea as b,
		array[i::text, 'x'] as a, jsonb_build_object('k', repeat(i::text, 50)) as j from generate_series(1, 2000) i`) {
		must(t, err)
		all = append(all, r)
	}
	for i, r := range all {
		want := strings.Repeat(itoa(i+1), 50)
		if r.S != want || string(r.B) != want || r.A[0] != itoa(i+1) || r.J.(map[string]any)["k"] != want {
			t.Fatalf("row %d was overwritten: %+v", i+1, r)
		}
	}
}

// angry is a destination whose decoding panics.
type angry struct{}

func (*angry) Scan(any) error { panic("boom") }

// A panic in the user's own decoder frees the connection.
func TestPanicWhileDecoding(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	panics := func(f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		f()
	}
	for range 2 {
		panics(func() { var a []angry; _ = c.Query(ctx, "select i::text from generate_series(1, 1000) i", &a) })
		panics(func() { var a angry; _ = c.QueryOne(ctx, "select 'x'::text", &a) })
		panics(func() {
			_ = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				var a angry
				return tx.QueryOne(ctx, "select 'x'::text", &a)
			})
		})
		err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			func() {
				defer func() { _ = recover() }()
				var a angry
				_ = tx.QueryOne(ctx, "select 'x'::text", &a)
			}()
			return nil
		})
		if err == nil {
			t.Error("a transaction in which a decoder panicked was a success")
		}
		rows, err := c.Rows(ctx, "select i::text from generate_series(1, 1000) i")
		must(t, err)
		rows.Next()
		panics(func() { _ = rows.Scan(new(angry)) })
		must(t, rows.Close())
		if n := count(t, c); n != 0 {
			t.Errorf("n is %d, want 0", n)
		}
		allReturned(t, c)
	}
}

func TestDestinations(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	keep := []int{7, 8, 9}
	must(t, c.Query(ctx, "select 1 where false", &keep))
	if keep == nil || len(keep) != 0 {
		t.Errorf("%v is not empty and non-nil", keep)
	}
	one := struct{ A *int }{A: new(int)}
	must(t, c.QueryOne(ctx, "select null::int as a", &one))
	if one.A != nil {
		t.Error("the destination was not reset")
	}
	wantIs(t, c.QueryOne(ctx, "select 1 as a, 2 as b", &one), duet.ErrInvalidResult)
	must(t, c.With(duet.Options{Columns: duet.ColumnsLax}).QueryOne(ctx, "select 1 as a, 2 as b", &one))
	wantIs(t, c.QueryOne(ctx, "select 2 as b", &one), duet.ErrInvalidResult)
	e := wantIs(t, c.Query(ctx, "select 1 union all select null", &keep), duet.ErrInvalidResult)
	if !strings.Contains(e.Error(), "row 2") {
		t.Errorf("%v does not name the row", e)
	}
	for _, out := range []any{nil, keep, new(int), (*[]int)(nil)} {
		wantIs(t, c.Query(ctx, "select 1", out), duet.ErrInvalidArgument)
	}
	for _, out := range []any{nil, 1, (*int)(nil)} {
		wantIs(t, c.QueryOne(ctx, "select 1", out), duet.ErrInvalidArgument)
	}
	wantIs(t, c.QueryJSON(ctx, "select 1", nil), duet.ErrInvalidArgument)
	var j []byte
	must(t, c.QueryJSON(ctx, "select 1 where false", &j))
	if string(j) != "[]" {
		t.Errorf("%s", j)
	}
	wantIs(t, c.QueryOneJSON(ctx, "select 1 where false", &j), duet.ErrNoData)
	wantIs(t, c.QueryOneJSON(ctx, "select generate_series(1, 2)", &j), duet.ErrCardinality)
	rows, err := c.Rows(ctx, "select 1")
	must(t, err)
	_, err = c.Execute(shortContext(t), "select 1")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open rows do not hold their connection: %v", err)
	}
	must(t, rows.Close())
	allReturned(t, c)
}
