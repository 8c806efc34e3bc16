package pool_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

func TestHookErrors(t *testing.T) {
	fails := func(on *bool) error {
		if *on {
			*on = false
			return errBroken
		}
		return nil
	}
	tests := []struct {
		name      string
		set       func(c *pool.Config[*thing], on *bool)
		atAcquire bool
	}{
		{"OnAcquire", func(c *pool.Config[*thing], on *bool) {
			c.OnAcquire = func(context.Context, *thing) error { return fails(on) }
		}, true},
		{"OnRelease", func(c *pool.Config[*thing], on *bool) { c.OnRelease = func(*thing) error { return fails(on) } }, false},
		{"Reset", func(c *pool.Config[*thing], on *bool) { c.Reset = func(*thing) error { return fails(on) } }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var on bool
				var told error
				p, f := open(t, 1, func(c *pool.Config[*thing]) {
					tt.set(c, &on)
					c.OnClose = func(r pool.Reason, _ time.Duration, err error) {
						if r == pool.ReasonHook {
							told = err
						}
					}
				})
				acquire(t, p).Release()
				on = true
				l, err := p.Acquire(context.Background())
				if tt.atAcquire {
					var he *pool.HookError
					if l != nil || !errors.As(err, &he) || he.Hook != tt.name || !errors.Is(err, errBroken) {
						t.Fatalf("got %v", err)
					}
				} else {
					l.Release()
				}
				acquire(t, p).Release()
				if f.made.Load() != 2 || !errors.Is(told, errBroken) {
					t.Errorf("made %d, OnClose was told %v", f.made.Load(), told)
				}
				if s := p.Stat(); s.ByReason[pool.ReasonHook] != 1 || s.Closed != 1 || s.Idle != 1 {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

// Panics and Goexit pass through to the caller, and the only slot stays usable.
func TestHooksThatPanic(t *testing.T) {
	hooks := map[string]func(c *pool.Config[*thing], f func()){
		"Healthy": func(c *pool.Config[*thing], f func()) { c.Healthy = func(*thing) bool { f(); return true } },
		"OnAcquire": func(c *pool.Config[*thing], f func()) {
			c.OnAcquire = func(context.Context, *thing) error { f(); return nil }
		},
		"OnRelease": func(c *pool.Config[*thing], f func()) { c.OnRelease = func(*thing) error { f(); return nil } },
		"Reset":     func(c *pool.Config[*thing], f func()) { c.Reset = func(*thing) error { f(); return nil } },
		"OnWait":    func(c *pool.Config[*thing], f func()) { c.OnWait = func(context.Context, time.Duration, error) { f() } },
	}
	for name, set := range hooks {
		for how, end := range map[string]func(){"panic": func() { panic("on purpose") }, "goexit": runtime.Goexit} {
			t.Run(name+" "+how, func(t *testing.T) {
				on := true
				p, _ := open(t, 1, func(c *pool.Config[*thing]) {
					set(c, func() {
						if on {
							on = false
							end()
						}
					})
				})
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					acquire(t, p).Release()
				}()
				if r := <-done; (how == "panic") != (r == "on purpose") {
					t.Errorf("recovered %v", r)
				}
				if on {
					t.Fatal("the hook was not called")
				}
				acquire(t, p).Release()
			})
		}
	}
}

// Close, Terminate and OnClose run in the background: they must not end it.
func TestClosersThatPanic(t *testing.T) {
	for how, end := range map[string]func(){"panic": func() { panic("on purpose") }, "goexit": runtime.Goexit} {
		t.Run(how, func(t *testing.T) {
			p, _ := open(t, 1, func(c *pool.Config[*thing]) {
				cl, term := c.Close, c.Terminate
				c.MaxUses = 1
				c.Close = func(ctx context.Context, v *thing) { cl(ctx, v); end() }
				c.Terminate = func(v *thing) { term(v); end() }
				c.OnClose = func(pool.Reason, time.Duration, error) { end() }
			})
			for range 3 {
				acquire(t, p).Release()
				acquire(t, p).Destroy()
			}
		})
	}
}

func TestUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 3, func(c *pool.Config[*thing]) { c.Healthy = func(v *thing) bool { return !v.sick.Load() } })
		ls := []*pool.Lease[*thing]{acquire(t, p), acquire(t, p), acquire(t, p)}
		for _, l := range ls {
			l.Value().sick.Store(true)
			l.Release()
		}
		l := acquire(t, p)
		if l.Value().sick.Load() {
			t.Error("a sick connection was lent")
		}
		l.Release()
		synctest.Wait()
		if s := p.Stat(); s.ByReason[pool.ReasonUnhealthy] != 3 || s.Total != 1 || f.made.Load() != 4 {
			t.Errorf("made %d: %+v", f.made.Load(), s)
		}
	})
}

func TestOnWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type call struct {
			waited time.Duration
			err    error
		}
		var calls []call
		p, _ := open(t, 1, func(c *pool.Config[*thing]) {
			c.AcquireTimeout = 5 * time.Second
			c.OnWait = func(_ context.Context, d time.Duration, err error) { calls = append(calls, call{d, err}) }
		})
		acquire(t, p).Release() // connects
		l := acquire(t, p)      // idle: no wait
		time.AfterFunc(3*time.Second, l.Release)
		l2 := acquire(t, p)
		_, err := p.Acquire(context.Background())
		l2.Release()
		want := []call{{0, nil}, {3 * time.Second, nil}, {5 * time.Second, err}}
		if len(calls) != 3 || calls[0] != want[0] || calls[1] != want[1] || calls[2] != want[2] || err == nil {
			t.Errorf("got %v, want %v", calls, want)
		}
		if s := p.Stat(); s.Waited != 2 || s.WaitTime != 3*time.Second || s.Exhausted != 1 || s.Acquires != 3 {
			t.Errorf("got %+v", s)
		}
	})
}
