package retry_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/retry"
)

// TestOutage offers a steady load for 30 s to a server that answers nothing.
func TestOutage(t *testing.T) {
	for _, rate := range []int{5, 20, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var b retry.Budget
			var first, retries atomic.Int64
			var wg sync.WaitGroup
			for range 30 * rate {
				wg.Go(func() {
					_ = retry.Run(context.Background(), retry.Policy{}, &b, classify, nil, func(_ context.Context, n int) error {
						if n == 1 {
							first.Add(1)
						} else {
							retries.Add(1)
						}
						return errAway
					})
				})
				time.Sleep(time.Second / time.Duration(rate))
			}
			wg.Wait()
			extra := float64(retries.Load()) / float64(first.Load())
			t.Logf("%d a second: %d first attempts, %d retries, %.1f%% extra", rate, first.Load(), retries.Load(), 100*extra)
			if extra >= 0.2 {
				t.Errorf("%d a second: retries add %.1f%%", rate, 100*extra)
			}
			if retries.Load() < 10 {
				t.Errorf("only %d retries: the burst was not used", retries.Load())
			}
		})
	}
}

func TestBudgetRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBudget(0.1, 10)
		fail := func() int {
			attempt, made := script(errAway)
			_ = retry.Run(t.Context(), retry.Policy{Unavailable: retry.Rule{MaxAttempts: 100, MaxElapsed: -1, Initial: 1, Max: 1}}, b, classify, nil, attempt)
			return *made
		}
		if n := fail(); n != 11 || b.Available() != 0 {
			t.Fatalf("%d attempts, %v left", n, b.Available())
		}
		for range 25 { // successes earn
			attempt, _ := script(nil)
			_ = retry.Run(t.Context(), retry.Policy{}, b, classify, nil, attempt)
		}
		if got := b.Available(); math.Abs(got-2.5) > 1e-9 {
			t.Errorf("25 successes earned %v, want 2.5", got)
		}
		if n := fail(); n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
		time.Sleep(time.Hour) // and time refills, up to full
		if n := fail(); n != 11 {
			t.Errorf("%d attempts after an hour, want 11", n)
		}
	})
}

func TestBudgetIsExactUnderContention(t *testing.T) {
	b := retry.NewBudget(1e-9, 500) // earns a thousandth
	var retries atomic.Int64
	var wg sync.WaitGroup
	policy := retry.Policy{Unavailable: retry.Rule{MaxAttempts: 100, MaxElapsed: -1, Initial: 1, Max: 1}}
	for range 16 {
		wg.Go(func() {
			for range 10 {
				_ = retry.Run(context.Background(), policy, b, classify, nil, func(_ context.Context, n int) error {
					if n > 1 {
						retries.Add(1)
					}
					return errAway
				})
			}
		})
	}
	wg.Wait()
	// 500 at first, up to a sixth of one earned, some for each second that passes.
	if n := retries.Load(); n < 500 || n > 700 {
		t.Errorf("%d retries out of a budget of 500", n)
	}
	if left := b.Available(); left < 0 || left >= 6 {
		t.Errorf("%v left", left)
	}
}

func TestBudgetArguments(t *testing.T) {
	var none *retry.Budget
	if !math.IsInf(none.Available(), 1) {
		t.Error("nil has an end")
	}
	var zero retry.Budget
	for _, tt := range []struct {
		b    *retry.Budget
		want float64
	}{{&zero, 10}, {retry.NewBudget(0, 0), 10}, {retry.NewBudget(math.NaN(), math.NaN()), 10},
		{retry.NewBudget(-1, -1), 10}, {retry.NewBudget(math.Inf(1), math.Inf(1)), 1e6}, {retry.NewBudget(0.1, 0.2), 1}} {
		if got := tt.b.Available(); got != tt.want {
			t.Errorf("got %v, want %v", got, tt.want)
		}
	}
}
