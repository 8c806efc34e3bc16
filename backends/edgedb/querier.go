package edgedb

import (
	"context"
	"errors"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// doer runs a command whose answer goes where the call says: a client, a
// transaction or a lent connection.
type doer interface {
	do(ctx context.Context, args []any, k *call) error
	rows(ctx context.Context, args []any, k *call) (*decode.Result, error)
}

// querier is what clients, transactions and connections have in common.
type querier struct{ doer doer }

// unknown is what EdgeDB tells of a command's effect: nothing. The status is read
// and dropped by edgedb-go.
var unknown = duet.Result{RowsAffected: -1}

func (q querier) Query(ctx context.Context, cmd string, out any, args ...any) error {
	row, err := decode.RowsTarget(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	return q.doer.do(ctx, args, &call{cmd: cmd, kind: intoSlice, row: row, out: out})
}

func (q querier) QueryOne(ctx context.Context, cmd string, out any, args ...any) error {
	row, err := decode.RowTarget(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	return q.doer.do(ctx, args, &call{cmd: cmd, kind: intoOne, row: row, out: out})
}

func (q querier) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return q.json(ctx, cmd, out, intoJSON, args)
}

func (q querier) QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return q.json(ctx, cmd, out, intoOneJSON, args)
}

func (q querier) json(ctx context.Context, cmd string, out *[]byte, kind sinkKind, args []any) error {
	if out == nil {
		return argumentError(cmd, errors.New("the destination is a nil *[]byte"))
	}
	return q.doer.do(ctx, args, &call{cmd: cmd, kind: kind, json: out})
}

func (q querier) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	return unknown, q.doer.do(ctx, args, &call{cmd: cmd, kind: discard})
}

// Rows reads the whole result before it returns, as edgedb-go does: no connection
// is held by open Rows.
func (q querier) Rows(ctx context.Context, cmd string, args ...any) (duet.Rows, error) {
	k := &call{cmd: cmd, kind: intoRows}
	result, err := q.doer.rows(ctx, args, k)
	if err != nil {
		return nil, err
	}
	return newRows(k, result), nil
}
