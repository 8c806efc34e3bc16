package main

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// duetDriver uses duet as its documentation shows it.
type duetDriver struct{}

func (duetDriver) Name() string  { return "duet" }
func (duetDriver) Title() string { return "Query into slices of structs, QueryOne, Rows" }

func (duetDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	db, err := postgres.Connect(ctx, t.DSN, postgres.Config{MaxConns: 1})
	if err != nil {
		return nil, err
	}
	return newLocal(w, &duetClient{db: db, w: w})
}

type duetClient struct {
	db duet.Client
	w  Workload
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
