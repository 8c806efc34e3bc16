package conformance

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/duetdb/duet"
)

// errMine is an error of a closure's own.
var errMine = errors.New("the closure's own error")

// txFunc is RetryingTx or RawTx.
type txFunc func(context.Context, func(context.Context, duet.Tx) error) error

// bothTx are the two ways to run a closure, by name.
func bothTx(c duet.Client) map[string]txFunc {
	return map[string]txFunc{"RetryingTx": c.RetryingTx, "RawTx": c.RawTx}
}

func transactionScenarios() []Scenario {
	return []Scenario{
		{ID: "transactions/commit", Promise: "The transaction is committed when fn returns nil.", Run: txCommit},
		{ID: "transactions/rollback", Promise: "The error that fn returns rolls back and comes back wrapped.", Run: txRollback},
		{ID: "transactions/statement-error", Promise: "A statement's error that fn returns rolls back and comes back with its kind.", Run: txStatementError},
		{ID: "transactions/swallowed-error", Promise: "An error of a statement that fn swallowed comes back: success always means committed.", Run: txSwallowed},
		{ID: "transactions/panic", Promise: "A panic in fn rolls back, frees the connection, and goes on with its value.", Run: txPanic},
		{ID: "transactions/goexit", Promise: "runtime.Goexit in fn rolls back, frees the connection, and goes on.", Run: txGoexit},
		{ID: "transactions/used-after-end", Promise: "After the closure has returned, every call on its Tx fails with ErrClosed.", Run: txUsedAfterEnd},
		{ID: "transactions/deferred-error", Promise: "An error at commit comes back, and nothing was applied.", Run: txErrorAtCommit},
		{ID: "transactions/read-only", Promise: "A write in a read-only transaction is ErrReadOnly.", Run: txReadOnly},
		{ID: "transactions/options-inside", Promise: "Options of a transaction can no longer be changed by Tx.With, and make calls fail.", Run: txOptionsInside},
		{ID: "transactions/views-inside", Promise: "Tx.With gives a view of the same transaction.", Run: txViewsInside},
		{ID: "transactions/concurrent-use", Promise: "A second call on a Tx while one is running fails with ErrInvalidArgument.", Run: txConcurrentUse},
		{ID: "transactions/empty", Promise: "A transaction without a statement succeeds.", Run: txEmpty},
		{ID: "transactions/result", Promise: "TxResult gives what the closure returned.", Run: txResult},
		{ID: "transactions/client-inside", Promise: "A call on the client inside a closure runs outside of the transaction.", Run: txClientInside},
		{ID: "transactions/transfer", Promise: "A transfer is applied once or not at all.", Run: txTransfer},
	}
}

func txCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada", "bob")
	for name, run := range bothTx(t.Client()) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "take_from_balance", "ada", int64(1))
			exec(ctx, t, tx, "add_to_balance", "bob", int64(1))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(8))
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(12))
}

func txRollback(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		calls := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return errMine
		})
		wantErr(t, name, err, errMine)
		want(t, name+": the attempts", calls, 1)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txStatementError(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, err := tx.Execute(ctx, t.Text("unique_violation"))
			return err
		})
		wantErr(t, name, err, duet.ErrUniqueViolation)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txSwallowed(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		calls := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, _ = tx.Execute(ctx, t.Text("unique_violation"))
			if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err == nil {
				t.Errorf("%s: a statement after a failed one did not fail", name)
			}
			return nil
		})
		wantErr(t, name, err, duet.ErrUniqueViolation)
		want(t, name+": the attempts", calls, 1)
		usable(ctx, t, c, "after "+name)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txPanic(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	value := &struct{ n int }{7}
	for name, run := range bothTx(c) {
		got := func() (p any) {
			defer func() { p = recover() }()
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				panic(value)
			})
			t.Errorf("%s returned %v after a panic", name, err)
			return nil
		}()
		if got != value {
			t.Errorf("%s: the panic's value is %v, want %v", name, got, value)
		}
		within(t, "a query after the panic", func() { usable(ctx, t, c, "after a panic in "+name) })
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txGoexit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		text := t.Text("add_to_balance")
		var wg sync.WaitGroup
		wg.Go(func() {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				if _, err := tx.Execute(ctx, text, "ada", int64(1)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				runtime.Goexit()
				return nil
			})
			t.Errorf("%s returned %v after Goexit", name, err)
		})
		wg.Wait()
		within(t, "a query after Goexit", func() { usable(ctx, t, c, "after Goexit in "+name) })
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txUsedAfterEnd(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	for name, run := range bothTx(t.Client()) {
		for _, result := range []error{nil, errMine} {
			var kept duet.Tx
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				kept = tx
				exec(ctx, t, tx, "set_balance", "ada", int64(10))
				return result
			})
			wantErr(t, name, err, result)
			wantClosed(ctx, t, name+"'s Tx", kept)
			wantClosed(ctx, t, "a view of "+name+"'s Tx", kept.With(duet.Options{Columns: duet.ColumnsLax}))
			err = kept.Nested(ctx, func(context.Context, duet.Tx) error { return nil })
			if t.Backend().Can(duet.NestedTx) || !errors.Is(err, duet.ErrUnsupported) {
				wantErr(t, "Nested", err, duet.ErrClosed)
			}
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

// wantClosed holds that every call on a querier fails with ErrClosed.
func wantClosed(ctx context.Context, t *T, what string, q duet.Querier) {
	var n []int64
	var v int64
	var out []byte
	wantErr(t, what+": Query", q.Query(ctx, t.Text("one"), &n), duet.ErrClosed)
	wantErr(t, what+": QueryOne", q.QueryOne(ctx, t.Text("one"), &v), duet.ErrClosed)
	wantErr(t, what+": QueryJSON", q.QueryJSON(ctx, t.Text("one"), &out), duet.ErrClosed)
	wantErr(t, what+": QueryOneJSON", q.QueryOneJSON(ctx, t.Text("one"), &out), duet.ErrClosed)
	_, err := q.Execute(ctx, t.Text("set_balance"), "ada", int64(-1))
	wantErr(t, what+": Execute", err, duet.ErrClosed)
	err = rowsError(ctx, t, q, "one")
	wantErr(t, what+": Rows", err, duet.ErrClosed)
}

func txErrorAtCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	exec(ctx, t, t.Client(), "insert_claim", "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		calls := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			exec(ctx, t, tx, "insert_account", "bob", int64(1))
			exec(ctx, t, tx, "delete_account", "ada")
			return nil
		})
		wantErr(t, name, err, duet.ErrForeignKeyViolation)
		want(t, name+": the phase", details(t, name, err).Phase, duet.PhaseCommit)
		want(t, name+": the attempts", calls, 1)
		usable(ctx, t, c, "after "+name)
	}
	want(t, "the number of accounts", one[int64](ctx, t, c, "count_accounts"), int64(1))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txReadOnly(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Client().With(duet.Options{Access: duet.ReadOnly})
	for name, run := range bothTx(c) {
		calls := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			want(t, "ada's balance", one[int64](ctx, t, tx, "balance", "ada"), int64(10))
			_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
			return err
		})
		wantErr(t, name, err, duet.ErrReadOnly)
		want(t, name+": the attempts", calls, 1)
	}
	exec(ctx, t, t.Client(), "add_to_balance", "ada", int64(1))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
}

func txOptionsInside(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		for _, o := range []duet.Options{{Isolation: duet.RepeatableRead}, {Access: duet.ReadOnly}, {Deferrable: duet.On}} {
			_, err := tx.With(o).Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
			wantErr(t, "a changed option", err, duet.ErrInvalidArgument)
		}
		return errMine
	})
	wantErr(t, "RetryingTx", err, errMine)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func txViewsInside(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	type row struct{ Name string }
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		lax := tx.With(duet.Options{Columns: duet.ColumnsLax, Name: "lax"})
		want(t, "the accounts", all[row](ctx, t, lax, "accounts"), []row{{"ada"}})
		want(t, "ada's balance", one[int64](ctx, t, lax, "balance", "ada"), int64(11))
		want(t, "the backend", lax.Backend(), t.Backend())
		exec(ctx, t, lax, "add_to_balance", "ada", int64(1))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(12))
}

func txConcurrentUse(ctx context.Context, t *T) {
	slow, quick := t.Text("slow"), t.Text("one")
	var mu sync.Mutex
	refused := 0
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, duet.ErrInvalidArgument) {
			refused++
		} else if err != nil {
			t.Errorf("a call beside another: %v, want success or ErrInvalidArgument", err)
		}
	}
	err := t.Client().RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := tx.Execute(ctx, slow, int64(2500)) // the better part of a second
			note(err)
		}()
		for open := true; open; {
			_, err := tx.Execute(ctx, quick)
			note(err)
			select {
			case <-done:
				open = false
			default:
				runtime.Gosched()
			}
		}
		return errMine
	})
	wantErr(t, "RawTx", err, errMine)
	if refused == 0 {
		t.Errorf("no call beside a running one was refused")
	}
}

func txEmpty(ctx context.Context, t *T) {
	for name, run := range bothTx(t.Client()) {
		if err := run(ctx, func(context.Context, duet.Tx) error { return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantErr(t, name, run(ctx, func(context.Context, duet.Tx) error { return errMine }), errMine)
	}
}

func txResult(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	read := func(ctx context.Context, tx duet.Tx) (int64, error) {
		return duet.QueryOne[int64](ctx, tx, t.Text("balance"), "ada")
	}
	n, err := duet.TxResult(ctx, t.Client(), read)
	if n != 10 || err != nil {
		t.Errorf("TxResult gives %d and %v, want 10", n, err)
	}
	n, err = duet.TxResult(ctx, t.Client(), func(ctx context.Context, tx duet.Tx) (int64, error) { return 7, errMine })
	wantErr(t, "TxResult", err, errMine)
	want(t, "the result beside an error", n, int64(0))
}

func txClientInside(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada", "bob")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "set_balance", "ada", int64(1))
		want(t, "ada's balance outside", one[int64](ctx, t, c, "balance", "ada"), int64(10))
		exec(ctx, t, c, "set_balance", "bob", int64(2))
		return errMine
	})
	wantErr(t, "RetryingTx", err, errMine)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(2))
}

func txTransfer(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada", "bob")
	move := func(amount int64) error {
		return t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, t.Text("transfer"), "ada", "bob", amount)
			return err
		})
	}
	if err := move(4); err != nil {
		t.Errorf("a transfer of 4: %v", err)
	}
	wantErr(t, "a transfer of 7", move(7), duet.ErrCheckViolation)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(6))
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(14))
	want(t, "the number of transfers", one[int64](ctx, t, t.Client(), "count_transfers"), int64(1))
}
