package conformance

import (
	"context"
	"fmt"

	"github.com/duetdb/duet"
)

func nestedScenarios() []Scenario {
	needs := []duet.Ability{duet.NestedTx}
	return []Scenario{
		{ID: "nested/keeps-outer", Promise: "An error in Nested rolls back to the savepoint, and the outer transaction goes on; without savepoints it is ErrUnsupported.",
			Needs: needs, Run: nestedKeepsOuter, Without: nestedUnsupported},
		{ID: "nested/statement-error", Promise: "A failed statement in Nested does not end the outer transaction.", Needs: needs, Run: nestedStatementError},
		{ID: "nested/swallowed", Promise: "An error that a nested closure swallowed comes back from Nested, and nothing of it is kept.", Needs: needs, Run: nestedSwallowed},
		{ID: "nested/in-nested", Promise: "Nested can be nested.", Needs: needs, Run: nestedInNested},
		{ID: "nested/outer-decides", Promise: "What Nested did is undone with the outer transaction.", Needs: needs, Run: nestedOuterDecides},
		{ID: "nested/panic", Promise: "A panic in Nested goes on with its value, and nothing of it is kept.", Needs: needs, Run: nestedPanic},
		{ID: "nested/used-after-end", Promise: "After its closure has returned, every call on a nested Tx fails with ErrClosed.", Needs: needs, Run: nestedUsedAfterEnd},
		{ID: "nested/many", Promise: "A transaction can have many savepoints, one after another.", Needs: needs, Run: nestedMany},
		{ID: "nested/open-tx", Promise: "Nested works in a transaction opened by Begin.", Needs: needs, Run: nestedInOpenTx},
	}
}

// add adds to ada's balance, and fails with an error after it.
func add(t *T, amount int64, after error) func(context.Context, duet.Tx) error {
	return func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", amount)
		return after
	}
}

// outer runs a closure under RetryingTx and holds that it succeeds, and what
// ada's balance is then.
func outer(ctx context.Context, t *T, balanceAfter int64, fn func(context.Context, duet.Tx) error) {
	if err := t.Client().RetryingTx(ctx, fn); err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), balanceAfter)
}

func nestedKeepsOuter(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 101, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		wantErr(t, "Nested", tx.Nested(ctx, add(t, 10, errMine)), errMine)
		want(t, "ada's balance inside", one[int64](ctx, t, tx, "balance", "ada"), int64(1))
		return tx.Nested(ctx, add(t, 100, nil))
	})
}

func nestedStatementError(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 3, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
			_, err := tx.Execute(ctx, t.Text("unique_violation"))
			return err
		})
		wantErr(t, "Nested", err, duet.ErrUniqueViolation)
		exec(ctx, t, tx, "add_to_balance", "ada", int64(2))
		return nil
	})
}

func nestedSwallowed(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 3, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
			_, _ = tx.Execute(ctx, t.Text("unique_violation"))
			return nil
		})
		wantErr(t, "Nested", err, duet.ErrUniqueViolation)
		exec(ctx, t, tx, "add_to_balance", "ada", int64(2))
		return nil
	})
}

func nestedInNested(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 1011, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
			wantErr(t, "the innermost", tx.Nested(ctx, add(t, 100, errMine)), errMine)
			return tx.Nested(ctx, add(t, 1000, nil))
		})
	})
	outer(ctx, t, 1012, func(ctx context.Context, tx duet.Tx) error {
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			if err := tx.Nested(ctx, add(t, 50, nil)); err != nil {
				t.Errorf("the innermost: %v", err)
			}
			return errMine
		})
		wantErr(t, "Nested", err, errMine)
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		return nil
	})
}

func nestedOuterDecides(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if err := tx.Nested(ctx, add(t, 10, nil)); err != nil {
			t.Errorf("Nested: %v", err)
		}
		return errMine
	})
	wantErr(t, "RetryingTx", err, errMine)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))
}

func nestedPanic(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		func() {
			defer func() { want(t, "the panic's value", recover(), any("mine")) }()
			_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
				panic("mine")
			})
		}()
		return nil
	})
	// Who recovers from the panic may find the transaction ended, or going on.
	kept := int64(1)
	if err != nil {
		kept = 0
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), kept)
}

func nestedUsedAfterEnd(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 10, func(ctx context.Context, tx duet.Tx) error {
		var kept duet.Tx
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			kept = tx
			exec(ctx, t, tx, "add_to_balance", "ada", int64(10))
			return nil
		})
		if err != nil {
			t.Errorf("Nested: %v", err)
		}
		wantClosed(ctx, t, "the nested Tx", kept)
		return nil
	})
}

func nestedMany(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 25, func(ctx context.Context, tx duet.Tx) error {
		for i := range 50 {
			var after error
			if i%2 == 1 {
				after = errMine
			}
			wantErr(t, fmt.Sprint("Nested ", i), tx.Nested(ctx, add(t, 1, after)), after)
		}
		return nil
	})
}

func nestedInOpenTx(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	tx := begin(ctx, t, t.Client())
	wantErr(t, "Nested first of all", tx.Nested(ctx, add(t, 10, errMine)), errMine)
	if err := tx.Nested(ctx, add(t, 100, nil)); err != nil {
		t.Errorf("Nested: %v", err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("Commit: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(100))
}

func nestedUnsupported(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	outer(ctx, t, 1, func(ctx context.Context, tx duet.Tx) error {
		wantErr(t, "Nested", tx.Nested(ctx, add(t, 10, nil)), duet.ErrUnsupported)
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		return nil
	})
}
