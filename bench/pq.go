package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lib/pq"
)

// pqDriver uses lib/pq through database/sql, with a prepared statement, without
// which every query with arguments would cost a second round trip. Its binary
// mode is on: ints then come in binary, the rest stays text.
type pqDriver struct{}

func (pqDriver) Name() string  { return "lib/pq" }
func (pqDriver) Title() string { return "database/sql with a prepared Stmt, binary_parameters" }

func (pqDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	config, err := pq.NewConfig(t.DSN)
	if err != nil {
		return nil, err
	}
	config.BinaryParameters = true
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	stmt, err := db.PrepareContext(ctx, w.SQL)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return newLocal(w, &pqClient{db: db, stmt: stmt, w: w})
}

type pqClient struct {
	db   *sql.DB
	stmt *sql.Stmt
	w    Workload
}

func (c *pqClient) Int(ctx context.Context) (n int32, err error) {
	err = c.stmt.QueryRowContext(ctx).Scan(&n)
	return n, err
}

func (c *pqClient) Account(ctx context.Context, id int64) (a Account, err error) {
	err = c.stmt.QueryRowContext(ctx, id).Scan(&a.ID, &a.Name, &a.Balance)
	return a, err
}

func (c *pqClient) Types(ctx context.Context) ([]PgType, error) {
	var types []PgType
	err := c.each(ctx, func(rows *sql.Rows) error {
		var t PgType
		err := rows.Scan(&t.Name, &t.Namespace, &t.Owner, &t.Len, &t.ByVal, &t.Category,
			&t.IsPreferred, &t.IsDefined, &t.Delim, &t.RelID, &t.Elem, &t.Array)
		types = append(types, t)
		return err
	})
	return types, err
}

func (c *pqClient) Ints(ctx context.Context) ([]int32, error) {
	var ints []int32
	err := c.each(ctx, func(rows *sql.Rows) error {
		var n int32
		err := rows.Scan(&n)
		ints = append(ints, n)
		return err
	})
	return ints, err
}

func (c *pqClient) Events(ctx context.Context, s *sink) error {
	var e Event
	return c.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(&e.ID, &e.Label, &e.Value, &e.Happened, &e.Flag); err != nil {
			return err
		}
		s.take(&e)
		return nil
	})
}

func (c *pqClient) each(ctx context.Context, row func(*sql.Rows) error) error {
	rows, err := c.stmt.QueryContext(ctx, c.w.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *pqClient) Setting(ctx context.Context, name string) (value string, err error) {
	err = c.db.QueryRowContext(ctx, "show "+name).Scan(&value)
	return value, err
}

func (c *pqClient) Close(context.Context) error {
	return errors.Join(c.stmt.Close(), c.db.Close())
}
