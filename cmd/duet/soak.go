package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// soakOptions are the flags of duet soak.
type soakOptions struct {
	duration             time.Duration
	seed                 uint64
	backend              string
	goroutines, accounts int
	every                time.Duration
	json                 bool
}

func newSoak(s streams) *cobra.Command {
	opt := soakOptions{}
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Break everything while goroutines work, and check that callers were told the truth",
		Long: `Break everything while goroutines work, and check that callers were told the truth.

The soak starts a server of its own and a proxy before it. Transfers, inserts, reads and
cancellations go through the proxy, from many goroutines, while faults are injected:
connections are cut at each point of the protocol, half-closed, stalled, delayed, split
into bytes; sessions are ended by the server; the server is stopped and started.

Each goroutine writes down what it was told of each call. At the end this ledger is
compared with the tables, read over a connection without a proxy: nothing that was told
as applied may be missing, nothing may be applied twice, nothing that was told as not
applied may be there, and an outcome may have stayed unknown only where nothing could
tell it. Anything else is exit code 1.

The faults and the goroutines' choices come from the seed. How they fall together does
not: two runs with one seed are alike, and not the same.`,
		Example: `  duet soak --duration 5m --seed 1
  duet soak --duration 1m --backend edgedb`,
		Args: arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opt.check(); err != nil {
				return err
			}
			return soak(cmd.Context(), s, opt)
		},
	}
	cmd.Flags().DurationVar(&opt.duration, "duration", time.Minute, "how long faults are injected")
	cmd.Flags().Uint64Var(&opt.seed, "seed", 1, "what the faults and the goroutines' choices are drawn from")
	cmd.Flags().StringVar(&opt.backend, "backend", "postgres", "postgres or edgedb")
	cmd.Flags().IntVar(&opt.goroutines, "goroutines", 32, "how many work at once")
	cmd.Flags().IntVar(&opt.accounts, "accounts", 1000, "between how many accounts money is moved")
	cmd.Flags().DurationVar(&opt.every, "every", 50*time.Millisecond, "about how often a fault is injected")
	cmd.Flags().BoolVar(&opt.json, "json", false, "print one line of JSON instead of tables")
	return cmd
}

func (o soakOptions) check() error {
	switch {
	case o.duration < time.Second:
		return usagef("--duration must be at least 1s")
	case o.backend != "postgres" && o.backend != "edgedb":
		return usagef("--backend must be postgres or edgedb")
	case o.goroutines < 1 || o.goroutines > 1000:
		return usagef("--goroutines must be from 1 to 1000")
	case o.accounts < 4 || o.accounts > 100_000:
		return usagef("--accounts must be from 4 to 100000")
	case o.every < time.Millisecond:
		return usagef("--every must be at least 1ms")
	default:
		return nil
	}
}

// soak runs the soak and writes its report.
func soak(ctx context.Context, s streams, opt soakOptions) error {
	report, err := soakRun(ctx, s, opt)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		if ctx.Err() == nil && !opt.json {
			fmt.Fprintf(s.out, "\nsoak: FAILED, %v\n", err)
			return &saidError{err}
		}
		return err
	}
	if opt.json {
		err = report.writeJSON(s)
	} else {
		err = report.write(s)
	}
	if err == nil && !report.OK {
		err = &saidError{errors.New("the soak found faults")}
	}
	return err
}

// soakRun sets the stage, lets everybody work while faults are injected, and
// compares.
func soakRun(ctx context.Context, s streams, opt soakOptions) (report *soakReport, err error) {
	st, err := newStage(ctx, s, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	if !opt.json {
		fmt.Fprintf(s.out, "duet soak: %s, %d goroutines, %s accounts, %s, seed %d\n",
			st.server(), opt.goroutines, grouped(int64(opt.accounts)), opt.duration, opt.seed)
	}
	before := st.baseline()
	if err := st.open(ctx); err != nil {
		return nil, err
	}
	book := st.work(ctx, s)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if st.restartErr != nil {
		return nil, fmt.Errorf("the server did not come back: %w", st.restartErr)
	}
	calm := newPage()
	st.settle(ctx, calm)
	st.leave(ctx, calm, before)
	book.offences = append(book.offences, calm.offences...)
	found, err := st.shop.facts(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what the database holds: %w", err)
	}
	return newReport(st, book, found, judge(book, found, st.circumstances())), nil
}
