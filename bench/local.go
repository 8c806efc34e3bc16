package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
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
	run     func(ctx context.Context, key int64) error // one operation
	verify  func(ctx context.Context, key int64) (Digest, error)
	setting func(ctx context.Context, name string) (string, error)
	close   func(ctx context.Context) error

	rows    int64 // of one operation, from Verify
	latency histogram
}

// newLocal makes a Runner of c. Each measured operation checks what it can check
// for next to nothing: a number of rows, a key.
func newLocal(w Workload, c client) (*local, error) {
	l := &local{w: w, setting: c.Setting, close: c.Close}
	switch w.Shape {
	case ShapeInt:
		l.run = func(ctx context.Context, _ int64) error {
			n, err := c.Int(ctx)
			return checked(err, n == 2)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			n, err := c.Int(ctx)
			return digestInts(n), err
		}
	case ShapeAccount:
		l.run = func(ctx context.Context, key int64) error {
			a, err := c.Account(ctx, key)
			return checked(err, a.ID == key)
		}
		l.verify = func(ctx context.Context, key int64) (Digest, error) {
			a, err := c.Account(ctx, key)
			return digestAccount(a), err
		}
	case ShapeTypes:
		l.run = func(ctx context.Context, _ int64) error {
			types, err := c.Types(ctx)
			return checked(err, int64(len(types)) == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			types, err := c.Types(ctx)
			return digestTypes(types), err
		}
	case ShapeInts:
		l.run = func(ctx context.Context, _ int64) error {
			ints, err := c.Ints(ctx)
			return checked(err, int64(len(ints)) == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			ints, err := c.Ints(ctx)
			return digestInts(ints...), err
		}
	case ShapeEvents:
		l.run = func(ctx context.Context, _ int64) error {
			var s sink
			err := c.Events(ctx, &s)
			return checked(err, s.digest.Rows == l.rows)
		}
		l.verify = func(ctx context.Context, _ int64) (Digest, error) {
			s := sink{full: true}
			err := c.Events(ctx, &s)
			return s.digest, err
		}
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
	// The caller's ctx is for the time between slices: whether an operation's
	// context can be cancelled is a cost that the workload decides on.
	ops := context.Background()
	if l.w.Cancellable {
		var cancel context.CancelFunc
		ops, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	keys := rand.New(rand.NewPCG(s.Seed, 0))
	l.latency.reset()

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
	var n int64
	var last, now time.Duration
	for start := time.Now(); ; last = now {
		key := int64(1)
		if l.w.Keys > 0 {
			key += keys.Int64N(l.w.Keys)
		}
		if err := l.run(ops, key); err != nil {
			return Sample{}, err
		}
		n++
		now = time.Since(start)
		l.latency.add(now - last)
		if now >= s.Duration || n == s.MaxOps {
			break
		}
	}
	sample := Sample{Ops: n, Elapsed: now, CPU: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	sample.Allocs = after.Mallocs - before.Mallocs
	sample.Bytes = after.TotalAlloc - before.TotalAlloc
	sample.P50, sample.P99 = l.latency.quantile(0.50), l.latency.quantile(0.99)
	if memory != nil {
		sample.PeakHeap, sample.PeakRSS = memory.stop()
	}
	return sample, ctx.Err()
}
