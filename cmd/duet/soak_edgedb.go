package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/pgtest"
)

// Statements beside the demo's: the server that speaks EdgeDB's protocol knows
// these, byte for byte.
const (
	edgeUpsert  = "insert Account { name := <str>$0, balance := <int64>$1 } unless conflict on .name else (update Account set { balance := <int64>$1 })"
	edgeNumbers = "select range_unpack(range(0, <int64>$0))"
	edgeSlow    = "select count((range_unpack(range(0, <int64>$0)), range_unpack(range(0, <int64>$0))))"
)

// edgeShop works in a branch of the server that speaks EdgeDB's protocol. Each
// transfer moves an amount of its own, by which it is known: 2n+1 in a
// transaction, 2n as a single statement.
type edgeShop struct {
	server   *pgtest.Server // below
	client   duet.Client    // direct
	accounts int
	lost     atomic.Int64 // numbers what must never be there
}

func (e *edgeShop) fill(ctx context.Context) error {
	for _, text := range []string{edgeColor, edgeAccount, edgeTransfer} {
		if _, err := e.client.Execute(ctx, text); err != nil {
			return fmt.Errorf("making the types: %w", err)
		}
	}
	var rows []map[string]any
	for id := range e.accounts {
		rows = append(rows, map[string]any{"name": edgeName(id + 1), "balance": soakOpening})
	}
	data, err := json.Marshal(rows)
	if err == nil {
		_, err = e.client.Execute(ctx, edgeInsertMany, json.RawMessage(data))
	}
	return err
}

func (e *edgeShop) total() int64 { return soakOpening * int64(e.accounts) }

func (e *edgeShop) move(ctx context.Context, tx duet.Tx, m soakMove, spoil func(context.Context, duet.Tx) error) error {
	if _, err := duet.QueryOne[int64](ctx, tx, edgeBalance, edgeName(m.payer)); err != nil {
		return err
	}
	if _, err := tx.Execute(ctx, edgeAdd, edgeName(min(m.payer, m.payee)), 0); err != nil { // first of both: nobody waits for each other
		return err
	}
	if spoil != nil {
		if err := spoil(ctx, tx); err != nil {
			return err
		}
	}
	_, err := tx.Execute(ctx, edgeMove, edgeName(m.payer), edgeName(m.payee), 2*m.id+1)
	return err
}

func (e *edgeShop) insert(ctx context.Context, q duet.Querier, id int64) error {
	payer := int(id%int64(e.accounts)) + 1
	_, err := q.Execute(ctx, edgeMove, edgeName(payer), edgeName(payer%e.accounts+1), 2*id)
	return err
}

func (e *edgeShop) note(ctx context.Context, q duet.Querier, id int64) error {
	_, err := q.Execute(ctx, edgeUpsert, fmt.Sprint("note-", id), 0)
	return err
}

func (e *edgeShop) undone(ctx context.Context, q duet.Querier) error {
	_, err := q.Execute(ctx, edgeInsert, fmt.Sprint("undone-", e.lost.Add(1)), 0)
	return err
}

func (e *edgeShop) fail(ctx context.Context, q duet.Querier) error {
	_, err := q.Execute(ctx, edgeNothing)
	return err
}

func (e *edgeShop) sums(ctx context.Context, client duet.Client) ([]int64, error) {
	sum, err := duet.QueryOne[int64](ctx, client, edgeSum)
	return []int64{sum}, err
}

func (e *edgeShop) echo(ctx context.Context, q duet.Querier, n int64) (int64, error) {
	return duet.QueryOne[int64](ctx, q, edgeEcho, n)
}

func (e *edgeShop) numbers(ctx context.Context, q duet.Querier, n int64) (duet.Rows, error) {
	return q.Rows(ctx, edgeNumbers, n)
}

func (e *edgeShop) sleep(ctx context.Context, q duet.Querier) error {
	_, err := duet.QueryOne[int64](ctx, q, edgeSlow, int64(1500)) // a quarter of a second on the server of the tests; it keeps its connection
	return err
}

// facts reads the tables in which the server keeps its objects.
func (e *edgeShop) facts(ctx context.Context) (*facts, error) {
	names, err := direct(ctx, e.server, pgtest.Superuser, `select datname from pg_database where datname like 'duet\_edgedb\_%'`)
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, errors.New("the database of the branch was not found")
	}
	c, err := e.server.Connect(ctx, *names[0][0])
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f := &facts{wantSum: e.total()}
	for store, sql := range [storeNone]string{
		storeTransfer:   "select amount / 2, count(*) from duet_conformance.transfer where amount % 2 = 1 group by 1",
		storeInsert:     "select amount / 2, count(*) from duet_conformance.transfer where amount % 2 = 0 group by 1",
		storeIdempotent: "select substr(name, 6)::bigint, count(*) from duet_conformance.account where name like 'note-%' group by 1",
	} {
		if f.rows[store], err = countRows(ctx, c, sql); err != nil {
			return nil, err
		}
	}
	err = f.count(ctx, c, []number{
		{&f.sum, "select sum(balance)::bigint from duet_conformance.account"},
		{&f.wrongBalances, fmt.Sprintf(`with moved as (select account, sum(amount) amount from (
				select dst as account, amount from duet_conformance.transfer union all select src, -amount from duet_conformance.transfer
			) m group by account)
			select count(*) from duet_conformance.account a left join moved m on m.account = a.name
			where a.name like 'n%%' and a.name not like 'note-%%' and a.balance <> %d + coalesce(m.amount, 0)`, soakOpening)},
		{&f.outside, "select count(*) from duet_conformance.account where name like 'undone-%'"},
	})
	if err == nil {
		err = f.countTokens(ctx, c)
	}
	return f, err
}
