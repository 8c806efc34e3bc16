package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// onCallFor is how long TestOnCall looks for write skew on each backend.
const onCallFor = 10 * time.Second

// TestOnCall looks for write skew under serializable, by 16 goroutines.
func TestOnCall(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 10 s on each backend; isolation/on-call is the short form")
	}
	for name, target := range map[string]func(*testing.T) conformance.Target{
		"postgres": postgresTarget,
		"edgedb":   func(t *testing.T) conformance.Target { return edgedbTarget(t, edgedbtest.Shared(t).NewBranch(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			target := target(t)
			target.Patience = 6 * onCallFor
			noted := ""
			report := conformance.RunScenarios(t.Context(), target, conformance.RunOptions{},
				[]conformance.Scenario{conformance.OnCall(onCallFor, func(s string) { noted = s })})
			wantPassed(t, report, 1)
			t.Log(noted)
			if !strings.Contains(noted, " 0 saw nobody") {
				t.Errorf("write skew: %s", noted)
			}
		})
	}
}
