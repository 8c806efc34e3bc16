package retry

import (
	"fmt"
	"strings"
	"time"
)

// Reason is why no further attempt was made.
type Reason uint8

// The reasons; the zero value means that there is another attempt.
const (
	// None: another attempt follows.
	None Reason = iota
	// AttemptsExhausted: the rule's MaxAttempts was reached.
	AttemptsExhausted
	// TimeExhausted: the rule's MaxElapsed would be over before the next attempt.
	TimeExhausted
	// BudgetEmpty: the client's budget allows no further retry now.
	BudgetEmpty
	// ContextEnded: the context ended.
	ContextEnded
	// NotRetryable: the last error is of a class that is never retried, or whose
	// rule is off.
	NotRetryable
)

// String says the reason as a part of a sentence.
func (r Reason) String() string {
	switch r {
	case None:
		return "not given up"
	case AttemptsExhausted:
		return "attempts exhausted"
	case TimeExhausted:
		return "time exhausted"
	case BudgetEmpty:
		return "retry budget empty"
	case ContextEnded:
		return "context ended"
	case NotRetryable:
		return "not retryable"
	default:
		return fmt.Sprintf("reason(%d)", uint8(r))
	}
}

// How many errors of earlier attempts an Error keeps: the first, which say how
// it began, and those before the last.
const (
	keepFirst = 2
	keepLast  = 6
)

// Error is what [Run] returns when it gave up after at least one retry, or was
// kept from the first one. It unwraps to the last attempt's error, the context's
// error where the context ended, and the earlier attempts' errors, in this
// order: errors.As finds the last attempt's first.
type Error struct {
	// Attempts is how many were made.
	Attempts int
	// Elapsed is the time from the start of Run.
	Elapsed time.Duration
	// Class is the last error's.
	Class Class
	// Reason is why there was no further attempt.
	Reason Reason
	// Last is the last attempt's error, never nil.
	Last error
	// Ctx is the context's error, together with its cause where it was given one,
	// when Reason is ContextEnded. Last may hold the same error.
	Ctx error
	// Earlier are the errors of earlier attempts, oldest first: all up to eight,
	// otherwise the first two and the six before Last.
	Earlier []error
	// Omitted is how many earlier errors are not in Earlier.
	Omitted int
}

// Error says how many attempts were made, why there are no more, and what the
// last one failed with.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("gave up after ")
	if e.Attempts == 1 {
		b.WriteString("1 attempt")
	} else {
		fmt.Fprintf(&b, "%d attempts", e.Attempts)
	}
	fmt.Fprintf(&b, " in %v (%v", e.Elapsed.Round(time.Microsecond), e.Reason)
	if e.Ctx != nil {
		fmt.Fprintf(&b, ": %v", e.Ctx)
	}
	fmt.Fprintf(&b, "): %v", e.Last)
	return b.String()
}

// Unwrap gives the last error, the context's, and the earlier ones.
func (e *Error) Unwrap() []error {
	all := make([]error, 0, len(e.Earlier)+2)
	if e.Last != nil {
		all = append(all, e.Last)
	}
	if e.Ctx != nil {
		all = append(all, e.Ctx)
	}
	return append(all, e.Earlier...)
}

// endedError is a context's error together with the cause it was given.
type endedError struct{ err, cause error }

func (e *endedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *endedError) Unwrap() []error { return []error{e.err, e.cause} }

// history remembers a bounded number of errors.
type history struct {
	kept    []error
	omitted int
}

func (h *history) add(err error) {
	if len(h.kept) == keepFirst+keepLast {
		copy(h.kept[keepFirst:], h.kept[keepFirst+1:])
		h.kept = h.kept[:len(h.kept)-1]
		h.omitted++
	}
	h.kept = append(h.kept, err)
}
