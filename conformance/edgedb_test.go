package conformance_test

import (
	"context"
	"os"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// edgedbSkips are the scenarios that need what EdgeDB has not.
func edgedbSkips() map[string]string {
	skips := map[string]string{
		"streaming/result": "EdgeDB does not count rows", "streaming/backpressure": "edgedb-go buffers results",
		"sessions/own-begin": "EdgeDB refuses transaction commands",
	}
	for _, id := range []string{"statement-error", "swallowed", "in-nested", "outer-decides", "panic", "used-after-end", "many", "open-tx"} {
		skips["nested/"+id] = "edgedb-go refuses savepoints"
	}
	for _, id := range []string{"swallowed/in-nested", "swallowed/before-nested", "swallowed/nested-conflict", "swallowed/conflict-by-outer", "panics/nested"} {
		skips[id] = "edgedb-go refuses savepoints"
	}
	for _, id := range []string{"state", "reset", "reset-after-script"} {
		skips["sessions/"+id] = "EdgeDB has no session that a command could change"
	}
	return skips
}

// edgedbTarget is the suite's target in a branch. Its Kill works on any server.
func edgedbTarget(t *testing.T, dsn string) conformance.Target {
	t.Helper()
	relays := &conformance.Relays{}
	t.Cleanup(func() {
		if err := relays.Close(); err != nil {
			t.Error(err)
		}
	})
	return conformance.Target{
		Name: "edgedb",
		Connect: func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
			labelled, err := relays.DSN(dsn, opt.Label)
			if err != nil {
				return nil, err
			}
			return edgedb.Connect(ctx, labelled, edgedb.Config{MaxConns: int32(opt.MaxConns), AcquireTimeout: opt.AcquireTimeout, Hooks: opt.Hooks})
		},
		Kill:  relays.Kill,
		Skips: edgedbSkips(),
	}
}

// TestEdgeDB runs the suite on the server that DUET_TEST_EDGEDB names by an
// edgedb:// URI, in the branch of that URI; without it, on the server that speaks
// EdgeDB's protocol.
func TestEdgeDB(t *testing.T) {
	dsn := os.Getenv("DUET_TEST_EDGEDB")
	if dsn == "" {
		dsn = edgedbtest.Shared(t).NewBranch(t)
	}
	conformance.Run(t, edgedbTarget(t, dsn))
}

// The older protocol, which EdgeDB before version 3 spoke, is spoken too.
func TestEdgeDBProtocol1(t *testing.T) {
	server := startDouble(t, edgedbtest.Config{Protocol: edgedbtest.Protocol10})
	report := conformance.RunAll(t.Context(), edgedbTarget(t, server.DSN()), conformance.RunOptions{
		Filter: "values/,times/,json/,structs/,arguments/,cardinality/,errors/,scripts/,transactions/commit,transactions/read-only",
	})
	wantPassed(t, report, 80)
}

func TestSetUpAnewOnEdgeDB(t *testing.T) {
	setUpAnew(t, edgedbTarget(t, edgedbtest.Shared(t).NewBranch(t)))
}
