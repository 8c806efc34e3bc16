package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// workload is something that every driver does.
type workload struct {
	name, title string
	run         func(ctx context.Context, s session, o options, seed uint64) (sample, error)
}

// sample is what one slice measured.
type sample struct {
	ops     int
	elapsed time.Duration
	p50     time.Duration
	opened  int // connections opened meanwhile; -1 where nobody counts
}

func workloads() []workload {
	return []workload{
		{"single", "one goroutine, `select 1`", func(ctx context.Context, s session, o options, _ uint64) (sample, error) {
			return flood(ctx, 1, o.slice, s.one)
		}},
		{"single_object", "one goroutine, an object of 6 fields by its name", func(ctx context.Context, s session, o options, _ uint64) (sample, error) {
			return flood(ctx, 1, o.slice, s.account)
		}},
		{"bursts", "bursts of 8 queries at once, one burst after the other", func(ctx context.Context, s session, o options, _ uint64) (sample, error) {
			return bursts(ctx, s, o.bursts)
		}},
		{"thinking", "8 goroutines, each thinking for 2 to 10 ms between its queries", func(ctx context.Context, s session, o options, seed uint64) (sample, error) {
			return thinking(ctx, s, o.slice, seed)
		}},
		{"flood", "64 goroutines without pause", func(ctx context.Context, s session, o options, _ uint64) (sample, error) {
			return flood(ctx, 64, o.slice, s.one)
		}},
	}
}

// chosen are the workloads that a list separated by commas names; an empty one
// names all.
func chosen(list string) ([]workload, error) {
	all := workloads()
	if list == "" {
		return all, nil
	}
	var picked []workload
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no workload %q", name)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

// bursts runs eight queries at once, n times.
func bursts(ctx context.Context, s session, n int) (sample, error) {
	start := time.Now()
	for range n {
		if err := together(connections, func(int) error { return s.one(ctx) }); err != nil {
			return sample{}, err
		}
	}
	return sample{ops: n * connections, elapsed: time.Since(start)}, nil
}

// together runs f in n goroutines and gives one of their errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() { errs[i] = f(i) })
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// thinking has eight goroutines wait for a random while between their queries.
func thinking(ctx context.Context, s session, slice time.Duration, seed uint64) (sample, error) {
	counts := make([]int, connections)
	start := time.Now()
	err := together(connections, func(i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for time.Since(start) < slice {
			time.Sleep(2*time.Millisecond + rand1(r, 8*time.Millisecond))
			if err := s.one(ctx); err != nil {
				return err
			}
			counts[i]++
		}
		return nil
	})
	total := sample{elapsed: time.Since(start)}
	for _, n := range counts {
		total.ops += n
	}
	return total, err
}

func rand1(r *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(below)))
}

// flood has n goroutines query without pause.
func flood(ctx context.Context, n int, slice time.Duration, query func(context.Context) error) (sample, error) {
	took := make([][]time.Duration, n)
	start := time.Now()
	err := together(n, func(i int) error {
		for begun := time.Now(); begun.Sub(start) < slice; {
			if err := query(ctx); err != nil {
				return err
			}
			now := time.Now()
			took[i] = append(took[i], now.Sub(begun))
			begun = now
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return sample{ops: len(all), elapsed: time.Since(start), p50: all[len(all)/2]}, nil
}
