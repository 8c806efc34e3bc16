package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// client is what a driver of this process implements: each method does what a
// user of the driver would write for that shape.
type client interface {
	Int(ctx context.Context) (int32, error)
	Account(ctx context.Context, id int64) (Account, error)
	// Types and Ints may give a slice that the next call overwrites.
	Types(ctx context.Context) ([]PgType, error)
	Ints(ctx context.Context) ([]int32, error)
	Events(ctx context.Context, s *sink) error
	Setting(ctx context.Context, name string) (string, error)
	Close(ctx context.Context) error
}

// sink takes streamed rows. While measuring it only counts them.
type sink struct {
	digest Digest
	full   bool
}

func (s *sink) take(e *Event) {
	if s.full {
		s.digest.addEvent(e)
		return
	}
	s.digest.Rows++
}

// local is the Runner of a driver in this process.
type local struct {
	w       Workload
	run     func(ctx context.Context, worker int, key int64) error // one operation
	verify  func(ctx context.Context, key int64) (Digest, error)
	setting func(ctx context.Context, name string) (string, error)
	close   func(ctx context.Context) error

	rows    int64       // of one operation, from Verify
	latency []histogram // one a worker
}

// newLocal makes a Runner of c. Each measured operation checks what it can check
// for next to nothing: a number of rows, a key.
func newLocal(w Workload, c client) (*local, error) {
	l := &local{w: w, setting: c.Setting, close: c.Close}
	switch w.Shape {
	case ShapeInt:
		l.run = func(ctx context.Context, _ int, _ int64) error {
			n, err := c.Int(ctx)
			return checked(err, n == 2)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			n, err := c.Int(ctx)
			return digestInts(n), err
		}
	case ShapeAccount:
		l.run = func(ctx context.Context, _ int, key int64) error {
			a, err := c.Account(ctx, key)
			return checked(err, a.ID == key)
		}
		l.verify = func(ctx context.Context, key int64) (Digest, error) {
			a, err := c.Account(ctx, key)
			return digestAccount(a), err
		}
	case ShapeTypes:
		l.run = func(ctx context.Context, _ int, _ int64) error {
			types, err := c.Types(ctx)
			return checked(err, int64(len(types)) == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			types, err := c.Types(ctx)
			return digestTypes(types), err
		}
	case ShapeInts:
		l.run = func(ctx context.Context, _ int, _ int64) error {
			ints, err := c.Ints(ctx)
			return checked(err, int64(len(ints)) == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			ints, err := c.Ints(ctx)
			return digestInts(ints...), err
		}
	case ShapeEvents:
		l.run = func(ctx context.Context, _ int, _ int64) error {
			var s sink
			err := c.Events(ctx, &s)
			return checked(err, s.digest.Rows == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			s := sink{full: true}
			err := c.Events(ctx, &s)
			return s.digest, err
		}
	case ShapeDeposit:
		d, ok := c.(depositor)
		if !ok {
			return nil, fmt.Errorf("%T makes no deposits", c)
		}
		return newDeposits(w, d), nil
	default:
		return nil, fmt.Errorf("workload %s has a shape that is not known: %d", w.Name, w.Shape)
	}
	return l, nil
}

func checked(err error, ok bool) error {
	if err == nil && !ok {
		return fmt.Errorf("the result is not what it was when it was verified")
	}
	return err
}

// Setting implements Runner.
func (l *local) Setting(ctx context.Context, name string) (string, error) {
	return l.setting(ctx, name)
}

// Verify implements Runner.
func (l *local) Verify(ctx context.Context, key int64) (Digest, error) {
	d, err := l.verify(ctx, key)
	l.rows = d.Rows
	return d, err
}

// Close implements Runner.
func (l *local) Close(ctx context.Context) error { return l.close(ctx) }

// Measure implements Runner. It must follow a Verify.
func (l *local) Measure(ctx context.Context, s Slice) (Sample, error) {
	l.latency = slices.Grow(l.latency[:0], l.w.workers())[:l.w.workers()]
	for i := range l.latency {
		l.latency[i].reset()
	}

	// Each slice starts on a clean heap: nobody collects another's garbage.
	runtime.GC()
	var memory *memoryWatch
	if s.WatchMemory {
		debug.FreeOSMemory()
		memory = watchMemory()
		defer memory.stop()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	n, elapsed, err := l.work(ctx, s)
	if err != nil {
		return Sample{}, err
	}
	sample := Sample{Ops: n, Elapsed: elapsed, CPU: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	sample.Allocs = after.Mallocs - before.Mallocs
	sample.Bytes = after.TotalAlloc - before.TotalAlloc
	latency := &l.latency[0]
	for i := range l.latency[1:] {
		latency.merge(&l.latency[1+i])
	}
	sample.P50, sample.P99 = latency.quantile(0.50), latency.quantile(0.99)
	if memory != nil {
		sample.PeakHeap, sample.PeakRSS = memory.stop()
	}
	return sample, ctx.Err()
}

// work runs the operations of a slice, in a goroutine for each worker where
// there are several.
func (l *local) work(ctx context.Context, s Slice) (ops int64, elapsed time.Duration, err error) {
	start := time.Now()
	if l.w.workers() == 1 {
		return l.loop(ctx, s, 0, start)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range l.w.workers() {
		all.Go(func() {
			n, took, failed := l.loop(ctx, s, worker, start)
			mu.Lock()
			defer mu.Unlock()
			ops, elapsed, err = ops+n, max(elapsed, took), errors.Join(err, failed)
		})
	}
	all.Wait()
	return ops, elapsed, err
}

// loop runs one worker's operations.
func (l *local) loop(ctx context.Context, s Slice, worker int, start time.Time) (n int64, now time.Duration, err error) {
	// The caller's ctx is for the time between slices: whether an operation's
	// context can be cancelled is a cost that the workload decides on.
	ops := context.Background()
	if l.w.Cancellable {
		var cancel context.CancelFunc
		ops, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	keys := rand.New(rand.NewPCG(s.Seed, uint64(worker)))
	first, span := l.w.keysOf(worker)
	for last := time.Since(start); ; last = now {
		key := first
		if span > 1 {
			key += keys.Int64N(span)
		}
		if err := l.run(ops, worker, key); err != nil {
			return n, now, err
		}
		n++
		now = time.Since(start)
		l.latency[worker].add(now - last)
		if now >= s.Duration || n == s.MaxOps {
			return n, now, nil
		}
	}
}
