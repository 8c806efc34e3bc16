package pool_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 2, nil)
		l := acquire(t, p)
		acquire(t, p).Release()
		blocked := acquire(t, p)
		waiter := make(chan error, 1)
		go func() { _, err := p.Acquire(context.Background()); waiter <- err }()
		synctest.Wait()
		time.AfterFunc(3*time.Second, l.Release)
		time.AfterFunc(5*time.Second, blocked.Release)
		begun := time.Now()
		go func() {
			if err := <-waiter; err != pool.ErrClosed || time.Since(begun) != 0 {
				t.Errorf("the waiter got %v after %v", err, time.Since(begun))
			}
		}()
		var wg sync.WaitGroup
		for range 3 { // at once, and again
			wg.Go(func() {
				if err := p.Close(context.Background()); err != nil || time.Since(begun) != 5*time.Second {
					t.Errorf("got %v after %v", err, time.Since(begun))
				}
			})
		}
		wg.Wait()
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := p.Acquire(context.Background()); err != pool.ErrClosed {
			t.Errorf("Acquire: %v", err)
		}
		for _, v := range f.all {
			if !v.closed.Load() || v.terminated.Load() != 0 {
				t.Errorf("thing %d was not closed in good order", v.id)
			}
		}
		if s := p.Stat(); s.Total != 0 || s.ByReason[pool.ReasonShutdown] != 2 {
			t.Errorf("got %+v", s)
		}
		p.Expire() // does nothing, and no harm
		p.Terminate()
	})
}

func TestCloseOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 4, nil)
		a, _ := p.AcquireAs(context.Background(), "leaker")
		b := acquire(t, p)
		acquire(t, p).Release()
		v := a.Value()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		err := p.Close(ctx)
		var e *pool.CloseError
		if !errors.As(err, &e) || e.Out != 2 || e.Other != 0 || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), `2 connections were still out`) || !strings.Contains(err.Error(), `"leaker" 1s`) {
			t.Errorf("got %q", err)
		}
		if v.terminated.Load() != 1 || a.Value() != v || f.open.Load() != 0 {
			t.Error("not terminated under its holder")
		}
		a.Release()
		if a.Value() != nil {
			t.Error("a released lease still gives the connection")
		}
		b.Destroy()
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

func TestTerminateWithLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 3, func(c *pool.Config[*thing]) { c.MinSize = 3 })
		synctest.Wait()
		a, b := acquire(t, p), acquire(t, p)
		p.Control().Terminate()
		if f.open.Load() != 0 || a.Value().terminated.Load() != 1 || b.Value().terminated.Load() != 1 {
			t.Errorf("%d are still open", f.open.Load())
		}
		a.Release()
		a.Release()
		b.Destroy()
		p.Terminate()
		synctest.Wait()
		if s := p.Stat(); s.Total != 0 || s.Closed != 3 {
			t.Errorf("got %+v", s)
		}
	})
}

// Terminate cuts a Close that hangs, a Connect that listens to its context, and
// a hook that waits on its connection.
func TestTerminateCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := map[int64]chan struct{}{1: make(chan struct{}, 1), 2: make(chan struct{}, 1)} // by id
		p, _ := open(t, 4, func(c *pool.Config[*thing]) {
			term, dial := c.Terminate, c.Connect
			n := 0
			c.MaxUses = 1
			c.CloseTimeout = time.Hour
			c.Connect = func(ctx context.Context) (*thing, error) {
				if n++; n > 2 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx)
			}
			c.OnAcquire = func(_ context.Context, v *thing) error {
				if v.id == 2 {
					<-cut[v.id]
				}
				return nil
			}
			c.Close = func(_ context.Context, v *thing) { <-cut[v.id] }
			c.Terminate = func(v *thing) { term(v); cut[v.id] <- struct{}{} }
		})
		acquire(t, p).Release() // hangs in Close, in the background
		errs := make(chan error, 2)
		for range 2 { // one hangs in OnAcquire, one in Connect
			go func() { _, err := p.Acquire(context.Background()); errs <- err }()
			synctest.Wait()
		}
		if s := p.Stat(); s.Closing != 1 || s.InUse != 1 || s.Connecting != 1 {
			t.Fatalf("got %+v", s)
		}
		begun := time.Now()
		p.Terminate()
		for range 2 {
			if err := <-errs; err != pool.ErrClosed {
				t.Errorf("got %v", err)
			}
		}
		if err := p.Close(context.Background()); err != nil || time.Since(begun) != 0 {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
}

// A Connect that ignores everything cannot hold Close beyond its context.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 2, func(c *pool.Config[*thing]) {
			dial := c.Connect
			c.MinSize = 1
			c.Connect = func(ctx context.Context) (*thing, error) { time.Sleep(time.Hour); return dial(ctx) }
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var e *pool.CloseError
		if err := p.Close(ctx); !errors.As(err, &e) || e.Out != 0 || e.Other != 1 {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		if err := p.Close(context.Background()); err != nil || f.open.Load() != 0 {
			t.Errorf("got %v, %d open", err, f.open.Load())
		}
	})
}

// Close and Terminate race with everything; helper_test's check looks for what
// is left open, closed twice, or too many.
func TestCloseRaces(t *testing.T) {
	for round := range 60 {
		f := &factory{max: 4}
		p, err := pool.New(pool.Config[*thing]{
			MinSize: 2, MaxSize: 4, MaxUses: 5, AcquireTimeout: time.Second,
			Connect: f.connect, Close: f.close, Terminate: f.terminate,
			Healthy: func(v *thing) bool { return v.id%7 != 0 },
			Reset:   func(*thing) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for n := 0; ; n++ {
					var l *pool.Lease[*thing]
					var err error
					if n%5 == 4 {
						l, err = p.TryAcquire(context.Background())
					} else {
						l, err = p.Acquire(context.Background())
					}
					switch {
					case err == pool.ErrClosed:
						return
					case err == pool.ErrNone:
					case err != nil:
						t.Error(err)
						return
					case (i+n)%9 == 0:
						l.Destroy()
					default:
						l.Release()
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				p.Expire()
				p.Stat()
			}
			if round%2 == 0 {
				p.Terminate()
			}
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		f.check(t)
		if s := p.Stat(); s.Total != 0 || s.Waiting != 0 || s.Connects != s.Closed {
			t.Errorf("got %+v", s)
		}
	}
}
