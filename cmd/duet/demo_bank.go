package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

const (
	demoLabel  = "duet demo"         // the sessions' application_name
	bankMarker = "made by duet demo" // the schema's comment
	bankLock   = 4_829_113_207_765   // the advisory lock that keeps demos apart
	firstFunds = 1000                // what each account begins with
)

// bank is the ledger on PostgreSQL, the demo's schema: accounts, and the transfers between them. It has
// few constraints on purpose. That no transfer is there twice, and that no
// balance is negative, is up to the transactions.
type bank struct {
	client   duet.Client
	guard    duet.Client // holds the lock, on a connection of its own
	held     duet.Conn
	accounts int
}

// fillfactor leaves room for new versions of a row on its page, so that an
// update changes no index, and what a transaction reads there.
const bankSchema = `
create schema duet_demo;
comment on schema duet_demo is '` + bankMarker + `';
create table duet_demo.account (
	id      int    primary key,
	balance bigint not null
) with (fillfactor = 25);
create table duet_demo.transfer (
	id       bigint  not null,
	payer    int     not null,
	payee    int     not null,
	amount   bigint  not null,
	accepted boolean not null
)`

// openBank makes the schema, and drops that of a demo that was broken off.
func openBank(ctx context.Context, dsn string, client duet.Client, accounts int) (b *bank, err error) {
	b = &bank{client: client, accounts: accounts}
	if b.guard, err = connect(ctx, dsn, clientOptions{maxConns: 1}); err != nil {
		return nil, err
	}
	if err := b.lock(ctx); err != nil {
		return nil, closeClient(ctx, b.guard, err)
	}
	if err := b.fill(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// lock keeps a second demo out of the database, and finds out whether the schema
// is ours to drop.
func (b *bank) lock(ctx context.Context) error {
	var err error
	if b.held, err = b.guard.Acquire(ctx); err != nil {
		return err
	}
	locked, err := duet.QueryOne[bool](ctx, b.held, "select pg_try_advisory_lock($1)", int64(bankLock))
	if err == nil && !locked {
		err = errors.New("another duet demo is running in this database")
	}
	if err == nil {
		err = b.refuseForeign(ctx)
	}
	if err != nil {
		b.held.Release()
	}
	return err
}

func (b *bank) refuseForeign(ctx context.Context) error {
	const comment = "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'duet_demo'"
	marker, err := duet.QueryOne[duet.Optional[string]](ctx, b.held, comment)
	if errors.Is(err, duet.ErrNoData) {
		return nil
	}
	if err == nil && marker.Or("") != bankMarker {
		return errors.New("the database has a schema duet_demo that the demo did not make; rename it, or use another database")
	}
	return err
}

func (b *bank) fill(ctx context.Context) error {
	if _, err := b.client.Execute(ctx, "drop schema if exists duet_demo cascade; "+bankSchema+bankSample); err != nil {
		return fmt.Errorf("making the schema duet_demo: %w", err)
	}
	const open = "insert into duet_demo.account select id, $2::bigint from generate_series(1, $1::int) id"
	if _, err := b.client.Execute(ctx, open, b.accounts, firstFunds); err != nil {
		return fmt.Errorf("opening the accounts: %w", err)
	}
	_, err := b.client.Execute(ctx, "analyze duet_demo.account")
	return err
}

func (b *bank) db() duet.Client { return b.client }

// close drops the schema and then lets other demos in.
func (b *bank) close(ctx context.Context) error {
	ctx, stop := cleanup(ctx)
	defer stop()
	_, err := b.client.Execute(ctx, "drop schema if exists duet_demo cascade")
	if err != nil {
		err = fmt.Errorf("dropping the schema duet_demo: %w", err)
	}
	b.held.Release()
	return closeClient(ctx, b.guard, err)
}

// account is a row of duet_demo.account.
type account struct {
	ID      int
	Balance int64
}

// transfer is what is to be moved.
type transfer struct {
	id           int64
	payer, payee int
	amount       int64
}

// apply makes one transfer, and says whether there were funds for it. The
// closure may run many times; what it read and wrote holds only for the attempt
// that is committed.
func (b *bank) apply(ctx context.Context, t transfer) (accepted bool, err error) {
	err = b.client.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		var found []account
		err := tx.Query(ctx, "select id, balance from duet_demo.account where id in ($1, $2) order by id", &found, t.payer, t.payee)
		if err != nil {
			return err
		}
		if len(found) != 2 {
			return fmt.Errorf("%d of the accounts %d and %d are there", len(found), t.payer, t.payee)
		}
		accepted = true
		for i := range found {
			if found[i].ID == t.payer {
				found[i].Balance -= t.amount
				accepted = found[i].Balance >= 0
			} else {
				found[i].Balance += t.amount
			}
		}
		if accepted {
			for _, a := range found { // in the order of the ids: two transfers never wait for each other
				if _, err := tx.Execute(ctx, "update duet_demo.account set balance = $2 where id = $1", a.ID, a.Balance); err != nil {
					return err
				}
			}
		}
		_, err = tx.Execute(ctx, "insert into duet_demo.transfer (id, payer, payee, amount, accepted) values ($1, $2, $3, $4, $5)",
			t.id, t.payer, t.payee, t.amount, accepted)
		return err
	})
	return accepted, err
}
