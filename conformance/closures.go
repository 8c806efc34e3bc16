package conformance

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/duetdb/duet"
)

func closureScenarios() []Scenario {
	return []Scenario{
		{ID: "closures/every-call", Promise: "Each call on the client that could only wait for the connection of its own closure is ErrPoolExhausted at once.", Run: ownClosureCalls},
		{ID: "closures/not-retried", Promise: "A closure that fails with that is not run again.", Run: ownClosureOnce},
		{ID: "closures/whole-pool", Promise: "One caller whose closures hold the whole pool is told so at once, and goes on with fewer.", Run: ownWholePool},
		{ID: "closures/conn", Promise: "The client used in RawTx of the only connection is ErrPoolExhausted too.", Run: ownConn},
		{ID: "closures/moved", Promise: "A closure whose transaction moved to another connection, as its own had died, is told as before.", Kills: true, Run: ownClosureMoved},
		{ID: "closures/waits", Promise: "A call in a closure waits for a connection that somebody else holds.", Run: closureWaits},
		{ID: "closures/crossed", Promise: "Where closures that hold the whole pool would wait for each other, one of them is ErrPoolExhausted at once.", Run: closuresCrossed},
	}
}

// mustNotRun is a closure that must not be run.
func mustNotRun(t *T, what string) func(context.Context, duet.Tx) error {
	return func(context.Context, duet.Tx) error {
		t.Errorf("%s ran its closure", what)
		return nil
	}
}

// wantSelfHeld holds that every call on a client under ctx is ErrPoolExhausted.
func wantSelfHeld(ctx context.Context, t *T, c duet.Client) {
	var n []int64
	var v int64
	var out []byte
	check := func(call string, err error) { wantErr(t, call+" in the closure", err, duet.ErrPoolExhausted) }
	view := c.With(duet.Options{Name: "view"})
	check("Query", c.Query(ctx, t.Text("one"), &n))
	check("QueryOne", view.QueryOne(ctx, t.Text("one"), &v))
	check("QueryJSON", c.QueryJSON(ctx, t.Text("one"), &out))
	check("QueryOneJSON", c.QueryOneJSON(ctx, t.Text("one"), &out))
	_, err := c.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1000))
	check("Execute", err)
	check("Rows", rowsError(ctx, t, c, "one"))
	check("Ping", c.Ping(ctx))
	for name, run := range bothTx(view) {
		check(name, run(ctx, mustNotRun(t, name)))
	}
	_, err = c.Begin(ctx)
	check("Begin", err)
	_, err = c.Acquire(ctx)
	check("Acquire", err)
}

func ownClosureCalls(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	within(t, "the client in its own closures", func() {
		for name, run := range bothTx(c) {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				wantSelfHeld(ctx, t, c) // before BEGIN
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				wantSelfHeld(ctx, t, c)
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(4))
	usable(ctx, t, c, "afterwards")
	wantLent(t, c, 0)
}

func ownClosureOnce(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	calls := 0
	within(t, "RetryingTx in RetryingTx", func() {
		err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			calls++
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return c.RetryingTx(ctx, mustNotRun(t, "the inner RetryingTx"))
		})
		wantErr(t, "RetryingTx", err, duet.ErrPoolExhausted)
		if err != nil && !strings.Contains(err.Error(), "already holds") {
			t.Errorf("the error does not say that the caller waits for itself: %v", err)
		}
	})
	want(t, "the attempts", calls, 1)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))
	usable(ctx, t, c, "afterwards")
}

func ownWholePool(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada", "bob")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	within(t, "closures within closures", func() {
		err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				wantSelfHeld(ctx, t, c)
				exec(ctx, t, tx, "add_to_balance", "bob", int64(1))
				return nil
			})
			if err != nil {
				t.Errorf("the inner RetryingTx: %v", err)
			}
			usable(ctx, t, c, "when the inner one has ended")
			return nil
		})
		if err != nil {
			t.Errorf("the outer RetryingTx: %v", err)
		}
	})
	want(t, "the balances", balance(ctx, t, "ada")+balance(ctx, t, "bob"), int64(2))
}

func ownConn(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	within(t, "the client in RawTx of its only connection", func() {
		err := conn.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			wantSelfHeld(ctx, t, c)
			return nil
		})
		if err != nil {
			t.Errorf("RawTx: %v", err)
		}
	})
	conn.Release()
	usable(ctx, t, c, "afterwards")
}

func ownClosureMoved(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 1)
	for name, run := range bothTx(c) {
		usable(ctx, t, c, "beforehand")
		within(t, name, func() {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				kill() // before anything was sent
				if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err != nil {
					return err
				}
				wantSelfHeld(ctx, t, c)
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(2))
	wantLent(t, c, 0)
}

func closureWaits(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	conn := acquire(ctx, t, c)
	slow := t.Text("slow")
	var wg sync.WaitGroup
	defer wg.Wait()
	err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		wg.Go(func() {
			if !eventually(func() bool { return c.Pool().Stat().Waiting == 1 }) {
				t.Errorf("the call in the closure does not wait")
			}
			if _, err := conn.Execute(ctx, slow, int64(1000)); err != nil { // a tenth of a second
				t.Errorf("the connection that is waited for: %v", err)
			}
			conn.Release()
		})
		usable(ctx, t, c, "in the closure, once the connection came back")
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
}

// closuresCrossed has two closures hold one connection each, of two, and then ask
// for another.
func closuresCrossed(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	for name, run := range bothTx(c) {
		var inner [2]error
		m := newMeeting()
		within(t, "closures that wait for each other in "+name, func() {
			parallel(t, len(inner), func(i int) error {
				err := run(ctx, func(ctx context.Context, _ duet.Tx) error {
					m.arrive(i)
					if err := m.wait(ctx, i); err != nil {
						return err
					}
					inner[i] = run(ctx, func(context.Context, duet.Tx) error { return nil })
					return inner[i]
				})
				if !errors.Is(err, inner[i]) {
					t.Errorf("the outer %s: %v, want the inner one's: %v", name, err, inner[i])
				}
				return nil
			})
		})
		failed := 0 // where one fails, the other gets its connection, if it still waits
		for _, err := range inner {
			if err == nil {
				continue
			}
			failed++
			wantErr(t, "a call in a closure", err, duet.ErrPoolExhausted)
			want(t, "that it ended with its ctx", errors.Is(err, context.DeadlineExceeded), false)
			if !strings.Contains(err.Error(), "wait for another one") {
				t.Errorf("the error does not say that the holders wait for each other: %v", err)
			}
		}
		if failed == 0 {
			t.Errorf("two closures got three connections of two")
		}
		usable(ctx, t, c, "afterwards")
		wantLent(t, c, 0)
	}
}
