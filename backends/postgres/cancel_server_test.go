package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

var errSwallowed = errors.New("swallowed")

// TestCancelRequestGoesWrong: whatever becomes of the CancelRequest, the call is
// back soon, no later statement is hit, and no slot is lost. kept says that the
// connection outlives a statement that ends by itself.
func TestCancelRequestGoesWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hurdle func(cancel bool, nc net.Conn) error
		kept   bool
	}{
		{"silence", func(cancel bool, nc net.Conn) error {
			if cancel {
				return errSwallowed
			}
			return nil
		}, false},
		{"reset", func(cancel bool, nc net.Conn) error {
			if cancel {
				_ = nc.(*net.TCPConn).SetLinger(0)
				_ = nc.Close()
				return &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ECONNRESET)}
			}
			return nil
		}, true},
		{"late", func(cancel bool, nc net.Conn) error {
			if cancel {
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := newDatabase(t)
			sk := &sockets{hurdle: tt.hurdle}
			testWrongCancel(t, dsn, sk.dial, tt.kept)
			if open, most, _, _ := sk.figures(); open != 1 || most != 1 {
				t.Errorf("%d open, at most %d: want 1", open, most)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		dsn := newDatabase(t)
		var sk sockets
		var first atomic.Bool
		testWrongCancel(t, dsn, func(ctx context.Context, network, address string) (net.Conn, error) {
			if first.Swap(true) { // a CancelRequest; sessions are lost to none here
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return sk.dial(ctx, network, address)
		}, true)
	})
}

// testWrongCancel cancels statements that end by themselves, soon and, where the
// connection can be lost, later.
func testWrongCancel(t *testing.T, dsn string, dial func(context.Context, string, string) (net.Conn, error), kept bool) {
	t.Helper()
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: dial, CancelTimeout: 500 * time.Millisecond})
	o := observe(t, dsn)
	connects := c.Pool().Stat().Connects
	var late lateness
	sleeps := []string{"select pg_sleep(0.1)", "select pg_sleep(0.25)"}
	if !kept {
		sleeps = append(sleeps, "select pg_sleep(2)")
	}
	for _, text := range sleeps {
		cancelledLate(t, func() { o.awaitRunning("select pg_sleep(%") }, &late, func(ctx context.Context) error { _, err := c.Execute(ctx, text); return err })
		for range 3 {
			if got := value[int](t, c, "select 1 from pg_sleep(0.03)"); got != 1 {
				t.Errorf("after %s: %d", text, got)
			}
		}
		allReturned(t, c)
		eventually(t, "the statement has ended", func() bool { return o.running("select pg_sleep(%") == 0 })
	}
	made := c.Pool().Stat().Connects - connects
	t.Logf("back after ctx's end: %v; %d more connections", &late, made)
	if kept && made != 0 {
		t.Errorf("%d more connections were made: nothing was wrong with the first", made)
	}
}

// TestCancelLateStorm is a storm in which each CancelRequest takes its time,
// mostly longer than the statement that it is meant for: nobody else is hit.
func TestCancelLateStorm(t *testing.T) {
	dsn := newDatabase(t)
	sk := &sockets{hurdle: func(cancel bool, nc net.Conn) error {
		if cancel {
			time.Sleep(time.Duration(rand.Int64N(int64(12 * time.Millisecond))))
		}
		return nil
	}}
	c := openDSN(t, dsn, postgres.Config{MaxConns: 4, DialFunc: sk.dial})
	var struck atomic.Int64
	var late lateness
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				end := time.Now().Add(time.Duration(rand.Int64N(int64(12 * time.Millisecond))))
				ctx, stop := context.WithDeadline(context.Background(), end)
				_, err := c.Execute(ctx, "select pg_sleep(0.008)")
				if err != nil {
					late.add(time.Since(end))
				}
				if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, duet.ErrPoolExhausted) {
					struck.Add(1)
				} else if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				stop()
				long, stop := context.WithTimeout(context.Background(), time.Minute)
				if _, err := c.Execute(long, "select pg_sleep(0.001)"); err != nil {
					t.Errorf("the next call: %v", err)
				}
				stop()
			}
		})
	}
	wg.Wait()
	allReturned(t, c)
	_, most, sessions, cancels := sk.figures()
	t.Logf("%d of 400 cancelled in their statement; back after ctx's end: %v; %d connections, %d CancelRequests", struck.Load(), &late, sessions, cancels)
	if most > 4 || sessions != 4 {
		t.Errorf("%d connections, at most %d at once: want 4", sessions, most)
	}
}

// TestCancelledMemoryIsTheCallers: what a cancelled call was to fill is not
// touched once the call is back; the race detector looks on.
func TestCancelledMemoryIsTheCallers(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 2})
	type row struct {
		N    int
		Text string
		Data []byte
	}
	const text = "select generate_series(1, 200000) as n, repeat('x', 50) as text, '\\x0102'::bytea as data"
	var wg sync.WaitGroup
	var struck atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 25 {
				ctx, stop := context.WithTimeout(context.Background(), time.Duration(rand.Int64N(int64(15*time.Millisecond))))
				rows, one, json, arg := make([]row, 0, 1000), row{}, make([]byte, 0, 1<<16), make([]byte, 1<<16)
				var err error
				switch rand.IntN(4) {
				case 0:
					err = c.Query(ctx, text, &rows)
				case 1:
					err = c.QueryJSON(ctx, text, &json)
				case 2:
					err = c.QueryOne(ctx, "select 1 as n, 'x' as text, $1::bytea as data from pg_sleep(0.004)", &one, arg)
				case 3:
					err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { return tx.Query(ctx, text, &rows) })
				}
				stop()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if err != nil {
					struck.Add(1)
				}
				for i := range rows[:cap(rows)] { // all of it is written
					rows[:cap(rows)][i] = row{N: i, Text: "mine"}
				}
				clear(json[:cap(json)])
				clear(arg)
				one = row{N: 1, Data: arg}
				for i := range rows {
					if rows[i].Text != "mine" || rows[i].N != i {
						t.Error("it was written to")
					}
				}
				_ = one
			}
		})
	}
	wg.Wait()
	allReturned(t, c)
	t.Logf("%d of 100 were cancelled", struck.Load())
}

// TestForcedEndStopsTheServer: where a connection is taken away from a call, the
// server does not go on with it.
func TestForcedEndStopsTheServer(t *testing.T) {
	sleeping := func(t *testing.T, o observer, q duet.Querier) <-chan error {
		t.Helper()
		got := make(chan error, 1)
		go func() { _, err := q.Execute(testContext(t), sleepy); got <- err }()
		o.awaitRunning(sleepy)
		return got
	}
	for name, end := range map[string]func(t *testing.T, o observer, c duet.Client) <-chan error{
		"Close": func(t *testing.T, o observer, c duet.Client) <-chan error {
			got := sleeping(t, o, c)
			ended, stop := context.WithCancel(t.Context())
			stop()
			began := time.Now()
			if err := c.Close(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("Close took %v", took)
			}
			return got
		},
		"Release": func(t *testing.T, o observer, c duet.Client) <-chan error {
			conn, err := c.Acquire(testContext(t))
			must(t, err)
			got := sleeping(t, o, conn)
			conn.Release()
			return got
		},
		"a closure that returns": func(t *testing.T, o observer, c duet.Client) (got <-chan error) {
			_ = c.RawTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
				run(t, tx, "select 1")
				got = sleeping(t, o, tx)
				return nil
			})
			return got
		},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
			o := observe(t, dsn)
			got := end(t, o, c)
			if err := <-got; err == nil {
				t.Error("it was not told")
			}
			eventually(t, "the statement has stopped", func() bool { return o.running(sleepy) == 0 })
		})
	}
}
