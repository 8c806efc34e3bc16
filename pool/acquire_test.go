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

func TestReleaseTwice(t *testing.T) {
	p, _ := open(t, 1, nil)
	first := acquire(t, p)
	first.Release()
	second := acquire(t, p)
	first.Release()
	first.Destroy()
	if first.Value() != nil {
		t.Error("a released lease still gives the connection")
	}
	if s := p.Stat(); s.InUse != 1 || second.Value() == nil {
		t.Errorf("the second holder lost its connection: %+v", s)
	}
	second.Release()
}

func TestReuse(t *testing.T) {
	p, f := open(t, 4, nil)
	for range 100 {
		acquire(t, p).Release()
	}
	if n := f.made.Load(); n != 1 {
		t.Errorf("made %d connections for one caller", n)
	}
	if s := p.Stat(); s.Acquires != 100 || s.Waited != 1 || s.Idle != 1 || s.Total != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := open(t, 1, nil)
		l := acquire(t, p)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				l := acquire(t, p)
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				l.Release()
			})
			synctest.Wait()
		}
		if got := p.Stat().Waiting; got != 50 {
			t.Errorf("Waiting = %d, want 50", got)
		}
		l.Release()
		wg.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

func TestThousandOnOne(t *testing.T) {
	p, f := open(t, 1, nil)
	var inside, done int
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			for range 3 {
				l := acquire(t, p)
				inside++ // the race detector watches that only one is here
				if inside != 1 {
					t.Error("two holders at once")
				}
				inside--
				done++
				l.Release()
			}
		})
	}
	wg.Wait()
	if done != 3000 || f.made.Load() != 1 {
		t.Errorf("done %d of 3000 with %d connections", done, f.made.Load())
	}
	if s := p.Stat(); s.Acquires != 3000 || s.Waiting != 0 || s.InUse != 0 || s.Exhausted != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestExhausted(t *testing.T) {
	cause := errors.New("shutting down")
	tests := []struct {
		name    string
		timeout time.Duration
		ctx     func() (context.Context, func())
		is, not []error
	}{
		{"own timeout", 2 * time.Second, func() (context.Context, func()) { return context.Background(), func() {} },
			nil, []error{context.Canceled, context.DeadlineExceeded}},
		{"deadline", 0, func() (context.Context, func()) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			return ctx, cancel
		}, []error{context.DeadlineExceeded}, []error{context.Canceled}},
		{"deadline before timeout", time.Minute, func() (context.Context, func()) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			return ctx, cancel
		}, []error{context.DeadlineExceeded}, []error{context.Canceled}},
		{"cancelled with a cause", 0, func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(2*time.Second, func() { cancel(cause) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, cause}, []error{context.DeadlineExceeded}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := open(t, 4, func(c *pool.Config[*thing]) { c.AcquireTimeout = tt.timeout })
				for _, name := range []string{"oldest", "second", "third", "youngest"} {
					l, err := p.AcquireAs(context.Background(), name)
					if err != nil {
						t.Fatal(err)
					}
					defer l.Release()
					time.Sleep(time.Second)
				}
				ctx, cancel := tt.ctx()
				defer cancel()
				_, err := p.Acquire(ctx)
				var e *pool.ExhaustedError
				if !errors.As(err, &e) || !errors.Is(err, pool.ErrExhausted) {
					t.Fatalf("got %v", err)
				}
				if e.Waited != 2*time.Second || e.InUse != 4 || e.MaxSize != 4 || e.Waiting != 0 || e.Dialing {
					t.Errorf("got %+v", e)
				}
				if len(e.Holders) != 3 || e.Holders[0].Name != "oldest" || e.Holders[0].Held != 6*time.Second {
					t.Errorf("holders: %+v", e.Holders)
				}
				for _, want := range []string{"2s", "4 of 4 in use", `"oldest" 6s, "second" 5s, "third" 4s`} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in %q", want, err)
					}
				}
				for _, want := range tt.is {
					if !errors.Is(err, want) {
						t.Errorf("is not %v: %v", want, err)
					}
				}
				for _, bad := range tt.not {
					if errors.Is(err, bad) {
						t.Errorf("is %v: %v", bad, err)
					}
				}
			})
		})
	}
}

func TestEndedContext(t *testing.T) {
	p, f := open(t, 1, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Acquire(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, pool.ErrExhausted) {
		t.Errorf("got %v", err)
	}
	if f.made.Load() != 0 {
		t.Error("connected for a context that had ended")
	}
}

// TestCrossed has two holders each want the other's connection: the one who
// closes the ring is told, and the other one goes on.
func TestCrossed(t *testing.T) {
	p, _ := open(t, 2, nil)
	a, b := acquire(t, p), acquire(t, p)
	first := make(chan error, 1)
	go func() {
		l, err := p.Acquire(pool.MarkContext(t.Context(), a))
		if err == nil {
			l.Release()
		}
		first <- err
	}()
	for p.Stat().Waiting < 1 {
		time.Sleep(time.Millisecond)
	}
	_, err := p.Acquire(pool.MarkContext(t.Context(), b))
	var e *pool.ExhaustedError
	if !errors.As(err, &e) || !e.Crossed || !strings.Contains(err.Error(), "wait for another one") {
		t.Errorf("closing the ring: %v", err)
	}
	b.Release()
	if err := <-first; err != nil {
		t.Errorf("the other one: %v", err)
	}
	a.Release()
}

func TestOwnChain(t *testing.T) {
	p, _ := open(t, 2, nil)
	other, _ := open(t, 1, nil)
	ctx := context.Background()
	a := acquire(t, p)
	ctx = pool.MarkContext(pool.MarkContext(ctx, a), a) // the same one counts once
	if !pool.Holding(ctx, p) || pool.Holding(ctx, other) || pool.Holding(context.Background(), p) {
		t.Error("Holding is wrong")
	}
	b, err := p.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inner := pool.MarkContext(ctx, b)
	_, err = p.Acquire(inner) // would hang: inner has no deadline
	var e *pool.ExhaustedError
	if !errors.As(err, &e) || e.Own != 2 || !errors.Is(err, pool.ErrExhausted) {
		t.Fatalf("got %v", err)
	}
	b.Release()
	c, err := p.Acquire(inner) // b's mark is void now
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	a.Release()
	if pool.Holding(inner, p) {
		t.Error("Holding after all releases")
	}
}

func TestHolderWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := open(t, 2, nil)
		ctx, cancel := context.WithTimeout(pool.WithHolder(context.Background(), "nested"), 2*time.Second)
		defer cancel()
		l, err := p.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer acquire(t, p).Release()
		defer l.Release()
		_, err = p.Acquire(pool.MarkContext(ctx, l))
		if err == nil || !strings.Contains(err.Error(), `"nested" 2s (waits for another one itself)`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCaptureStacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := open(t, 1, func(c *pool.Config[*thing]) { c.CaptureStacks = true; c.AcquireTimeout = time.Second })
		defer acquire(t, p).Release()
		_, err := p.Acquire(context.Background())
		var e *pool.ExhaustedError
		if !errors.As(err, &e) || len(e.Holders) != 1 || len(e.Holders[0].Stack) == 0 {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), "pool_test.acquire") {
			t.Errorf("the stack does not name the acquirer: %v", err)
		}
	})
}

func TestTryAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 1, nil)
		ctx := context.Background()
		if _, err := p.TryAcquire(ctx); err != pool.ErrNone {
			t.Errorf("empty: got %v", err)
		}
		synctest.Wait() // it began to make one
		l, err := p.TryAcquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.TryAcquire(ctx); err != pool.ErrNone {
			t.Errorf("lent: got %v", err)
		}
		l.Value().sick.Store(true)
		l.Release()
		if n := f.made.Load(); n != 1 {
			t.Errorf("made %d", n)
		}
		p.Terminate()
		if _, err := p.TryAcquire(ctx); err != pool.ErrClosed {
			t.Errorf("closed: got %v", err)
		}
	})
}
