package retry

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Event tells of an attempt that failed with an error of class [Conflict] or
// [Unavailable] whose rule is not off.
type Event struct {
	// Attempt is the number of the attempt that failed, from 1.
	Attempt int
	// Class is the error's.
	Class Class
	// Err is what the attempt failed with.
	Err error
	// Wait is how long Run waits before the next attempt; 0 when there is none.
	Wait time.Duration
	// GaveUp is None when another attempt follows, otherwise why none does.
	GaveUp Reason
}

// Run calls attempt, with n counting from 1, until it succeeds, fails with an
// error that is not worth another attempt, or the policy, the budget or ctx ends
// the retries. It returns nil as soon as an attempt does.
//
// An error of the first attempt that classify calls neither [Conflict] nor
// [Unavailable], or whose rule is off, comes back as it is, and so does one that
// is ctx's own. In all other cases the error is an [*Error], through which
// errors.Is and errors.As reach the last attempt's error and the earlier ones.
// Nothing is retried, and every wait ends, once ctx has ended; errors.Is then
// finds both ctx's error and the last attempt's. A ctx that has ended before the
// first attempt gives ctx's error, and no attempt.
//
// b may be nil (no budget), and so may classify (nothing is retried) and notify.
// notify is called in the same goroutine, before the wait. A panic or
// runtime.Goexit of a callback passes through. Run keeps no state: it is safe
// for concurrent use, and b is what calls share.
func Run(ctx context.Context, p Policy, b *Budget, classify func(error) Class, notify func(Event),
	attempt func(ctx context.Context, n int) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	b.earn()
	err := attempt(ctx, 1)
	if err == nil || classify == nil {
		return err
	}
	// The loop's state is made here, so that success at once allocates nothing.
	policy := p
	l := &loop{ctx: ctx, policy: &policy, budget: b, classify: classify, notify: notify, start: start}
	return l.run(err, attempt)
}

// loop is the state of a Run whose first attempt failed.
type loop struct {
	ctx      context.Context // of the one call that the loop lives in
	policy   *Policy
	budget   *Budget
	classify func(error) Class
	notify   func(Event)
	start    time.Time

	n       int // attempts made
	history history
	// By class: a failure of one says nothing about the waits of the other.
	conflict, unavailable track
}

// track is what is counted for each class.
type track struct {
	rule     Rule
	backOff  *backoff.ExponentialBackOff // nil before the class's first failure
	failures int
}

func (l *loop) run(err error, attempt func(context.Context, int) error) error {
	for l.n = 1; ; {
		class := l.classify(err)
		wait, reason := l.next(class)
		if reason == NotRetryable {
			return l.end(err, class, reason)
		}
		if l.notify != nil {
			l.notify(Event{Attempt: l.n, Class: class, Err: err, Wait: wait, GaveUp: reason})
		}
		if reason == None && !sleep(l.ctx, wait) {
			reason = ContextEnded
		}
		if reason != None {
			return l.end(err, class, reason)
		}
		l.history.add(err)
		l.n++
		if err = attempt(l.ctx, l.n); err == nil {
			return nil
		}
	}
}

// next decides about another attempt, and how long to wait for it.
func (l *loop) next(class Class) (time.Duration, Reason) {
	t := l.track(class)
	if t == nil || t.rule.Off {
		return 0, NotRetryable
	}
	if l.ctx.Err() != nil {
		return 0, ContextEnded
	}
	t.failures++
	if t.rule.MaxAttempts > 0 && t.failures >= t.rule.MaxAttempts {
		return 0, AttemptsExhausted
	}
	wait := t.backOff.NextBackOff()
	if t.rule.MaxElapsed > 0 && time.Since(l.start)+wait > t.rule.MaxElapsed {
		return 0, TimeExhausted
	}
	if class == Unavailable && !l.budget.spend() {
		return 0, BudgetEmpty
	}
	return wait, None
}

func (l *loop) track(class Class) *track {
	var t *track
	switch class {
	case Conflict:
		t = &l.conflict
	case Unavailable:
		t = &l.unavailable
	default:
		return nil
	}
	if t.backOff == nil {
		t.rule = l.policy.rule(class)
		t.backOff = t.rule.backOff()
	}
	return t
}

// end gives the error that Run returns.
func (l *loop) end(err error, class Class, reason Reason) error {
	ctxErr := l.ctx.Err()
	own := ctxErr != nil && errors.Is(err, ctxErr) // the attempt has said it all
	if l.n == 1 && (reason == NotRetryable || reason == ContextEnded && own) {
		return err
	}
	if reason == NotRetryable && own {
		reason = ContextEnded
	}
	e := &Error{
		Attempts: l.n, Elapsed: time.Since(l.start), Class: class, Reason: reason,
		Last: err, Earlier: l.history.kept, Omitted: l.history.omitted,
	}
	if reason == ContextEnded {
		e.Ctx = ctxErr
		if cause := context.Cause(l.ctx); !errors.Is(ctxErr, cause) {
			e.Ctx = &endedError{ctxErr, cause}
		}
	}
	return e
}

// sleep waits for d and says whether ctx still holds.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
