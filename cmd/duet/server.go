package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// servers are throw-away servers for both backends: a PostgreSQL, and one that
// speaks EdgeDB's protocol over it, in databases of its own.
type servers struct {
	postgres *pgtest.Server
	edgedb   *edgedbtest.Server
}

// startServers starts both. What takes long, such as a download, is said on the
// error stream.
func startServers(ctx context.Context, s streams, embedded bool) (*servers, error) {
	pg, err := pgtest.Start(ctx, pgtest.Config{Embedded: embedded, Log: s.err})
	if errors.Is(err, pgtest.ErrNoPostgres) {
		return nil, fmt.Errorf("%w\ninstall PostgreSQL, or name a server of yours with --dsn", err)
	}
	if err != nil {
		return nil, err
	}
	edb, err := edgedbtest.Start(ctx, edgedbtest.Config{Postgres: pg})
	if err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	return &servers{pg, edb}, nil
}

// close stops both.
func (s *servers) close() error { return errors.Join(s.edgedb.Close(), s.postgres.Close()) }
