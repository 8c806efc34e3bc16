package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

func retryScenarios() []Scenario {
	return []Scenario{
		{ID: "retries/conflict-at-statement", Promise: "A conflict at a statement runs the closure again.", Run: conflictAtStatement},
		{ID: "retries/conflict-at-commit", Promise: "A conflict at the commit runs the closure again.", Run: conflictAtCommit},
		{ID: "retries/hook", Promise: "Hooks.Retry is called for each retry, with its class and error.", Run: retryHook},
		{ID: "retries/bounded", Promise: "Options.Retry bounds the attempts, and the conflict comes back.", Run: retriesBounded},
		{ID: "retries/raw", Promise: "RawTx has one attempt.", Run: rawNotRetried},
		{ID: "retries/not-retryable", Promise: "What another attempt cannot cure is not tried again.", Run: notRetryable},
		{ID: "retries/earlier-errors", Promise: "The errors of earlier attempts stay reachable.", Run: earlierErrors},
		{ID: "retries/ctx-ends-waiting", Promise: "Waiting for the next attempt ends with ctx.", Run: ctxEndsBackoff},
		{ID: "retries/destinations", Promise: "A destination holds the rows of the last attempt alone.", Run: destinationsPerAttempt},
		{ID: "retries/swallowed-conflict", Promise: "A conflict that the closure swallowed is retried all the same.", Run: swallowedConflict},
		{ID: "retries/inside-another", Promise: "What a RetryingTx inside of another one has given up on is not tried again by the outer one.", Run: insideAnother},
		{ID: "retries/deadlock", Promise: "A deadlock is resolved by running one of the transactions again.", Run: deadlock},
		{ID: "retries/result", Promise: "TxResult gives what the last attempt returned.", Run: resultOfLastAttempt},
	}
}

// conflicting runs a part of a transaction that loses against another one: it
// reads ada's balance, lets another connection change it, and changes it too.
// outer is a ctx that knows nothing of the transaction.
func conflicting(outer, ctx context.Context, t *T, tx duet.Tx) error {
	if _, err := duet.QueryOne[int64](ctx, tx, t.Text("balance"), "ada"); err != nil {
		return err
	}
	exec(outer, t, t.Client(), "add_to_balance", "ada", int64(1))
	_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(10))
	return err
}

func conflictAtStatement(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts < 3 {
			return conflicting(ctx, inner, t, tx)
		}
		exec(inner, t, tx, "add_to_balance", "ada", int64(100))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 3)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(102))
}

// skewed makes a transaction that can only fail at its commit: both it and
// another one, which commits first, read what the other writes.
func skewed(outer, ctx context.Context, t *T, tx duet.Tx) error {
	if _, err := duet.QueryOne[int64](ctx, tx, t.Text("sum_of_balances")); err != nil {
		return err
	}
	if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err != nil {
		return err
	}
	serializable := t.Client().With(duet.Options{Isolation: duet.Serializable})
	err := serializable.RawTx(outer, func(ctx context.Context, other duet.Tx) error {
		one[int64](ctx, t, other, "sum_of_balances")
		exec(ctx, t, other, "add_to_balance", "bob", int64(1))
		return nil
	})
	if err != nil {
		t.Errorf("the other transaction: %v", err)
	}
	return nil
}

func conflictAtCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	attempts := 0
	var met []error
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) { met = append(met, r.Err) }}})
	err := c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			return skewed(ctx, inner, t, tx)
		}
		exec(inner, t, tx, "add_to_balance", "ada", int64(100))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	if len(met) != 1 {
		t.Fatalf("%d conflicts were met, want one", len(met))
	}
	wantErr(t, "the first attempt", met[0], duet.ErrSerialization)
	want(t, "the conflict's phase", details(t, "the first attempt", met[0]).Phase, duet.PhaseCommit)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(100))
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(1))
}

func retryHook(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	var mu sync.Mutex
	var seen []duet.RetryInfo
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
	}}})
	attempts := 0
	err := c.With(duet.Options{Name: "billing"}).RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts < 3 {
			return conflicting(ctx, inner, t, tx)
		}
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	if len(seen) != 2 {
		t.Fatalf("the hook was called %d times, want 2", len(seen))
	}
	for i, r := range seen {
		want(t, "the attempt", r.Attempt, i+1)
		want(t, "the class", r.Class, retry.Conflict)
		want(t, "the name", r.Name, "billing")
		want(t, "the backend", r.Backend, t.Backend().Name)
		wantErr(t, "the hook's error", r.Err, duet.ErrSerialization)
	}
}

// policy bounds the attempts after a conflict.
func policy(attempts int) duet.Options {
	return duet.Options{Retry: &retry.Policy{Conflict: retry.Rule{MaxAttempts: attempts}}}
}

func retriesBounded(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	for _, most := range []int{1, 3} {
		attempts := 0
		err := t.Client().With(policy(most)).RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
			attempts++
			return conflicting(ctx, inner, t, tx)
		})
		wantErr(t, "RetryingTx", err, duet.ErrSerialization)
		want(t, "the attempts", attempts, most)
		want(t, "the kind", duet.KindOf(err), duet.KindSerialization)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(4))
}

func rawNotRetried(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	c := t.Client().With(duet.Options{Isolation: duet.Serializable})
	err := c.RawTx(ctx, func(inner context.Context, tx duet.Tx) error {
		attempts++
		return conflicting(ctx, inner, t, tx)
	})
	wantErr(t, "RawTx", err, duet.ErrSerialization)
	want(t, "the attempts", attempts, 1)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
}

func notRetryable(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	for _, name := range []string{"unique_violation", "check_violation", "missing_required", "syntax_error", "unknown_type", "division_by_zero"} {
		attempts := 0
		err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			attempts++
			_, err := tx.Execute(ctx, t.Text(name))
			return err
		})
		if err == nil {
			t.Errorf("%s: RetryingTx succeeded", name)
		}
		want(t, name+": the attempts", attempts, 1)
	}
}

func earlierErrors(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			return conflicting(ctx, inner, t, tx)
		}
		return errMine
	})
	wantErr(t, "the last attempt's error", err, errMine)
	wantErr(t, "the first attempt's error", err, duet.ErrSerialization)
	want(t, "the attempts", attempts, 2)
}

func ctxEndsBackoff(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Retry: func(context.Context, duet.RetryInfo) { cancel() }}})
	patient := &retry.Policy{Conflict: retry.Rule{MaxAttempts: -1, Initial: 24 * time.Hour, Max: 24 * time.Hour}}
	within(t, "RetryingTx", func() {
		err := c.With(duet.Options{Retry: patient}).RetryingTx(waiting, func(inner context.Context, tx duet.Tx) error {
			return conflicting(ctx, inner, t, tx)
		})
		wantErr(t, "RetryingTx", err, context.Canceled)
		wantErr(t, "RetryingTx", err, duet.ErrSerialization)
	})
	usable(ctx, t, c, "afterwards")
}

func destinationsPerAttempt(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	var names []string
	var out []byte
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if err := tx.Query(inner, t.Text("account_names"), &names); err != nil {
			return err
		}
		if err := tx.QueryJSON(inner, t.Text("account_names"), &out); err != nil {
			return err
		}
		if attempts++; attempts == 1 {
			exec(ctx, t, t.Client(), "delete_account", "bob")
			return conflicting(ctx, inner, t, tx)
		}
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the names", names, []string{"ada"})
	wantJSON(t, "the names", parseJSON(t, "the names", out), `["ada"]`)
}

func swallowedConflict(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			_ = conflicting(ctx, inner, t, tx)
			return nil
		}
		exec(inner, t, tx, "add_to_balance", "ada", int64(100))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(101))
}

func resultOfLastAttempt(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	n, err := duet.TxResult(ctx, t.Client(), func(inner context.Context, tx duet.Tx) (int, error) {
		if attempts++; attempts == 1 {
			return 7, conflicting(ctx, inner, t, tx)
		}
		return attempts, nil
	})
	if n != 2 || err != nil {
		t.Errorf("TxResult gives %d and %v, want 2", n, err)
	}
}

func deadlock(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	names := []string{"ada", "bob"}
	text := t.Text("add_to_balance")
	var deadlocks atomic.Int32
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2, Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) {
		if errors.Is(r.Err, duet.ErrDeadlock) && r.Class == retry.Conflict {
			deadlocks.Add(1)
		}
	}}})
	var both sync.WaitGroup // each holds its first row
	both.Add(len(names))
	parallel(t, len(names), func(g int) error {
		attempts := 0
		return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			if _, err := tx.Execute(ctx, text, names[g], int64(1)); err != nil {
				return err
			}
			if attempts++; attempts == 1 {
				both.Done()
				both.Wait()
			}
			_, err := tx.Execute(ctx, text, names[1-g], int64(10))
			return err
		})
	})
	if deadlocks.Load() == 0 {
		t.Errorf("no attempt was told of a deadlock")
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(11))
}

func insideAnother(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	c := t.Client()
	for what, result := range map[string]func(error) error{
		"as it is": func(err error) error { return err },
		"wrapped":  func(err error) error { return fmt.Errorf("booking: %w", err) },
		"joined":   func(err error) error { return errors.Join(errMine, err) },
	} {
		outer, inner := 0, 0
		err := c.RetryingTx(ctx, func(within context.Context, tx duet.Tx) error {
			outer++
			exec(within, t, tx, "add_to_balance", "bob", int64(1))
			return result(c.With(policy(2)).RetryingTx(within, func(within context.Context, tx duet.Tx) error {
				inner++
				return conflicting(ctx, within, t, tx)
			}))
		})
		wantErr(t, what+": the outer one", err, duet.ErrSerialization)
		want(t, what+": the outer attempts", outer, 1)
		want(t, what+": the inner attempts", inner, 2)
	}
	// The outer one's own conflict is tried again, whatever the inner one did.
	outer, inner := 0, 0
	err := c.RetryingTx(ctx, func(within context.Context, tx duet.Tx) error {
		err := c.RetryingTx(within, func(within context.Context, tx duet.Tx) error {
			if inner++; inner == 1 {
				return conflicting(ctx, within, t, tx)
			}
			return nil
		})
		if outer++; err != nil || outer > 1 {
			return err
		}
		return conflicting(ctx, within, t, tx)
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the outer attempts", outer, 2)
	want(t, "the inner attempts", inner, 3)
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(0))
}
