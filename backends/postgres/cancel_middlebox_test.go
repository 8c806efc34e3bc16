package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// TestCancelBehindAMiddlebox has something in the middle end the socket of each
// CancelRequest, in good order, once the request has passed: the client takes
// that for the server's end, and the signal comes when it comes. It must not hit
// a later statement.
func TestCancelBehindAMiddlebox(t *testing.T) {
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 3})
	p.Add(faultproxy.Rule{From: faultproxy.Client, Type: faultproxy.CancelRequest, At: faultproxy.After, Do: faultproxy.Cut, Times: -1})
	deadline := time.Now().Add(4 * time.Second)
	if testing.Short() {
		deadline = time.Now().Add(time.Second)
	}
	var cancelled, echoes atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				ctx, stop := context.WithTimeout(t.Context(), 4*time.Millisecond+rand.N(8*time.Millisecond))
				_, err := c.Execute(ctx, "select pg_sleep(0.008)")
				stop()
				if err != nil {
					cancelled.Add(1)
				}
				for range 3 {
					if _, err := c.Execute(t.Context(), "select pg_sleep(0.0005)"); err != nil {
						e, _ := errors.AsType[*duet.Error](err)
						t.Errorf("a statement that nobody cancelled: %v (%+v)", err, e)
					}
					echoes.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cancelled, %d others, %d connections made", cancelled.Load(), echoes.Load(), c.Pool().Stat().Connects)
	if cancelled.Load() == 0 {
		t.Error("nothing was ever cancelled")
	}
	allReturned(t, c)
}
