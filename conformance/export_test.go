package conformance

import (
	"context"
	"fmt"
	"time"
)

// RunScenarios is RunAll with other scenarios.
var RunScenarios = runAll

// OnCall is the scenario isolation/on-call for that long. It tells note what was
// counted.
func OnCall(lasts time.Duration, note func(string)) Scenario {
	return Scenario{ID: "isolation/on-call-long", Promise: "Somebody is always on call.", Run: func(ctx context.Context, t *T) {
		r := &rota{doctors: 4, goroutines: 16, lasts: lasts}
		r.run(ctx, t)
		note(fmt.Sprintf("%d goroutines, %v: %d commits, %d conflicts retried, %d saw nobody on call",
			r.goroutines, lasts, r.commits.Load(), r.conflicts.Load(), r.deserted.Load()))
	}}
}
