package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// plan says what to measure and how.
type plan struct {
	target    Target
	isolation string
	scale     Scale
	drivers   []Driver
	workloads []Workload
	rounds    int
	slice     time.Duration
	progress  io.Writer
}

// maxWholeRounds bounds the rounds of workloads whose slice is one long
// operation.
const maxWholeRounds = 3

// closeTimeout bounds the closing of connections after the run's own ctx.
const closeTimeout = 10 * time.Second

// contender is a driver in a workload, and what was measured of it.
type contender struct {
	driver  Driver
	runner  Runner
	samples []Sample // one a round
}

func (p plan) run(ctx context.Context) ([]WorkloadReport, error) {
	var reports []WorkloadReport
	for _, w := range p.workloads {
		start := time.Now()
		fmt.Fprintf(p.progress, "%-20s", w.Name)
		r, err := p.runWorkload(ctx, w)
		if err != nil {
			fmt.Fprintln(p.progress, "failed")
			return nil, fmt.Errorf("workload %s: %w", w.Name, err)
		}
		fmt.Fprintf(p.progress, "%.1f s\n", time.Since(start).Seconds())
		reports = append(reports, r)
	}
	return reports, nil
}

// check holds that each workload has a driver.
func (p plan) check() error {
	for _, w := range p.workloads {
		if !slices.ContainsFunc(p.drivers, func(d Driver) bool { return runs(d, w) }) {
			return usageError{fmt.Errorf("none of the drivers runs the workload %s", w.Name)}
		}
	}
	return nil
}

func (p plan) runWorkload(ctx context.Context, w Workload) (report WorkloadReport, err error) {
	books, err := openBooks(ctx, p.target, w)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, books.close(context.WithoutCancel(ctx))) }()
	var field []*contender
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, closeAll(ctx, field))
	}()
	for _, d := range p.drivers {
		if !runs(d, w) {
			continue
		}
		runner, err := startDriver(ctx, d, request{Target: p.target, Workload: w.Name, Scale: p.scale})
		if err != nil {
			return report, fmt.Errorf("%s: connecting: %w", d.Name(), err)
		}
		field = append(field, &contender{driver: d, runner: runner})
		if err := p.checkIsolation(ctx, d, runner); err != nil {
			return report, err
		}
	}
	rows, err := verify(ctx, w, field, books)
	if err != nil {
		return report, err
	}
	if err := p.measure(ctx, w, field, books); err != nil {
		return report, err
	}
	return newWorkloadReport(w, field, rows), nil
}

func closeAll(ctx context.Context, field []*contender) error {
	errs := make([]error, len(field))
	var done sync.WaitGroup
	for i, c := range field {
		done.Go(func() { errs[i] = c.runner.Close(ctx) })
	}
	done.Wait()
	return errors.Join(errs...)
}

// checkIsolation holds that all sessions have the level that the report names.
func (p plan) checkIsolation(ctx context.Context, d Driver, r Runner) error {
	got, err := r.Setting(ctx, "transaction_isolation")
	if err != nil {
		return fmt.Errorf("%s: asking for the isolation level: %w", d.Name(), err)
	}
	if !strings.EqualFold(got, p.isolation) {
		return fmt.Errorf("%s runs under the isolation level %q, not %q: set the server's default_transaction_isolation, or name the level with --isolation",
			d.Name(), got, p.isolation)
	}
	return nil
}

// verify holds that all drivers read the same, and gives the number of rows of
// an operation.
func verify(ctx context.Context, w Workload, field []*contender, books *books) (int64, error) {
	keys := []int64{1}
	if w.Keys > 0 {
		keys = []int64{w.Keys/2 + 1, w.Keys, 1}
	}
	var rows int64
	for _, key := range keys {
		var digests []Digest
		for _, c := range field {
			d, err := c.runner.Verify(ctx, key)
			if err != nil {
				return 0, fmt.Errorf("%s: verifying: %w", c.driver.Name(), err)
			}
			if err := books.witnessed(ctx); err != nil {
				return 0, fmt.Errorf("%s: %w", c.driver.Name(), err)
			}
			for i, other := range digests {
				if !d.agrees(other) {
					return 0, fmt.Errorf("%s reads %+v where %s reads %+v",
						c.driver.Name(), d, field[i].driver.Name(), other)
				}
			}
			digests = append(digests, d)
			rows = d.Rows
		}
	}
	return rows, books.seal(ctx)
}

// order is the order of n drivers in a round: who begins moves on by one. Where
// they write, it is shuffled, as what one has written the server may still be
// busy with in the next one's slice.
func (w Workload) order(round, n int) []int {
	if w.Shape == ShapeDeposit {
		return rand.New(rand.NewPCG(uint64(round), 1)).Perm(n)
	}
	var order []int
	for i := range n {
		order = append(order, (round+i)%n)
	}
	return order
}

// measure runs the rounds. In each, every driver has one slice.
func (p plan) measure(ctx context.Context, w Workload, field []*contender, books *books) error {
	rounds := p.rounds
	slice := Slice{Duration: p.slice}
	if w.Whole {
		rounds = min(rounds, maxWholeRounds)
		slice = Slice{Duration: math.MaxInt64, MaxOps: 1, WatchMemory: true}
	} else {
		warm := Slice{Duration: p.slice / 2, Seed: math.MaxUint64}
		for _, c := range field {
			sample, err := c.runner.Measure(ctx, warm)
			if err == nil {
				err = books.balanced(ctx, c.driver, sample.Ops)
			}
			if err != nil {
				return fmt.Errorf("%s: warming up: %w", c.driver.Name(), err)
			}
		}
	}
	for round := range rounds {
		slice.Seed = uint64(round)
		for _, i := range w.order(round, len(field)) {
			c := field[i]
			sample, err := c.runner.Measure(ctx, slice)
			if err == nil {
				err = books.balanced(ctx, c.driver, sample.Ops)
			}
			if err != nil {
				return fmt.Errorf("%s: round %d: %w", c.driver.Name(), round+1, err)
			}
			c.samples = append(c.samples, sample)
		}
	}
	return nil
}
