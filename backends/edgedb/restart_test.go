package edgedb

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// A server that is stopped and started again: idle connections have died, and
// nobody needs to hear of it.
func TestServerRestarts(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	pg, err := pgtest.Open(ctx, pgtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Close() })
	cfg := edgedbtest.Config{Postgres: pg, Password: "pw"}
	server, err := edgedbtest.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg.Listen = server.Addr()
	c, err := Connect(ctx, "edgedb://edgedb:pw@"+server.Addr()+"/main?tls_security=insecure", Config{MaxConns: 4, MinConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutDown(t, c) })
	eventually(t, "all are connected", func() bool { return c.Pool().Stat().Idle == 4 })
	for range 3 {
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if server, err = edgedbtest.Start(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, eql(t, "two")); return err })
		if err != nil {
			t.Errorf("a transaction: %v", err)
		}
		for range 6 {
			if n, err := duet.QueryOne[int64](ctx, c, eql(t, "two")); n != 2 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if n := server.Connections("").Open; n > 4 {
			t.Errorf("%d connections", n)
		}
	}
}

// A pool of one that is used by views of different kinds, one after the other:
// nothing of one call's end reaches the next one's connecting.
func TestConversionsInTurn(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 1}, "ada")
	reader := c.With(duet.Options{Access: duet.ReadOnly})
	most := watched(t, branch)
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		view, add := c, eql(t, "add_to_balance")
		if i%2 == 0 {
			view = reader
		}
		err := view.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, add, "ada", int64(1))
			return err
		})
		if i%2 == 0 && !errors.Is(err, duet.ErrReadOnly) || i%2 == 1 && err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		cancel()
	}
	// The server may take in the new connection before it reads the goodbye of the old.
	if n := most(); n > 2 {
		t.Errorf("there were %d connections, want 1", n)
	}
}

// Clients that are closed or terminated while they are used in every way.
func TestEndedAtEveryMoment(t *testing.T) {
	_, branch := served(t, Config{MaxConns: 1}, "ada")
	for round := range 24 {
		c, err := Connect(t.Context(), edgedbtest.Shared(t).DSNFor(branch), Config{MaxConns: 3})
		if err != nil {
			t.Fatal(err)
		}
		views := []duet.Client{c, c.With(duet.Options{Access: duet.ReadOnly})}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rand.N(20))*time.Millisecond)
					view := views[rand.N(2)]
					var err error
					switch g % 4 {
					case 0:
						_, err = view.Execute(ctx, eql(t, "balance"), "ada")
					case 1:
						err = view.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
							_, err := tx.Execute(ctx, eql(t, "balance"), "ada")
							return err
						})
					case 2:
						var conn duet.Conn
						if conn, err = view.Acquire(ctx); err == nil {
							_, _ = conn.Execute(ctx, eql(t, "slow"), int64(100))
							conn.Release()
						}
					default:
						var tx duet.OpenTx
						if tx, err = view.Begin(ctx); err == nil {
							_, _ = tx.Execute(ctx, eql(t, "two"))
							err = tx.Commit(ctx)
						}
					}
					cancel()
					if errors.Is(err, duet.ErrClosed) {
						return
					}
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				time.Sleep(time.Duration(rand.N(30)) * time.Millisecond)
				if round%2 == 0 {
					c.Pool().Terminate()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if err := c.Close(ctx); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
		if s := c.Pool().Stat(); s.Total != 0 {
			t.Errorf("%+v", s)
		}
	}
	eventually(t, "all connections are closed", func() bool { return connections(t, branch).Open <= 1 })
}
