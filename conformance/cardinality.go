package conformance

import (
	"context"

	"github.com/duetdb/duet"
)

func cardinalityScenarios() []Scenario {
	return []Scenario{
		{ID: "cardinality/none", Promise: "QueryOne without a row gives ErrNoData, and the client goes on.", Run: noRow},
		{ID: "cardinality/more", Promise: "QueryOne with more than one row gives ErrCardinality, and the client goes on.", Run: moreRows},
		{ID: "cardinality/json-none", Promise: "QueryOneJSON without a row gives ErrNoData.", Run: noRowJSON},
		{ID: "cardinality/json-more", Promise: "QueryOneJSON with more than one row gives ErrCardinality.", Run: moreRowsJSON},
		{ID: "cardinality/in-transaction", Promise: "ErrNoData in a transaction does not end it.", Run: noRowInTx},
		{ID: "cardinality/read-back", Promise: "What was inserted, updated or deleted can be read back by the same command.", Run: readBack},
	}
}

func noRow(ctx context.Context, t *T) {
	n := int64(9)
	wantErr(t, "nothing", t.Client().QueryOne(ctx, t.Text("nothing"), &n), duet.ErrNoData)
	var row struct{ Name string }
	err := t.Client().QueryOne(ctx, t.Text("account_name"), &row, "nobody")
	wantErr(t, "no account", err, duet.ErrNoData)
	want(t, "the kind", duet.KindOf(err), duet.KindNoData)
	_, err = duet.QueryOne[int64](ctx, t.Client(), t.Text("balance"), "nobody")
	wantErr(t, "no balance", err, duet.ErrNoData)
	usable(ctx, t, t.Client(), "after ErrNoData")
}

func moreRows(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada", "bob", "carol")
	var n int64
	wantErr(t, "two_of_them", t.Client().QueryOne(ctx, t.Text("two_of_them"), &n), duet.ErrCardinality)
	var row struct{ Name string }
	wantErr(t, "three accounts", t.Client().QueryOne(ctx, t.Text("all_names"), &row), duet.ErrCardinality)
	wantErr(t, "many numbers", t.Client().QueryOne(ctx, t.Text("numbers"), &n, int64(50000)), duet.ErrCardinality)
	usable(ctx, t, t.Client(), "after ErrCardinality")
}

func noRowJSON(ctx context.Context, t *T) {
	var out []byte
	wantErr(t, "nothing", t.Client().QueryOneJSON(ctx, t.Text("nothing"), &out), duet.ErrNoData)
	wantErr(t, "no account", t.Client().QueryOneJSON(ctx, t.Text("account_name"), &out, "nobody"), duet.ErrNoData)
	usable(ctx, t, t.Client(), "after ErrNoData")
}

func moreRowsJSON(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada", "bob")
	var out []byte
	wantErr(t, "two_of_them", t.Client().QueryOneJSON(ctx, t.Text("two_of_them"), &out), duet.ErrCardinality)
	wantErr(t, "two accounts", t.Client().QueryOneJSON(ctx, t.Text("all_names"), &out), duet.ErrCardinality)
	usable(ctx, t, t.Client(), "after ErrCardinality")
}

func noRowInTx(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada")
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := duet.QueryOne[int64](ctx, tx, t.Text("balance"), "nobody")
		wantErr(t, "no balance", err, duet.ErrNoData)
		_, err = tx.Execute(ctx, t.Text("set_balance"), "ada", int64(6))
		return err
	})
	if err != nil {
		t.Errorf("the transaction failed: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(6))
}

func readBack(ctx context.Context, t *T) {
	type account struct {
		Name    string
		Balance int64
	}
	type name struct{ Name string }
	c := t.Client()
	if got := one[map[string]any](ctx, t, c, "insert_returning", "fay"); got["name"] != "fay" || got["balance"] != int64(1) || got["note"] != nil {
		t.Errorf("what was inserted is %v", got)
	}
	want(t, "what was updated", all[account](ctx, t, c, "update_returning", "fay", int64(2)), []account{{"fay", 3}})
	want(t, "what was deleted", all[name](ctx, t, c, "delete_returning", "fay"), []name{{"fay"}})
	want(t, "what was deleted again", all[name](ctx, t, c, "delete_returning", "fay"), []name{})
}
