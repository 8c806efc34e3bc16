package conformance

import "testing"

// Run runs every scenario as a subtest, one after another. A scenario that is
// skipped prints its reason, and must be declared in Target.Skips; one that is
// declared there must be skipped.
func Run(t *testing.T, target Target) {
	ctx := t.Context()
	r, err := newRunner(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range Scenarios() {
		known[s.ID] = true
		t.Run(s.ID, func(t *testing.T) {
			res := r.run(ctx, s)
			_, declared := target.Skips[s.ID]
			switch {
			case res.Status == Failed:
				t.Errorf("%s\n  promise: %s", res.Reason, res.Promise)
			case res.Status == Skipped && !declared:
				t.Errorf("skipped (%s), but the target does not declare it", res.Reason)
			case res.Status == Skipped:
				t.Skip(res.Reason)
			case declared:
				t.Errorf("the target declares it as skipped, but it ran")
			}
		})
	}
	for id := range target.Skips {
		if !known[id] {
			t.Errorf("the target declares %s as skipped, but there is no such scenario", id)
		}
	}
	if err := r.close(ctx); err != nil {
		t.Errorf("tearing down: %v", err)
	}
}
