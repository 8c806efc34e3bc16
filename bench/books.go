package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/backends/postgres"
	"github.com/jackc/pgx/v5"
)

// books hold the drivers to what they say of their deposits, by asking the
// server over a connection of its own. Those of other workloads, nil, hold them
// to nothing.
type books struct {
	conn   *pgx.Conn
	w      Workload
	total  int64 // in all purses
	tokens int64 // in the table of commit tokens
	undo   string
}

// Until they are sealed, a trigger tells what the server knows of each update's
// transaction: its level, its id, and whether it is older than the statement,
// which in a transaction block it is.
const (
	openBooksSQL = `
create table duet_bench.seen (purse int8 not null, level text not null, xid xid8 not null, block bool not null);
create function duet_bench.witness() returns trigger language plpgsql as $$
begin
	insert into duet_bench.seen values (
		new.id, current_setting('transaction_isolation'), pg_current_xact_id(), transaction_timestamp() < statement_timestamp());
	return null;
end $$;
create trigger witness after update on duet_bench.purse for each row execute function duet_bench.witness()`
	sealBooksSQL  = `drop trigger witness on duet_bench.purse; drop function duet_bench.witness; drop table duet_bench.seen`
	closeBooksSQL = `drop trigger if exists witness on duet_bench.purse; drop function if exists duet_bench.witness; drop table if exists duet_bench.seen`
)

func openBooks(ctx context.Context, t Target, w Workload) (*books, error) {
	if w.Shape != ShapeDeposit {
		return nil, nil
	}
	conn, err := pgx.Connect(ctx, t.DSN)
	if err != nil {
		return nil, err
	}
	b := &books{conn: conn, w: w}
	err = b.makeTokens(ctx)
	if err == nil {
		err = conn.PgConn().Exec(ctx, openBooksSQL).Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the books: %w", err), b.close(context.WithoutCancel(ctx)))
	}
	return b, nil
}

// makeTokens makes the table of commit tokens, and notes what of it was not
// there before.
func (b *books) makeTokens(ctx context.Context) error {
	var schema, table bool
	err := b.conn.QueryRow(ctx, "select to_regnamespace('duet') is not null, to_regclass('duet.commit_token') is not null").Scan(&schema, &table)
	if err != nil || table {
		return err
	}
	b.undo = "drop table if exists duet.commit_token"
	if !schema {
		b.undo = "drop schema if exists duet cascade"
	}
	return b.conn.PgConn().Exec(ctx, postgres.CommitTokenSchema).Close()
}

// witnessed holds that the deposits of one Verify were committed, each in a
// transaction of its own and of the workload's level.
func (b *books) witnessed(ctx context.Context) error {
	if b == nil {
		return nil
	}
	rows, err := b.conn.Query(ctx, "delete from duet_bench.seen returning purse, level, xid::text, block")
	if err != nil {
		return err
	}
	type deposit struct {
		Purse int64
		Level string
		XID   string
		Block bool
	}
	seen, err := pgx.CollectRows(rows, pgx.RowToStructByPos[deposit])
	if err != nil {
		return err
	}
	xids := map[string]bool{}
	for _, d := range seen {
		if d.Level != b.w.Isolation || !d.Block {
			return fmt.Errorf("a deposit ran under %s, in a transaction block: %v; it must be one under %s", d.Level, d.Block, b.w.Isolation)
		}
		xids[d.XID] = true
	}
	if want := 2 * b.w.workers(); len(seen) != want || len(xids) != want {
		return fmt.Errorf("the server saw %d deposits committed, in %d transactions; there were %d", len(seen), len(xids), want)
	}
	return nil
}

// seal ends the witnessing, so that nothing of it is measured.
func (b *books) seal(ctx context.Context) error {
	if b == nil {
		return nil
	}
	if err := b.conn.PgConn().Exec(ctx, sealBooksSQL).Close(); err != nil {
		return err
	}
	var err error
	b.total, b.tokens, err = b.count(ctx)
	return err
}

func (b *books) count(ctx context.Context) (total, tokens int64, err error) {
	err = b.conn.QueryRow(ctx, "select (select sum(balance)::int8 from duet_bench.purse), (select count(*) from duet.commit_token)").Scan(&total, &tokens)
	return total, tokens, err
}

// balanced holds that since the last time the driver committed so many deposits,
// neither more nor fewer, and left as many tokens where it is to leave any.
func (b *books) balanced(ctx context.Context, d Driver, ops int64) error {
	if b == nil {
		return nil
	}
	total, tokens, err := b.count(ctx)
	if err != nil {
		return err
	}
	added, left := total-b.total, tokens-b.tokens
	b.total, b.tokens = total, tokens
	if added != ops {
		return fmt.Errorf("it counted %d deposits and the purses %d", ops, added)
	}
	if d.Name() == tokenDriver && left < ops {
		return fmt.Errorf("it counted %d deposits and left %d tokens", ops, left)
	}
	return nil
}

// close takes away what is there of the books.
func (b *books) close(ctx context.Context) error {
	if b == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := b.conn.PgConn().Exec(ctx, closeBooksSQL).Close()
	if b.undo != "" {
		err = errors.Join(err, b.conn.PgConn().Exec(ctx, b.undo).Close())
	}
	return errors.Join(err, b.conn.Close(ctx))
}
