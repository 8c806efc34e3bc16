package conformance_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := edgedbtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// postgresTarget is the suite's target in a database of its own.
func postgresTarget(t *testing.T) conformance.Target {
	t.Helper()
	dsn := pgtest.Shared(t).NewDatabase(t)
	return conformance.Target{
		Name: "postgres",
		Connect: func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
			named := dsn
			if opt.Label != "" {
				named += "&application_name=" + opt.Label
			}
			return postgres.Connect(ctx, named, postgres.Config{
				MaxConns: int32(opt.MaxConns), AcquireTimeout: opt.AcquireTimeout, Hooks: opt.Hooks,
			})
		},
		Kill: func(ctx context.Context, label string) error { return kill(ctx, dsn, label) },
	}
}

// kill ends the sessions of an application, and waits until they are gone.
func kill(ctx context.Context, dsn, label string) error {
	c, err := pgtest.Dial(ctx, dsn)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Exec(ctx, fmt.Sprintf("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '%s'", label))
	return err
}

func TestPostgres(t *testing.T) {
	conformance.Run(t, postgresTarget(t))
}
