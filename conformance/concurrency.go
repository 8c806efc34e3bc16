package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/duetdb/duet"
)

func concurrencyScenarios() []Scenario {
	return []Scenario{
		{ID: "concurrency/mixed", Promise: "A Client may be used by any number of goroutines: each gets its own results.", Run: mixedGoroutines},
		{ID: "concurrency/transfers", Promise: "Concurrent transfers keep the sum, and each is applied once.", Run: concurrentTransfers},
		{ID: "concurrency/views", Promise: "Views with different options do not disturb each other.", Run: concurrentViews},
		{ID: "concurrency/errors", Promise: "An error of one goroutine's call does not reach another's.", Run: concurrentErrors},
		{ID: "concurrency/loans", Promise: "Lent connections and calls of the client get along.", Run: concurrentLoans},
		{ID: "concurrency/cancel", Promise: "A cancelled call does not disturb its neighbours.", Run: concurrentCancel},
	}
}

func mixedGoroutines(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	const goroutines, rounds = 64, 10
	parallel(t, goroutines, func(g int) error {
		for i := range rounds {
			if err := mixed(ctx, t, int64(g*rounds+i)); err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(goroutines*rounds))
}

// mixed makes calls of several kinds and checks that the results are its own.
func mixed(ctx context.Context, t *T, key int64) error {
	c := t.Client()
	if n, err := duet.QueryOne[int64](ctx, c, t.Text("echo_int64"), key); n != key || err != nil {
		return fmt.Errorf("echo_int64 of %d: %d, %w", key, n, err)
	}
	text := fmt.Sprint("text ", key)
	if s, err := duet.QueryOne[string](ctx, c, t.Text("echo_str"), text); s != text || err != nil {
		return fmt.Errorf("echo_str of %q: %q, %w", text, s, err)
	}
	rows, err := duet.QueryAll[object](ctx, c, t.Text("objects"), key%17)
	if int64(len(rows)) != key%17 || err != nil {
		return fmt.Errorf("objects of %d: %d rows, %w", key%17, len(rows), err)
	}
	var out []byte
	if err := c.QueryOneJSON(ctx, t.Text("echo_int64"), &out, key); err != nil || string(out) != fmt.Sprint(key) {
		return fmt.Errorf("echo_int64 of %d as JSON: %s, %w", key, out, err)
	}
	if err := persist(ctx, t, "insert_account", text, key); err != nil {
		return err
	}
	return persist(ctx, t, "add_to_balance", "ada", int64(1))
}

// persist runs a statement until it meets no conflict: outside of RetryingTx that
// is the caller's to deal with.
func persist(ctx context.Context, t *T, name string, args ...any) error {
	for {
		_, err := t.Client().Execute(ctx, t.Text(name), args...)
		if duet.KindOf(err) != duet.KindSerialization {
			return err
		}
	}
}

func concurrentTransfers(ctx context.Context, t *T) {
	names := []string{"ada", "bob", "carol", "dora"}
	accounts(ctx, t, 1000, names...)
	const goroutines, rounds = 8, 10
	text := t.Text("transfer")
	parallel(t, goroutines, func(g int) error {
		for i := range rounds {
			src, dst := names[(g+i)%len(names)], names[(g+i+1)%len(names)]
			err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, text, src, dst, int64(1))
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "the sum", one[int64](ctx, t, t.Client(), "sum_of_balances"), int64(4000))
	want(t, "the number of transfers", one[int64](ctx, t, t.Client(), "count_transfers"), int64(goroutines*rounds))
}

func concurrentViews(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 4})
	type row struct{ S string }
	text := t.Text("two_columns")
	parallel(t, 32, func(g int) error {
		lax := g%2 == 0
		view := c.With(duet.Options{Columns: duet.ColumnsStrict, Name: fmt.Sprint("view ", g)})
		if lax {
			view = view.With(duet.Options{Columns: duet.ColumnsLax, Timeout: time.Minute})
		}
		for range 20 {
			_, err := duet.QueryOne[row](ctx, view, text)
			if lax && err != nil || !lax && duet.KindOf(err) != duet.KindInvalidResult {
				return fmt.Errorf("lax is %t, and the error is %w", lax, err)
			}
		}
		return nil
	})
}

func concurrentErrors(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	kinds := map[string]duet.Kind{
		"unique_violation": duet.KindUniqueViolation, "check_violation": duet.KindCheckViolation, "syntax_error": duet.KindSyntax,
		"unknown_type": duet.KindUndefined, "two": duet.KindOther,
	}
	names := []string{"unique_violation", "two", "check_violation", "two", "syntax_error", "two", "unknown_type", "two"}
	parallel(t, 32, func(g int) error {
		for i := range 20 {
			name := names[(g+i)%len(names)]
			_, err := c.Execute(ctx, t.Text(name))
			if duet.KindOf(err) != kinds[name] || (err == nil) != (name == "two") {
				return fmt.Errorf("%s: the error is %w", name, err)
			}
		}
		return nil
	})
}

func concurrentLoans(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 3})
	text := t.Text("echo_int64")
	parallel(t, 16, func(g int) error {
		for i := range 20 {
			key := int64(g*100 + i)
			var q duet.Querier = c
			if g%2 == 0 {
				conn, err := c.Acquire(ctx)
				if err != nil {
					return err
				}
				defer conn.Release()
				n, err := duet.QueryOne[int64](ctx, conn, text, key)
				conn.Release()
				if n != key || err != nil {
					return fmt.Errorf("a lent connection gives %d for %d, %w", n, key, err)
				}
				continue
			}
			if n, err := duet.QueryOne[int64](ctx, q, text, key); n != key || err != nil {
				return fmt.Errorf("the client gives %d for %d, %w", n, key, err)
			}
		}
		return nil
	})
	wantLent(t, c, 0)
}

func concurrentCancel(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 4})
	slow, echo, n := t.Text("slow"), t.Text("echo_int64"), slowish(t)
	parallel(t, 12, func(g int) error {
		for i := range 10 {
			if g%3 == 0 {
				short, cancel := context.WithTimeout(ctx, time.Duration(i+1)*3*time.Millisecond)
				_, err := c.Execute(short, slow, n)
				cancel()
				if err == nil {
					return fmt.Errorf("the slow statement succeeded")
				}
				continue
			}
			if n, err := duet.QueryOne[int64](ctx, c, echo, int64(g*100+i)); n != int64(g*100+i) || err != nil {
				return fmt.Errorf("a neighbour of cancelled calls: %d for %d, %w", n, g*100+i, err)
			}
		}
		return nil
	})
}
