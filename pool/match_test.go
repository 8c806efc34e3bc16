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

type kindKey struct{}

// kinds are things of several kinds, by id.
type kinds struct {
	mu        sync.Mutex
	of        map[*thing]string
	converted atomic.Int64
	fail      bool
}

func (k *kinds) get(v *thing) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of[v]
}

func (k *kinds) set(v *thing, kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.of[v] = kind
}

// openKinds makes a pool whose connections are of the kind that ctx names, and
// a function that acquires one of a kind.
func openKinds(t *testing.T, size int32) (*pool.Pool[*thing], *factory, *kinds, func(ctx context.Context, kind string) (*pool.Lease[*thing], error)) {
	k := &kinds{of: map[*thing]string{}}
	p, f := open(t, size, func(c *pool.Config[*thing]) {
		connect := c.Connect
		c.Connect = func(ctx context.Context) (*thing, error) {
			v, err := connect(ctx)
			if err == nil {
				kind, _ := ctx.Value(kindKey{}).(string)
				k.set(v, kind)
			}
			return v, err
		}
	})
	get := func(ctx context.Context, kind string) (*pool.Lease[*thing], error) {
		return p.AcquireMatching(context.WithValue(ctx, kindKey{}, kind), "",
			func(v *thing) bool { return k.get(v) == kind },
			func(_ context.Context, v *thing) error {
				if k.fail {
					return errBroken
				}
				k.converted.Add(1)
				k.set(v, kind)
				return nil
			})
	}
	return p, f, k, get
}

func TestMatchOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f, k, get := openKinds(t, 2)
		must := func(kind string) *pool.Lease[*thing] {
			t.Helper()
			l, err := get(t.Context(), kind)
			if err != nil {
				t.Fatal(err)
			}
			if got := k.get(l.Value()); got != kind {
				t.Fatalf("got one of kind %q, want %q", got, kind)
			}
			return l
		}
		a := must("a") // nothing is there: a new one
		first := a.Value()
		a.Release()
		b := must("b") // an idle one of another kind, and room
		b.Release()
		if f.made.Load() != 2 || k.converted.Load() != 0 {
			t.Fatalf("made %d, converted %d; want 2 and 0", f.made.Load(), k.converted.Load())
		}
		a = must("a") // b was used last, a fits
		if a.Value() != first {
			t.Error("another one than the idle one that fits was lent")
		}
		c := must("c") // no room: b is converted
		if f.made.Load() != 2 || k.converted.Load() != 1 {
			t.Errorf("made %d, converted %d; want 2 and 1", f.made.Load(), k.converted.Load())
		}
		// None is idle: whatever is released first is converted.
		go func() {
			time.Sleep(time.Second)
			c.Release()
		}()
		b = must("b")
		if k.converted.Load() != 2 {
			t.Errorf("converted %d, want 2", k.converted.Load())
		}
		a.Release()
		b.Release()
		if s := p.Stat(); s.Idle != 2 || s.InUse != 0 {
			t.Errorf("%+v", s)
		}
		// Plain acquires take any kind.
		acquire(t, p).Release()
	})
}

func TestMatchErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f, k, get := openKinds(t, 1)
		l, err := get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		l.Release()
		k.fail = true
		if _, err := get(t.Context(), "b"); !errors.Is(err, errBroken) {
			t.Fatalf("got %v, want what convert failed with", err)
		}
		synctest.Wait()
		if s := p.Stat(); s.Total != 0 {
			t.Fatalf("what could not be converted was kept: %+v", s)
		}
		k.fail = false
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			l, _ := get(t.Context(), "a")
			l.Release()
			_, _ = p.AcquireMatching(t.Context(), "", func(*thing) bool { return false }, func(context.Context, *thing) error { panic("on purpose") })
		}()
		synctest.Wait()
		if s := p.Stat(); s.Total != 0 {
			t.Fatalf("a panic in convert leaks the slot: %+v", s)
		}
		f.fail.Store(true)
		if _, err := get(t.Context(), "a"); !errors.Is(err, errBroken) {
			t.Errorf("got %v, want what Connect failed with", err)
		}
		f.fail.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := get(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v with a ctx that had ended", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t.Context(), "a"); !errors.Is(err, pool.ErrClosed) {
			t.Errorf("got %v of a closed pool", err)
		}
	})
}

// A connection in the making for one kind must not make an acquirer wait beyond
// its ctx, nor be lost.
func TestMatchSlowConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		slow := false
		p, f := open(t, 2, func(c *pool.Config[*thing]) {
			connect := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) {
				if slow {
					<-hold
				}
				return connect(ctx)
			}
		})
		acquire(t, p).Release()
		slow = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		never := func(*thing) bool { return false }
		_, err := p.AcquireMatching(ctx, "", never, nil)
		if !errors.Is(err, pool.ErrExhausted) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an exhausted pool and the ctx's end", err)
		}
		close(hold)
		synctest.Wait()
		if s := p.Stat(); s.Idle != 2 || f.made.Load() != 2 {
			t.Errorf("made %d: %+v", f.made.Load(), s)
		}
	})
}

func TestMatchManyAtOnce(t *testing.T) {
	p, f, k, get := openKinds(t, 5)
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 300 {
				kind := string(rune('a' + r.IntN(3)))
				l, err := get(t.Context(), kind)
				if err != nil {
					t.Error(err)
					return
				}
				if got := k.get(l.Value()); got != kind {
					t.Errorf("got %q, want %q", got, kind)
				}
				if r.IntN(20) == 0 {
					l.Destroy()
				} else {
					l.Release()
				}
			}
		})
	}
	wg.Wait()
	if s := p.Stat(); s.InUse != 0 || s.Total > 5 {
		t.Errorf("%+v", s)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.check(t)
}
