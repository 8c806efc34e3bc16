package edgedbtest_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/edgedb/edgedb-go"
)

// limit bounds what a test waits for.
const limit = 30 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	t.Cleanup(cancel)
	return ctx
}

// connect makes a client of edgedb-go.
func connect(t testing.TB, dsn string, opts edgedb.Options) *edgedb.Client {
	t.Helper()
	if opts.Concurrency == 0 {
		opts.Concurrency = 1
	}
	if opts.WaitUntilAvailable == 0 {
		opts.WaitUntilAvailable = time.Millisecond
	}
	c, err := edgedb.CreateClientDSN(testContext(t), dsn, opts)
	if err != nil {
		t.Fatalf("CreateClientDSN: %v", err)
	}
	c = c.WithRetryOptions(edgedb.NewRetryOptions().WithDefault(edgedb.NewRetryRule().WithAttempts(1)))
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Logf("closing the client: %v", err)
		}
	})
	return c
}

// text is the EdgeQL of a statement of the catalogue.
func text(t testing.TB, name string) string {
	t.Helper()
	s := queries.Get(name).Text(duet.EdgeQL)
	if s == "" {
		t.Fatalf("there is no EdgeQL of %s", name)
	}
	return s
}

// run executes statements of the catalogue that have no arguments.
func run(t testing.TB, c *edgedb.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := c.Execute(testContext(t), text(t, name)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// setUp makes the suite's schema.
func setUp(t testing.TB, c *edgedb.Client) {
	t.Helper()
	run(t, c, "setup_color", "setup_account", "setup_transfer", "setup_claim", "setup_commit_token", "setup_tenant")
}

// branch makes a branch with the suite's schema.
func branch(t testing.TB) (s *edgedbtest.Server, dsn string) {
	t.Helper()
	s = edgedbtest.Shared(t)
	dsn = s.NewBranch(t)
	setUp(t, connect(t, dsn, edgedb.Options{}))
	return s, dsn
}

// t2 is what edgedb-go's closures get.
type t2 = context.Context

// started is a server of a test's own, on the shared PostgreSQL.
func started(t testing.TB, cfg edgedbtest.Config) *edgedbtest.Server {
	t.Helper()
	cfg.Postgres = pgtest.Shared(t)
	s, err := edgedbtest.Start(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return s
}

// seeded gives a client of the server's first branch, which it fills with the
// schema, three accounts and a transfer unless that was done.
func seeded(t testing.TB, s *edgedbtest.Server) *edgedb.Client {
	t.Helper()
	c := connect(t, s.DSN(), edgedb.Options{})
	var there bool
	if err := c.QuerySingle(testContext(t), text(t, "installed"), &there, "default::Claim"); err != nil {
		t.Fatal(err)
	}
	if there {
		return c
	}
	setUp(t, c)
	for _, name := range []string{"ada", "bob", "eve"} {
		if err := c.Execute(testContext(t), text(t, "insert_account"), name, int64(100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Execute(testContext(t), text(t, "transfer"), "ada", "bob", int64(5)); err != nil {
		t.Fatal(err)
	}
	return c
}

// branchOf is the branch that a DSN names.
func branchOf(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}
