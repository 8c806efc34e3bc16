package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

// The commands of the demo's part on EdgeDB. The server that speaks EdgeDB's
// protocol knows the statements of the conformance suite only: these are among
// them, byte for byte.
const (
	edgeInstalled = "select exists (select schema::ObjectType filter .name = <str>$0)"
	edgeMarker    = "select Account { name } filter .name = <str>$0"

	edgeColor    = "create scalar type Color extending enum<Red, Green, Blue>"
	edgeAccount  = "create type Account { create required property name: std::str { create constraint std::exclusive }; create required property balance: std::int64 { create constraint std::min_value(0) }; create property note: std::str; create property color: Color; create multi property tags: std::str }"
	edgeTransfer = "create type Transfer { create required link src: Account; create required link dst: Account; create required property amount: std::int64; create property at: std::datetime { set default := std::datetime_current() } }"

	edgeDropTransfer = "drop type Transfer"
	edgeDropAccount  = "drop type Account"
	edgeDropColor    = "drop scalar type Color"

	edgeInsert     = "insert Account { name := <str>$0, balance := <int64>$1 }"
	edgeInsertMany = "for x in json_array_unpack(<json>$0) union (insert Account { name := <str>x['name'], balance := <int64>x['balance'] })"
	edgeAdd        = "update Account filter .name = <str>$0 set { balance := .balance + <int64>$1 }"
	edgeBalance    = "select (select Account filter .name = <str>$0).balance"
	edgeMove       = "with src := (update Account filter .name = <str>$0 set { balance := .balance - <int64>$2 }), dst := (update Account filter .name = <str>$1 set { balance := .balance + <int64>$2 }) insert Transfer { src := assert_single(src), dst := assert_single(dst), amount := <int64>$2 }"

	edgeAccounts  = "select Account { name, balance } order by .name"
	edgeTransfers = "select Transfer { amount, src: { name }, dst: { name, note } } order by .amount"
	edgeSum       = "select sum(Account.balance)"

	edgeUnique     = "insert Account { name := 'ada', balance := 1 }"
	edgeReferenced = "delete Account filter .name = 'ada'"
	edgeMissing    = "insert Account { name := 'dora' }"
	edgeNegative   = "update Account filter .name = 'ada' set { balance := -1 }"
	edgeNothing    = "select Nothing"
	edgeNone       = "select <int64>{}"
	edgeTwo        = "select {1, 2}"
	edgeEcho       = "select <int64>$0"
)

// edgeOwner is an account without money that says who made the types, and takes
// part in the mistakes.
const (
	edgeOwner  = "made by duet demo"
	edgeVictim = "ada"
)

// edgeBank is the ledger on EdgeDB: accounts "n1", "n2", …, and transfers with
// links to them. Transfers that were refused are not written down.
type edgeBank struct {
	client   duet.Client
	accounts int
}

// openEdgeBank makes the types, and drops those of a demo that was broken off.
func openEdgeBank(ctx context.Context, client duet.Client, accounts int) (*edgeBank, error) {
	b := &edgeBank{client: client, accounts: accounts}
	if err := b.refuseForeign(ctx); err != nil {
		return nil, err
	}
	if err := b.drop(ctx); err != nil {
		return nil, err
	}
	if err := b.fill(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// refuseForeign finds out whether the types are ours to drop.
func (b *edgeBank) refuseForeign(ctx context.Context) error {
	for _, name := range []string{"Account", "Transfer"} {
		there, err := duet.QueryOne[bool](ctx, b.client, edgeInstalled, "default::"+name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if name == "Account" {
			var owner struct{ Name string }
			err = b.client.QueryOne(ctx, edgeMarker, &owner, edgeOwner)
			if err == nil {
				return nil
			}
			if !errors.Is(err, duet.ErrNoData) {
				return err
			}
		}
		return fmt.Errorf("the branch has a type %s that the demo did not make; rename it, or use another branch", name)
	}
	return nil
}

// drop drops what is there of the types.
func (b *edgeBank) drop(ctx context.Context) error {
	var errs []error
	for _, text := range []string{edgeDropTransfer, edgeDropAccount, edgeDropColor} {
		if _, err := b.client.Execute(ctx, text); err != nil && !errors.Is(err, duet.ErrUndefined) {
			errs = append(errs, fmt.Errorf("%s: %w", text, err))
		}
	}
	return errors.Join(errs...)
}

func (b *edgeBank) fill(ctx context.Context) error {
	for _, text := range []string{edgeColor, edgeAccount, edgeTransfer} {
		if _, err := b.client.Execute(ctx, text); err != nil {
			return fmt.Errorf("making the types: %w", err)
		}
	}
	for _, name := range []string{edgeOwner, edgeVictim} {
		if _, err := b.client.Execute(ctx, edgeInsert, name, 0); err != nil {
			return fmt.Errorf("opening the accounts: %w", err)
		}
	}
	const most = 1000 // at once
	for first := 1; first <= b.accounts; first += most {
		var rows []map[string]any
		for id := first; id < first+most && id <= b.accounts; id++ {
			rows = append(rows, map[string]any{"name": edgeName(id), "balance": firstFunds})
		}
		data, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		if _, err := b.client.Execute(ctx, edgeInsertMany, json.RawMessage(data)); err != nil {
			return fmt.Errorf("opening the accounts: %w", err)
		}
	}
	return nil
}

// edgeName is the name of an account.
func edgeName(id int) string { return fmt.Sprint("n", id) }

func (b *edgeBank) db() duet.Client { return b.client }

func (b *edgeBank) close(ctx context.Context) error {
	ctx, stop := cleanup(ctx)
	defer stop()
	return b.drop(ctx)
}

// apply makes one transfer. The account that comes first is updated first, so that
// two transfers never wait for each other.
func (b *edgeBank) apply(ctx context.Context, t transfer) (accepted bool, err error) {
	err = b.client.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		funds, err := duet.QueryOne[int64](ctx, tx, edgeBalance, edgeName(t.payer))
		if err != nil {
			return err
		}
		if accepted = funds >= t.amount; !accepted {
			return nil
		}
		if _, err := tx.Execute(ctx, edgeAdd, edgeName(min(t.payer, t.payee)), 0); err != nil {
			return err
		}
		_, err = tx.Execute(ctx, edgeMove, edgeName(t.payer), edgeName(t.payee), t.amount)
		return err
	})
	return accepted, err
}
