package main

import (
	"context"
	"fmt"

	"github.com/duetdb/duet"
)

// books is what the server has at the end, read in one snapshot.
type books struct {
	Total       int64 // of all balances
	Accounts    int64
	Negative    int64 // accounts with a balance below 0
	Wrong       int64 // accounts whose balance is not the sum of what happened to them
	Rows        int64 // transfers
	IDs         int64 // different ids among them
	FirstID     int64
	LastID      int64
	Accepted    int64
	MoneyMoving int64 // the sum of all accepted amounts
}

const booksQuery = `
with moved as (
	select account, sum(amount) as amount from (
		select payee as account, amount from duet_demo.transfer where accepted
		union all
		select payer, -amount from duet_demo.transfer where accepted
	) m group by account
)
select
	(select sum(balance)::bigint from duet_demo.account) as total,
	(select count(*) from duet_demo.account) as accounts,
	(select count(*) from duet_demo.account where balance < 0) as negative,
	(select count(*) from duet_demo.account a full join moved m on m.account = a.id
		where a.balance is distinct from $1::bigint + coalesce(m.amount, 0)) as wrong,
	count(*) as rows, count(distinct id) as ids,
	coalesce(min(id), 0) as first_id, coalesce(max(id), 0) as last_id,
	count(*) filter (where accepted) as accepted,
	coalesce(sum(amount) filter (where accepted), 0)::bigint as money_moving
from duet_demo.transfer`

// checks reads the books.
func (b *bank) checks(ctx context.Context, w *work) ([]check, error) {
	got, err := duet.QueryOne[books](ctx, b.client, booksQuery, int64(firstFunds))
	if err != nil {
		return nil, err
	}
	n, accounts := int64(w.opt.transfers), int64(w.opt.accounts)
	asked, err := b.compareTransfers(ctx, w)
	if err != nil {
		return nil, err
	}
	open, err := b.openTransactions(ctx)
	if err != nil {
		return nil, err
	}
	list := []check{
		equal("the sum of all balances is unchanged: "+grouped(accounts*firstFunds), got.Total, accounts*firstFunds),
		holds(fmt.Sprintf("every transfer was applied exactly once: %s ids, %s rows", grouped(got.IDs), grouped(got.Rows)),
			got.Rows == n && got.IDs == n && got.FirstID == 1 && got.LastID == n,
			fmt.Sprintf("want %d rows with the ids 1 to %d; got %d rows, %d ids from %d to %d", n, n, got.Rows, got.IDs, got.FirstID, got.LastID)),
		equal("every transfer was written as it was asked for", asked, 0),
		equal(fmt.Sprintf("every one of %s balances is what its transfers make of it", grouped(got.Accounts)), got.Wrong, 0),
		equal("no balance is negative", got.Negative, 0),
		equal(fmt.Sprintf("callers were told the truth: %s accepted, %s refused", grouped(got.Accepted), grouped(got.Rows-got.Accepted)),
			got.Rows-got.Accepted, w.refused.Load()),
		equal("no session was left in a transaction", open, 0),
	}
	return list, nil
}

// compareTransfers counts the rows that are not what was asked for.
func (b *bank) compareTransfers(ctx context.Context, w *work) (int64, error) {
	type row struct {
		ID           int64
		Payer, Payee int
		Amount       int64
	}
	var wrong int64
	for r, err := range duet.Stream[row](ctx, b.client, "select id, payer, payee, amount from duet_demo.transfer") {
		if err != nil {
			return 0, err
		}
		if w.transfer(r.ID) != (transfer{r.ID, r.Payer, r.Payee, r.Amount}) {
			wrong++
		}
	}
	return wrong, nil
}

// openTransactions counts the demo's sessions that sit in a transaction.
func (b *bank) openTransactions(ctx context.Context) (int64, error) {
	const idle = `select count(*) from pg_stat_activity
		where application_name = $1 and datname = current_database() and state like 'idle in transaction%'`
	return duet.QueryOne[int64](ctx, b.client, idle, demoLabel)
}
