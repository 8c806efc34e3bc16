package conformance

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

func panicScenarios() []Scenario {
	return []Scenario{
		{ID: "panics/values", Promise: "A panic's value comes through unchanged, whatever it is, and the connection is free afterwards.", Run: panicValues},
		{ID: "panics/later-attempt", Promise: "A panic or Goexit in a later attempt goes on as one in the first does.", Run: panicLater},
		{ID: "panics/midway", Promise: "A panic with open rows, after a failed statement, or before the first one, rolls back and frees the connection.", Run: panicMidway},
		{ID: "panics/goexit", Promise: "Goexit ends the goroutine, through RawTx of a lent connection too, and the connection is free afterwards.", Run: goexitEverywhere},
		{ID: "panics/hook", Promise: "Hooks.Tx is told of an attempt that panicked, with an error.", Run: panicHook},
		{ID: "panics/nested", Promise: "A panic or Goexit in Nested goes on through the outer closure, and nothing is kept.",
			Needs: []duet.Ability{duet.NestedTx}, Run: panicNested},
	}
}

// noRetry leaves one attempt.
func noRetry() *retry.Policy { p := retry.Never(); return &p }

// custom is a type that only panics use.
type custom struct {
	why string
	at  *int
}

// caught gives the value that f panicked with, and whether it returned.
func caught(f func()) (value any, returned bool) {
	defer func() { value = recover() }()
	f()
	return nil, true
}

func panicValues(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	at := 7
	values := map[string]any{
		"a string": "on purpose", "an error": errMine, "a struct": custom{"on purpose", &at}, "a pointer": &custom{"on purpose", &at},
		"an error of the client": &duet.Error{Kind: duet.KindSerialization, Backend: t.Backend().Name}, "ctx's error": context.Canceled,
	}
	conn := func(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
		conn := acquire(ctx, t, c)
		defer conn.Release()
		return conn.RawTx(ctx, fn)
	}
	ways := bothTx(c)
	ways["RawTx of a Conn"] = conn
	for name, run := range ways {
		panics := func(what string, throw func()) any {
			got, returned := caught(func() {
				_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
					exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
					throw()
					return nil
				})
			})
			if returned {
				t.Errorf("%s returned after a panic with %s", name, what)
			}
			within(t, "a query after the panic", func() { usable(ctx, t, c, "after a panic in "+name) })
			wantLent(t, c, 0)
			return got
		}
		for what, value := range values {
			if got := panics(what, func() { panic(value) }); got != value {
				t.Errorf("%s: the panic's value is %#v, want %#v: %s", name, got, value, what)
			}
		}
		if _, ok := panics("nil", func() { panic(nil) }).(*runtime.PanicNilError); !ok {
			t.Errorf("%s: a panic with nil is not a *runtime.PanicNilError", name)
		}
		var none map[string]int
		got := panics("a fault", func() { none["x"] = 1 })
		if _, ok := got.(runtime.Error); !ok {
			t.Errorf("%s: a fault of the program is a %T, want a runtime.Error", name, got)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func panicLater(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for round, end := range map[string]func(){"a panic": func() { panic(errMine) }, "Goexit": runtime.Goexit} {
		attempts := 0
		var value any
		var wg sync.WaitGroup
		wg.Go(func() {
			value, _ = caught(func() {
				_ = c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
					if attempts++; attempts == 1 {
						return conflicting(ctx, inner, t, tx)
					}
					_, _ = tx.Execute(inner, t.Text("add_to_balance"), "ada", int64(100))
					end()
					return nil
				})
				t.Errorf("%s: RetryingTx returned", round)
			})
		})
		wg.Wait()
		want(t, round+": the attempts", attempts, 2)
		want(t, round+": that there is a value", value == any(errMine), round == "a panic")
		within(t, "a query afterwards", func() { usable(ctx, t, c, "after "+round) })
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(2))
}

func panicMidway(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	before := map[string]func(context.Context, duet.Tx){
		"first of all": func(context.Context, duet.Tx) {},
		"after a failed statement": func(ctx context.Context, tx duet.Tx) {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			_, _ = tx.Execute(ctx, t.Text("unique_violation"))
		},
		"with open rows": func(ctx context.Context, tx duet.Tx) {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			rows, err := tx.Rows(ctx, t.Text("numbers"), int64(100000))
			if err != nil || !rows.Next() {
				t.Errorf("there are no rows: %v", err)
			}
		},
		"after ctx has ended": func(ctx context.Context, tx duet.Tx) {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, _ = tx.Execute(ended, t.Text("add_to_balance"), "ada", int64(1))
		},
	}
	for when, prepare := range before {
		for name, run := range bothTx(c) {
			got, _ := caught(func() {
				_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
					prepare(ctx, tx)
					panic(errMine)
				})
			})
			if got != any(errMine) {
				t.Errorf("%s, %s: the panic's value is %v", name, when, got)
			}
			within(t, "a query afterwards", func() { usable(ctx, t, c, "after a panic "+when) })
			wantLent(t, c, 0)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func goexitEverywhere(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	add := t.Text("add_to_balance")
	ways := bothTx(c)
	ways["RawTx of a Conn"] = func(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
		conn, err := c.Acquire(ctx)
		if err != nil {
			t.Errorf("Acquire: %v", err)
			return err
		}
		defer conn.Release()
		return conn.RawTx(ctx, fn)
	}
	for name, run := range ways {
		gone := false
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { gone = recover() == nil }()
			_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
				if _, err := tx.Execute(ctx, add, "ada", int64(1)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				runtime.Goexit()
				return nil
			})
			t.Errorf("%s returned after Goexit", name)
		})
		wg.Wait()
		want(t, "that "+name+" ended without a panic", gone, true)
		within(t, "a query after Goexit", func() { usable(ctx, t, c, "after Goexit in "+name) })
		wantLent(t, c, 0)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func panicHook(ctx context.Context, t *T) {
	var told []error
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, Hooks: duet.Hooks{Tx: func(context.Context, duet.TxInfo) (context.Context, func(error)) {
		return nil, func(err error) { told = append(told, err) }
	}}})
	for name, run := range bothTx(c) {
		told = nil
		_, _ = caught(func() { _ = run(ctx, func(context.Context, duet.Tx) error { panic(errMine) }) })
		if len(told) != 1 || told[0] == nil {
			t.Errorf("%s: the hook was told %v of an attempt that panicked, want one error", name, told)
		}
	}
}

func panicNested(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	add := t.Text("add_to_balance")
	for name, run := range bothTx(c) {
		for what, end := range map[string]func(){"a panic": func() { panic(errMine) }, "Goexit": runtime.Goexit} {
			var value any
			var wg sync.WaitGroup
			wg.Go(func() {
				value, _ = caught(func() {
					_ = run(ctx, func(ctx context.Context, tx duet.Tx) error {
						_, err := tx.Execute(ctx, add, "ada", int64(1))
						return errors.Join(err, tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
							_, _ = tx.Execute(ctx, add, "ada", int64(1))
							end()
							return nil
						}))
					})
					t.Errorf("%s returned after %s in Nested", name, what)
				})
			})
			wg.Wait()
			want(t, "that the value came through "+name, value == any(errMine), what == "a panic")
			within(t, "a query afterwards", func() { usable(ctx, t, c, "after "+what+" in Nested") })
			wantLent(t, c, 0)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}
