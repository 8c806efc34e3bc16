package retry

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy holds a rule for each class that can be retried. The zero value is the
// default policy. It is a plain value: copies are independent, and reading one
// concurrently is safe.
type Policy struct {
	// Conflict rules what lost a race. Defaults: 30 attempts, waits of up to 1 ms
	// whose bound doubles up to 1 s, no limit of time.
	Conflict Rule
	// Unavailable rules what the server could not take. Defaults: 10 attempts,
	// waits of up to 50 ms whose bound doubles up to 5 s, 30 s in all.
	Unavailable Rule
}

// Never is a policy without a second attempt.
func Never() Policy { return Policy{Conflict: Rule{Off: true}, Unavailable: Rule{Off: true}} }

// Rule bounds the retries of one class. A field that is zero has the default
// that [Policy] names for its class.
type Rule struct {
	// Off switches retries of the class off; the other fields do not matter then.
	Off bool
	// MaxAttempts is after how many failures of this class within one [Run] it
	// gives up, that of the first attempt counted. 1 allows no retry; a negative
	// number sets no limit.
	MaxAttempts int
	// MaxElapsed is the time since the start of [Run] after which no further
	// attempt begins. Negative sets no limit.
	MaxElapsed time.Duration
	// Initial is the upper bound of the first wait; below a microsecond counts as
	// one.
	Initial time.Duration
	// Max is what the upper bound of a wait grows to. Where it is below Initial,
	// it bounds the first wait too. Default: the class's, or Initial where that
	// is more.
	Max time.Duration
	// Multiplier is the factor by which the bound grows; below 1 counts as 1.
	// Default 2.
	Multiplier float64
}

func conflictDefaults() Rule {
	return Rule{MaxAttempts: 30, MaxElapsed: -1, Initial: time.Millisecond, Max: time.Second, Multiplier: 2}
}

func unavailableDefaults() Rule {
	return Rule{MaxAttempts: 10, MaxElapsed: 30 * time.Second, Initial: 50 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2}
}

// rule gives the complete rule of a class; Off for one that is never retried.
func (p *Policy) rule(c Class) Rule {
	switch c {
	case Conflict:
		return p.Conflict.withDefaults(conflictDefaults())
	case Unavailable:
		return p.Unavailable.withDefaults(unavailableDefaults())
	default:
		return Rule{Off: true}
	}
}

func (r Rule) withDefaults(d Rule) Rule {
	if r.MaxAttempts == 0 {
		r.MaxAttempts = d.MaxAttempts
	}
	if r.MaxElapsed == 0 {
		r.MaxElapsed = d.MaxElapsed
	}
	if r.Initial == 0 {
		r.Initial = d.Initial
	}
	if r.Max == 0 {
		r.Max = max(d.Max, r.Initial)
	}
	if r.Multiplier == 0 {
		r.Multiplier = d.Multiplier
	}
	if !(r.Multiplier >= 1) { // NaN too
		r.Multiplier = 1
	}
	r.Max = max(r.Max, time.Microsecond)
	r.Initial = min(max(r.Initial, time.Microsecond), r.Max)
	return r
}

// backOff is full jitter in terms of the library: an interval of half the bound,
// randomized by its whole length either way, is even over [0, bound].
func (r Rule) backOff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.Initial/2),
		backoff.WithMaxInterval(r.Max/2),
		backoff.WithMultiplier(r.Multiplier),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0), // the loop counts from its own start
	)
}
