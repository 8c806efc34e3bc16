package postgres_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// open connects to a database of the test's own.
func open(t testing.TB, cfg postgres.Config) duet.Client {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c, err := postgres.Connect(ctx, pgtest.Shared(t).NewDatabase(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func testContext(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	return ctx
}

func TestSmoke(t *testing.T) {
	c := open(t, postgres.Config{})
	ctx := testContext(t)
	type row struct {
		ID   int64
		Name *string
	}
	for range 3 {
		var rows []row
		if err := c.Query(ctx, "select i::int8 as id, case when i > 1 then 'x' || i end as name from generate_series(1, $1::int) i", &rows, 3); err != nil {
			t.Fatal(err)
		}
		if len(rows) != 3 || rows[0].Name != nil || *rows[2].Name != "x3" {
			t.Fatalf("%+v", rows)
		}
	}
	var j []byte
	if err := c.QueryJSON(ctx, "select 1 as a, 'b' as b", &j); err != nil {
		t.Fatal(err)
	}
	t.Log(string(j))
	if _, err := c.Execute(ctx, "create table t (id int primary key, n int); insert into t values (1, 1)"); err != nil {
		t.Fatal(err)
	}
	err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		res, err := tx.Execute(ctx, "update t set n = n + $n where id = 1", duet.Named{"n": 5})
		t.Log(res)
		if err != nil {
			return err
		}
		return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into t values (2, 2)")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryOne(ctx, "select sum(n)::int from t", &n); err != nil || n != 8 {
		t.Fatal(n, err)
	}
	_, err = c.Execute(ctx, "insert into t values (2, 2)")
	t.Log(err)
	err = c.QueryOne(ctx, "select\n  1 +\n nonsense from t", &n)
	t.Log(err)
	rows, err := c.Rows(ctx, "select i from generate_series(1, 100000) i")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			t.Fatal(err)
		}
		if i > 10 {
			break
		}
	}
	rows.Close()
	ctx2, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err = c.Execute(ctx2, "select pg_sleep(10)")
	t.Log(err, time.Since(start))
	t.Logf("%+v", c.Pool().Stat())
}
