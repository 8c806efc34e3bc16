package conformance

import (
	"context"

	"github.com/duetdb/duet"
)

func openTxScenarios() []Scenario {
	return []Scenario{
		{ID: "begin/commit", Promise: "Commit commits, and gives the connection back.", Run: beginCommit},
		{ID: "begin/rollback", Promise: "Rollback rolls back, and gives the connection back.", Run: beginRollback},
		{ID: "begin/idempotent-rollback", Promise: "Rollback after Commit or Rollback does nothing and returns nil.", Run: beginDeferredRollback},
		{ID: "begin/used-after-end", Promise: "After its end every call on an OpenTx fails with ErrClosed, Commit too.", Run: beginUsedAfterEnd},
		{ID: "begin/failed-statement", Promise: "A transaction in which a statement failed is rolled back by Commit, and that error comes back.", Run: beginFailedStatement},
		{ID: "begin/error-at-commit", Promise: "An error at Commit comes back, and nothing was applied.", Run: beginErrorAtCommit},
		{ID: "begin/not-used", Promise: "A transaction without a statement can be committed and rolled back.", Run: beginNotUsed},
		{ID: "begin/lends", Promise: "The connection of an open transaction is lent.", Run: beginLends},
	}
}

// begin opens a transaction, which is rolled back in the end.
func begin(ctx context.Context, t *T, c interface {
	Begin(context.Context) (duet.OpenTx, error)
}) duet.OpenTx {
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(ctx)) })
	return tx
}

func beginCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	want(t, "ada's balance inside", one[int64](ctx, t, tx, "balance", "ada"), int64(11))
	want(t, "ada's balance outside", balance(ctx, t, "ada"), int64(10))
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("Commit: %v", err)
	}
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(11))
}

func beginRollback(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback: %v", err)
	}
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
}

func beginDeferredRollback(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for _, commit := range []bool{true, false} {
		tx := begin(ctx, t, t.Client())
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		if commit {
			if err := tx.Commit(ctx); err != nil {
				t.Errorf("Commit: %v", err)
			}
		}
		for range 3 {
			if err := tx.Rollback(ctx); err != nil {
				t.Errorf("Rollback: %v", err)
			}
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
}

func beginUsedAfterEnd(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for _, commit := range []bool{true, false} {
		tx := begin(ctx, t, t.Client())
		exec(ctx, t, tx, "set_balance", "ada", int64(10))
		end, what := tx.Rollback, "a rolled back OpenTx"
		if commit {
			end, what = tx.Commit, "a committed OpenTx"
		}
		if err := end(ctx); err != nil {
			t.Errorf("ending it: %v", err)
		}
		wantClosed(ctx, t, what, tx)
		wantErr(t, "Commit of "+what, tx.Commit(ctx), duet.ErrClosed)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func beginFailedStatement(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	fails(ctx, t, tx, duet.ErrUniqueViolation, "unique_violation")
	wantErr(t, "Commit", tx.Commit(ctx), duet.ErrUniqueViolation)
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback afterwards: %v", err)
	}
}

func beginErrorAtCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	exec(ctx, t, t.Client(), "insert_claim", "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "delete_account", "ada")
	err := tx.Commit(ctx)
	wantErr(t, "Commit", err, duet.ErrForeignKeyViolation)
	want(t, "the phase", details(t, "Commit", err).Phase, duet.PhaseCommit)
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
}

func beginNotUsed(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	tx := begin(ctx, t, c)
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("Commit: %v", err)
	}
	tx = begin(ctx, t, c)
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback: %v", err)
	}
	usable(ctx, t, c, "afterwards")
	wantLent(t, c, 0)
}

func beginLends(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	tx := begin(ctx, t, c)
	wantLent(t, c, 1)
	usable(ctx, t, c, "beside the open transaction")
	usable(ctx, t, tx, "in the open transaction")
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback: %v", err)
	}
	wantLent(t, c, 0)
}
