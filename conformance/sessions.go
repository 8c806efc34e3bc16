package conformance

import (
	"context"
	"time"

	"github.com/duetdb/duet"
)

func sessionScenarios() []Scenario {
	needs := []duet.Ability{duet.SessionState}
	return []Scenario{
		{ID: "sessions/one-connection", Promise: "Acquire lends one connection, which runs all that is given to it.", Run: sessionWorks},
		{ID: "sessions/release", Promise: "A second Release does nothing, and a released Conn is ErrClosed.", Run: sessionReleased},
		{ID: "sessions/transactions", Promise: "RawTx and Begin of a Conn run on that connection, which stays lent.", Run: sessionTransactions},
		{ID: "sessions/open-tx-at-release", Promise: "An open transaction is rolled back at Release.", Run: sessionOpenTx},
		{ID: "sessions/state", Promise: "A lent connection keeps its session: settings, temporary tables, locks.", Needs: needs, Run: sessionState},
		{ID: "sessions/reset", Promise: "Session state is reset at Release: the next user finds none of it.", Needs: needs, Run: sessionReset},
		{ID: "sessions/own-begin", Promise: "A transaction that a user opened by a command is rolled back at Release.",
			Needs: []duet.Ability{duet.SessionState, duet.TxCommands}, Run: sessionOwnBegin},
		{ID: "sessions/reset-after-script", Promise: "What a script of the client changed in the session does not leak either.", Needs: needs, Run: sessionScript},
	}
}

func sessionWorks(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, AcquireTimeout: 500 * time.Millisecond})
	conn := acquire(ctx, t, c)
	want(t, "ada's balance", one[int64](ctx, t, conn, "balance", "ada"), int64(10))
	want(t, "the objects", all[object](ctx, t, conn, "objects", int64(3)), objects(3))
	wantJSON(t, "one", jsonOne(ctx, t, conn, "one"), "1")
	exec(ctx, t, conn, "add_to_balance", "ada", int64(1))
	fails(ctx, t, conn, duet.ErrUniqueViolation, "unique_violation")
	want(t, "ada's balance", one[int64](ctx, t, conn, "balance", "ada"), int64(11))
	want(t, "the backend", conn.Backend(), c.Backend())
	type row struct{ S string }
	want(t, "over a view", one[row](ctx, t, conn.With(duet.Options{Columns: duet.ColumnsLax}), "two_columns"), row{"x"})
	_, err := duet.QueryOne[int64](ctx, c, t.Text("one"))
	wantErr(t, "the client meanwhile", err, duet.ErrPoolExhausted)
}

func sessionReleased(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	usable(ctx, t, conn, "the connection")
	conn.Release()
	conn.Release()
	wantClosed(ctx, t, "a released Conn", conn)
	_, err := conn.Begin(ctx)
	wantErr(t, "Begin", err, duet.ErrClosed)
	wantErr(t, "RawTx", conn.RawTx(ctx, func(context.Context, duet.Tx) error { return nil }), duet.ErrClosed)
	other := acquire(ctx, t, c)
	conn.Release()
	usable(ctx, t, other, "another loan after a third Release")
	wantLent(t, c, 1)
}

func sessionTransactions(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	err := conn.RawTx(ctx, add(t, 1, nil))
	if err != nil {
		t.Errorf("RawTx: %v", err)
	}
	wantErr(t, "RawTx", conn.RawTx(ctx, add(t, 10, errMine)), errMine)
	tx := begin(ctx, t, conn)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(100))
	want(t, "ada's balance inside", one[int64](ctx, t, tx, "balance", "ada"), int64(111))
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("Commit: %v", err)
	}
	tx = begin(ctx, t, conn)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("Rollback: %v", err)
	}
	wantLent(t, c, 1)
	want(t, "ada's balance", one[int64](ctx, t, conn, "balance", "ada"), int64(111))
}

func sessionOpenTx(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	tx := begin(ctx, t, conn)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	conn.Release()
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
	wantClosed(ctx, t, "the transaction", tx)
	wantErr(t, "Commit", tx.Commit(ctx), duet.ErrClosed)
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
}

func sessionState(ctx context.Context, t *T) {
	conn := acquire(ctx, t, t.Client())
	exec(ctx, t, conn, "session_set")
	exec(ctx, t, conn, "temp_create")
	want(t, "the setting", one[string](ctx, t, conn, "setting"), "54321ms")
	want(t, "the temporary table is there", one[bool](ctx, t, conn, "temp_exists"), true)
	want(t, "the lock was taken", one[bool](ctx, t, conn, "lock_take"), true)
	want(t, "another connection takes the lock", one[bool](ctx, t, t.Client(), "lock_take"), false)
	conn.Release()
}

func sessionReset(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	before := one[string](ctx, t, c, "setting")
	for range 3 {
		conn := acquire(ctx, t, c)
		exec(ctx, t, conn, "session_set")
		exec(ctx, t, conn, "temp_create")
		want(t, "the lock was taken", one[bool](ctx, t, conn, "lock_take"), true)
		conn.Release()
		want(t, "the setting", one[string](ctx, t, c, "setting"), before)
		want(t, "the temporary table is there", one[bool](ctx, t, c, "temp_exists"), false)
		other := acquire(ctx, t, t.Client())
		if !eventually(func() bool { return one[bool](ctx, t, other, "lock_take") }) {
			t.Errorf("the lock outlived its loan")
		}
		other.Release()
	}
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
}

func sessionOwnBegin(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	conn := acquire(ctx, t, c)
	exec(ctx, t, conn, "session_begin")
	exec(ctx, t, conn, "add_to_balance", "ada", int64(1))
	conn.Release()
	want(t, "ada's balance", one[int64](ctx, t, c, "balance", "ada"), int64(10))
	exec(ctx, t, c, "add_to_balance", "ada", int64(5))
	want(t, "ada's balance elsewhere", balance(ctx, t, "ada"), int64(15))
}

func sessionScript(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	before := one[string](ctx, t, c, "setting")
	exec(ctx, t, c, "session_set")
	want(t, "the setting", one[string](ctx, t, c, "setting"), before)
	_, _ = c.Execute(ctx, t.Text("session_begin")) // a client may refuse it
	want(t, "the number of accounts", one[int64](ctx, t, c, "count_accounts"), int64(0))
	exec(ctx, t, c, "insert_account", "ada", int64(1))
	want(t, "ada's balance elsewhere", balance(ctx, t, "ada"), int64(1))
}
