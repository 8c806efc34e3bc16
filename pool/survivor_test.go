package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/pool"
)

func survivors(t *testing.T, size int32) (*pool.Pool[*thing], *factory) {
	t.Helper()
	f := &factory{max: size}
	p, err := pool.New(pool.Config[*thing]{MaxSize: size, Connect: f.connect, Close: f.close, Terminate: f.terminate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		f.check(t)
	})
	return p, f
}

func upTo(id int64) func(*thing) bool { return func(v *thing) bool { return v.id <= id } }

func mustAcquire(t *testing.T, p *pool.Pool[*thing]) *pool.Lease[*thing] {
	t.Helper()
	l, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAcquireExistingTakesAnIdleOne(t *testing.T) {
	p, f := survivors(t, 3)
	a, b := mustAcquire(t, p), mustAcquire(t, p)
	old := a.Value().id
	a.Release()
	b.Release() // the last one used is the one that does not match
	l, err := p.AcquireExisting(t.Context(), "looker", upTo(old))
	if err != nil || l.Value().id != old || l.Holder() != "looker" {
		t.Fatalf("got %v, %v", l, err)
	}
	l.Release()
	if n := f.made.Load(); n != 2 {
		t.Errorf("%d connections were made, want 2", n)
	}
	if s := p.Stat(); s.Idle != 2 {
		t.Errorf("%d are idle afterwards, want 2", s.Idle)
	}
}

func TestAcquireExistingMakesNone(t *testing.T) {
	p, f := survivors(t, 3)
	if _, err := p.AcquireExisting(t.Context(), "", upTo(9)); err != pool.ErrNone {
		t.Errorf("from an empty pool: %v", err)
	}
	a := mustAcquire(t, p)
	if _, err := p.AcquireExisting(t.Context(), "", upTo(0)); err != pool.ErrNone {
		t.Errorf("where none matches: %v", err)
	}
	if _, err := p.AcquireExisting(pool.MarkContext(t.Context(), a), "", upTo(9)); err != pool.ErrNone {
		t.Errorf("where the caller holds the only one: %v", err)
	}
	a.Release()
	if n := f.made.Load(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// TestAcquireExistingPassesTheQueue wants a connection for which a whole queue
// waits: whoever looks a commit up must not wait behind those who begin work.
func TestAcquireExistingPassesTheQueue(t *testing.T) {
	p, _ := survivors(t, 1)
	a := mustAcquire(t, p)
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if l, err := p.Acquire(t.Context()); err == nil {
				got.Add(1)
				l.Release()
			}
		})
	}
	for p.Stat().Waiting < 10 {
		time.Sleep(time.Millisecond)
	}
	first := make(chan int32, 1)
	wg.Go(func() {
		l, err := p.AcquireExisting(t.Context(), "", upTo(1))
		if err != nil {
			t.Error(err)
			return
		}
		first <- got.Load()
		l.Release()
	})
	for !p.Claimed() {
		time.Sleep(time.Millisecond)
	}
	a.Release()
	wg.Wait()
	if n := <-first; n != 0 {
		t.Errorf("%d of the queue came before", n)
	}
}

func TestAcquireExistingEnds(t *testing.T) {
	p, _ := survivors(t, 2)
	a := mustAcquire(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := p.AcquireExisting(ctx, "", upTo(1)); !errors.Is(err, context.Canceled) || !errors.Is(err, pool.ErrExhausted) {
		t.Errorf("ctx ended: %v", err)
	}
	time.AfterFunc(5*time.Millisecond, a.Destroy)
	if _, err := p.AcquireExisting(t.Context(), "", upTo(1)); err != pool.ErrNone {
		t.Errorf("the last one went: %v", err)
	}
	b := mustAcquire(t, p)
	time.AfterFunc(5*time.Millisecond, func() { go p.Close(context.Background()); time.Sleep(50 * time.Millisecond); b.Release() })
	if _, err := p.AcquireExisting(t.Context(), "", upTo(9)); err != pool.ErrClosed {
		t.Errorf("the pool was closed: %v", err)
	}
}

// TestAcquireExistingUnderLoad has lookers and workers want the same few
// connections, some of which die.
func TestAcquireExistingUnderLoad(t *testing.T) {
	p, _ := survivors(t, 4)
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	var wg sync.WaitGroup
	var found, none atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l, err := p.Acquire(ctx)
				if err != nil {
					continue
				}
				if (n+i)%17 == 0 {
					l.Destroy()
				} else {
					l.Release()
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch l, err := p.AcquireExisting(ctx, "", func(v *thing) bool { return v.id%2 == 0 }); {
				case err == nil:
					if l.Value().id%2 != 0 {
						t.Error("it does not match")
					}
					found.Add(1)
					l.Release()
				case err == pool.ErrNone:
					none.Add(1)
					time.Sleep(10 * time.Microsecond) // let the others work, on one processor
				}
			}
		})
	}
	wg.Wait()
	if found.Load() == 0 {
		t.Error("nothing was ever found")
	}
	if s := p.Stat(); s.InUse != 0 {
		t.Errorf("%d are still lent", s.InUse)
	}
	t.Logf("found %d, none %d", found.Load(), none.Load())
}

func TestHold(t *testing.T) {
	p, f := survivors(t, 3)
	p.Hold(2)
	p.Hold(1)
	for p.Stat().Idle != 2 {
		time.Sleep(time.Millisecond)
	}
	p.Hold(100) // MaxSize bounds it
	for p.Stat().Idle != 3 {
		time.Sleep(time.Millisecond)
	}
	if f.made.Load() != 3 {
		t.Errorf("%d were made, want 3", f.made.Load())
	}
}
