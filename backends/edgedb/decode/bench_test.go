package decode_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

// BenchmarkFetch reads rows of two fields from the replay server: by edgedb-go
// alone into its own types, and through this package.
func BenchmarkFetch(b *testing.B) {
	server := startReplay(b, resultReplies())
	client := server.connect(b)
	ctx := context.Background()
	type native struct {
		N int64              `edgedb:"n"`
		S edgedb.OptionalStr `edgedb:"s"`
	}
	type row struct {
		N int64
		S *string
	}
	for cmd, name := range map[string]string{"one": "1", "many": "1000"} {
		b.Run("edgedb-go/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var rows []native
				if err := client.Query(ctx, cmd, &rows); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			c := decode.NewCache()
			for b.Loop() {
				var rows []row
				res, err := c.Fetch(ctx, client, decode.Request{Cmd: cmd, Row: reflect.TypeFor[row]()})
				if err != nil {
					b.Fatal(err)
				}
				if err := res.Query(&rows, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCopy is the part of BenchmarkFetch that this package adds to 1000 rows.
func BenchmarkCopy(b *testing.B) {
	server := startReplay(b, resultReplies())
	c := decode.NewCache()
	client := server.connect(b)
	var res *decode.Result
	for range 3 {
		res = fetch(b, c, client, decode.Request{Cmd: "many"})
	}
	type row struct {
		N int64
		S string
	}
	b.ReportAllocs()
	for b.Loop() {
		var rows []row
		if err := res.Query(&rows, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArgs wraps three arguments.
func BenchmarkArgs(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode.Args(false, nil, []any{41, "hi", true}); err != nil {
			b.Fatal(err)
		}
	}
}
