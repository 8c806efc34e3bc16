package conformance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

func cancellationScenarios() []Scenario {
	return []Scenario{
		{ID: "cancellation/ended-before", Promise: "A call whose ctx has ended does nothing and returns ctx's error.", Run: ctxEndedBefore},
		{ID: "cancellation/deadline", Promise: "A call returns within milliseconds of its ctx's deadline, and the client goes on.", Run: deadlineInStatement},
		{ID: "cancellation/cancel", Promise: "A call returns within milliseconds of its ctx's cancel, and the client goes on.", Run: cancelInStatement},
		{ID: "cancellation/options-timeout", Promise: "Options.Timeout bounds each single call; NoTimeout undoes it.", Run: optionsTimeout},
		{ID: "cancellation/waiting-for-pool", Promise: "Waiting for a connection ends with ctx.", Run: cancelWaiting},
		{ID: "cancellation/in-transaction", Promise: "Where ctx ends in a transaction, nothing is applied.", Run: cancelInTx},
		{ID: "cancellation/own-ctx-in-transaction", Promise: "Where a statement's own ctx ends, its transaction fails and nothing is applied.", Run: cancelStatementInTx},
		{ID: "cancellation/before-commit", Promise: "Where ctx ends before the commit, nothing is applied.", Run: cancelBeforeCommit},
		{ID: "cancellation/repeated", Promise: "A cancelled statement spoils no later one: the connections stay usable.", Run: cancelRepeatedly},
		{ID: "cancellation/destination", Promise: "After a call has returned, its destination is not written any more.", Run: destinationIsMine},
		{ID: "cancellation/at-random", Promise: "Wherever ctx ends, a call returns its result or ctx's error, and nothing half.", Run: cancelAtRandom},
	}
}

func ctxEndedBefore(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	c := t.Client()
	var n []int64
	var v int64
	var out []byte
	check := func(what string, err error) {
		wantErr(t, what, err, context.Canceled)
		want(t, what+": the error's backend", details(t, what, err).Backend, t.Backend().Name)
	}
	check("Query", c.Query(ended, t.Text("one"), &n))
	check("QueryOne", c.QueryOne(ended, t.Text("one"), &v))
	check("QueryJSON", c.QueryJSON(ended, t.Text("one"), &out))
	check("QueryOneJSON", c.QueryOneJSON(ended, t.Text("one"), &out))
	_, err := c.Execute(ended, t.Text("add_to_balance"), "ada", int64(1))
	check("Execute", err)
	err = rowsError(ended, t, c, "one")
	check("Rows", err)
	for name, run := range bothTx(c) {
		check(name, run(ended, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
			return err
		}))
	}
	_, err = c.Begin(ended)
	check("Begin", err)
	_, err = c.Acquire(ended)
	check("Acquire", err)
	check("Ping", c.Ping(ended))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

// interrupted runs the slow statement in each way there is, each over a pool of
// one connection, under a ctx that ends soon.
func interrupted(ctx context.Context, t *T, soon func() (context.Context, context.CancelFunc), target error) {
	text, n := t.Text("slow"), slowly(t)
	calls := map[string]func(context.Context, duet.Client) error{
		"Execute": func(ctx context.Context, c duet.Client) error { _, err := c.Execute(ctx, text, n); return err },
		"Query":   func(ctx context.Context, c duet.Client) error { var v []int64; return c.Query(ctx, text, &v, n) },
		"QueryOne": func(ctx context.Context, c duet.Client) error {
			var v int64
			return c.QueryOne(ctx, text, &v, n)
		},
		"QueryOneJSON": func(ctx context.Context, c duet.Client) error {
			var out []byte
			return c.QueryOneJSON(ctx, text, &out, n)
		},
		"RetryingTx": func(ctx context.Context, c duet.Client) error {
			return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, text, n)
				return err
			})
		},
	}
	var wg sync.WaitGroup // all at once: each may have to wait for the server
	for name, call := range calls {
		c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
		usable(ctx, t, c, "before "+name)
		wg.Go(func() {
			stops(t, name, func() {
				ctx, cancel := soon()
				defer cancel()
				wantErr(t, name, call(ctx, c), target)
			})
			usable(ctx, t, c, "after "+name)
		})
	}
	wg.Wait()
}

func deadlineInStatement(ctx context.Context, t *T) {
	interrupted(ctx, t, func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 50*time.Millisecond)
	}, context.DeadlineExceeded)
}

func cancelInStatement(ctx context.Context, t *T) {
	interrupted(ctx, t, func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		stop := time.AfterFunc(50*time.Millisecond, cancel)
		return ctx, func() { stop.Stop(); cancel() }
	}, context.Canceled)
}

func optionsTimeout(ctx context.Context, t *T) {
	c := t.Client().With(duet.Options{Timeout: 100 * time.Millisecond})
	stops(t, "Execute", func() {
		_, err := c.Execute(ctx, t.Text("slow"), slowly(t))
		wantErr(t, "Execute", err, context.DeadlineExceeded)
	})
	stops(t, "a statement in RetryingTx", func() {
		err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, t.Text("slow"), slowly(t))
			return err
		})
		wantErr(t, "a statement in RetryingTx", err, context.DeadlineExceeded)
	})
	const shortly = 1500 // a quarter of a second
	free := c.With(duet.Options{Timeout: duet.NoTimeout})
	want(t, "without a timeout", one[int64](ctx, t, free, "slow", int64(shortly)), int64(shortly*shortly))
	usable(ctx, t, free, "afterwards")
}

func cancelWaiting(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	within(t, "waiting for the pool", func() {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		var n int64
		err := c.QueryOne(ctx, t.Text("one"), &n)
		wantErr(t, "QueryOne", err, context.DeadlineExceeded)
		_, err = c.Acquire(ctx)
		wantErr(t, "Acquire", err, context.DeadlineExceeded)
		err = c.RetryingTx(ctx, func(context.Context, duet.Tx) error { return nil })
		wantErr(t, "RetryingTx", err, context.DeadlineExceeded)
	})
	usable(ctx, t, conn, "the lent connection")
	conn.Release()
	usable(ctx, t, c, "afterwards")
}

func cancelInTx(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		attempts := 0
		stops(t, name, func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				attempts++
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
				_, err := tx.Execute(ctx, t.Text("slow"), slowly(t))
				return err
			})
			wantErr(t, name, err, context.Canceled)
		})
		want(t, name+": the attempts", attempts, 1)
		usable(ctx, t, c, "after "+name)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func cancelStatementInTx(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		stops(t, name, func() {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
				short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				_, err := tx.Execute(short, t.Text("slow"), slowly(t))
				wantErr(t, "the statement", err, context.DeadlineExceeded)
				if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err == nil {
					t.Errorf("%s: the transaction went on after a cancelled statement", name)
				}
				return nil
			})
			wantErr(t, name, err, context.DeadlineExceeded)
		})
		usable(ctx, t, c, "after "+name)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func cancelBeforeCommit(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for name, run := range bothTx(c) {
		ending, cancel := context.WithCancel(ctx)
		err := run(ending, func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			cancel()
			return nil
		})
		wantErr(t, name, err, context.Canceled)
		usable(ctx, t, c, "after "+name)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(10))
}

func cancelRepeatedly(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	for i := range 20 {
		within(t, "a cancelled statement", func() {
			ctx, cancel := context.WithTimeout(ctx, time.Duration(1+i*2)*time.Millisecond)
			defer cancel()
			_, err := c.Execute(ctx, t.Text("slow"), slowish(t))
			wantErr(t, "Execute", err, context.DeadlineExceeded)
		})
		for range 3 {
			usable(ctx, t, c, "after a cancelled statement")
		}
	}
	if s := c.Pool().Stat(); s.Total > 2 {
		t.Errorf("the pool has %d connections, want at most 2", s.Total)
	}
}

func destinationIsMine(ctx context.Context, t *T) {
	text := t.Text("numbers")
	for i := range 10 {
		rows := make([]int64, 0, 200000)
		short, cancel := context.WithTimeout(ctx, time.Duration(i*5)*time.Millisecond)
		err := t.Client().Query(short, text, &rows, int64(200000))
		cancel()
		// From here on these are ours: the race detector sees a late write, and
		// so does the comparison.
		rows = rows[:cap(rows)]
		for j := range rows {
			rows[j] = -1
		}
		usable(ctx, t, t.Client(), "after a cancelled query")
		for j, v := range rows {
			if v != -1 {
				t.Fatalf("element %d was written to after the call had returned (error %v)", j, err)
			}
		}
	}
}

func cancelAtRandom(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2})
	committed, unknown := int64(0), int64(0)
	for i := range 60 {
		after := time.Duration(i) * 20 * time.Microsecond
		short, cancel := context.WithTimeout(ctx, after)
		n, err := duet.QueryOne[int64](short, c, t.Text("two"))
		if err == nil && n != 2 || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: 1 + 1 is %d with error %v", after, n, err)
		}
		cancel()
		short, cancel = context.WithTimeout(ctx, 2*after)
		err = c.RetryingTx(short, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
			return err
		})
		cancel()
		switch {
		case err == nil:
			committed++
		case errors.Is(err, duet.ErrCommitUnknown):
			unknown++
		case !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("after %v: RetryingTx: %v", 2*after, err)
		}
		usable(ctx, t, c, "after the cancelled calls")
	}
	if err := c.Close(ctx); err != nil { // from here on nothing is under way
		t.Errorf("Close: %v", err)
	}
	if got := balance(ctx, t, "ada"); got < committed || got > committed+unknown {
		t.Errorf("ada's balance is %d, but %d transactions succeeded and of %d the outcome is unknown", got, committed, unknown)
	}
}
