package edgedb

import (
	"context"
	"strings"
	"testing"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet/internal/edgedbtest"
)

// What a lone goroutine pays for a call beyond edgedb-go, under a ctx that may be
// cancelled.
func BenchmarkCall(b *testing.B) {
	dsn := edgedbtest.Shared(b).NewBranch(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	const cmd = "select 1 + 1"
	b.Run("edgedb-go", func(b *testing.B) {
		at := strings.Index(dsn, "?")
		c, err := edgedb.CreateClientDSN(ctx, dsn[:at], edgedb.Options{Concurrency: 1, TLSOptions: edgedb.TLSOptions{SecurityMode: edgedb.TLSModeInsecure}})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		b.ReportAllocs()
		for b.Loop() {
			var n []int64
			if err := c.Query(ctx, cmd, &n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("duet", func(b *testing.B) {
		c, err := Connect(ctx, dsn, Config{MaxConns: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close(context.Background())
		b.ReportAllocs()
		for b.Loop() {
			var n []int64
			if err := c.Query(ctx, cmd, &n); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCallOnNothing is the same without a server.
func BenchmarkCallOnNothing(b *testing.B) {
	f := newFake()
	f.silent = true
	c, err := connect(b.Context(), "edgedb://u:secret@127.0.0.1/main?tls_security=insecure", Config{MaxConns: 1}, f.dial)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(context.Background())
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		var n []int64
		if err := c.Query(ctx, "select 1", &n); err != nil {
			b.Fatal(err)
		}
	}
}
