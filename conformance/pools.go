package conformance

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
)

func poolScenarios() []Scenario {
	return []Scenario{
		{ID: "pool/max-size", Promise: "There are never more connections than the pool's size.", Run: poolMaxSize},
		{ID: "pool/waits", Promise: "A call waits for a connection to come back.", Run: poolWaits},
		{ID: "pool/acquire-timeout", Promise: "Where no connection becomes free in time, that is ErrPoolExhausted and names who holds them.", Run: poolAcquireTimeout},
		{ID: "pool/own-closure", Promise: "A call on the client that could only wait for the connection of its own closure is ErrPoolExhausted.", Run: poolOwnClosure},
		{ID: "pool/stat", Promise: "Pool().Stat counts connections that are lent and idle.", Run: poolStat},
		{ID: "pool/expire", Promise: "Pool().Expire has all connections replaced, lent ones when they come back.", Run: poolExpire},
		{ID: "pool/terminate", Promise: "Pool().Terminate ends lent connections and waiting calls.", Run: poolTerminate},
		{ID: "pool/reuse", Promise: "Calls one after another use one connection.", Run: poolReuse},
		{ID: "pool/views-share", Promise: "Views made by With share the pool.", Run: poolShared},
		{ID: "pool/unreleased-rows", Promise: "Rows that are open hold their connection, and Close gives it back.", Run: poolRows},
	}
}

// acquire lends a connection, which comes back in the end.
func acquire(ctx context.Context, t *T, c duet.Client) duet.Conn {
	conn, err := c.Acquire(ctx)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	t.Cleanup(conn.Release)
	return conn
}

func poolMaxSize(ctx context.Context, t *T) {
	const size, goroutines = 3, 20
	c := t.Connect(ctx, ConnectOptions{MaxConns: size})
	text := t.Text("slow")
	var most atomic.Int32
	parallel(t, goroutines, func(int) error {
		for range 5 {
			if _, err := c.Execute(ctx, text, int64(100)); err != nil {
				return err
			}
			n := c.Pool().Stat().Total
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
		}
		return nil
	})
	if n := most.Load(); n > size {
		t.Errorf("there were %d connections, want at most %d", n, size)
	}
	if s := c.Pool().Stat(); s.Connects > size {
		t.Errorf("%d connections were made, want at most %d", s.Connects, size)
	}
}

func poolWaits(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	text := t.Text("two")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if n, err := duet.QueryOne[int64](ctx, c, text); n != 2 || err != nil {
				t.Errorf("a call that had to wait: %d, %v", n, err)
			}
		})
	}
	if !eventually(func() bool { return c.Pool().Stat().Waiting == 3 }) {
		t.Errorf("%d calls wait, want 3", c.Pool().Stat().Waiting)
	}
	conn.Release()
	wg.Wait()
}

func poolAcquireTimeout(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, AcquireTimeout: 300 * time.Millisecond})
	conn := acquire(ctx, t, c.With(duet.Options{Name: "billing"}))
	within(t, "waiting for the pool", func() {
		_, err := duet.QueryOne[int64](ctx, c, t.Text("one"))
		wantErr(t, "QueryOne", err, duet.ErrPoolExhausted)
		if err != nil && !strings.Contains(err.Error(), "billing") {
			t.Errorf("the error %q does not name the holder", err)
		}
		want(t, "the phase", details(t, "QueryOne", err).Phase, duet.PhasePool)
		_, err = c.Acquire(ctx)
		wantErr(t, "Acquire", err, duet.ErrPoolExhausted)
		_, err = c.Begin(ctx)
		wantErr(t, "Begin", err, duet.ErrPoolExhausted)
	})
	conn.Release()
	usable(ctx, t, c, "afterwards")
}

func poolOwnClosure(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	within(t, "the client in its own closure", func() {
		for name, run := range bothTx(c) {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				usable(ctx, t, tx, "the Tx")
				_, err := duet.QueryOne[int64](ctx, c, t.Text("one"))
				wantErr(t, "QueryOne in "+name, err, duet.ErrPoolExhausted)
				err = c.With(duet.Options{Name: "view"}).RawTx(ctx, func(context.Context, duet.Tx) error { return nil })
				wantErr(t, "RawTx in "+name, err, duet.ErrPoolExhausted)
				_, err = c.Acquire(ctx)
				wantErr(t, "Acquire in "+name, err, duet.ErrPoolExhausted)
				usable(ctx, t, tx, "the Tx afterwards")
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	usable(ctx, t, c, "afterwards")
}

func poolStat(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 3})
	a, b := acquire(ctx, t, c), acquire(ctx, t, c)
	s := c.Pool().Stat()
	if s.MaxSize != 3 || s.InUse != 2 || s.Total < 2 || s.Connects < 2 {
		t.Errorf("with two of three lent: %+v", s)
	}
	a.Release()
	wantLent(t, c, 1)
	b.Release()
	wantLent(t, c, 0)
	if !eventually(func() bool { s := c.Pool().Stat(); return s.Idle == 2 && s.Total == 2 }) {
		t.Errorf("with both back: %+v", c.Pool().Stat())
	}
}

func poolExpire(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	conn := acquire(ctx, t, c)
	usable(ctx, t, c, "beforehand")
	before := c.Pool().Stat().Connects
	c.Pool().Expire()
	usable(ctx, t, conn, "the lent connection")
	conn.Release()
	if !eventually(func() bool { s := c.Pool().Stat(); return s.Total == s.MinSize }) {
		t.Errorf("connections of before are still there: %+v", c.Pool().Stat())
	}
	usable(ctx, t, c, "afterwards")
	if after := c.Pool().Stat().Connects; after <= before {
		t.Errorf("%d connections were made before, %d in all: want more", before, after)
	}
}

func poolTerminate(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	text := t.Text("slow")
	var wg sync.WaitGroup
	var running, waiting error
	wg.Go(func() { _, running = c.Execute(ctx, text, slowly(t)) })
	if !eventually(func() bool { return c.Pool().Stat().InUse == 1 }) {
		t.Errorf("the slow statement does not hold a connection")
	}
	wg.Go(func() { _, waiting = c.Execute(ctx, text, slowly(t)) })
	if !eventually(func() bool { return c.Pool().Stat().Waiting == 1 }) {
		t.Errorf("the second statement does not wait")
	}
	stops(t, "Terminate", func() {
		c.Pool().Terminate()
		wg.Wait()
	})
	if running == nil {
		t.Errorf("the running statement succeeded")
	}
	wantErr(t, "the waiting statement", waiting, duet.ErrClosed)
	_, err := c.Execute(ctx, text, int64(1))
	wantErr(t, "a later statement", err, duet.ErrClosed)
}

func poolReuse(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 4})
	for range 30 {
		usable(ctx, t, c, "one of many")
	}
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
}

func poolShared(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	for i := range 30 {
		view := c.With(duet.Options{Name: "view", Columns: duet.ColumnsLax}).With(duet.Options{Timeout: time.Duration(i+1) * time.Minute})
		usable(ctx, t, view, "a view")
		want(t, "the view's backend", view.Backend().Name, c.Backend().Name)
	}
	if n := c.Pool().Stat().Connects; n > 2 {
		t.Errorf("%d connections were made, want at most 2", n)
	}
}

func poolRows(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for range 3 {
		rows, err := c.Rows(ctx, t.Text("numbers"), int64(1000))
		if err != nil {
			t.Fatalf("Rows: %v", err)
		}
		if !rows.Next() {
			t.Errorf("there is no row: %v", rows.Err())
		}
		if t.Backend().Can(duet.Streaming) {
			wantLent(t, c, 1)
		}
		if err := rows.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		within(t, "the next query", func() { usable(ctx, t, c, "after Close") })
	}
	wantLent(t, c, 0)
}
