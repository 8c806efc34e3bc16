package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Event describes a failed attempt that will be followed by another.
type Event struct {
	// Attempt is the number of the attempt that failed, from 1.
	Attempt int
	// Class is the failure's class.
	Class Class
	// Err is the failure.
	Err error
	// Wait is how long Run waits now.
	Wait time.Duration
}

// Loop is how an operation is run again. The zero value retries nothing, since
// without Classify every error is permanent.
type Loop struct {
	// Policy bounds attempts and waits.
	Policy Policy
	// Budget bounds retries of class Unavailable; nil means no bound.
	Budget *Budget
	// Classify tells an error's class. It is not called with nil.
	Classify func(error) Class
	// Notify, if not nil, is called before each wait.
	Notify func(Event)
}

// Run calls attempt, with its number from 1, until it succeeds, fails with an
// error that another attempt cannot cure, or ctx or the policy end it. Waiting
// ends with ctx at once. A permanent error of the first attempt comes back as it
// is; every other failure is an *Error. A panic or runtime.Goexit in attempt
// goes through.
func (l Loop) Run(ctx context.Context, attempt func(ctx context.Context, n int) error) error {
	l.Budget.Earn()
	start := time.Now()
	err := attempt(ctx, 1)
	if err == nil {
		return nil
	}
	return l.again(ctx, attempt, start, err)
}

// again goes on after a failed first attempt.
func (l Loop) again(ctx context.Context, attempt func(ctx context.Context, n int) error, start time.Time, err error) error {
	var waits [Unavailable + 1]*backoff.ExponentialBackOff
	var earlier history
	for n := 1; ; n++ {
		class := l.class(err)
		reason, wait := l.next(ctx, class, n, &waits)
		if reason == NotRetryable && n == 1 {
			return err
		}
		if reason == None {
			if l.Notify != nil {
				l.Notify(Event{Attempt: n, Class: class, Err: err, Wait: wait})
			}
			if sleep(ctx, wait) != nil {
				reason = ContextEnded
			}
		}
		if reason != None {
			failure := &Error{
				Attempts: n, Elapsed: time.Since(start), Class: class, Reason: reason,
				Last: err, Earlier: earlier.kept, Omitted: earlier.omitted,
			}
			if reason == ContextEnded {
				failure.Ctx = ctx.Err()
			}
			return failure
		}
		earlier.add(err)
		if err = attempt(ctx, n+1); err == nil {
			return nil
		}
	}
}

// next decides after the n-th attempt: a wait, or a reason for none.
func (l Loop) next(ctx context.Context, class Class, n int, waits *[Unavailable + 1]*backoff.ExponentialBackOff) (Reason, time.Duration) {
	if class != Conflict && class != Unavailable {
		return NotRetryable, 0
	}
	if ctx.Err() != nil {
		return ContextEnded, 0
	}
	rule := l.Policy.rule(class)
	switch {
	case rule.MaxAttempts == 1:
		return NotRetryable, 0
	case rule.MaxAttempts > 0 && n >= rule.MaxAttempts:
		return AttemptsExhausted, 0
	case class == Unavailable && !l.Budget.Spend():
		return BudgetEmpty, 0
	}
	if waits[class] == nil {
		waits[class] = rule.waits()
	}
	return None, jitter(waits[class].NextBackOff())
}

func (l Loop) class(err error) Class {
	if l.Classify == nil {
		return Permanent
	}
	return l.Classify(err)
}

// sleep waits for d or for ctx's end, and gives ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
