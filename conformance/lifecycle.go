package conformance

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

func lifecycleScenarios() []Scenario {
	return []Scenario{
		{ID: "lifecycle/backend", Promise: "Backend says what the client is connected to.", Run: backendFacts},
		{ID: "lifecycle/ping", Promise: "Ping makes a round trip over a connection of the pool.", Run: ping},
		{ID: "lifecycle/close", Promise: "Close is idempotent, and later calls give ErrClosed.", Run: closeTwice},
		{ID: "lifecycle/close-waits", Promise: "Close waits for lent connections to come back.", Run: closeWaits},
		{ID: "lifecycle/close-ctx", Promise: "When ctx ends first, what is left is closed by force and the error says how many were out.", Run: closeByForce},
		{ID: "lifecycle/close-view", Promise: "Closing a view closes the client.", Run: closeView},
		{ID: "lifecycle/close-races", Promise: "Close may race with anything.", Run: closeRaces},
		{ID: "lifecycle/close-unused", Promise: "A client that was never used can be closed.", Run: closeUnused},
	}
}

func backendFacts(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{})
	if err := c.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
	b := c.Backend()
	want(t, "the name", b.Name, t.target.Name)
	want(t, "the dialect of postgres is SQL", b.Dialect == duet.SQL, b.Name == "postgres")
	version := one[string](ctx, t, c, "version")
	if b.ServerVersion == "" || !strings.HasPrefix(version, b.ServerVersion) {
		t.Errorf("the version is %q, and the server says %q", b.ServerVersion, version)
	}
	want(t, "a view's backend", c.With(duet.Options{Name: "x"}).Backend(), b)
}

func ping(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for range 3 {
		if err := c.Ping(ctx); err != nil {
			t.Errorf("Ping: %v", err)
		}
	}
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
	conn := acquire(ctx, t, c)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	wantErr(t, "Ping without a connection", c.Ping(short), context.DeadlineExceeded)
	conn.Release()
	if err := c.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// wantClientClosed holds that a client gives ErrClosed whatever it is asked.
func wantClientClosed(ctx context.Context, t *T, c duet.Client) {
	wantClosed(ctx, t, "a closed client", c)
	wantClosed(ctx, t, "a closed client's view", c.With(duet.Options{Name: "view"}))
	for name, run := range bothTx(c) {
		wantErr(t, name, run(ctx, func(context.Context, duet.Tx) error { return nil }), duet.ErrClosed)
	}
	_, err := c.Begin(ctx)
	wantErr(t, "Begin", err, duet.ErrClosed)
	_, err = c.Acquire(ctx)
	wantErr(t, "Acquire", err, duet.ErrClosed)
	wantErr(t, "Ping", c.Ping(ctx), duet.ErrClosed)
}

func closeTwice(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{})
	usable(ctx, t, c, "before")
	for range 3 {
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	wantClientClosed(ctx, t, c)
	want(t, "the connections left", c.Pool().Stat().Total, int32(0))
}

func closeWaits(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	conn := acquire(ctx, t, c)
	var wg sync.WaitGroup
	closed := make(chan struct{})
	wg.Go(func() {
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		close(closed)
	})
	if !eventually(func() bool { return c.Ping(ctx) != nil }) {
		t.Errorf("the client takes new work while it closes")
	}
	usable(ctx, t, conn, "the lent connection")
	select {
	case <-closed:
		t.Errorf("Close returned while a connection was lent")
	default:
	}
	conn.Release()
	wg.Wait()
	wantClientClosed(ctx, t, c)
}

func closeByForce(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	conn := acquire(ctx, t, c)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	within(t, "Close", func() {
		err := c.Close(short)
		wantErr(t, "Close", err, context.DeadlineExceeded)
		if err != nil && !strings.Contains(err.Error(), "1 connection") {
			t.Errorf("the error %q does not say that one connection was out", err)
		}
	})
	if _, err := duet.QueryOne[int64](ctx, conn, t.Text("one")); err == nil {
		t.Errorf("the lent connection still works")
	}
	conn.Release()
	wantClientClosed(ctx, t, c)
}

func closeView(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{})
	view := c.With(duet.Options{Name: "view"})
	usable(ctx, t, view, "the view")
	if err := view.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantClientClosed(ctx, t, c)
}

func closeRaces(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 3})
	text := t.Text("two")
	started := make(chan struct{}, 1)
	parallel(t, 9, func(g int) error {
		if g == 0 {
			<-started
			return c.Close(ctx)
		}
		for {
			n, err := duet.QueryOne[int64](ctx, c, text)
			select {
			case started <- struct{}{}:
			default:
			}
			if duet.KindOf(err) == duet.KindClosed {
				return nil
			}
			if n != 2 || err != nil {
				return err
			}
		}
	})
	want(t, "the connections left", c.Pool().Stat().Total, int32(0))
}

func closeUnused(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{})
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantClientClosed(ctx, t, c)
}
