package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/pgtest"
)

// soakLabel is the application_name of the sessions under test.
const soakLabel = "duet soak"

// No table but that of idempotent statements has a unique constraint: an id that
// is applied twice must be seen, not refused.
const soakSchema = `
create table account (id int primary key, balance bigint not null) with (fillfactor = 50);
create table posting (id bigint not null, account int not null, amount bigint not null, xid xid8 not null default pg_current_xact_id());
create table transfer (id bigint not null, xid xid8 not null default pg_current_xact_id());
create table log (id bigint not null);
create table note (id bigint primary key);
create table undone (at timestamptz not null default clock_timestamp());
`

// postgresShop works in a database of a PostgreSQL.
type postgresShop struct {
	server   *pgtest.Server
	accounts int
}

func (p *postgresShop) fill(ctx context.Context) error {
	fill := fmt.Sprintf("insert into account select id, %d from generate_series(1, %d) id; analyze account", soakOpening, p.accounts)
	_, err := direct(ctx, p.server, pgtest.Superuser, soakSchema+fill)
	return err
}

func (p *postgresShop) total() int64 { return soakOpening * int64(p.accounts) }

func (p *postgresShop) move(ctx context.Context, tx duet.Tx, m soakMove, spoil func(context.Context, duet.Tx) error) error {
	var found []account
	err := tx.Query(ctx, "select id, balance from account where id in ($1, $2) order by id", &found, m.payer, m.payee)
	if err != nil {
		return err
	}
	if len(found) != 2 {
		return fmt.Errorf("%d of the accounts %d and %d are there", len(found), m.payer, m.payee)
	}
	for i, a := range found { // in the order of the ids: two transfers do not wait for each other
		amount := m.amount
		if a.ID == m.payer {
			amount = -amount
		}
		const post = `with moved as (update account set balance = $2 where id = $1)
			insert into posting (id, account, amount) values ($3, $1, $4)`
		if _, err := tx.Execute(ctx, post, a.ID, a.Balance+amount, m.id, amount); err != nil {
			return err
		}
		if i == 0 && spoil != nil {
			if err := spoil(ctx, tx); err != nil {
				return err
			}
		}
	}
	_, err = tx.Execute(ctx, "insert into transfer (id) values ($1)", m.id)
	return err
}

func (p *postgresShop) insert(ctx context.Context, q duet.Querier, id int64) error {
	_, err := q.Execute(ctx, "insert into log (id) values ($1)", id)
	return err
}

func (p *postgresShop) note(ctx context.Context, q duet.Querier, id int64) error {
	_, err := q.Execute(ctx, "insert into note (id) values ($1) on conflict do nothing", id)
	return err
}

func (p *postgresShop) undone(ctx context.Context, q duet.Querier) error {
	_, err := q.Execute(ctx, "insert into undone default values")
	return err
}

func (p *postgresShop) fail(ctx context.Context, q duet.Querier) error {
	_, err := q.Execute(ctx, "select 1 / 0")
	return err
}

func (p *postgresShop) sums(ctx context.Context, client duet.Client) (sums []int64, err error) {
	view := client.With(duet.Options{Isolation: duet.RepeatableRead, Access: duet.ReadOnly})
	err = view.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		sums = sums[:0]
		for range 2 {
			sum, err := duet.QueryOne[int64](ctx, tx, "select sum(balance)::bigint from account")
			if err != nil {
				return err
			}
			sums = append(sums, sum)
		}
		return nil
	})
	return sums, err
}

func (p *postgresShop) echo(ctx context.Context, q duet.Querier, n int64) (int64, error) {
	return duet.QueryOne[int64](ctx, q, "select $1::bigint", n)
}

func (p *postgresShop) numbers(ctx context.Context, q duet.Querier, n int64) (duet.Rows, error) {
	return q.Rows(ctx, "select i, repeat('x', 100) as filler from generate_series(0, $1::bigint - 1) i", n)
}

func (p *postgresShop) sleep(ctx context.Context, q duet.Querier) error {
	_, err := q.Execute(ctx, "select pg_sleep(30)")
	return err
}

// facts reads the tables.
func (p *postgresShop) facts(ctx context.Context) (*facts, error) {
	c, err := p.server.Connect(ctx, pgtest.Superuser)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f := &facts{wantSum: p.total()}
	for store, table := range [storeNone]string{storeTransfer: "transfer", storeInsert: "log", storeIdempotent: "note"} {
		if f.rows[store], err = countRows(ctx, c, "select id, count(*) from "+table+" group by id"); err != nil {
			return nil, err
		}
	}
	const torn = `select format('transfer %s: %s of its own row and %s postings in %s transactions', id, t, p, x) from (
			select id, count(*) filter (where whole) t, count(*) filter (where not whole) p, count(distinct xid) x
			from (select id, xid, true as whole from transfer union all select id, xid, false from posting) both_tables group by id
		) parts where p <> 2 * t or x <> t`
	rows, err := c.Exec(ctx, torn)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		f.torn = append(f.torn, *row[0])
	}
	err = f.count(ctx, c, []number{
		{&f.sum, "select sum(balance)::bigint from account"},
		{&f.wrongBalances, fmt.Sprintf(`select count(*) from account a left join (select account, sum(amount) moved from posting group by account) p
			on p.account = a.id where a.balance <> %d + coalesce(p.moved, 0)`, soakOpening)},
		{&f.outside, "select count(*) from undone"},
	})
	if err == nil {
		err = f.countTokens(ctx, c)
	}
	return f, err
}

// countRows reads pairs of an id and how often it is there.
func countRows(ctx context.Context, c *pgtest.Conn, sql string) (map[int64]int, error) {
	rows, err := c.Exec(ctx, sql)
	if err != nil {
		return nil, err
	}
	counts := make(map[int64]int, len(rows))
	for _, row := range rows {
		id, err := strconv.ParseInt(*row[0], 10, 64)
		if err != nil {
			return nil, err
		}
		if counts[id], err = strconv.Atoi(*row[1]); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func oneNumber(ctx context.Context, c *pgtest.Conn, sql string) (int64, error) {
	rows, err := c.Exec(ctx, sql)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || rows[0][0] == nil {
		return 0, fmt.Errorf("%s: not one number", sql)
	}
	return strconv.ParseInt(*rows[0][0], 10, 64)
}
