package retry

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy says how often and with which waits each class is tried again. The
// zero value is the default policy. It is plain data, safe to copy and to read
// concurrently.
type Policy struct {
	// Conflict is the rule for conflicts. Defaults: 30 attempts, waits from up
	// to 2 ms to up to 1 s.
	Conflict Rule
	// Unavailable is the rule for a server that is away. Defaults: 10 attempts,
	// waits from up to 50 ms to up to 5 s; a client's Budget bounds it as well.
	Unavailable Rule
}

// Rule is one class's part of a Policy. A zero field takes the class's default.
type Rule struct {
	// MaxAttempts bounds how often an operation is run, the first time included.
	// 1 turns retrying off; a negative number means no bound but ctx.
	MaxAttempts int
	// Initial is the most that the first wait takes. Each wait is chosen evenly
	// between 0 and its bound ("full jitter"), so that competitors part.
	Initial time.Duration
	// Max bounds every wait.
	Max time.Duration
	// Multiplier is by how much the bound grows with each attempt. Default 2;
	// below 1 counts as 1.
	Multiplier float64
}

// Never is a policy without a second attempt.
func Never() Policy {
	return Policy{Conflict: Rule{MaxAttempts: 1}, Unavailable: Rule{MaxAttempts: 1}}
}

var (
	conflictDefaults    = Rule{MaxAttempts: 30, Initial: 2 * time.Millisecond, Max: time.Second, Multiplier: 2}
	unavailableDefaults = Rule{MaxAttempts: 10, Initial: 50 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2}
)

// rule gives the class's rule with its defaults filled in.
func (p Policy) rule(c Class) Rule {
	r, def := p.Conflict, conflictDefaults
	if c == Unavailable {
		r, def = p.Unavailable, unavailableDefaults
	}
	if r.MaxAttempts == 0 {
		r.MaxAttempts = def.MaxAttempts
	}
	if r.Initial <= 0 {
		r.Initial = def.Initial
	}
	if r.Max <= 0 {
		r.Max = max(def.Max, r.Initial)
	}
	if r.Multiplier == 0 {
		r.Multiplier = def.Multiplier
	}
	r.Multiplier = max(r.Multiplier, 1)
	r.Initial = min(r.Initial, r.Max)
	return r
}

// waits gives the bounds of the rule's waits, one after the other; backoff's own
// randomization is off, since it never comes near 0 and full jitter does.
func (r Rule) waits() *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval: r.Initial,
		MaxInterval:     r.Max,
		Multiplier:      r.Multiplier,
		Stop:            backoff.Stop,
		Clock:           backoff.SystemClock,
	}
	b.Reset()
	return b
}

// jitter chooses a wait between 0 and bound.
func jitter(bound time.Duration) time.Duration {
	if bound <= 0 {
		return 0
	}
	return rand.N(bound + 1)
}
