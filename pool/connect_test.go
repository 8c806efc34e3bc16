package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

func TestDialOutlivesImpatientCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		waits := 0
		p, f := open(t, 2, func(c *pool.Config[*thing]) {
			c.OnWait = func(context.Context, time.Duration, error) { waits++ }
			dial := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) {
				if ctx.Value(key{}) != "value" {
					t.Error("Connect does not see the acquirer's values")
				}
				select {
				case <-time.After(10 * time.Second):
					return dial(ctx)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		})
		values := context.WithValue(context.Background(), key{}, "value")
		ctx, cancel := context.WithTimeout(values, time.Second)
		defer cancel()
		_, err := p.Acquire(ctx)
		var e *pool.ExhaustedError
		if !errors.As(err, &e) || !e.Dialing || e.Waited != time.Second || e.Connecting != 1 {
			t.Fatalf("got %v", err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := p.Stat(); s.Idle != 1 || s.Connecting != 0 {
			t.Fatalf("the connection was wasted: %+v", s)
		}
		begun := time.Now()
		l, err := p.Acquire(values)
		if err != nil || time.Since(begun) != 0 || f.made.Load() != 1 {
			t.Fatalf("got %v after %v, %d made", err, time.Since(begun), f.made.Load())
		}
		l.Release()
		if s := p.Stat(); s.Waited != 0 || waits != 1 {
			t.Errorf("an idle connection was waited for: %d waits, %+v", waits, s)
		}
	})
}

// A connection made for a caller who had given up is idle without ever having
// been released. It is found, and so is one that was released below it.
func TestLeftConnectionsAreFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := 0
		p, _ := open(t, 3, func(c *pool.Config[*thing]) {
			dial := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) { time.Sleep(time.Second); return dial(ctx) }
			c.OnWait = func(context.Context, time.Duration, error) { waits++ }
		})
		first := acquire(t, p)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if _, err := p.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		first.Release()
		time.Sleep(time.Second)
		synctest.Wait()
		waits = 0
		for range 3 {
			a, b := acquire(t, p), acquire(t, p)
			a.Release()
			b.Release()
		}
		if s := p.Stat(); waits != 0 || s.Connects != 2 {
			t.Errorf("%d waits with enough idle connections: %+v", waits, s)
		}
	})
}

// All waiters get an answer when connecting fails, each from an attempt of its
// own, and never more attempts at once than slots.
func TestConnectFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 3, func(c *pool.Config[*thing]) {
			dial := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) { time.Sleep(time.Second); return dial(ctx) }
		})
		f.fail.Store(true)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if _, err := p.Acquire(context.Background()); !errors.Is(err, errBroken) || errors.Is(err, pool.ErrExhausted) {
					t.Errorf("got %v", err)
				}
			})
		}
		begun := time.Now()
		wg.Wait()
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("30 failures on 3 slots took %v, want 10s", took)
		}
		f.fail.Store(false)
		acquire(t, p).Release()
		if s := p.Stat(); s.ConnectFailures != 30 || s.Connects != 1 || s.Total != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// A waiter behind a failing connect is served as soon as a slot is free.
func TestWaiterTriesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failFirst := true
		p, _ := open(t, 1, func(c *pool.Config[*thing]) {
			dial := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) {
				time.Sleep(time.Second)
				if failFirst {
					failFirst = false
					return nil, errBroken
				}
				return dial(ctx)
			}
		})
		got := make(chan error, 1)
		go func() { _, err := p.Acquire(context.Background()); got <- err }()
		synctest.Wait()
		acquire(t, p).Release()
		if err := <-got; !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConnectHooksThatEndBadly(t *testing.T) {
	ends := map[string]func() error{
		"error":  func() error { return errBroken },
		"panic":  func() error { panic("on purpose") },
		"goexit": func() error { runtime.Goexit(); return nil },
	}
	for name, end := range ends {
		t.Run("Connect "+name, func(t *testing.T) {
			bad := true
			p, _ := open(t, 1, func(c *pool.Config[*thing]) {
				dial := c.Connect
				c.Connect = func(ctx context.Context) (*thing, error) {
					if bad {
						bad = false
						return nil, end()
					}
					return dial(ctx)
				}
			})
			_, err := p.Acquire(context.Background())
			wantEnd(t, name, "Connect", err)
			acquire(t, p).Release()
		})
		t.Run("OnConnect "+name, func(t *testing.T) {
			bad := true
			p, f := open(t, 1, func(c *pool.Config[*thing]) {
				c.OnConnect = func(context.Context, *thing) error {
					if bad {
						bad = false
						return end()
					}
					return nil
				}
			})
			_, err := p.Acquire(context.Background())
			wantEnd(t, name, "OnConnect", err)
			if n := f.all[0].terminated.Load(); n != 1 {
				t.Errorf("terminated %d times", n)
			}
			acquire(t, p).Release()
		})
	}
}

func wantEnd(t *testing.T, end, hook string, err error) {
	t.Helper()
	if end == "error" {
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		return
	}
	var he *pool.HookError
	var pe *pool.PanicError
	if !errors.As(err, &he) || he.Hook != hook || !errors.As(err, &pe) {
		t.Fatalf("got %v", err)
	}
	if (end == "panic") != (pe.Value == "on purpose") {
		t.Errorf("value %v", pe.Value)
	}
}
