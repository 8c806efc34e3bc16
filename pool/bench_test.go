package pool_test

import (
	"context"
	"testing"

	"github.com/jackc/puddle/v2"

	"github.com/duetdb/duet/pool"
)

func newBenchPool(b testing.TB, size int32, edit func(*pool.Config[*thing])) *pool.Pool[*thing] {
	p, _ := open(b, size, edit)
	acquire(b, p).Release()
	return p
}

func BenchmarkAcquireRelease(b *testing.B) {
	cancellable, cancel := context.WithCancel(context.WithValue(context.Background(), benchKey{}, 1))
	defer cancel()
	for _, bc := range []struct {
		name string
		ctx  context.Context
		edit func(*pool.Config[*thing])
	}{
		{"background", context.Background(), nil},
		{"cancellable", cancellable, nil},
		{"healthy+reset", cancellable, func(c *pool.Config[*thing]) {
			c.Healthy = func(v *thing) bool { return !v.sick.Load() }
			c.Reset = func(*thing) error { return nil }
		}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			p := newBenchPool(b, 4, bc.edit)
			b.ReportAllocs()
			for b.Loop() {
				l, err := p.Acquire(bc.ctx)
				if err != nil || l.Value() == nil {
					b.Fatal(err)
				}
				l.Release()
			}
		})
	}
}

type benchKey struct{}

// BenchmarkPuddle is what the pool stands on.
func BenchmarkPuddle(b *testing.B) {
	p, err := puddle.NewPool(&puddle.Config[*thing]{
		Constructor: func(context.Context) (*thing, error) { return &thing{}, nil },
		Destructor:  func(*thing) {},
		MaxSize:     4,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		r, err := p.Acquire(ctx)
		if err != nil || r.Value() == nil {
			b.Fatal(err)
		}
		r.Release()
	}
}

// BenchmarkContended has 32 goroutines for each CPU on 2 connections.
func BenchmarkContended(b *testing.B) {
	b.Run("pool", func(b *testing.B) {
		p := newBenchPool(b, 2, nil)
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				acquire(b, p).Release()
			}
		})
	})
	b.Run("puddle", func(b *testing.B) {
		p, err := puddle.NewPool(&puddle.Config[*thing]{
			Constructor: func(context.Context) (*thing, error) { return &thing{}, nil },
			Destructor:  func(*thing) {},
			MaxSize:     2,
		})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r, err := p.Acquire(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := newBenchPool(t, 1, nil)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		l, err := p.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		l.Release()
	}); n > 1 {
		t.Errorf("an idle connection costs %v allocations, want at most 1", n)
	}
}
