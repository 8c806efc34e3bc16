package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

// even says whether a thing is one of those to be expired.
func even(v *thing) bool { return v.id%2 == 0 }

func TestExpireWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 6, nil)
		var ls []*pool.Lease[*thing]
		for range 6 {
			ls = append(ls, acquire(t, p))
		}
		for _, l := range ls[2:] { // 3, 4, 5 and 6 are idle, 6 was used last
			l.Release()
		}
		if n := p.ExpireWhere(even); n != 3 {
			t.Errorf("%d are meant, want 2, 4 and 6", n)
		}
		synctest.Wait()
		if n := f.open.Load(); n != 4 {
			t.Errorf("the idle ones were to be closed, and %d are open", n)
		}
		if ls[1].Value().closed.Load() {
			t.Error("a lent connection was closed under its holder")
		}
		for _, want := range []int64{5, 3} { // the one used last comes first, as before
			l := acquire(t, p)
			if l.Value().id != want {
				t.Errorf("got %d, want %d", l.Value().id, want)
			}
			defer l.Release()
		}
		ls[0].Release()
		ls[1].Release()
		synctest.Wait()
		if n := f.open.Load(); n != 3 {
			t.Errorf("the lent one was to be closed at its return, and %d are open", n)
		}
		if s := p.Stat(); s.ByReason[pool.ReasonExpired] != 3 || s.Closed != 3 || s.Idle != 1 {
			t.Errorf("%+v", s)
		}
		if n := p.ExpireWhere(even); n != 0 || f.open.Load() != 3 {
			t.Errorf("%d are meant, of none", n)
		}
	})
}

func TestExpireWhereInTheMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, goOn := make(chan struct{}), make(chan struct{})
		slow := true
		p, f := open(t, 2, func(c *pool.Config[*thing]) {
			connect := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) {
				if slow {
					slow = false
					close(begun)
					<-goOn
				}
				return connect(ctx)
			}
		})
		got := make(chan *pool.Lease[*thing])
		go func() {
			l, err := p.Acquire(context.Background())
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		<-begun
		if n := p.ExpireWhere(func(v *thing) bool { return v.id == 1 }); n != 0 {
			t.Errorf("%d are meant, and none is there", n)
		}
		p.ExpireWhere(func(v *thing) bool { return v.id == 7 })
		close(goOn)
		l := <-got
		if l.Value().id != 2 {
			t.Errorf("lent %d, which was to be replaced", l.Value().id)
		}
		l.Release()
		synctest.Wait()
		if n := f.open.Load(); n != 1 {
			t.Errorf("the other one was to be closed, and %d are open", n)
		}
		if s := p.Stat(); s.ByReason[pool.ReasonExpired] != 1 {
			t.Errorf("%+v", s)
		}
		if l := acquire(t, p); l.Value().id != 2 { // later ones are not meant
			t.Errorf("lent %d", l.Value().id)
		} else {
			l.Release()
		}
	})
}

// Whatever is marked is never lent after ExpireWhere has returned.
func TestExpireWhereRace(t *testing.T) {
	p, f := open(t, 8, nil)
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	var mu sync.RWMutex
	limit := int64(0) // all up to it are to be gone
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.RLock()
				gone := limit
				mu.RUnlock()
				l, err := p.Acquire(ctx)
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					return
				}
				if id := l.Value().id; id <= gone {
					t.Errorf("%d was lent, and all up to %d were to be replaced", id, gone)
				}
				if rand.IntN(4) == 0 {
					l.Destroy()
				} else {
					l.Release()
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				upTo := f.made.Load()
				p.ExpireWhere(func(v *thing) bool { return v.id <= upTo })
				mu.Lock()
				limit = max(limit, upTo)
				mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			}
		})
	}
	wg.Wait()
	t.Logf("%d made, %+v", f.made.Load(), p.Stat())
}
