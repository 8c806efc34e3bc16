package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/internal/pgtest"
)

// startServer starts a throw-away PostgreSQL. What takes long, such as a
// download, is said on the error stream.
func startServer(ctx context.Context, s streams, embedded bool) (*pgtest.Server, error) {
	server, err := pgtest.Start(ctx, pgtest.Config{Embedded: embedded, Log: s.err})
	if errors.Is(err, pgtest.ErrNoPostgres) {
		return nil, fmt.Errorf("%w\ninstall PostgreSQL, or name a server of yours with --dsn", err)
	}
	return server, err
}
