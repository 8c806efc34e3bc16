package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// demoOptions are the flags of duet demo.
type demoOptions struct {
	dsns     []string
	own      bool // start servers
	embedded bool
	plain    bool
	title    string // of the backend, while its part runs

	transfers, accounts, workers int
}

func newDemo(s streams) *cobra.Command {
	var opt demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the library work on both backends: on servers of its own, or on yours",
		Long: `See the library work: the same work, through the same calls, on both backends. The demo
starts a throw-away PostgreSQL, and a server that speaks EdgeDB's protocol over it. On
each it reads rows into structs and as JSON, then moves money between accounts from many
goroutines, some of it between a few accounts that everybody wants, so that
transactions conflict and are retried. At the end it checks that each transfer was
applied exactly once, that no money was made or lost, and that errors are of the same
kinds on both.

With --dsn, once or twice, it works in your databases and drops what it made at the end:
on PostgreSQL the schema duet_demo, on EdgeDB the types Account, Transfer and Color of the
module default. What bears these names and was not made by the demo is left alone: that
is an error. On EdgeDB one demo at a time may run in a branch.`,
		Example: `  duet demo
  duet demo --dsn postgres://anna@localhost/test --dsn edgedb://edgedb@localhost/test`,
		Args: arguments(0, 0, "none; DSNs are given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.own = !cmd.Flags().Changed("dsn")
			if err := opt.check(); err != nil {
				return err
			}
			for _, text := range opt.dsns {
				if err := checkScheme(text); err != nil {
					return err
				}
			}
			return demo(cmd.Context(), s, opt)
		},
	}
	cmd.Flags().StringArrayVar(&opt.dsns, "dsn", nil, "work in this database, twice for two (default: start servers)")
	cmd.Flags().BoolVar(&opt.embedded, "embedded", false, "start a downloaded PostgreSQL, even where one is installed")
	cmd.Flags().BoolVar(&opt.plain, "plain", false, "write progress in lines, on a terminal too")
	cmd.Flags().IntVar(&opt.transfers, "transfers", 20000, "how many transfers to make on each backend")
	cmd.Flags().IntVar(&opt.accounts, "accounts", 1000, "between how many accounts")
	cmd.Flags().IntVar(&opt.workers, "workers", 16, "from how many goroutines, each with a connection")
	return cmd
}

func (o demoOptions) check() error {
	switch {
	case o.embedded && !o.own:
		return usagef("--embedded starts a server and --dsn names one: use one of them")
	case len(o.dsns) > 2:
		return usagef("--dsn can be given twice, not %d times", len(o.dsns))
	case o.transfers < 1 || o.transfers > 10_000_000:
		return usagef("--transfers must be from 1 to 10000000")
	case o.accounts < 2 || o.accounts > 1_000_000:
		return usagef("--accounts must be from 2 to 1000000")
	case o.workers < 1 || o.workers > 1000:
		return usagef("--workers must be from 1 to 1000")
	default:
		return nil
	}
}

// demo runs the demo and writes its last line: everything was cleared up then.
func demo(ctx context.Context, s streams, opt demoOptions) error {
	checks, err := demoOnServers(ctx, s, opt)
	if err != nil && isUsage(err) {
		return err
	}
	failed := 0
	for _, c := range checks {
		if c.failure != "" {
			failed++
		}
	}
	switch {
	case ctx.Err() != nil:
		err = &saidError{ctx.Err()}
		fmt.Fprintln(s.out, "\ndemo: FAILED, interrupted")
	case err != nil:
		fmt.Fprintf(s.out, "\ndemo: FAILED, %v\n", err)
		err = &saidError{err}
	case failed > 0:
		err = &saidError{errors.New("checks failed")}
		fmt.Fprintf(s.out, "\ndemo: FAILED, %d of %d checks failed\n", failed, len(checks))
	default:
		_, err = fmt.Fprintf(s.out, "\ndemo: ok, %d checks passed\n", len(checks))
	}
	return err
}

// demoOnServers starts the servers where none were named, and stops them.
func demoOnServers(ctx context.Context, s streams, opt demoOptions) (checks []check, err error) {
	fmt.Fprintln(s.out, "duet demo: rows into structs and JSON, transactions that retry themselves")
	if !opt.own {
		return demoOnDSNs(ctx, s, opt, "the one of --dsn")
	}
	servers, err := startServers(ctx, s, opt.embedded)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, servers.close()) }()
	opt.dsns = []string{servers.postgres.DSN(), servers.edgedb.DSN()}
	return demoOnDSNs(ctx, s, opt, "started for this demo, "+servers.postgres.Source(),
		"a test server that speaks its protocol over that\n  PostgreSQL: what it shows of EdgeDB's ways is true, its speed is not EdgeDB's")
}

// demoOnDSNs runs the demo in each database; origins say where the servers come
// from, the last one of the rest too.
func demoOnDSNs(ctx context.Context, s streams, opt demoOptions, origins ...string) (checks []check, err error) {
	var sides []*side
	defer func() {
		for _, side := range sides {
			err = side.close(ctx, err)
		}
	}()
	fmt.Fprintln(s.out, "\nServers")
	for i, text := range opt.dsns {
		side, err := openSide(ctx, text, opt)
		if err != nil {
			return nil, err
		}
		sides = append(sides, side)
		fmt.Fprintf(s.out, "  %s, %s\n", side.server(), origins[min(i, len(origins)-1)])
	}
	for _, side := range sides {
		if err := side.begin(ctx, s); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(s.out, "\n%s transfers between %s accounts from %d goroutines, serializable;\none in %d of them between %d accounts that everybody wants\n",
		grouped(int64(opt.transfers)), grouped(int64(opt.accounts)), opt.workers, hotShare, min(hotAccounts, opt.accounts))
	for _, side := range sides {
		if err := side.work.run(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %w", side.title, err)
		}
	}
	for _, side := range sides {
		if err := side.finish(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", side.title, err)
		}
		if err := printChecks(s, side.title, side.checks); err != nil {
			return nil, err
		}
		checks = append(checks, side.checks...)
	}
	return checks, writeSides(s, sides)
}
