package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// duetDriver uses duet as its documentation shows it. The options are those of
// its transactions.
type duetDriver struct {
	name, title string
	options     duet.Options
}

// tokenDriver is the duetDriver whose transactions leave tokens.
const tokenDriver = "duet-tokens"

// duetDrivers are duet as it is, and what its ways of learning a lost commit's
// outcome cost.
func duetDrivers() []Driver {
	return []Driver{
		duetDriver{"duet", "Query into slices of structs, QueryOne, Rows; RetryingTx", duet.Options{}},
		duetDriver{"duet-no-id", "RetryingTx, Options.TransactionID off", duet.Options{TransactionID: duet.Off}},
		duetDriver{tokenDriver, "RetryingTx, Options.ExactlyOnce on", duet.Options{ExactlyOnce: duet.On}},
	}
}

func (d duetDriver) Name() string  { return d.name }
func (d duetDriver) Title() string { return d.title }

// Runs keeps options of transactions to workloads that have any.
func (d duetDriver) Runs(w Workload) bool { return d.name == "duet" || w.Shape == ShapeDeposit }

func (d duetDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	options := d.options
	switch w.Isolation {
	case "serializable":
		options.Isolation = duet.Serializable
	case "read committed":
		options.Isolation = duet.ReadCommitted
	}
	c := &duetClient{w: w}
	var err error
	c.db, err = postgres.Connect(ctx, t.DSN, postgres.Config{MaxConns: int32(w.workers()), Options: options,
		Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) { c.retried.Store(&r.Err) }}})
	if err != nil {
		return nil, err
	}
	return newLocal(w, c)
}

type duetClient struct {
	db duet.Client
	w  Workload

	retried atomic.Pointer[error] // why RetryingTx tried again, where it did
}

// Deposit implements depositor. That a deposit needs one attempt is part of the
// workload: the other drivers have no second one.
func (c *duetClient) Deposit(ctx context.Context, _ int, id int64) error {
	err := c.db.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		var balance int64
		if err := tx.QueryOne(ctx, c.w.SQL, &balance, id); err != nil {
			return err
		}
		result, err := tx.Execute(ctx, c.w.Update, id, balance+1)
		return oneRow(result.RowsAffected, err)
	})
	if why := c.retried.Load(); err == nil && why != nil {
		return fmt.Errorf("a deposit was tried again, after: %w", *why)
	}
	return err
}

func (c *duetClient) Int(ctx context.Context) (n int32, err error) {
	err = c.db.QueryOne(ctx, c.w.SQL, &n)
	return n, err
}

func (c *duetClient) Account(ctx context.Context, id int64) (a Account, err error) {
	err = c.db.QueryOne(ctx, c.w.SQL, &a, id)
	return a, err
}

func (c *duetClient) Types(ctx context.Context) (types []PgType, err error) {
	err = c.db.Query(ctx, c.w.SQL, &types, c.w.Args...)
	return types, err
}

func (c *duetClient) Ints(ctx context.Context) (ints []int32, err error) {
	err = c.db.Query(ctx, c.w.SQL, &ints)
	return ints, err
}

func (c *duetClient) Events(ctx context.Context, s *sink) error {
	rows, err := c.db.Rows(ctx, c.w.SQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	var e Event
	for rows.Next() {
		if err := rows.Decode(&e); err != nil {
			return err
		}
		s.take(&e)
	}
	return rows.Err()
}

func (c *duetClient) Setting(ctx context.Context, name string) (value string, err error) {
	err = c.db.QueryOne(ctx, "show "+name, &value)
	return value, err
}

func (c *duetClient) Close(ctx context.Context) error { return c.db.Close(ctx) }
