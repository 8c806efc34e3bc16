package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/backends/postgres"
	"github.com/spf13/cobra"
)

// demoOptions are the flags of duet demo.
type demoOptions struct {
	dsn      string
	own      bool // start a server
	embedded bool
	plain    bool

	transfers, accounts, workers int
}

func newDemo(s streams) *cobra.Command {
	var opt demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the library work: on a PostgreSQL of its own, or on yours",
		Long: `See the library work. The demo starts a throw-away PostgreSQL, reads the server's own
catalogue into structs and as JSON, then moves money between accounts from many
goroutines, some of it between a few accounts that everybody wants, so that
transactions conflict and are retried. At the end it checks that each transfer was
applied exactly once and that no money was made or lost.

With --dsn it works in the schema duet_demo of your database and drops it at the end.
A schema of that name that the demo did not make is left alone: that is an error.`,
		Args: arguments(0, 0, "none; the DSN is given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.own = !cmd.Flags().Changed("dsn")
			if err := opt.check(); err != nil {
				return err
			}
			if err := checkScheme(opt.dsn); err != nil {
				return err
			}
			return demo(cmd.Context(), s, opt)
		},
	}
	dsnFlag(cmd, &opt.dsn, "work in this database (default: start a PostgreSQL)")
	cmd.Flags().BoolVar(&opt.embedded, "embedded", false, "start a downloaded PostgreSQL, even where one is installed")
	cmd.Flags().BoolVar(&opt.plain, "plain", false, "write progress in lines, on a terminal too")
	cmd.Flags().IntVar(&opt.transfers, "transfers", 20000, "how many transfers to make")
	cmd.Flags().IntVar(&opt.accounts, "accounts", 1000, "between how many accounts")
	cmd.Flags().IntVar(&opt.workers, "workers", 16, "from how many goroutines, each with a connection")
	return cmd
}

func (o demoOptions) check() error {
	switch {
	case o.embedded && !o.own:
		return usagef("--embedded starts a server and --dsn names one: use one of them")
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
	checks, err := demoOnServer(ctx, s, opt)
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

// demoOnServer starts the server where none was named, and stops it.
func demoOnServer(ctx context.Context, s streams, opt demoOptions) (checks []check, err error) {
	fmt.Fprintln(s.out, "duet demo: queries into structs and JSON, transactions that retry themselves")
	if !opt.own {
		return demoOnDSN(ctx, s, opt, "the one of --dsn")
	}
	server, err := startServer(ctx, s, opt.embedded)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	opt.dsn = server.DSN()
	return demoOnDSN(ctx, s, opt, "started for this demo, "+server.Source())
}

// demoOnDSN connects, makes the demo's schema, and drops it at the end.
func demoOnDSN(ctx context.Context, s streams, opt demoOptions, origin string) (checks []check, err error) {
	labelled, err := withLabel(opt.dsn, demoLabel)
	if err != nil {
		return nil, err
	}
	var tally tally
	client, err := connect(ctx, labelled, postgres.Config{MaxConns: int32(opt.workers), Hooks: tally.hooks()})
	if err != nil {
		return nil, err
	}
	defer func() { err = closeClient(ctx, client, err) }()
	fmt.Fprintf(s.out, "\nServer\n  PostgreSQL %s, %s\n", client.Backend().ServerVersion, origin)
	b, err := openBank(ctx, labelled, client, opt.accounts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close(ctx)) }()
	catalogue, err := showCatalogue(ctx, s, client)
	if err != nil {
		return nil, err
	}
	work := newWork(b, opt, &tally)
	if err := work.run(ctx, s); err != nil {
		return nil, err
	}
	if err := work.report(s); err != nil {
		return nil, err
	}
	checks, err = work.checks(ctx)
	if err != nil {
		return nil, err
	}
	checks = append([]check{catalogue}, checks...)
	return checks, printChecks(s, checks)
}
