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

func (pqDriver) Name() string { return "lib/pq" }
func (pqDriver) Title() string {
	return "database/sql with a prepared Stmt, binary_parameters; BeginTx"
}

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
	db.SetMaxOpenConns(w.workers())
	db.SetMaxIdleConns(w.workers())
	c := &pqClient{db: db, w: w}
	if c.stmt, err = db.PrepareContext(ctx, w.SQL); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if w.Shape == ShapeDeposit {
		c.tx.Isolation = sql.LevelReadCommitted
		if w.Isolation == "serializable" {
			c.tx.Isolation = sql.LevelSerializable
		}
		if c.update, err = db.PrepareContext(ctx, w.Update); err != nil {
			return nil, errors.Join(err, c.Close(ctx))
		}
	}
	return newLocal(w, c)
}

type pqClient struct {
	db   *sql.DB
	stmt *sql.Stmt
	w    Workload

	update *sql.Stmt // nil without deposits
	tx     sql.TxOptions
}

// Deposit implements depositor.
func (c *pqClient) Deposit(ctx context.Context, _ int, id int64) error {
	tx, err := c.db.BeginTx(ctx, &c.tx)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	var balance int64
	if err := tx.StmtContext(ctx, c.stmt).QueryRowContext(ctx, id).Scan(&balance); err != nil {
		return err
	}
	result, err := tx.StmtContext(ctx, c.update).ExecContext(ctx, id, balance+1)
	if err != nil {
		return err
	}
	if err := oneRow(result.RowsAffected()); err != nil {
		return err
	}
	return tx.Commit()
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
	var err error
	if c.update != nil {
		err = c.update.Close()
	}
	return errors.Join(err, c.stmt.Close(), c.db.Close())
}
