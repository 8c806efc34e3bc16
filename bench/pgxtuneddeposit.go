package main

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tunedDeposits get out of pgx what can be got for a deposit: a connection for
// each worker, and two batches, thus two round trips: begin and select, update
// and commit. Arguments and the balance are written and read by hand.
type tunedDeposits struct{ workers []*tunedDeposit }

type tunedDeposit struct {
	conn         *pgx.Conn
	batch        pgconn.Batch
	key, balance []byte
}

func openTunedDeposits(ctx context.Context, t Target, w Workload) (Runner, error) {
	all := &tunedDeposits{}
	for range w.workers() {
		conn, err := pgx.Connect(ctx, t.DSN)
		if err != nil {
			return nil, errors.Join(err, all.Close(ctx))
		}
		all.workers = append(all.workers, &tunedDeposit{conn: conn, key: make([]byte, 8), balance: make([]byte, 8)})
		for _, s := range []struct{ name, sql string }{{"begin", w.begin()}, {"select", w.SQL}, {"update", w.Update}, {"commit", "commit"}} {
			if _, err := conn.PgConn().Prepare(ctx, s.name, s.sql, nil); err != nil {
				return nil, errors.Join(err, all.Close(ctx))
			}
		}
	}
	return newDeposits(w, all), nil
}

// Deposit implements depositor.
func (all *tunedDeposits) Deposit(ctx context.Context, worker int, id int64) error {
	d := all.workers[worker]
	err := d.deposit(ctx, id)
	if err != nil && d.conn.PgConn().TxStatus() != 'I' {
		_, undo := d.conn.Exec(ctx, "rollback")
		err = errors.Join(err, undo)
	}
	return err
}

func (d *tunedDeposit) deposit(ctx context.Context, id int64) error {
	binary.BigEndian.PutUint64(d.key, uint64(id))
	balance, err := d.read(ctx)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint64(d.balance, balance+1)
	d.batch = pgconn.Batch{}
	d.batch.ExecPrepared("update", [][]byte{d.key, d.balance}, binaryFormat, nil)
	d.batch.ExecPrepared("commit", nil, nil, nil)
	results := d.conn.PgConn().ExecBatch(ctx, &d.batch)
	met, last := int64(-1), ""
	for results.NextResult() {
		tag, err := results.ResultReader().Close()
		if err != nil {
			return errors.Join(err, results.Close())
		}
		if met < 0 {
			met = tag.RowsAffected()
		}
		last = tag.String()
	}
	if err := oneRow(met, results.Close()); err != nil {
		return err
	}
	if last != "COMMIT" {
		return errors.New("the commit was answered with " + last)
	}
	return nil
}

// read begins, and gives the balance.
func (d *tunedDeposit) read(ctx context.Context) (balance uint64, err error) {
	d.batch = pgconn.Batch{}
	d.batch.ExecPrepared("begin", nil, nil, nil)
	d.batch.ExecPrepared("select", [][]byte{d.key}, binaryFormat, binaryFormat)
	results := d.conn.PgConn().ExecBatch(ctx, &d.batch)
	found := false
	for results.NextResult() {
		for rows := results.ResultReader(); rows.NextRow(); {
			if v := rows.Values()[0]; len(v) == 8 {
				balance, found = binary.BigEndian.Uint64(v), true
			}
		}
	}
	if err := results.Close(); err != nil {
		return 0, err
	}
	if !found {
		return 0, errNoRow
	}
	return balance, nil
}

// Setting implements depositor.
func (all *tunedDeposits) Setting(ctx context.Context, name string) (value string, err error) {
	err = all.workers[0].conn.QueryRow(ctx, "show "+name).Scan(&value)
	return value, err
}

// Close implements depositor.
func (all *tunedDeposits) Close(ctx context.Context) error {
	var errs []error
	for _, d := range all.workers {
		errs = append(errs, d.conn.Close(ctx))
	}
	return errors.Join(errs...)
}
