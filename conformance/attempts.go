package conformance

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

func attemptScenarios() []Scenario {
	return []Scenario{
		{ID: "attempts/message", Promise: "Where RetryingTx gives up, its error names the attempts, the time and the last error.", Run: gaveUpMessage},
		{ID: "attempts/all-errors", Promise: "The last error and all earlier ones are reachable with errors.Is and errors.As, the last one first.", Run: allErrors},
		{ID: "attempts/kinds", Promise: "Attempts that failed in different ways are all told, and each way that can be cured is tried again.", Kills: true, Run: errorsOfAllKinds},
		{ID: "attempts/own-error", Promise: "A closure that returns an error of its own after a conflict is run again.", Run: ownErrorAfterConflict},
		{ID: "attempts/commit-unknown", Promise: "A closure's error that is ErrCommitUnknown is never tried again, also beside a conflict.", Run: unknownNotRetried},
		{ID: "attempts/destinations", Promise: "Destinations of any form declared outside of the closure hold the last attempt's rows alone.", Run: destinationsOfAllForms},
		{ID: "attempts/ctx-between", Promise: "A ctx that ends between two attempts ends the retries, with ctx's error, its cause and the attempts' errors.", Run: ctxEndsBetween},
		{ID: "attempts/ctx-in-later", Promise: "A ctx that ends in a later attempt gives ctx's error and the earlier attempts' errors.", Run: ctxEndsInLater},
		{ID: "attempts/ctx-waiting-for-pool", Promise: "A ctx that ends where a later attempt waits for a connection gives ctx's error and the earlier attempts' errors.", Run: ctxEndsAtPool},
		{ID: "attempts/fresh", Promise: "Each attempt has a transaction of its own: nothing of a failed one is left, and its Tx is closed.", Run: freshAttempts},
		{ID: "attempts/killed-before-commit", Promise: "Where the connection died before the commit, success means applied once, and any other error but ErrCommitUnknown not at all.",
			Kills: true, Run: killedBeforeCommit},
	}
}

// gaveUpText is how an error says what was tried.
var gaveUpText = regexp.MustCompile(`3 attempts in \d[\d.]*(µs|ms|s)`)

func gaveUpMessage(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	start := time.Now()
	err := t.Client().With(policy(3)).RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		return conflicting(ctx, inner, t, tx)
	})
	took := time.Since(start)
	wantErr(t, "RetryingTx", err, duet.ErrSerialization)
	e, ok := errors.AsType[*retry.Error](err)
	if !ok {
		t.Fatalf("the error is %v (%T), want one that holds a *retry.Error", err, err)
	}
	want(t, "the attempts", e.Attempts, 3)
	want(t, "the reason", e.Reason, retry.AttemptsExhausted)
	want(t, "the class", e.Class, retry.Conflict)
	if e.Elapsed <= 0 || e.Elapsed > took {
		t.Errorf("it says that it took %v, and it took %v", e.Elapsed, took)
	}
	text := err.Error()
	if !gaveUpText.MatchString(text) || !strings.Contains(text, e.Reason.String()) || !strings.Contains(text, e.Last.Error()) {
		t.Errorf("the error does not say how many attempts in what time, why no more, or how the last one ended: %s", text)
	}
	d := details(t, "RetryingTx", err)
	want(t, "the kind", d.Kind, duet.KindSerialization)
	want(t, "the backend", d.Backend, t.Backend().Name)
}

// numbered is an error that can be told from others of its type.
type numbered struct{ n int }

func (numbered) Error() string { return "the closure's own error, with a number" }

func allErrors(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	var met []error // what each attempt met
	err := t.Client().With(policy(4)).RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		failed := conflicting(ctx, inner, t, tx)
		met = append(met, failed)
		return errors.Join(failed, numbered{len(met)})
	})
	want(t, "the attempts", len(met), 4)
	for i, one := range met {
		wantErr(t, "an attempt's error", err, one)
		wantErr(t, "an attempt's own error", err, numbered{i + 1})
	}
	last, ok := errors.AsType[numbered](err)
	if !ok || last.n != len(met) {
		t.Errorf("errors.As finds the error of attempt %d first, want that of the last one, %d", last.n, len(met))
	}
	if e, ok := errors.AsType[*retry.Error](err); !ok || len(e.Earlier) != 3 || e.Omitted != 0 || !errors.Is(e.Last, numbered{4}) {
		t.Errorf("the error does not hold one last and three earlier errors: %+v", e)
	}
}

func errorsOfAllKinds(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 2)
	attempts := 0
	err := c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		attempts++
		switch attempts {
		case 1:
			return conflicting(ctx, inner, t, tx)
		case 2:
			if _, err := tx.Execute(inner, t.Text("add_to_balance"), "ada", int64(10)); err != nil {
				return err
			}
			kill()
			_, err := tx.Execute(inner, t.Text("add_to_balance"), "ada", int64(10))
			return err
		default:
			exec(inner, t, tx, "add_to_balance", "ada", int64(100))
			return errMine
		}
	})
	want(t, "the attempts", attempts, 3)
	wantErr(t, "the last attempt's error", err, errMine)
	wantErr(t, "the first attempt's error", err, duet.ErrSerialization)
	wantErr(t, "the second attempt's error", err, duet.ErrUnavailable)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
	usable(ctx, t, c, "afterwards")
}

func ownErrorAfterConflict(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			wantErr(t, "the statement", conflicting(ctx, inner, t, tx), duet.ErrSerialization)
			return errMine // which says nothing of the conflict
		}
		exec(inner, t, tx, "add_to_balance", "ada", int64(100))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(101))

	err = t.Client().With(policy(2)).RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		_ = conflicting(ctx, inner, t, tx)
		return errMine
	})
	wantErr(t, "RetryingTx that gave up", err, errMine)
	wantErr(t, "RetryingTx that gave up", err, duet.ErrSerialization)
}

func unknownNotRetried(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	unknown := &duet.Error{Kind: duet.KindCommitUnknown, Backend: t.Backend().Name, Message: "of another transaction, which the closure made"}
	for what, result := range map[string]func(error) error{
		"alone": func(error) error { return unknown }, "first": func(err error) error { return errors.Join(unknown, err) },
		"last": func(err error) error { return errors.Join(err, unknown) }, "its sentinel": func(error) error { return duet.ErrCommitUnknown },
	} {
		attempts := 0
		err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
			attempts++
			return result(conflicting(ctx, inner, t, tx))
		})
		wantErr(t, "RetryingTx", err, duet.ErrCommitUnknown)
		want(t, what+": the attempts", attempts, 1)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(4))
}

// wholeAccount is a row with all that can be missing.
type wholeAccount struct {
	ID      [16]byte
	Name    string
	Balance int64
	Note    *string
	Color   duet.Optional[string]
	Tags    []string
}

func destinationsOfAllForms(ctx context.Context, t *T) {
	exec(ctx, t, t.Client(), "insert_red", "ada", int64(7))
	exec(ctx, t, t.Client(), "set_note", "ada", "first")
	exec(ctx, t, t.Client(), "insert_account", "bob", int64(7))
	type row struct {
		Name    string
		Balance int64
	}
	var ada wholeAccount
	var note *string // of the first attempt
	var rows []*row
	loose, values := map[string]any{"left": "over"}, []any{"left over"}
	var maps []map[string]any
	var out []byte
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		err := errors.Join(
			tx.QueryOne(inner, t.Text("account"), &ada, "ada"), tx.Query(inner, t.Text("accounts"), &rows),
			tx.QueryOne(inner, t.Text("account"), &loose, "ada"), tx.Query(inner, t.Text("accounts"), &maps),
			tx.Query(inner, t.Text("account_names"), &values), tx.QueryJSON(inner, t.Text("accounts"), &out),
		)
		if attempts++; err != nil || attempts > 1 {
			return err
		}
		note = ada.Note
		want(t, "ada's color in the first attempt", ada.Color, duet.Some("Red"))
		want(t, "the rows in the first attempt", []int{len(rows), len(maps), len(values)}, []int{2, 2, 2})
		exec(ctx, t, t.Client(), "delete_account", "bob")
		exec(ctx, t, t.Client(), "delete_account", "ada")
		exec(ctx, t, t.Client(), "insert_account", "ada", int64(8)) // without note, color and tags
		return conflicting(ctx, inner, t, tx)
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	ada.ID = [16]byte{}
	want(t, "the struct", ada, wholeAccount{Name: "ada", Balance: 9, Tags: []string{}})
	if note == nil || *note != "first" {
		t.Errorf("what the first attempt's pointer pointed to was overwritten")
	}
	if len(rows) != 1 || *rows[0] != (row{"ada", 9}) {
		t.Errorf("the slice of pointers is %s", show(rows))
	}
	_, left := loose["left"]
	want(t, "that the map has what was in it before", left, false)
	want(t, "the map's balance and note", []any{loose["balance"], loose["note"]}, []any{int64(9), nil})
	want(t, "the slice of maps", maps, []map[string]any{{"name": "ada", "balance": int64(9)}})
	want(t, "the slice of values", values, []any{"ada"})
	wantJSON(t, "the accounts", parseJSON(t, "the accounts", out), `[{"name": "ada", "balance": 9}]`)
}

func ctxEndsBetween(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	cause := errors.New("told to stop")
	ending, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := 0
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Tx: func(context.Context, duet.TxInfo) (context.Context, func(error)) {
		return nil, func(error) {
			if ended++; ended == 2 {
				cancel(cause)
			}
		}
	}}})
	attempts := 0
	err := c.RetryingTx(ending, func(inner context.Context, tx duet.Tx) error {
		attempts++
		return errors.Join(conflicting(ctx, inner, t, tx), numbered{attempts})
	})
	want(t, "the attempts", attempts, 2)
	for _, target := range []error{context.Canceled, cause, duet.ErrSerialization, numbered{1}, numbered{2}} {
		wantErr(t, "RetryingTx", err, target)
	}
	if e, ok := errors.AsType[*retry.Error](err); !ok || e.Reason != retry.ContextEnded {
		t.Errorf("the error does not say that ctx ended the retries: %v", err)
	}
	usable(ctx, t, c, "afterwards")
}

func ctxEndsInLater(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	attempts := 0
	stops(t, "RetryingTx", func() {
		err := c.RetryingTx(ending, func(inner context.Context, tx duet.Tx) error {
			if attempts++; attempts == 1 {
				return errors.Join(conflicting(ctx, inner, t, tx), numbered{1})
			}
			exec(inner, t, tx, "add_to_balance", "ada", int64(100))
			defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
			_, err := tx.Execute(inner, t.Text("slow"), min(slowly(t), 3500)) // more than a second
			return err
		})
		for _, target := range []error{context.Canceled, duet.ErrSerialization, numbered{1}} {
			wantErr(t, "RetryingTx", err, target)
		}
	})
	want(t, "the attempts", attempts, 2)
	usable(ctx, t, c, "afterwards")
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
}

func ctxEndsAtPool(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	release := make(chan struct{})
	defer close(release)
	attempts := 0
	within(t, "RetryingTx", func() {
		err := c.RetryingTx(ending, func(inner context.Context, tx duet.Tx) error {
			attempts++
			wg.Go(func() { // takes the connection when the first attempt has ended
				conn, err := c.Acquire(ctx)
				if err != nil {
					t.Errorf("Acquire: %v", err)
					return
				}
				eventually(func() bool { return c.Pool().Stat().Waiting > 0 })
				cancel()
				<-release
				conn.Release()
			})
			if !eventually(func() bool { return c.Pool().Stat().Waiting > 0 }) {
				t.Errorf("nobody waits for the connection")
			}
			return errors.Join(conflicting(ctx, inner, t, tx), numbered{1})
		})
		for _, target := range []error{context.Canceled, duet.ErrSerialization, numbered{1}} {
			wantErr(t, "RetryingTx", err, target)
		}
	})
	want(t, "the attempts", attempts, 1)
}

func freshAttempts(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	var earlier []duet.Tx
	err := c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		for _, old := range earlier {
			wantClosed(inner, t, "an earlier attempt's Tx", old)
		}
		earlier = append(earlier, tx)
		want(t, "the accounts", one[int64](inner, t, tx, "count_accounts"), int64(1))
		exec(inner, t, tx, "insert_account", "bob", int64(1))
		if len(earlier) < 3 {
			return conflicting(ctx, inner, t, tx)
		}
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", len(earlier), 3)
	want(t, "the accounts", one[int64](ctx, t, t.Client(), "count_accounts"), int64(2))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(2))
}

func killedBeforeCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 2)
	known, unknown := int64(0), int64(0)
	for range 4 {
		attempts := 0
		err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err != nil {
				return err
			}
			if attempts++; attempts == 1 {
				kill()
			}
			return nil
		})
		switch {
		case err == nil:
			known++
		case errors.Is(err, duet.ErrCommitUnknown):
			unknown++
		default:
			t.Errorf("RetryingTx: %v", err)
		}
		usable(ctx, t, c, "afterwards")
	}
	if got := balance(ctx, t, "ada"); got < known || got > known+unknown {
		t.Errorf("ada's balance is %d, but %d transactions succeeded and of %d the outcome is unknown", got, known, unknown)
	}
}
