package main

import (
	"context"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/pgtest"
)

// soakMove is a transfer: what is moved, and under which id.
type soakMove struct {
	id           int64
	payer, payee int
	amount       int64
}

// shop is what the soak does on one backend, in its language. Its methods return
// the library's own errors.
type shop interface {
	// fill makes tables and accounts, over a direct connection.
	fill(ctx context.Context) error
	// move makes a transfer in a transaction, and leaves its id. Where spoil is
	// not nil it is called between two statements.
	move(ctx context.Context, tx duet.Tx, m soakMove, spoil func(context.Context, duet.Tx) error) error
	// insert leaves an id by one statement; note does so by one that may run twice.
	insert(ctx context.Context, q duet.Querier, id int64) error
	note(ctx context.Context, q duet.Querier, id int64) error
	// undone is a statement that must never be applied, since it is rolled back
	// or its handle has ended.
	undone(ctx context.Context, q duet.Querier) error
	// fail is a statement that the server refuses.
	fail(ctx context.Context, q duet.Querier) error
	// sums reads the sum of all balances, as often as one snapshot allows.
	sums(ctx context.Context, client duet.Client) ([]int64, error)
	// echo gives n back. numbers gives those from 0 to n-1, a column of each row.
	echo(ctx context.Context, q duet.Querier, n int64) (int64, error)
	numbers(ctx context.Context, q duet.Querier, n int64) (duet.Rows, error)
	// sleep is a statement that takes long.
	sleep(ctx context.Context, q duet.Querier) error
	// total is what all balances are together.
	total() int64
	// facts reads what there is, over a direct connection.
	facts(ctx context.Context) (*facts, error)
}

// opening is what each account begins with.
const soakOpening = int64(1_000_000_000_000)

// direct runs a script over a connection of its own to PostgreSQL, with no proxy
// before it.
func direct(ctx context.Context, server *pgtest.Server, database, script string) ([][]*string, error) {
	c, err := server.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Exec(ctx, script)
}

// until calls f until it says that it is done, fails, or time is up.
func until(ctx context.Context, most time.Duration, f func() (done bool, err error)) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, most)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := f()
		if done || err != nil {
			return done, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// countTokens reads what there is of commit tokens.
func (f *facts) countTokens(ctx context.Context, c *pgtest.Conn) error {
	return f.count(ctx, c, []number{
		{&f.tokens, "select count(*) from duet.commit_token"},
		{&f.lookedUp, "select count(*) from duet.commit_token where right(token::text, 1) in ('1', '3', '5', '7', '9', 'b', 'd', 'f')"},
		{&f.oldTokens, "select count(*) from duet.commit_token where at < now() - interval '1 hour'"},
	})
}

// number is a figure that a query gives.
type number struct {
	into *int64
	sql  string
}

func (f *facts) count(ctx context.Context, c *pgtest.Conn, numbers []number) (err error) {
	for _, n := range numbers {
		if *n.into, err = oneNumber(ctx, c, n.sql); err != nil {
			return err
		}
	}
	return nil
}
