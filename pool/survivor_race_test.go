package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

// A connection that will be closed when it comes back is none to wait for.
func TestAcquireExistingAwaitsNoneThatGoes(t *testing.T) {
	for name, expire := range map[string]func(p *pool.Pool[*thing]){
		"Expire":      func(p *pool.Pool[*thing]) { p.Expire() },
		"ExpireWhere": func(p *pool.Pool[*thing]) { p.ExpireWhere(upTo(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := open(t, 2, nil)
				a := acquire(t, p)
				defer a.Release()
				got := make(chan error, 1)
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				go func() {
					_, err := p.AcquireExisting(ctx, "", upTo(1))
					got <- err
				}()
				synctest.Wait()
				expire(p)
				if err := <-got; err != pool.ErrNone {
					t.Errorf("waited for what goes: %v", err)
				}
			})
		})
	}
}

// A connection that was handed to one who has just left goes to the next one who
// looks for it, not to the queue.
func TestAcquireExistingPassesOn(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			p, _ := open(t, 1, nil)
			a := acquire(t, p)
			var order []string
			var mu sync.Mutex
			note := func(who string, l *pool.Lease[*thing], err error) {
				if err != nil {
					return
				}
				mu.Lock()
				order = append(order, who)
				mu.Unlock()
				l.Release()
			}
			ctx, leave := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				l, err := p.AcquireExisting(ctx, "", upTo(1))
				note("leaver", l, err)
			})
			synctest.Wait()
			wg.Go(func() {
				l, err := p.AcquireExisting(t.Context(), "", upTo(1))
				note("looker", l, err)
			})
			synctest.Wait()
			wg.Go(func() {
				l, err := p.Acquire(t.Context())
				note("queue", l, err)
			})
			synctest.Wait()
			leave() // and at the same moment
			a.Release()
			wg.Wait()
			if i := len(order) - 1; order[i] != "queue" {
				t.Errorf("got in this order: %q", order)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestEndsRace has everything race with the end of the pool: nothing is lost,
// nobody waits for ever.
func TestEndsRace(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		size := int32(1 + rand.IntN(4))
		f := &factory{max: size}
		p, err := pool.New(pool.Config[*thing]{
			MaxSize: size, Connect: f.connect, Close: f.close, Terminate: f.terminate, HealthCheckPeriod: time.Millisecond,
			Healthy: func(v *thing) bool { return v.id%11 != 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		var wg sync.WaitGroup
		var closed atomic.Bool
		each := func(n int, work func(ctx context.Context) error) {
			for range n {
				wg.Go(func() {
					for ctx.Err() == nil {
						short, leave := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
						err := work(short)
						leave()
						if errors.Is(err, pool.ErrClosed) {
							return
						}
					}
					t.Error("the pool's end was never told")
				})
			}
		}
		end := func(l *pool.Lease[*thing], err error) error {
			if err == nil {
				if rand.IntN(9) == 0 {
					l.Destroy()
				} else {
					l.Release()
				}
			}
			return err
		}
		each(6, func(ctx context.Context) error { return end(p.Acquire(ctx)) })
		each(3, func(ctx context.Context) error {
			a, err := p.Acquire(ctx)
			if err != nil {
				return err
			}
			defer a.Release()
			return end(p.Acquire(pool.MarkContext(ctx, a)))
		})
		each(3, func(ctx context.Context) error {
			n := rand.Int64N(3)
			return end(p.AcquireExisting(ctx, "", func(v *thing) bool { return v.id%3 == n }))
		})
		each(1, func(ctx context.Context) error {
			upTo := f.made.Load() - 1
			p.ExpireWhere(func(v *thing) bool { return v.id <= upTo })
			p.Hold(rand.Int32N(4))
			if f.fail.Store(rand.IntN(8) == 0); closed.Load() {
				return pool.ErrClosed
			}
			return nil
		})
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
		if round%2 == 0 {
			p.Terminate()
		}
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		closed.Store(true)
		wg.Wait()
		stop()
		f.check(t)
		if s := p.Stat(); s.Total != 0 {
			t.Errorf("%+v", s)
		}
	}
}
