// Package backends connects to the backend that a DSN's scheme names. Who wants
// PostgreSQL alone calls postgres.Connect and compiles nothing else.
package backends

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/dsn"
)

// Config is what a client can be told beside the DSN, for each backend. Only
// that of the backend that is connected to is read. The zero value works.
type Config struct {
	// Postgres is for PostgreSQL.
	Postgres postgres.Config
}

// Connect makes a client for the database that connString names, on the backend
// of its scheme: postgres:// and postgresql:// URIs, keyword/value strings and
// the empty string are PostgreSQL. ctx bounds connecting, not the client's life.
// The client must be closed.
//
// Errors are *duet.Error: those of the backend's own Connect; KindConfig for an
// unknown scheme; [duet.ErrUnsupported] for EdgeDB and Gel, which this version
// has no backend for. None holds the DSN.
func Connect(ctx context.Context, connString string, cfg Config) (duet.Client, error) {
	switch scheme := dsn.Scheme(connString); scheme {
	case "postgres":
		return postgres.Connect(ctx, connString, cfg.Postgres)
	case "edgedb", "gel":
		return nil, &duet.Error{
			Kind: duet.KindUnsupported, Backend: "edgedb", Phase: duet.PhasePrepare,
			Message: "the scheme " + scheme + " is EdgeDB's, and this version has no EdgeDB backend",
			Hint:    "use a postgres:// DSN",
		}
	default:
		return nil, &duet.Error{
			Kind: duet.KindConfig, Phase: duet.PhasePrepare,
			Message: "the scheme " + scheme + " is unknown",
			Hint:    "use postgres:// or postgresql://",
		}
	}
}
