package retry_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/duetdb/duet/retry"
)

// waits gives the waits that a rule leads to.
func waits(t *testing.T, rule retry.Rule, n int) []time.Duration {
	var all []time.Duration
	synctest.Test(t, func(t *testing.T) {
		rule.MaxAttempts = n + 1
		attempt, _ := script(errConflict)
		_ = retry.Run(t.Context(), retry.Policy{Conflict: rule}, nil, classify, func(e retry.Event) {
			if e.GaveUp == retry.None {
				all = append(all, e.Wait)
			}
		}, attempt)
	})
	return all
}

// Every wait is within [0, bound], whatever the rule, and the bound grows as
// documented.
func TestJitterBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule := retry.Rule{
			Initial:    time.Duration(rapid.Int64Range(-10, int64(time.Hour)).Draw(rt, "initial")),
			Max:        time.Duration(rapid.Int64Range(-10, int64(time.Hour)).Draw(rt, "max")),
			Multiplier: rapid.OneOf(rapid.Float64Range(-1, 10), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1)})).Draw(rt, "multiplier"),
		}
		bound, limit, factor := float64(rule.Initial), float64(rule.Max), rule.Multiplier
		if rule.Initial == 0 {
			bound = float64(time.Millisecond)
		}
		if rule.Max == 0 {
			limit = math.Max(float64(time.Second), bound)
		}
		if factor == 0 {
			factor = 2
		}
		if !(factor >= 1) {
			factor = 1
		}
		limit = math.Max(limit, float64(time.Microsecond))
		bound = math.Min(math.Max(bound, float64(time.Microsecond)), limit)
		got := waits(t, rule, 12)
		if len(got) != 12 {
			rt.Fatalf("%d waits", len(got))
		}
		for i, w := range got {
			if w < 0 || float64(w) > bound+1 {
				rt.Fatalf("wait %d of %+v is %v, bound %v", i, rule, w, time.Duration(bound))
			}
			bound = math.Min(bound*factor, limit)
		}
	})
}

// Full jitter reaches down to nothing and up to the bound, evenly.
func TestJitterIsFull(t *testing.T) {
	const n, buckets = 4000, 10
	var count [buckets]int
	for _, w := range waits(t, retry.Rule{Initial: time.Second, Max: time.Second}, n) {
		count[min(int(w*buckets/time.Second), buckets-1)]++
	}
	for i, c := range count {
		if c < n/buckets*7/10 || c > n/buckets*13/10 { // six sigma
			t.Errorf("bucket %d has %d of %d: %v", i, c, n, count)
		}
	}
}
