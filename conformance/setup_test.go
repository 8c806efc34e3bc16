package conformance_test

import (
	"testing"

	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/conformance/queries"
)

// leaveBehind makes what a run that was broken off may leave: the first tables
// of the suite, with something in them.
func leaveBehind(t *testing.T, target conformance.Target, names ...string) {
	t.Helper()
	client, err := target.Connect(t.Context(), conformance.ConnectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := client.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := client.Execute(t.Context(), queries.Get(name).Text(client.Backend().Dialect)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// setUpAnew holds that the suite begins whatever an earlier run has left.
func setUpAnew(t *testing.T, target conformance.Target) {
	t.Helper()
	for _, left := range [][]string{
		nil, {"setup_color"}, {"setup_color", "setup_account"}, {"setup_color", "setup_account", "setup_transfer", "setup_claim"},
		{"setup_color", "setup_account", "setup_transfer", "setup_claim", "setup_tenant", "unique_violation"},
	} {
		leaveBehind(t, target, left...)
		report := conformance.RunAll(t.Context(), target, conformance.RunOptions{Filter: "cardinality/none"})
		if report.Passed != 1 || len(report.Scenarios) != 1 {
			t.Errorf("after %q: %+v", left, report.Scenarios)
		}
	}
}

func TestSetUpAnewOnPostgres(t *testing.T) { setUpAnew(t, postgresTarget(t)) }
