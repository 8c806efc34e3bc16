package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/duetdb/duet/pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken on purpose")

// thing is what the tests pool.
type thing struct {
	id         int64
	sick       atomic.Bool
	closed     atomic.Bool
	terminated atomic.Int32
}

// factory makes things, counts them, and notes when more are open than may be.
type factory struct {
	max     int32
	made    atomic.Int64
	open    atomic.Int32
	tooMany atomic.Bool
	fail    atomic.Bool

	mu  sync.Mutex
	all []*thing
}

func (f *factory) connect(context.Context) (*thing, error) {
	// What is in the making counts too.
	if f.open.Add(1) > f.max {
		f.tooMany.Store(true)
	}
	if f.fail.Load() {
		f.open.Add(-1)
		return nil, errBroken
	}
	t := &thing{id: f.made.Add(1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, t)
	return t, nil
}

func (f *factory) gone(t *thing) {
	if !t.closed.Swap(true) {
		f.open.Add(-1)
	}
}

func (f *factory) close(_ context.Context, t *thing) { f.gone(t) }

func (f *factory) terminate(t *thing) {
	t.terminated.Add(1)
	f.gone(t)
}

// check holds what is true of every pool once it is closed.
func (f *factory) check(t testing.TB) {
	t.Helper()
	if f.tooMany.Load() {
		t.Errorf("more than %d were open at once", f.max)
	}
	if n := f.open.Load(); n != 0 {
		t.Errorf("%d were left open", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.all {
		if n := v.terminated.Load(); n > 1 {
			t.Errorf("thing %d was terminated %d times", v.id, n)
		}
	}
}

// open makes a pool over a new factory; edit may be nil. The test's end closes
// both and looks for what was lost.
func open(t testing.TB, maxSize int32, edit func(*pool.Config[*thing])) (*pool.Pool[*thing], *factory) {
	t.Helper()
	f := &factory{max: maxSize}
	cfg := pool.Config[*thing]{MaxSize: maxSize, Connect: f.connect, Close: f.close, Terminate: f.terminate}
	if edit != nil {
		edit(&cfg)
	}
	p, err := pool.New(cfg)
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

func acquire(t testing.TB, p *pool.Pool[*thing]) *pool.Lease[*thing] {
	t.Helper()
	l, err := p.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l
}
