package retry_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/retry"
)

var (
	errConflict  = errors.New("conflict")
	errAway      = errors.New("away")
	errPermanent = errors.New("permanent")
	errUnknown   = errors.New("unknown outcome")
)

func classify(err error) retry.Class {
	switch {
	case errors.Is(err, errConflict):
		return retry.Conflict
	case errors.Is(err, errAway):
		return retry.Unavailable
	case errors.Is(err, errUnknown):
		return retry.CommitUnknown
	default:
		return retry.Permanent
	}
}

// script gives one error for each attempt, the last one again and again.
func script(errs ...error) (func(context.Context, int) error, *int) {
	made := 0
	return func(_ context.Context, n int) error {
		made++
		if n != made {
			panic(fmt.Sprintf("attempt %d is called number %d", made, n))
		}
		return errs[min(n, len(errs))-1]
	}, &made
}

func TestOutcome(t *testing.T) {
	few := retry.Policy{Conflict: retry.Rule{MaxAttempts: 3}, Unavailable: retry.Rule{MaxAttempts: 2}}
	tests := []struct {
		name   string
		policy retry.Policy
		budget *retry.Budget
		errs   []error
		made   int
		reason retry.Reason // None: success, or asIs
		asIs   bool
	}{
		{name: "success", errs: []error{nil}, made: 1},
		{name: "third time lucky", errs: []error{errConflict, errAway, nil}, made: 3},
		{name: "permanent", errs: []error{errPermanent}, made: 1, asIs: true},
		{name: "commit unknown", errs: []error{errUnknown}, made: 1, asIs: true},
		{name: "off", policy: retry.Never(), errs: []error{errConflict}, made: 1, asIs: true},
		{name: "permanent after retries", errs: []error{errConflict, errPermanent}, made: 2, reason: retry.NotRetryable},
		{name: "commit unknown after retries", errs: []error{errAway, errUnknown}, made: 2, reason: retry.NotRetryable},
		{name: "default conflicts", errs: []error{errConflict}, made: 30, reason: retry.AttemptsExhausted},
		{name: "one attempt", policy: retry.Policy{Conflict: retry.Rule{MaxAttempts: 1}}, errs: []error{errConflict}, made: 1, reason: retry.AttemptsExhausted},
		{name: "each class counts alone", policy: few, errs: []error{errConflict, errAway, errConflict, errConflict}, made: 4, reason: retry.AttemptsExhausted},
		{name: "time", policy: retry.Policy{Unavailable: retry.Rule{MaxAttempts: -1, MaxElapsed: time.Nanosecond, Initial: time.Hour}}, errs: []error{errAway}, made: 1, reason: retry.TimeExhausted},
		{name: "budget", budget: retry.NewBudget(0.1, 1), errs: []error{errAway}, made: 2, reason: retry.BudgetEmpty},
		{name: "conflicts are free", budget: retry.NewBudget(0.1, 1), errs: []error{errConflict, errConflict, errConflict, nil}, made: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempt, made := script(tt.errs...)
				err := retry.Run(t.Context(), tt.policy, tt.budget, classify, nil, attempt)
				if *made != tt.made {
					t.Errorf("made %d attempts, want %d", *made, tt.made)
				}
				last := tt.errs[min(tt.made, len(tt.errs))-1]
				if tt.asIs || last == nil {
					if err != last {
						t.Errorf("got %v, want %v as it is", err, last)
					}
					return
				}
				e, ok := errors.AsType[*retry.Error](err)
				if !ok {
					t.Fatalf("got %v", err)
				}
				if e.Reason != tt.reason || e.Attempts != tt.made || e.Last != last || e.Class != classify(last) || e.Ctx != nil {
					t.Errorf("got %+v", e)
				}
				for _, want := range tt.errs {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
				if text := err.Error(); !strings.Contains(text, tt.reason.String()) || !strings.Contains(text, fmt.Sprint(tt.made, " attempt")) {
					t.Errorf("text is %q", text)
				}
			})
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := retry.Policy{Conflict: retry.Rule{MaxAttempts: -1, Initial: 1000 * time.Hour, Max: 1000 * time.Hour}}
		cause := errors.New("told to stop")
		for _, tt := range []struct {
			name string
			ctx  func() (context.Context, func())
			is   []error
		}{
			{"deadline", func() (context.Context, func()) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				return ctx, cancel
			}, []error{context.DeadlineExceeded}},
			{"cause", func() (context.Context, func()) {
				ctx, cancel := context.WithCancelCause(context.Background())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				return ctx, func() { cancel(nil) }
			}, []error{context.Canceled, cause}},
		} {
			ctx, cancel := tt.ctx()
			begun := time.Now()
			attempt, made := script(errConflict)
			err := retry.Run(ctx, policy, nil, classify, nil, attempt)
			if took := time.Since(begun); took != time.Second || *made != 1 {
				t.Errorf("%s: ended after %v and %d attempts", tt.name, took, *made)
			}
			for _, want := range append(tt.is, errConflict) {
				if !errors.Is(err, want) {
					t.Errorf("%s: %v is not %v", tt.name, err, want)
				}
			}
			if e, ok := errors.AsType[*retry.Error](err); !ok || e.Reason != retry.ContextEnded || e.Elapsed != time.Second {
				t.Errorf("%s: got %+v", tt.name, e)
			}
			cancel()
		}
	})
}

func TestContextEndsInAttempt(t *testing.T) {
	everything := func(error) retry.Class { return retry.Unavailable }
	for _, tt := range []struct {
		name   string
		failAt int
		err    func(context.Context) error
		asIs   bool
	}{
		{"first attempt", 1, func(ctx context.Context) error { return fmt.Errorf("query: %w", ctx.Err()) }, true},
		{"first attempt, another error", 1, func(context.Context) error { return errAway }, false},
		{"second attempt", 2, func(ctx context.Context) error { return fmt.Errorf("query: %w", ctx.Err()) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			made := 0
			var last error
			err := retry.Run(ctx, retry.Policy{}, nil, everything, nil, func(ctx context.Context, n int) error {
				if made++; n == tt.failAt {
					cancel()
					last = tt.err(ctx)
					return last
				}
				return errConflict
			})
			if made != tt.failAt {
				t.Errorf("%d attempts", made)
			}
			if (err == last) != tt.asIs || !errors.Is(err, last) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		attempt, made := script(nil)
		if err := retry.Run(ctx, retry.Policy{}, nil, classify, nil, attempt); err != context.Canceled || *made != 0 {
			t.Errorf("got %v after %d attempts", err, *made)
		}
	})
	t.Run("permanent after retries", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err := retry.Run(ctx, retry.Policy{}, nil, classify, nil, func(ctx context.Context, n int) error {
			if n == 1 {
				return errConflict
			}
			cancel()
			return ctx.Err() // classified as permanent
		})
		if e, ok := errors.AsType[*retry.Error](err); !ok || e.Reason != retry.ContextEnded || !errors.Is(err, errConflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []retry.Event
		attempt, _ := script(errConflict, errAway, errConflict)
		policy := retry.Policy{Conflict: retry.Rule{MaxAttempts: 2}}
		begun := time.Now()
		_ = retry.Run(t.Context(), policy, nil, classify, func(e retry.Event) { events = append(events, e) }, attempt)
		if len(events) != 3 {
			t.Fatalf("got %v", events)
		}
		want := []retry.Event{
			{Attempt: 1, Class: retry.Conflict, Err: errConflict},
			{Attempt: 2, Class: retry.Unavailable, Err: errAway},
			{Attempt: 3, Class: retry.Conflict, Err: errConflict, GaveUp: retry.AttemptsExhausted},
		}
		var waited time.Duration
		for i, e := range events {
			waited += e.Wait
			if want[i].Wait = e.Wait; e != want[i] {
				t.Errorf("got %+v, want %+v", e, want[i])
			}
		}
		if took := time.Since(begun); took != waited || events[2].Wait != 0 {
			t.Errorf("took %v, the events say %v", took, waited)
		}
		// What is not retried is not told.
		attempt, _ = script(errPermanent)
		_ = retry.Run(t.Context(), policy, nil, classify, func(retry.Event) { t.Error("told") }, attempt)
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []error
		err := retry.Run(t.Context(), retry.Policy{}, nil, classify, nil, func(_ context.Context, n int) error {
			all = append(all, fmt.Errorf("%d: %w", n, errConflict))
			return all[n-1]
		})
		e, _ := errors.AsType[*retry.Error](err)
		if e == nil || e.Attempts != 30 || len(e.Earlier) != 8 || e.Omitted != 21 {
			t.Fatalf("got %+v", e)
		}
		want := append(append([]error{}, all[:2]...), all[23:29]...)
		for i := range want {
			if e.Earlier[i] != want[i] {
				t.Errorf("Earlier[%d] = %v, want %v", i, e.Earlier[i], want[i])
			}
		}
		if first := e.Unwrap()[0]; first != all[29] {
			t.Errorf("unwraps first to %v", first)
		}
	})
}

func TestPanicAndGoexitPass(t *testing.T) {
	for _, at := range []int{1, 2} {
		for name, end := range map[string]func(){"panic": func() { panic("on purpose") }, "goexit": runtime.Goexit} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				done := make(chan any)
				returned := false
				go func() {
					defer func() { done <- recover() }()
					_ = retry.Run(context.Background(), retry.Policy{}, nil, classify, nil, func(_ context.Context, n int) error {
						if n == at {
							end()
						}
						return errConflict
					})
					returned = true
				}()
				if r := <-done; (name == "panic") != (r == "on purpose") || returned {
					t.Errorf("recovered %v, returned %v", r, returned)
				}
			})
		}
	}
}

func TestNilClassify(t *testing.T) {
	attempt, made := script(errConflict)
	if err := retry.Run(t.Context(), retry.Policy{}, nil, nil, nil, attempt); err != errConflict || *made != 1 {
		t.Errorf("got %v after %d attempts", err, *made)
	}
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		retry.CommitUnknown.String(): "commit unknown", retry.Class(9).String(): "class(9)",
		retry.BudgetEmpty.String(): "retry budget empty", retry.Reason(9).String(): "reason(9)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
