package wire_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// prepareOne makes the statement that is measured.
func prepareOne(tb testing.TB, c *wire.Conn) {
	tb.Helper()
	if _, err := exchange(context.Background(), c, flightOf(doParse("one", "select 1"), doSync)); err != nil {
		tb.Fatal(err)
	}
}

// warm is a round trip as the adapter makes it: a pooled flight, Bind, Execute,
// Sync, the row read in place.
func warm(ctx context.Context, c *wire.Conn, lone bool) error {
	f := wire.NewFlight()
	f.Lone = lone
	buf, mark, err := f.BeginBind("one")
	if err != nil {
		return err
	}
	if err := f.EndBind(append(buf, 0, 0, 0, 0), mark, nil); err != nil {
		return err
	}
	f.Execute()
	f.Sync()
	if err := c.Send(ctx, f); err != nil {
		return err
	}
	rows := 0
	for {
		kind, body, err := f.Next()
		switch {
		case err != nil:
			return err
		case kind == wire.DataRow && len(body) == 7 && body[6] == '1':
			rows++
		case kind == wire.ErrorResponse:
			return wire.DecodeError(body)
		case kind == wire.Ready:
			f.Free()
			if rows != 1 {
				return fmt.Errorf("%d rows", rows)
			}
			return nil
		}
	}
}

// instantConn answers each write at once, without a network.
type instantConn struct {
	*fakeConn
	reply []byte
	in    []byte
}

func (c *instantConn) Write(p []byte) (int, error) { c.in = c.reply; return len(p), nil }

func (c *instantConn) Read(p []byte) (int, error) {
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

// instant is a connection to an instantConn that answers warm.
func instant(tb testing.TB) *wire.Conn {
	conn := &instantConn{fakeConn: newFakeConn(nil), reply: cat(authOk, ending())}
	c := open(tb, fakeConfig(conn))
	conn.reply = cat(boundOk, rowOf("1"), complete, ready)
	return c
}

// TestWarmAllocations: a round trip of a prepared statement allocates nothing.
func TestWarmAllocations(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector makes pools forget")
	}
	cancellable, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		c    *wire.Conn
		most float64
	}{
		{"background, no network", context.Background(), instant(t), 0},
		{"background, server", context.Background(), open(t, sharedConfig(t)), 0},
		{"cancellable, server", cancellable, open(t, sharedConfig(t)), 6}, // context.AfterFunc's
	} {
		t.Run(test.name, func(t *testing.T) {
			prepared := test.name[len(test.name)-6:] == "server"
			if prepared {
				prepareOne(t, test.c)
			}
			for _, lone := range []bool{false, true} {
				got := testing.AllocsPerRun(500, func() {
					if err := warm(test.ctx, test.c, lone); err != nil {
						t.Fatal(err)
					}
				})
				t.Logf("lone %t: %v allocations", lone, got)
				if got > test.most {
					t.Errorf("lone %t: %v allocations per round trip, at most %v expected", lone, got, test.most)
				}
			}
		})
	}
}

// raceEnabled says whether the race detector is on: sync.Pool then drops some
// of what it is given.
func raceEnabled() bool {
	pool := sync.Pool{}
	for range 200 {
		pool.Put(new(int))
		if pool.Get() == nil {
			return true
		}
	}
	return false
}

func BenchmarkRoundTrip(b *testing.B) {
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"background": context.Background(), "cancellable": cancellable} {
		for _, lone := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/lone=%t", name, lone), func(b *testing.B) {
				c := open(b, sharedConfig(b))
				prepareOne(b, c)
				b.ReportAllocs()
				for b.Loop() {
					if err := warm(ctx, c, lone); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkNoNetwork is what the client itself costs.
func BenchmarkNoNetwork(b *testing.B) {
	c := instant(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := warm(context.Background(), c, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPipelined(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			c := open(b, sharedConfig(b))
			prepareOne(b, c)
			b.ReportAllocs()
			b.ResetTimer()
			var done sync.WaitGroup
			for g := range goroutines {
				done.Go(func() {
					for range (b.N + g) / goroutines {
						if err := warm(context.Background(), c, false); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			done.Wait()
		})
	}
}
