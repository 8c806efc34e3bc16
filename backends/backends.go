// Package backends connects to the backend that a DSN's scheme names. Who wants
// PostgreSQL alone calls postgres.Connect and compiles nothing else.
package backends

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/dsn"
)

// Config is what a client can be told beside the DSN, for each backend. Only
// that of the backend that is connected to is read. The zero value works.
type Config struct {
	// Postgres is for PostgreSQL.
	Postgres postgres.Config
	// EdgeDB is for EdgeDB and Gel.
	EdgeDB edgedb.Config
}

// Connect makes a client for the database that connString names, on the backend
// of its scheme: edgedb:// and gel:// URIs are EdgeDB; postgres:// and
// postgresql:// URIs, keyword/value strings and the empty string are PostgreSQL.
// Who has the name of an EdgeDB instance calls edgedb.Connect. ctx bounds
// connecting, not the client's life. The client must be closed.
//
// Errors are *duet.Error: those of the backend's own Connect, and KindConfig for
// an unknown scheme. None holds the DSN.
func Connect(ctx context.Context, connString string, cfg Config) (duet.Client, error) {
	switch scheme := dsn.Scheme(connString); scheme {
	case "postgres":
		return postgres.Connect(ctx, connString, cfg.Postgres)
	case "edgedb", "gel":
		return edgedb.Connect(ctx, connString, cfg.EdgeDB)
	default:
		return nil, &duet.Error{
			Kind: duet.KindConfig, Phase: duet.PhasePrepare,
			Message: "the scheme " + scheme + " is unknown",
			Hint:    "use postgres://, postgresql://, edgedb:// or gel://",
		}
	}
}
