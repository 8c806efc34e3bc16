package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/duetdb/duet"
)

// edgeRow is an account as the demo reads it.
type edgeRow struct {
	Name    string `json:"name"`
	Balance int64  `json:"balance"`
}

// show reads the accounts twice.
func (b *edgeBank) show(ctx context.Context, s streams) (check, error) {
	start := time.Now()
	rows, err := duet.QueryAll[edgeRow](ctx, b.client, edgeAccounts)
	if err != nil {
		return check{}, err
	}
	structsTook := time.Since(start)
	start = time.Now()
	var text []byte
	if err := b.client.QueryJSON(ctx, edgeAccounts, &text); err != nil {
		return check{}, err
	}
	jsonTook := time.Since(start)
	fmt.Fprintf(s.out, "\nEdgeDB's accounts, into structs: %s objects in %s\n", grouped(int64(len(rows))), shortDuration(structsTook))
	fmt.Fprintf(s.out, "The same objects as JSON: %s bytes in %s\n  %s\n", grouped(int64(len(text))), shortDuration(jsonTook), firstElement(text))
	c := check{name: "the accounts are the same in structs and in JSON"}
	var decoded []edgeRow
	if err := json.Unmarshal(text, &decoded); err != nil {
		c.failure = err.Error()
	} else if !reflect.DeepEqual(rows, decoded) {
		c.failure = fmt.Sprintf("%d structs and %d JSON objects differ", len(rows), len(decoded))
	}
	return c, nil
}

// movement is a transfer as it is written down, without its id.
type movement struct {
	payer, payee string
	amount       int64
}

func (b *edgeBank) checks(ctx context.Context, w *work) ([]check, error) {
	total, err := duet.QueryOne[int64](ctx, b.client, edgeSum)
	if err != nil {
		return nil, err
	}
	balances, err := duet.QueryAll[edgeRow](ctx, b.client, edgeAccounts)
	if err != nil {
		return nil, err
	}
	written, err := b.movements(ctx)
	if err != nil {
		return nil, err
	}
	asked, funds := w.askedFor()
	missing, extra := differences(asked, written)
	rows := size(written)
	var negative, wrong int64
	for _, a := range balances {
		if a.Balance < 0 {
			negative++
		}
		if a.Balance != funds[a.Name] {
			wrong++
		}
	}
	accounts := int64(b.accounts)
	return []check{
		equal("the sum of all balances is unchanged: "+grouped(accounts*firstFunds), total, accounts*firstFunds),
		equal(fmt.Sprintf("every transfer was applied exactly once: %s objects", grouped(rows)), missing, 0),
		equal("no transfer was written that nobody asked for", extra, 0),
		holds(fmt.Sprintf("every one of %s balances is what its transfers make of it", grouped(accounts)),
			wrong == 0 && len(balances) == len(funds), fmt.Sprintf("%d of %d are wrong, and there should be %d", wrong, len(balances), len(funds))),
		equal("no balance is negative", negative, 0),
		equal(fmt.Sprintf("callers were told the truth: %s accepted, %s refused", grouped(rows), grouped(w.refused.Load())),
			rows+w.refused.Load(), int64(w.opt.transfers)),
	}, nil
}

// movements counts what is written down, each by its content.
func (b *edgeBank) movements(ctx context.Context) (map[movement]int64, error) {
	type party struct {
		Name string
		Note *string
	}
	type row struct {
		Amount int64
		Src    struct{ Name string }
		Dst    party
	}
	all := map[movement]int64{}
	for r, err := range duet.Stream[row](ctx, b.client, edgeTransfers) {
		if err != nil {
			return nil, err
		}
		all[movement{r.Src.Name, r.Dst.Name, r.Amount}]++
	}
	return all, nil
}

// askedFor is what must be written down of the transfers that were accepted, and
// what each account must have then.
func (w *work) askedFor() (map[movement]int64, map[string]int64) {
	all, funds := map[movement]int64{}, map[string]int64{edgeOwner: 0, edgeVictim: 0}
	for id := range w.opt.accounts {
		funds[edgeName(id+1)] = firstFunds
	}
	for id, accepted := range w.accepted {
		if !accepted {
			continue
		}
		t := w.transfer(int64(id))
		payer, payee := edgeName(t.payer), edgeName(t.payee)
		all[movement{payer, payee, t.amount}]++
		funds[payer] -= t.amount
		funds[payee] += t.amount
	}
	return all, funds
}

// differences counts what is missing of a, and what b has beyond it.
func differences(a, b map[movement]int64) (missing, extra int64) {
	for m, n := range a {
		missing += max(0, n-b[m])
	}
	for m, n := range b {
		extra += max(0, n-a[m])
	}
	return missing, extra
}

func size(all map[movement]int64) (n int64) {
	for _, count := range all {
		n += count
	}
	return n
}
