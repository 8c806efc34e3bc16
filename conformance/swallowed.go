package conformance

import (
	"context"
	"errors"

	"github.com/duetdb/duet"
)

func swallowedScenarios() []Scenario {
	nested := []duet.Ability{duet.NestedTx}
	return []Scenario{
		{ID: "swallowed/every-call", Promise: "An error that fn swallowed comes back, whichever call of the Tx or of a view had it.", Run: swallowedEverywhere},
		{ID: "swallowed/last", Promise: "An error of the last statement that fn swallowed comes back too.", Run: swallowedLast},
		{ID: "swallowed/rows", Promise: "An error that ended Rows, or that nobody asked for, comes back where fn swallowed it.", Run: swallowedRows},
		{ID: "swallowed/own-error", Promise: "Where fn swallowed an error and returned one of its own, that one comes back and nothing was applied.", Run: swallowedBesideOwn},
		{ID: "swallowed/harmless", Promise: "An error that is no failed statement, such as ErrNoData, does not end the transaction.", Run: swallowedHarmless},
		{ID: "swallowed/conn", Promise: "A swallowed error comes back from RawTx and Commit on a lent connection too.", Run: swallowedOnConn},
		{ID: "swallowed/in-nested", Promise: "An error that a nested closure swallowed, and its outer one too, leaves nothing of the nested one.", Needs: nested, Run: swallowedInNested},
		{ID: "swallowed/before-nested", Promise: "An error that fn swallowed before Nested comes back.", Needs: nested, Run: swallowedBeforeNested},
		{ID: "swallowed/nested-conflict", Promise: "A conflict that a nested closure swallowed is retried, as the whole transaction.", Needs: nested, Run: swallowedNestedConflict},
		{ID: "swallowed/conflict-by-outer", Promise: "A conflict in Nested that the outer closure swallowed is retried: conflicts belong to the whole transaction.",
			Needs: nested, Run: nestedConflictSwallowedOutside},
	}
}

func swallowedEverywhere(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	text := t.Text("unique_violation")
	var n []int64
	var v int64
	var out []byte
	calls := map[string]func(context.Context, duet.Querier) error{
		"Query":        func(ctx context.Context, q duet.Querier) error { return q.Query(ctx, text, &n) },
		"QueryOne":     func(ctx context.Context, q duet.Querier) error { return q.QueryOne(ctx, text, &v) },
		"QueryJSON":    func(ctx context.Context, q duet.Querier) error { return q.QueryJSON(ctx, text, &out) },
		"QueryOneJSON": func(ctx context.Context, q duet.Querier) error { return q.QueryOneJSON(ctx, text, &out) },
		"Execute":      func(ctx context.Context, q duet.Querier) error { _, err := q.Execute(ctx, text); return err },
		"Rows":         func(ctx context.Context, q duet.Querier) error { return endOfRows(ctx, q, text) },
	}
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for call, run := range calls {
		for name, inTx := range bothTx(c) {
			err := inTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				if run(ctx, tx.With(duet.Options{Columns: duet.ColumnsLax})) == nil {
					t.Errorf("%s of what violates a constraint succeeded", call)
				}
				return nil
			})
			if err == nil {
				t.Errorf("%s in %s: success, though the error was swallowed", call, name)
			} else if duet.KindOf(err) == duet.KindOther {
				t.Errorf("%s in %s: %v says nothing of the statement", call, name, err)
			}
			usable(ctx, t, c, "after "+call)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

// endOfRows reads all rows and gives what ended them.
func endOfRows(ctx context.Context, q duet.Querier, text string, args ...any) error {
	rows, err := q.Rows(ctx, text, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Close()
}

func swallowedLast(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, _ = tx.Execute(ctx, t.Text("check_violation"))
			return nil
		})
		wantErr(t, name, err, duet.ErrCheckViolation)
		err = run(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, _ = tx.Execute(ctx, t.Text("check_violation")) // first, last and only
			return nil
		})
		wantErr(t, name+" of one statement", err, duet.ErrCheckViolation)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func swallowedRows(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	text := t.Text("fails_midway")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		for _, ask := range []bool{true, false} {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				rows, err := tx.Rows(ctx, text, int64(1000))
				if err != nil {
					return nil // swallowed: where results are buffered, it is known at once
				}
				for rows.Next() {
				}
				if ask {
					_ = rows.Err()
				}
				_ = rows.Close()
				return nil
			})
			if err == nil {
				t.Errorf("%s succeeded, though its rows ended with an error", name)
			}
			usable(ctx, t, c, "after "+name)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func swallowedBesideOwn(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		calls := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, _ = tx.Execute(ctx, t.Text("unique_violation"))
			return errMine
		})
		wantErr(t, name, err, errMine)
		want(t, name+": the attempts", calls, 1)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func swallowedHarmless(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, err := duet.QueryOne[int64](ctx, tx, t.Text("balance"), "nobody")
			wantErr(t, "the balance of nobody", err, duet.ErrNoData)
			_, err = duet.QueryOne[int64](ctx, tx, t.Text("balance"), struct{ unsendable chan int }{})
			if err == nil {
				t.Errorf("an argument that cannot be sent was sent")
			}
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(14))
}

func swallowedOnConn(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	err := conn.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		_, _ = tx.Execute(ctx, t.Text("unique_violation"))
		return nil
	})
	wantErr(t, "RawTx", err, duet.ErrUniqueViolation)
	tx := begin(ctx, t, conn)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	_, _ = tx.Execute(ctx, t.Text("unique_violation"))
	wantErr(t, "Commit", tx.Commit(ctx), duet.ErrUniqueViolation)
	usable(ctx, t, conn, "afterwards")
	want(t, "ada's balance", one[int64](ctx, t, conn, "balance", "ada"), int64(10))
}

func swallowedInNested(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 3, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
			_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(100))
				_, _ = tx.Execute(ctx, t.Text("unique_violation"))
				return nil
			})
			_, _ = tx.Execute(ctx, t.Text("check_violation"))
			return nil
		})
		exec(ctx, t, tx, "add_to_balance", "ada", int64(2))
		return nil
	})
}

func swallowedBeforeNested(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, _ = tx.Execute(ctx, t.Text("unique_violation"))
			_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, _ = tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(10))
				return errMine
			})
			_ = tx.Nested(ctx, func(context.Context, duet.Tx) error { return nil })
			return nil
		})
		wantErr(t, name, err, duet.ErrUniqueViolation)
		usable(ctx, t, c, "after "+name)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))
}

func swallowedNestedConflict(ctx context.Context, t *T) {
	nestedConflict(ctx, t, true, func(err error) error { return err })
}

func nestedConflictSwallowedOutside(ctx context.Context, t *T) {
	for _, inside := range []bool{true, false} {
		nestedConflict(ctx, t, inside, func(error) error { return nil })
		nestedConflict(ctx, t, inside, func(error) error { return errMine })
	}
}

// nestedConflict meets a conflict in Nested in the first attempt. The nested
// closure swallows it or not; result is what the outer one makes of Nested's error.
func nestedConflict(ctx context.Context, t *T, swallow bool, result func(error) error) {
	exec(ctx, t, t.Client(), "upsert", "ada", int64(0))
	attempts := 0
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts > 1 {
			exec(inner, t, tx, "add_to_balance", "ada", int64(100))
			return nil
		}
		err := tx.Nested(inner, func(inner context.Context, tx duet.Tx) error {
			err := conflicting(ctx, inner, t, tx)
			if swallow {
				return nil
			}
			return err
		})
		if !errors.Is(err, duet.ErrSerialization) {
			t.Errorf("Nested: %v, want the conflict", err)
		}
		return result(err)
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(101))
}
