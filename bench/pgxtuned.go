package main

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tunedDriver gets out of pgx what can be got: no pool, a statement prepared by
// name, single rows through pgconn and decoded by hand, many rows scanned into
// fields whose pointers are made once, slices used again.
type tunedDriver struct{}

func (tunedDriver) Name() string { return "pgx-tuned" }
func (tunedDriver) Title() string {
	return "pgx.Conn by hand: prepared, pgconn for one row, Scan into kept fields; a transaction in two batches"
}

func (tunedDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	if w.Shape == ShapeDeposit {
		return openTunedDeposits(ctx, t, w)
	}
	conn, err := pgx.Connect(ctx, t.DSN)
	if err != nil {
		return nil, err
	}
	c := &tunedClient{conn: conn, w: w, key: make([]byte, 8)}
	if c.statement, err = conn.Prepare(ctx, statementName, w.SQL); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	c.keys = [][]byte{c.key}
	c.typeFields, c.eventFields, c.intFields = c.typ.fields(), c.event.fields(), []any{&c.int}
	return newLocal(w, c)
}

// binaryFormat asks for all columns, or says of all arguments, in binary.
var binaryFormat = []int16{pgx.BinaryFormatCode}

type tunedClient struct {
	conn      *pgx.Conn
	w         Workload
	statement *pgconn.StatementDescription

	key  []byte
	keys [][]byte

	types      []PgType
	typ        PgType
	typeFields []any

	ints      []int32
	int       int32
	intFields []any

	event       Event
	eventFields []any
}

var errNoRow = errors.New("there is no row")

func (c *tunedClient) Int(ctx context.Context) (int32, error) {
	result := c.conn.PgConn().ExecStatement(ctx, c.statement, nil, nil, binaryFormat)
	var n int32
	var decodeErr error
	if result.NextRow() {
		if v := result.Values()[0]; len(v) == 4 {
			n = int32(binary.BigEndian.Uint32(v))
		} else {
			decodeErr = errors.New("an int4 of another length")
		}
	} else {
		decodeErr = errNoRow
	}
	if _, err := result.Close(); err != nil {
		return 0, err
	}
	return n, decodeErr
}

func (c *tunedClient) Account(ctx context.Context, id int64) (Account, error) {
	binary.BigEndian.PutUint64(c.key, uint64(id))
	result := c.conn.PgConn().ExecStatement(ctx, c.statement, c.keys, binaryFormat, binaryFormat)
	var a Account
	var decodeErr error
	if result.NextRow() {
		if v := result.Values(); len(v[0]) == 8 && len(v[2]) == 8 {
			a.ID = int64(binary.BigEndian.Uint64(v[0]))
			a.Name = string(v[1])
			a.Balance = int64(binary.BigEndian.Uint64(v[2]))
		} else {
			decodeErr = errors.New("an int8 of another length")
		}
	} else {
		decodeErr = errNoRow
	}
	if _, err := result.Close(); err != nil {
		return Account{}, err
	}
	return a, decodeErr
}

func (c *tunedClient) Types(ctx context.Context) ([]PgType, error) {
	rows, err := c.conn.Query(ctx, statementName, c.w.Args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	c.types = c.types[:0]
	for rows.Next() {
		if err := rows.Scan(c.typeFields...); err != nil {
			return nil, err
		}
		c.types = append(c.types, c.typ)
	}
	return c.types, rows.Err()
}

func (c *tunedClient) Ints(ctx context.Context) ([]int32, error) {
	rows, err := c.conn.Query(ctx, statementName)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	c.ints = c.ints[:0]
	for rows.Next() {
		if err := rows.Scan(c.intFields...); err != nil {
			return nil, err
		}
		c.ints = append(c.ints, c.int)
	}
	return c.ints, rows.Err()
}

func (c *tunedClient) Events(ctx context.Context, s *sink) error {
	rows, err := c.conn.Query(ctx, statementName)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(c.eventFields...); err != nil {
			return err
		}
		s.take(&c.event)
	}
	return rows.Err()
}

func (c *tunedClient) Setting(ctx context.Context, name string) (value string, err error) {
	err = c.conn.QueryRow(ctx, "show "+name).Scan(&value)
	return value, err
}

func (c *tunedClient) Close(ctx context.Context) error { return c.conn.Close(ctx) }
