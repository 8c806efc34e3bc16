package conformance_test

import (
	"context"
	"fmt"
	"os"

	"github.com/duetdb/duet/conformance"
)

// The target of this example cannot end its own connections, so that the
// scenarios that need it are skipped.
func ExampleRunAll() {
	target := stubTarget() // Name and Connect are set
	report := conformance.RunAll(context.Background(), target, conformance.RunOptions{
		Filter: "faults/idle,faults/rows",
		OnResult: func(r conformance.Result) {
			fmt.Printf("%-12s %s: %s\n", r.ID, r.Status, r.Reason)
		},
	})
	fmt.Printf("%d failed\n", report.Failed)
	// Output:
	// faults/idle  skipped: the target cannot end its own connections
	// faults/rows  skipped: the target cannot end its own connections
	// 0 failed
}

func ExampleScenarios() {
	for _, s := range conformance.Scenarios() {
		if s.Subject() == "cardinality" {
			fmt.Fprintln(os.Stdout, s.ID+":", s.Promise)
			break
		}
	}
	// Output: cardinality/none: QueryOne without a row gives ErrNoData, and the client goes on.
}
