package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

func handleScenarios() []Scenario {
	return []Scenario{
		{ID: "handles/lent-on", Promise: "A handle used after its end is ErrClosed, also while its connection runs somebody else's transaction, which it cannot reach.", Run: handlesLentOn},
		{ID: "handles/from-others", Promise: "A handle used after its end from other goroutines is ErrClosed.", Run: handlesFromOthers},
		{ID: "handles/running-on", Promise: "A goroutine that goes on with a handle beyond its end has what it did in the transaction, or nothing.", Run: handleRunsOn},
		{ID: "handles/rows", Promise: "Rows that outlive their transaction give its rows or an error, never another one's.", Run: handleRows},
		{ID: "handles/dead", Promise: "After its connection died, a handle gives errors, and nothing of it is ever applied.", Kills: true, Run: handlesDead},
		{ID: "handles/dead-then-ended", Promise: "A handle whose connection died and whose transaction ended is ErrClosed.", Kills: true, Run: handlesDeadAndEnded},
	}
}

// handle is a handle of a transaction, with how it ended.
type handle struct {
	what string
	tx   duet.Tx
}

// ended gives handles of transactions that have ended, in every way there is.
// They changed nothing.
func ended(ctx context.Context, t *T, c duet.Client) []handle {
	var all []handle
	keep := func(what string, tx duet.Tx) {
		all = append(all, handle{what, tx}, handle{"a view of " + what, tx.With(duet.Options{Columns: duet.ColumnsLax})})
	}
	closures := map[string]func() error{
		"returned": func() error { return nil }, "failed": func() error { return errMine }, "panicked": func() error { panic(errMine) },
	}
	conn, err := c.Acquire(ctx)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	defer conn.Release()
	for how, end := range closures {
		for name, run := range map[string]txFunc{"a Conn's RawTx": conn.RawTx} {
			endClosure(ctx, t, run, end, func(tx duet.Tx) { keep(name+" that "+how, tx) })
		}
	}
	open := func(c interface {
		Begin(context.Context) (duet.OpenTx, error)
	}) duet.OpenTx {
		tx := begin(ctx, t, c)
		one[int64](ctx, t, tx, "count_accounts")
		return tx
	}
	tx := open(conn)
	keep("a Conn's transaction, committed", tx)
	_ = tx.Commit(ctx)
	keep("a Conn's transaction, ended by Release", open(conn))
	conn.Release()
	for how, end := range closures {
		for name, run := range bothTx(c) {
			endClosure(ctx, t, run, end, func(tx duet.Tx) { keep(name+" that "+how, tx) })
		}
	}
	tx = open(c)
	keep("a transaction that was committed", tx)
	_ = tx.Commit(ctx)
	tx = open(c)
	keep("a transaction that was rolled back", tx)
	_ = tx.Rollback(ctx)
	tx = open(c)
	keep("a transaction whose Commit's ctx had ended", tx)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, "Commit with an ended ctx", tx.Commit(gone), context.Canceled)
	keep("a transaction that was never used", begin(ctx, t, c))
	_ = all[len(all)-2].tx.(duet.OpenTx).Rollback(ctx)
	if t.Backend().Can(duet.NestedTx) {
		err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				keep("a nested one", tx)
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					one[int64](ctx, t, tx, "count_accounts")
					keep("one nested twice", tx)
					return nil
				})
			})
		})
		wantErr(t, "RawTx", err, nil)
	}
	return all
}

// endClosure runs a closure that ends as end does.
func endClosure(ctx context.Context, t *T, run txFunc, end func() error, keep func(duet.Tx)) {
	defer func() {
		if p := recover(); p != nil && p != any(errMine) {
			panic(p)
		}
	}()
	_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
		keep(tx)
		one[int64](ctx, t, tx, "count_accounts")
		return end()
	})
}

// wantUnreachable holds that each call on an ended handle is ErrClosed. What it
// tries would be seen in ada's balance.
func wantUnreachable(ctx context.Context, t *T, h handle) {
	var n []int64
	var out []byte
	check := func(call string, err error) { wantErr(t, fmt.Sprintf("%s of %s", call, h.what), err, duet.ErrClosed) }
	_, err := h.tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1000))
	check("Execute", err)
	_, err = h.tx.With(duet.Options{Name: "late"}).Execute(ctx, t.Text("add_to_balance"), "ada", int64(1000))
	check("Execute in a view", err)
	check("Query", h.tx.Query(ctx, t.Text("update_returning"), &n, "ada", int64(1000)))
	check("QueryJSON", h.tx.QueryJSON(ctx, t.Text("update_returning"), &out, "ada", int64(1000)))
	check("QueryOneJSON", h.tx.QueryOneJSON(ctx, t.Text("update_returning"), &out, "ada", int64(1000)))
	check("Rows", rowsErrorText(ctx, h.tx, t.Text("update_returning"), "ada", int64(1000)))
	err = h.tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1000))
		return err
	})
	if t.Backend().Can(duet.NestedTx) || !errors.Is(err, duet.ErrUnsupported) {
		check("Nested", err)
	}
	if tx, ok := h.tx.(duet.OpenTx); ok {
		check("Commit", tx.Commit(ctx))
		if err := tx.Rollback(ctx); err != nil {
			t.Errorf("Rollback of %s: %v, want nothing to happen", h.what, err)
		}
	}
}

func rowsErrorText(ctx context.Context, q duet.Querier, text string, args ...any) error {
	rows, err := q.Rows(ctx, text, args...)
	if err == nil {
		_ = rows.Close()
	}
	return err
}

func handlesLentOn(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	handles := ended(ctx, t, c)
	other := begin(ctx, t, c)
	exec(ctx, t, other, "add_to_balance", "ada", int64(1))
	for _, h := range handles {
		wantUnreachable(ctx, t, h)
	}
	want(t, "ada's balance in the other transaction", one[int64](ctx, t, other, "balance", "ada"), int64(1))
	want(t, "ada's balance outside of it", balance(ctx, t, "ada"), int64(0))
	if err := other.Commit(ctx); err != nil {
		t.Errorf("the other transaction's Commit: %v", err)
	}
	for _, h := range handles { // and while it is idle
		wantUnreachable(ctx, t, h)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
}

func handlesFromOthers(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	handles := ended(ctx, t, c)
	add := t.Text("add_to_balance")
	const goroutines, rounds = 6, 30
	parallel(t, goroutines, func(g int) error {
		for i := range rounds {
			if g < 2 { // they use the connections
				err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, add, "ada", int64(1))
					return err
				})
				if err != nil {
					return err
				}
				continue
			}
			h := handles[(g*rounds+i)%len(handles)]
			if _, err := h.tx.Execute(ctx, add, "ada", int64(1000)); !errors.Is(err, duet.ErrClosed) {
				return fmt.Errorf("executing with %s: the error is %w, want ErrClosed", h.what, err)
			}
		}
		return nil
	})
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(2*rounds))
}

func handleRunsOn(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	add := t.Text("add_to_balance")
	for round := range 20 {
		exec(ctx, t, t.Client(), "set_balance", "ada", int64(0))
		var result error
		if round%4 == 3 {
			result = errMine
		}
		added, last := int64(0), error(nil)
		started, done := make(chan struct{}), make(chan struct{})
		err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			ctx = context.WithoutCancel(ctx)
			go func() {
				defer close(done)
				for last == nil {
					if _, last = tx.Execute(ctx, add, "ada", int64(1)); last == nil {
						added++
					}
					if added == int64(round%5)+1 {
						select {
						case <-started:
						default:
							close(started)
						}
					}
				}
				for range 20 { // whatever it met: it is over
					if _, err := tx.Execute(ctx, add, "ada", int64(1000)); err == nil {
						t.Errorf("round %d: a statement after the end succeeded", round)
					}
				}
			}()
			<-started
			return result
		})
		exec(ctx, t, c, "add_to_balance", "bob", int64(1)) // the connection's next user
		<-done
		if err != nil || result != nil {
			added = 0
		}
		if result != nil && err == nil {
			t.Errorf("round %d: RawTx succeeded, though its closure failed", round)
		}
		if got := balance(ctx, t, "ada"); got != added {
			t.Errorf("round %d: ada's balance is %d, want %d (RawTx: %v; the goroutine's last: %v)", round, got, added, err, last)
		}
	}
	want(t, "bob's balance", balance(ctx, t, "bob"), int64(20))
	wantLent(t, c, 0)
}

func handleRows(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	const n = 20000
	for name, run := range bothTx(c) {
		var kept duet.Rows
		read := int64(0)
		_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
			var err error
			if kept, err = tx.Rows(context.WithoutCancel(ctx), t.Text("numbers"), int64(n)); err != nil {
				return err
			}
			for range 3 {
				if !kept.Next() {
					return kept.Err()
				}
				read++
			}
			return errMine
		})
		if kept == nil {
			t.Fatalf("%s: there are no rows", name)
		}
		other := begin(ctx, t, c)
		want(t, "a result of the next transaction", one[string](ctx, t, other, "echo_str", "x"), "x")
		for kept.Next() {
			var i int64
			if err := kept.Scan(&i); err != nil || i != read {
				t.Fatalf("%s: row %d is %d (%v)", name, read, i, err)
			}
			read++
		}
		if err := kept.Close(); err == nil && read != n {
			t.Errorf("%s: %d of %d rows came, and no error", name, read, n)
		}
		want(t, "another result of the next transaction", one[string](ctx, t, other, "echo_str", "y"), "y")
		if err := other.Commit(ctx); err != nil {
			t.Errorf("Commit of the next transaction: %v", err)
		}
	}
}

func handlesDead(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 2)
	add := t.Text("add_to_balance")
	dies := func(what string, tx duet.Tx) {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
		kill()
		_, first := tx.Execute(ctx, add, "ada", int64(1000))
		if kind := duet.KindOf(first); kind != duet.KindUnavailable && kind != duet.KindClosed {
			t.Errorf("%s: the first statement after the death: %v, want ErrUnavailable or ErrClosed", what, first)
		}
		other := begin(ctx, t, c) // lends the next connection, with another transaction
		exec(ctx, t, other, "add_to_balance", "ada", int64(1))
		for range 3 {
			_, err := tx.Execute(ctx, add, "ada", int64(1000))
			wantErr(t, what, err, duet.ErrClosed)
			_, err = tx.With(duet.Options{Name: "late"}).Execute(ctx, add, "ada", int64(1000))
			wantErr(t, "a view of "+what, err, duet.ErrClosed)
		}
		if err := other.Commit(ctx); err != nil {
			t.Errorf("%s: the other transaction: %v", what, err)
		}
	}
	for _, how := range []string{"RawTx that returns nil", "RawTx that fails"} {
		err := c.RawTx(ctx, func(_ context.Context, tx duet.Tx) error {
			dies(how, tx)
			if how == "RawTx that fails" {
				return errMine
			}
			return nil
		})
		if err == nil {
			t.Errorf("%s succeeded, though its connection died", how)
		}
	}
	tx := begin(ctx, t, c)
	dies("a transaction of Begin", tx)
	if err := tx.Commit(ctx); err == nil || errors.Is(err, duet.ErrCommitUnknown) {
		t.Errorf("Commit of a dead transaction: %v, want an error that leaves no doubt", err)
	}
	conn := acquire(ctx, t, c)
	tx = begin(ctx, t, conn)
	dies("a transaction of a Conn", tx)
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback of a dead transaction: %v", err)
	}
	if _, err := conn.Execute(ctx, add, "ada", int64(1000)); err == nil {
		t.Errorf("the dead Conn runs statements")
	}
	conn.Release()
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(4))
	wantLent(t, c, 0)
}

func handlesDeadAndEnded(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 1)
	var handles []handle
	for name, run := range bothTx(c.With(duet.Options{Retry: noRetry()})) {
		_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
			handles = append(handles, handle{name + " whose connection died", tx})
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
			kill()
			_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1000))
			return err
		})
	}
	for _, first := range []bool{true, false} {
		tx := begin(ctx, t, c)
		handles = append(handles, handle{fmt.Sprintf("a transaction whose connection died, with %t that it was used", first), tx})
		if first {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
		}
		kill()
		if err := tx.Rollback(ctx); err != nil {
			t.Errorf("Rollback: %v", err)
		}
	}
	other := begin(ctx, t, c)
	exec(ctx, t, other, "add_to_balance", "ada", int64(1))
	for _, h := range handles {
		wantUnreachable(ctx, t, h)
	}
	if err := other.Commit(ctx); err != nil {
		t.Errorf("the other transaction: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
}
