package postgres_test

import (
	"context"
	"testing"

	"github.com/duetdb/duet/backends/postgres"
)

func BenchmarkQueryOne(b *testing.B) {
	c := open(b, postgres.Config{})
	ctx := context.Background()
	var n int32
	b.ReportAllocs()
	for b.Loop() {
		if err := c.QueryOne(ctx, "select 1+1", &n); err != nil || n != 2 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkQueryOneCancellable(b *testing.B) {
	c := open(b, postgres.Config{})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var n int32
	b.ReportAllocs()
	for b.Loop() {
		if err := c.QueryOne(ctx, "select $1::int4", &n, 7); err != nil || n != 7 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkQueryPgType(b *testing.B) {
	c := open(b, postgres.Config{})
	ctx := context.Background()
	type row struct {
		Typname                      string
		Typnamespace, Typowner       uint32
		Typlen                       int16
		Typbyval                     bool
		Typcategory                  rune
		Typispreferred, Typisdefined bool
		Typdelim                     rune
		Typrelid, Typelem, Typarray  uint32
	}
	b.ReportAllocs()
	for b.Loop() {
		var rows []row
		err := c.Query(ctx, `select typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred,
			typisdefined, typdelim, typrelid, typelem, typarray from pg_type where typtypmod = $1 and typisdefined = $2`, &rows, -1, true)
		if err != nil || len(rows) == 0 {
			b.Fatal(err)
		}
	}
}
