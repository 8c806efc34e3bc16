package conformance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

func faultScenarios() []Scenario {
	return []Scenario{
		{ID: "faults/idle", Promise: "A connection that died idle is replaced, and the next call does not notice.", Kills: true, Run: killedIdle},
		{ID: "faults/lent", Promise: "A lent connection that died gives errors, and its slot comes back.", Kills: true, Run: killedLent},
		{ID: "faults/retrying-tx", Promise: "A transaction whose connection died before the commit is run again.", Kills: true, Run: killedRetryingTx},
		{ID: "faults/raw-tx", Promise: "RawTx whose connection died fails, and nothing was applied.", Kills: true, Run: killedRawTx},
		{ID: "faults/open-tx", Promise: "After its connection died, every call on a transaction fails, and nothing runs outside of it.", Kills: true, Run: killedOpenTx},
		{ID: "faults/never-empty", Promise: "A call whose connection died has an error, or all of its result: it never looks like an empty one.", Kills: true, Run: killedNeverEmpty},
		{ID: "faults/rows", Promise: "Rows whose connection died end with an error, never as if they were complete.", Kills: true, Run: killedRows},
	}
}

// killable makes a client, and a function that ends its connections on the
// server.
func killable(ctx context.Context, t *T, size int) (duet.Client, func()) {
	t.labels++
	label := fmt.Sprintf("duet-conformance-%p-%d", t, t.labels)
	c := t.Connect(ctx, ConnectOptions{MaxConns: size, Label: label})
	return c, func() {
		if err := t.target.Kill(ctx, label); err != nil {
			t.Errorf("ending the connections: %v", err)
		}
	}
}

func killedIdle(ctx context.Context, t *T) {
	c, kill := killable(ctx, t, 3)
	for range 3 {
		a, b := acquire(ctx, t, c), acquire(ctx, t, c)
		a.Release()
		b.Release()
		wantLent(t, c, 0)
		kill()
		for range 5 {
			usable(ctx, t, c, "after its connections died")
		}
	}
}

func killedLent(ctx context.Context, t *T) {
	c, kill := killable(ctx, t, 1)
	conn := acquire(ctx, t, c)
	usable(ctx, t, conn, "the lent connection")
	kill()
	_, err := duet.QueryOne[int64](ctx, conn, t.Text("one"))
	if kind := duet.KindOf(err); kind != duet.KindUnavailable && kind != duet.KindClosed {
		t.Errorf("a call on the dead connection: %v, want ErrUnavailable or ErrClosed", err)
	}
	if _, err := duet.QueryOne[int64](ctx, conn, t.Text("one")); err == nil {
		t.Errorf("the second call on the dead connection succeeded")
	}
	conn.Release()
	usable(ctx, t, c, "afterwards")
}

func killedRetryingTx(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 2)
	attempts := 0
	err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		attempts++
		if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1)); err != nil {
			return err
		}
		if attempts == 1 {
			kill()
		}
		_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(10))
		return err
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	want(t, "the attempts", attempts, 2)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
}

func killedRawTx(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 1)
	err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		kill()
		_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(10))
		return err
	})
	wantErr(t, "RawTx", err, duet.ErrUnavailable)
	usable(ctx, t, c, "afterwards")
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))
}

func killedOpenTx(ctx context.Context, t *T) {
	accounts(ctx, t, 0, "ada")
	c, kill := killable(ctx, t, 1)
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	kill()
	for range 3 {
		if _, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(10)); err == nil {
			t.Errorf("a statement of a dead transaction succeeded")
		}
	}
	if err := tx.Commit(ctx); err == nil {
		t.Errorf("Commit of a dead transaction succeeded")
	}
	usable(ctx, t, c, "afterwards")
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))
}

func killedRows(ctx context.Context, t *T) {
	c, kill := killable(ctx, t, 1)
	n := 500000 // more than sockets hold
	if !t.Backend().Can(duet.Streaming) {
		n = 50000
	}
	rows := openRows(ctx, t, c, "objects", int64(n))
	if !rows.Next() {
		t.Fatalf("there is no row: %v", rows.Err())
	}
	kill()
	read := 1
	for rows.Next() {
		read++
	}
	if err := rows.Err(); err == nil && read != n {
		t.Errorf("%d of %d rows came, and no error", read, n)
	} else if err != nil {
		wantErr(t, "Err", err, duet.ErrUnavailable)
	}
	_ = rows.Close()
	usable(ctx, t, c, "afterwards")
}

func killedNeverEmpty(ctx context.Context, t *T) {
	c, kill := killable(ctx, t, 2)
	text, single := t.Text("objects"), t.Text("two")
	for round := range 16 {
		conn := acquire(ctx, t, c)
		usable(ctx, t, c, "before its connection dies")
		conn.Release()
		var wg sync.WaitGroup
		wg.Go(func() { // before, during or after the query: none may go unnoticed
			time.Sleep(time.Duration(round%8) * 100 * time.Microsecond)
			kill()
		})
		rows, err := duet.QueryAll[object](ctx, c, text, int64(3))
		if err == nil && len(rows) != 3 {
			t.Errorf("round %d: %d rows came, want 3 or an error", round, len(rows))
		}
		n, err := duet.QueryOne[int64](ctx, c, single)
		if err == nil && n != 2 || duet.KindOf(err) == duet.KindNoData {
			t.Errorf("round %d: 1 + 1 is %d with error %v", round, n, err)
		}
		wg.Wait()
		if err := c.QueryOne(ctx, single, &n); err == nil && n != 2 || duet.KindOf(err) == duet.KindNoData {
			t.Errorf("round %d: after the death 1 + 1 is %d with error %v", round, n, err)
		}
	}
}
