package edgedbtest_test

import (
	"testing"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
)

func TestSelectOne(t *testing.T) {
	c := connect(t, edgedbtest.Shared(t).DSN(), edgedb.Options{})
	for range 3 {
		var n int64
		if err := c.QuerySingle(testContext(t), "select 1", &n); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

func TestAccounts(t *testing.T) {
	_, dsn := branch(t)
	c := connect(t, dsn, edgedb.Options{})
	ctx := testContext(t)
	if err := c.Execute(ctx, text(t, "insert_account"), "ada", int64(7)); err != nil {
		t.Fatal(err)
	}
	var accounts []struct {
		Name    string `edgedb:"name"`
		Balance int64  `edgedb:"balance"`
	}
	if err := c.Query(ctx, text(t, "accounts"), &accounts); err != nil {
		t.Fatal(err)
	}
	if len(accounts) != 1 || accounts[0].Name != "ada" || accounts[0].Balance != 7 {
		t.Errorf("accounts %v", accounts)
	}
	var ids []struct {
		ID edgedb.UUID `edgedb:"id"`
	}
	if err := c.Query(ctx, text(t, "insert_account"), &ids, "bob", int64(7)); err != nil || len(ids) != 1 {
		t.Errorf("ids %v, %v", ids, err)
	}
	var json []byte
	if err := c.QueryJSON(ctx, text(t, "accounts"), &json); err != nil {
		t.Fatal(err)
	}
	if want := `[{"name": "ada", "balance": 7}, {"name": "bob", "balance": 7}]`; string(json) != want {
		t.Errorf("JSON %s, want %s", json, want)
	}
}
