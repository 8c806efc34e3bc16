package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/retry"
)

// blindRows never have an error, and neither has their end.
type blindRows struct{ duet.Rows }

func (blindRows) Err() error     { return nil }
func (r blindRows) Close() error { _ = r.Rows.Close(); return nil }

// rethrown runs fn and panics with another value where it panics.
func rethrown(fn closure) closure {
	return func(ctx context.Context, tx duet.Tx) error {
		defer func() {
			if p := recover(); p != nil {
				panic(fmt.Sprint("closure: ", p))
			}
		}()
		return fn(ctx, tx)
	}
}

// elsewhere runs fn in a goroutine of its own.
func elsewhere(fn closure) closure {
	return func(ctx context.Context, tx duet.Tx) error {
		err := errors.New("the closure did not return")
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			err = fn(ctx, tx)
		}()
		if p := <-done; p != nil {
			panic(p)
		}
		return err
	}
}

// swallowing runs a transaction and gives what its closure gave.
func swallowing(run func(context.Context, closure) error, ctx context.Context, fn closure) error {
	last := errors.New("it did not run")
	err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
		last = fn(ctx, tx)
		return last
	})
	if last == nil {
		return nil
	}
	return err
}

// unmarked runs closures under a ctx that knows nothing of them.
func unmarked(run func(context.Context, closure) error, ctx context.Context, fn closure) error {
	return run(ctx, func(_ context.Context, tx duet.Tx) error { return fn(ctx, tx) })
}

// retrying makes a defect of RetryingTx of one of RawTx.
func retrying(f func(func(context.Context, closure) error, context.Context, closure) error) func(duet.Client, context.Context, closure) error {
	return func(c duet.Client, ctx context.Context, fn closure) error {
		return f(func(ctx context.Context, fn closure) error { return c.RetryingTx(ctx, fn) }, ctx, fn)
	}
}

// insideKey is in the ctx of a closure whose RetryingTx forgets nesting.
type insideKey struct{}

// forgetting hides from an outer loop that an inner one has given up.
func forgetting(c duet.Client, ctx context.Context, fn closure) error {
	err := c.RetryingTx(context.WithValue(ctx, insideKey{}, true), fn)
	if given, ok := errors.AsType[*retry.Error](err); ok && ctx.Value(insideKey{}) != nil {
		return given.Last
	}
	return err
}

// told gives all errors another outcome.
func told(outcome, instead duet.Outcome) func(error) error {
	return change(func(e *duet.Error) {
		if e.Outcome == outcome {
			e.Outcome = instead
		}
	})
}

// swallowedAnywhere are the scenarios of errors that a closure swallows.
const swallowedAnywhere = "swallowed/every-call,swallowed/last,swallowed/rows,swallowed/own-error,swallowed/harmless,swallowed/before-nested,swallowed/conn"

// loopMutants are wrong in what the loop promises.
func loopMutants() map[string]mutant {
	stops := []string{"attempts/ctx-between", "attempts/ctx-in-later", "attempts/ctx-waiting-for-pool"}
	return map[string]mutant{
		"only the last error is told": {defect{fail: func(err error) error {
			if e, ok := errors.AsType[*retry.Error](err); ok {
				return e.Last
			}
			return err
		}}, "attempts/", append([]string{"attempts/message", "attempts/all-errors", "attempts/kinds"}, stops...)},
		"the message is the last error's": {defect{fail: change(func(e *duet.Error) {
			if given, ok := errors.AsType[*retry.Error](e.Err); ok {
				e.Message = given.Last.Error()
				e.Err = textless{given}
			}
		})}, "attempts/message", []string{"attempts/message"}},
		"what a closure returned hides the conflict": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					err := fn(ctx, tx)
					if err != nil && duet.KindOf(err) == duet.KindOther {
						return fmt.Errorf("%w (%w)", err, duet.ErrCommitUnknown) // which is never tried again
					}
					return err
				})
			},
		}, "attempts/own-error", []string{"attempts/own-error"}},
		"an unknown outcome is tried again": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				var unknown error
				err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					err := fn(ctx, tx)
					if errors.Is(err, duet.ErrCommitUnknown) {
						unknown = err
						return errors.New("forgotten") // beside a conflict
					}
					return err
				})
				return errors.Join(err, unknown)
			},
		}, "attempts/commit-unknown,attempts/own-error", []string{"attempts/commit-unknown"}},
		"an ended transaction commits again": {defect{commit: func(tx duet.OpenTx, ctx context.Context) error {
			if err := tx.Commit(ctx); duet.KindOf(err) != duet.KindClosed {
				return err
			}
			return nil
		}}, "handles/,begin/", []string{"handles/lent-on", "handles/dead-then-ended", "begin/used-after-end"}},
		"rows end as if they were complete": {defect{rows: func(rows duet.Rows) duet.Rows { return blindRows{rows} }},
			"handles/", []string{"handles/rows"}},
		"RawTx is told of no swallowed error": {defect{rawTx: swallowing},
			swallowedAnywhere,
			[]string{"swallowed/every-call", "swallowed/last", "swallowed/rows", "swallowed/before-nested", "swallowed/conn"}},
		"a swallowed error hides the closure's own": {defect{closure: func(fn closure) closure {
			return func(ctx context.Context, tx duet.Tx) error {
				if fn(ctx, tx) != nil {
					return errors.New("rolled back")
				}
				return nil
			}
		}}, "swallowed/own-error", []string{"swallowed/own-error"}},
		"every error ends the transaction": {defect{
			queryOne: func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
				err := q.QueryOne(ctx, cmd, out, args...)
				if _, inTx := q.(duet.Tx); inTx && err != nil {
					_, _ = q.Execute(ctx, "SELECT 1 / 0")
				}
				return err
			},
		}, "swallowed/harmless,swallowed/last", []string{"swallowed/harmless"}},
		"panics have another value":         {defect{closure: rethrown}, "panics/", []string{"panics/values", "panics/later-attempt", "panics/midway", "panics/nested"}},
		"closures run in another goroutine": {defect{closure: elsewhere}, "panics/", []string{"panics/later-attempt", "panics/goexit", "panics/nested"}},
		"Hooks.Tx is told of no error": {defect{connect: func(o conformance.ConnectOptions) conformance.ConnectOptions {
			if hook := o.Hooks.Tx; hook != nil {
				o.Hooks.Tx = func(ctx context.Context, info duet.TxInfo) (context.Context, func(error)) {
					ctx, end := hook(ctx, info)
					return ctx, func(error) { end(nil) }
				}
			}
			return o
		}}, "panics/", []string{"panics/hook"}},
		"RetryingTx waits for its own connection": {defect{retryingTx: retrying(unmarked), hangs: true}, "closures/every-call,closures/not-retried,closures/whole-pool,closures/moved,closures/conn,closures/waits",
			[]string{"closures/every-call", "closures/not-retried", "closures/whole-pool", "closures/moved"}},
		"RawTx waits for its own connection": {defect{rawTx: unmarked, hangs: true}, "closures/every-call,closures/conn,closures/moved,closures/crossed",
			[]string{"closures/every-call", "closures/conn", "closures/moved", "closures/crossed"}},
		"an exhausted pool is tried again": {defect{retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
			err := c.RetryingTx(ctx, fn)
			if errors.Is(err, duet.ErrPoolExhausted) {
				return c.RetryingTx(ctx, fn)
			}
			return err
		}}, "closures/not-retried,closures/waits", []string{"closures/not-retried"}},
		"a closure's calls do not wait": {defect{connect: func(o conformance.ConnectOptions) conformance.ConnectOptions {
			if o.MaxConns == 2 {
				o.AcquireTimeout = 50 * time.Millisecond
			}
			return o
		}}, "closures/waits,closures/whole-pool", []string{"closures/waits"}},
		"Options.ExactlyOnce is ignored": {defect{options: func(o duet.Options) duet.Options { o.ExactlyOnce = duet.Unset; return o }},
			"once/tokens,once/leaves-token,once/every-call,once/after-read-only,once/missing",
			[]string{"once/leaves-token", "once/every-call", "once/after-read-only", "once/missing"}},
		"what took effect is told not to have": {defect{fail: told(duet.OutcomeApplied, duet.OutcomeNone)},
			"outcomes/", []string{"outcomes/applied", "outcomes/wrong-struct"}},
		"what took effect is told as unknown": {defect{fail: told(duet.OutcomeApplied, duet.OutcomeUnknown)},
			"outcomes/", []string{"outcomes/applied", "outcomes/wrong-struct"}},
		"whatever failed is told to have taken effect": {defect{fail: told(duet.OutcomeNone, duet.OutcomeApplied)},
			"outcomes/", []string{"outcomes/in-transaction", "outcomes/wrong-struct", "outcomes/none"}},
		"an inner loop's end is tried again": {defect{retryingTx: forgetting, hangs: true}, "retries/inside-another,retries/bounded", []string{"retries/inside-another"}},
		"RetryingTx commits twice": {defect{retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
			return errors.Join(c.RetryingTx(ctx, fn), c.RetryingTx(ctx, fn))
		}}, "once/killed,once/tokens,random/", []string{"once/killed", "once/killed-without", "random/closures"}},
	}
}

// textless is an error that says nothing.
type textless struct{ error }

func (textless) Error() string   { return "" }
func (t textless) Unwrap() error { return t.error }
