package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxDriver uses pgx as its documentation shows it: a pool, which caches
// statements, and the generic collectors.
type pgxDriver struct{}

func (pgxDriver) Name() string { return "pgx" }
func (pgxDriver) Title() string {
	return "pgxpool, CollectRows with RowToStructByName; BeginTxFunc, QueryRow, Exec"
}

func (pgxDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	config, err := pgxpool.ParseConfig(t.DSN)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(w.workers())
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return newLocal(w, &pgxClient{pool: pool, w: w})
}

type pgxClient struct {
	pool *pgxpool.Pool
	w    Workload
}

func (c *pgxClient) Int(ctx context.Context) (n int32, err error) {
	err = c.pool.QueryRow(ctx, c.w.SQL).Scan(&n)
	return n, err
}

func (c *pgxClient) Account(ctx context.Context, id int64) (Account, error) {
	rows, err := c.pool.Query(ctx, c.w.SQL, id)
	if err != nil {
		return Account{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Account])
}

func (c *pgxClient) Types(ctx context.Context) ([]PgType, error) {
	rows, err := c.pool.Query(ctx, c.w.SQL, c.w.Args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[PgType])
}

func (c *pgxClient) Ints(ctx context.Context) ([]int32, error) {
	rows, err := c.pool.Query(ctx, c.w.SQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int32])
}

func (c *pgxClient) Events(ctx context.Context, s *sink) error {
	rows, err := c.pool.Query(ctx, c.w.SQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := pgx.RowToStructByName[Event](rows)
		if err != nil {
			return err
		}
		s.take(&e)
	}
	return rows.Err()
}

// Deposit implements depositor.
func (c *pgxClient) Deposit(ctx context.Context, _ int, id int64) error {
	return pgx.BeginTxFunc(ctx, c.pool, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(c.w.Isolation)}, func(tx pgx.Tx) error {
		var balance int64
		if err := tx.QueryRow(ctx, c.w.SQL, id).Scan(&balance); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, c.w.Update, id, balance+1)
		return oneRow(tag.RowsAffected(), err)
	})
}

func (c *pgxClient) Setting(ctx context.Context, name string) (value string, err error) {
	err = c.pool.QueryRow(ctx, fmt.Sprintf("show %s", name)).Scan(&value)
	return value, err
}

func (c *pgxClient) Close(context.Context) error {
	c.pool.Close()
	return nil
}
