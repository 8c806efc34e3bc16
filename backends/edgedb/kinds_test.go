package edgedb

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/duetdb/duet"
)

// Transactions that need other options than a connection has get one that was
// made with them; one limit counts all kinds.
func TestKindsOfConnections(t *testing.T) {
	f := newFake()
	connects := 0
	c := fakeClient(t, f, Config{MaxConns: 1, OnConnect: func(ctx context.Context, conn duet.Conn) error {
		connects++
		_, err := conn.Execute(ctx, "hello")
		return err
	}})
	write := func(c duet.Client, cmd string) {
		t.Helper()
		if err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, cmd); return nil }); err != nil {
			t.Error(err)
		}
	}
	reader := c.With(duet.Options{Access: duet.ReadOnly})
	write(c, "a")
	write(reader, "b")
	write(reader, "c")
	must(t.Context(), t, c, "plain")
	must(t.Context(), t, reader, "read")
	write(c, "d")
	saw(t, f, "1 START", "1 a", "1 COMMIT",
		"1 CLOSE", "2 hello", "2 START", "2 b", "2 COMMIT", "2 START", "2 c", "2 COMMIT",
		"2 plain", "2 START", "2 read", "2 COMMIT",
		"2 CLOSE", "3 hello", "3 START", "3 d", "3 COMMIT")
	if _, _, most := f.count(); most != 1 || connects != 3 {
		t.Errorf("%d at once, %d hooks", most, connects)
	}
	if _, err := c.With(duet.Options{Isolation: duet.RepeatableRead}).Begin(t.Context()); !errors.Is(err, duet.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestKindsMixed(t *testing.T) {
	f := newFake()
	const size = 3
	c := fakeClient(t, f, Config{MaxConns: size})
	views := []duet.Client{c, c.With(duet.Options{Access: duet.ReadOnly}), c.With(duet.Options{Access: duet.ReadOnly, Deferrable: duet.On})}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			for range 50 {
				view := views[rand.N(len(views))]
				ctx, cancel := context.WithCancel(t.Context())
				if rand.N(4) == 0 {
					go cancel()
				}
				err := view.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, "a"); return err })
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if _, _, most := f.count(); most > size {
		t.Errorf("there were %d connections, want at most %d", most, size)
	}
}

// A conversion whose caller goes, or whose pool is terminated, leaves nothing.
func TestLeftConversion(t *testing.T) {
	for _, terminate := range []bool{false, true} {
		f := newFake()
		c := fakeClient(t, f, Config{MaxConns: 1})
		begun, release := f.hold("DIAL")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.With(duet.Options{Access: duet.ReadOnly}).Begin(ctx)
			done <- err
		}()
		<-begun
		want := error(context.Canceled)
		if terminate {
			want = duet.ErrClosed
			c.Pool().Terminate()
		} else {
			cancel()
		}
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		release()
		if !terminate {
			must(t.Context(), t, c, "next")
		}
		cancel()
		eventually(t, "what was dialed in vain is closed", func() bool { made, open, _ := f.count(); return made >= 2 && (open == 0 || !terminate && open == 1) })
	}
}
