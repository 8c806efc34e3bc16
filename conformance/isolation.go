package conformance

import (
	"context"
	"errors"
	"sync"

	"github.com/duetdb/duet"
)

func isolationScenarios() []Scenario {
	return []Scenario{
		{ID: "isolation/serializable", Promise: "RetryingTx is serializable unless Options say otherwise.", Run: serializableByDefault},
		{ID: "isolation/repeatable-read", Promise: "A read-only transaction may be repeatable read, or that is ErrUnsupported where no transaction may be.", Run: repeatableRead},
		{ID: "isolation/weak", Promise: "Options.Isolation makes transactions weaker, or is ErrUnsupported.",
			Needs: []duet.Ability{duet.WeakIsolation}, Run: weakIsolation, Without: noWeakIsolation},
		{ID: "isolation/deferrable", Promise: "Options.Deferrable makes a serializable read-only transaction deferrable, or is ErrUnsupported.",
			Needs: []duet.Ability{duet.DeferrableTx}, Run: deferrable, Without: unsupportedInTx(duet.Options{Deferrable: duet.On})},
		{ID: "isolation/snapshot", Promise: "A serializable transaction does not see what others commit meanwhile.", Run: snapshot},
		{ID: "isolation/own-writes", Promise: "A transaction reads its own writes, and nobody else does.", Run: ownWrites},
		{ID: "isolation/lost-update", Promise: "Concurrent read-modify-write under RetryingTx loses no update.", Run: lostUpdate},
		{ID: "isolation/write-skew", Promise: "Write skew under RetryingTx is prevented.", Run: writeSkew},
		{ID: "isolation/on-call", Promise: "What each of many transactions holds to by itself, they hold to together: somebody is always on call.", Run: onCall},
	}
}

// isolationOf gives the isolation that a transaction runs with.
func isolationOf(ctx context.Context, t *T, run txFunc) string {
	var level string
	err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
		return tx.QueryOne(ctx, t.Text("isolation"), &level)
	})
	if err != nil {
		t.Fatalf("reading the isolation: %v", err)
	}
	return level
}

func serializableByDefault(ctx context.Context, t *T) {
	want(t, "the isolation", isolationOf(ctx, t, t.Client().RetryingTx), "Serializable")
	c := t.Client().With(duet.Options{Isolation: duet.Serializable})
	want(t, "the isolation of RawTx", isolationOf(ctx, t, c.RawTx), "Serializable")
}

func repeatableRead(ctx context.Context, t *T) {
	o := duet.Options{Isolation: duet.RepeatableRead, Access: duet.ReadOnly}
	c := t.Client().With(o)
	err := c.RawTx(ctx, func(context.Context, duet.Tx) error { return nil })
	if !t.Backend().Can(duet.WeakIsolation) && errors.Is(err, duet.ErrUnsupported) {
		unsupportedInTx(o)(ctx, t)
	} else {
		want(t, "the isolation of RetryingTx", isolationOf(ctx, t, c.RetryingTx), "RepeatableRead")
		want(t, "the isolation of RawTx", isolationOf(ctx, t, c.RawTx), "RepeatableRead")
	}
	want(t, "the isolation without the view", isolationOf(ctx, t, t.Client().RetryingTx), "Serializable")
}

func weakIsolation(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Client().With(duet.Options{Isolation: duet.ReadCommitted})
	for name, run := range bothTx(c) {
		want(t, "the isolation of "+name, isolationOf(ctx, t, run), "ReadCommitted")
	}
	err := c.RawTx(ctx, func(inner context.Context, tx duet.Tx) error {
		before := one[int64](inner, t, tx, "balance", "ada")
		exec(ctx, t, t.Client(), "add_to_balance", "ada", int64(1))
		want(t, "ada's balance inside", one[int64](inner, t, tx, "balance", "ada"), before+1)
		exec(inner, t, tx, "add_to_balance", "ada", int64(1))
		return nil
	})
	if err != nil {
		t.Errorf("RawTx: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(12))
}

func noWeakIsolation(ctx context.Context, t *T) {
	for _, level := range []duet.Isolation{duet.ReadCommitted, duet.RepeatableRead} {
		c := t.Client().With(duet.Options{Isolation: level, Access: duet.ReadWrite})
		for name, run := range bothTx(c) {
			err := run(ctx, func(context.Context, duet.Tx) error {
				t.Errorf("%s ran its closure", name)
				return nil
			})
			wantErr(t, name, err, duet.ErrUnsupported)
		}
	}
	usable(ctx, t, t.Client(), "afterwards")
}

func deferrable(ctx context.Context, t *T) {
	c := t.Client().With(duet.Options{Isolation: duet.Serializable, Access: duet.ReadOnly, Deferrable: duet.On})
	for name, run := range bothTx(c) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			wantDeferrable(ctx, t, tx, true)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := c.With(duet.Options{Deferrable: duet.Off}).RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		wantDeferrable(ctx, t, tx, false)
		return nil
	})
	if err != nil {
		t.Errorf("RawTx: %v", err)
	}
}

// wantDeferrable holds that a transaction is deferrable, or is not. EdgeDB cannot
// tell: there, that the transaction works has to do.
func wantDeferrable(ctx context.Context, t *T, tx duet.Tx, on bool) {
	if t.dialect == duet.SQL {
		want(t, "that the transaction is deferrable", one[bool](ctx, t, tx, "deferrable"), on)
		return
	}
	want(t, "the isolation", one[string](ctx, t, tx, "isolation"), "Serializable")
}

func snapshot(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		want(t, "the number of accounts", one[int64](inner, t, tx, "count_accounts"), int64(1))
		exec(ctx, t, t.Client(), "upsert", "bob", int64(1))
		exec(ctx, t, t.Client(), "add_to_balance", "ada", int64(1))
		want(t, "the number of accounts later", one[int64](inner, t, tx, "count_accounts"), int64(1))
		want(t, "ada's balance later", one[int64](inner, t, tx, "balance", "ada"), int64(10))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
}

func ownWrites(ctx context.Context, t *T) {
	err := t.Client().RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		exec(inner, t, tx, "insert_account", "ada", int64(1))
		want(t, "the balance inside", one[int64](inner, t, tx, "balance", "ada"), int64(1))
		want(t, "the accounts outside", one[int64](ctx, t, t.Client(), "count_accounts"), int64(0))
		exec(inner, t, tx, "set_balance", "ada", int64(2))
		want(t, "the balance inside", one[int64](inner, t, tx, "balance", "ada"), int64(2))
		exec(inner, t, tx, "delete_account", "ada")
		want(t, "the accounts inside", one[int64](inner, t, tx, "count_accounts"), int64(0))
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
}

// meeting has two transactions read before either of them writes, the first time
// each comes there: what they must not do to each other is not left to chance.
type meeting struct {
	read [2]chan struct{}
	once [2]sync.Once
}

func newMeeting() *meeting {
	return &meeting{read: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
}

func (m *meeting) arrive(i int) { m.once[i].Do(func() { close(m.read[i]) }) }

// wait waits for the other one.
func (m *meeting) wait(ctx context.Context, i int) error {
	select {
	case <-m.read[1-i]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func lostUpdate(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	const goroutines, rounds = 8, 10
	read, write := t.Text("balance"), t.Text("set_balance")
	m := newMeeting()
	parallel(t, goroutines, func(i int) error {
		for range rounds {
			err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				n, err := duet.QueryOne[int64](ctx, tx, read, "ada")
				if err != nil {
					return err
				}
				if i < 2 { // two of them at least have read before either writes
					m.arrive(i)
					if err := m.wait(ctx, i); err != nil {
						return err
					}
				}
				_, err = tx.Execute(ctx, write, "ada", n+1)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(goroutines*rounds))
}

func writeSkew(ctx context.Context, t *T) {
	accounts(ctx, t, 100, "ada", "bob")
	sum, set := t.Text("sum_of_balances"), t.Text("set_balance")
	names := []string{"ada", "bob"}
	for round := range 10 {
		for _, name := range names {
			exec(ctx, t, t.Client(), "set_balance", name, int64(100))
		}
		// Each may empty its account as long as the other one is full.
		m := newMeeting()
		parallel(t, len(names), func(i int) error {
			return t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				total, err := duet.QueryOne[int64](ctx, tx, sum)
				m.arrive(i)
				if err != nil || total < 200 {
					return err
				}
				if err := m.wait(ctx, i); err != nil {
					return err
				}
				_, err = tx.Execute(ctx, set, names[i], int64(0))
				return err
			})
		})
		if total := one[int64](ctx, t, t.Client(), "sum_of_balances"); total != 100 {
			t.Errorf("round %d: the sum is %d, want 100", round, total)
		}
	}
}
