package main

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/spf13/cobra"
)

// closeTimeout bounds what is cleared up after a command, an interrupted one too.
const closeTimeout = 10 * time.Second

// dsnFlag adds --dsn to a command.
func dsnFlag(cmd *cobra.Command, value *string, usage string) {
	cmd.Flags().StringVar(value, "dsn", "", usage)
}

const dsnUsage = "a postgres:// or edgedb:// URI, or key=value pairs (default: the PG* environment)"

// clientOptions are what the commands want of a client, whatever its backend.
type clientOptions struct {
	maxConns       int
	acquireTimeout time.Duration
	hooks          duet.Hooks
}

func (o clientOptions) config() backends.Config {
	return backends.Config{
		Postgres: postgres.Config{MaxConns: int32(o.maxConns), AcquireTimeout: o.acquireTimeout, Hooks: o.hooks},
		EdgeDB:   edgedb.Config{MaxConns: int32(o.maxConns), AcquireTimeout: o.acquireTimeout, Hooks: o.hooks},
	}
}

// connect connects, and tells a DSN that no backend takes from a server that
// cannot be reached.
func connect(ctx context.Context, text string, opt clientOptions) (duet.Client, error) {
	client, err := backends.Connect(ctx, text, opt.config())
	if kind := duet.KindOf(err); err != nil && (kind == duet.KindConfig || kind == duet.KindUnsupported) {
		return nil, &usageError{err}
	}
	return client, err
}

// cleanup is a ctx for clearing up: it outlives a Ctrl-C, for a while.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
}

// closeClient closes a client and adds to the error of what was done with it.
func closeClient(ctx context.Context, client duet.Client, err error) error {
	ctx, stop := cleanup(ctx)
	defer stop()
	return errors.Join(err, client.Close(ctx))
}
