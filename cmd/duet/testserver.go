package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/spf13/cobra"
)

// testServerOptions are the flags of duet edgedb-test-server.
type testServerOptions struct {
	listen, postgres, password, protocol string
}

func newTestServer(s streams) *cobra.Command {
	var opt testServerOptions
	cmd := &cobra.Command{
		Use:   "edgedb-test-server",
		Short: "Run a server that speaks EdgeDB's protocol, for tests",
		Long: `Run a server that speaks EdgeDB's protocol until it is interrupted. The first line
that it prints is its DSN.

It is a double of the protocol, not of EdgeQL: it answers the statements of the
conformance suite, each by its SQL twin on a throw-away PostgreSQL, and no others.`,
		Example: `  duet edgedb-test-server --listen 127.0.0.1:5656`,
		Args:    arguments(0, 0, "none"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runTestServer(cmd.Context(), s, opt) },
	}
	cmd.Flags().StringVar(&opt.listen, "listen", "127.0.0.1:0", "the TCP address to listen on; port 0 is any free one")
	cmd.Flags().StringVar(&opt.postgres, "postgres", "", "make its databases in this PostgreSQL (default: start one)")
	cmd.Flags().StringVar(&opt.password, "password", "", "the password of its user (default: a random one)")
	cmd.Flags().StringVar(&opt.protocol, "protocol", "2.0", "the highest version of the protocol that it speaks, 1.0 or 2.0")
	return cmd
}

func runTestServer(ctx context.Context, s streams, opt testServerOptions) (err error) {
	cfg := edgedbtest.Config{Listen: opt.listen, PostgresDSN: opt.postgres, Password: opt.password}
	switch opt.protocol {
	case edgedbtest.Protocol10.String():
		cfg.Protocol = edgedbtest.Protocol10
	case edgedbtest.Protocol20.String():
		cfg.Protocol = edgedbtest.Protocol20
	default:
		return usagef("--protocol must be 1.0 or 2.0")
	}
	if opt.postgres == "" {
		pg, failed := pgtest.Start(ctx, pgtest.Config{Log: s.err})
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, pg.Close()) }()
		cfg.Postgres = pg
	}
	server, err := edgedbtest.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	fmt.Fprintln(s.out, server.DSN())
	fmt.Fprintln(s.err, "duet: serving until interrupted")
	<-ctx.Done()
	return nil
}
