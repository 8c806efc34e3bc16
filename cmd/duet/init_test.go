package main

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestInitPostgres(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "made the table duet.commit_token\n", "")
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "the table duet.commit_token is there already\n", "")

	client := connectTo(t, dsn)
	view := client.With(duet.Options{ExactlyOnce: duet.On})
	err := view.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "create table made (i int)")
		return err
	})
	if err != nil {
		t.Fatalf("a transaction with a token: %v", err)
	}
	n, err := duet.QueryOne[int64](t.Context(), client, "select count(*) from duet.commit_token")
	if err != nil || n != 1 {
		t.Errorf("%d tokens are there (%v), want 1", n, err)
	}

	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "dropped the table duet.commit_token\ndropped the schema duet\n", "")
	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "there is no table duet.commit_token\n", "")
}

// What --grant gives is just what a service needs, and what --print prints can be
// run as it is.
func TestInitGrant(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	client := connectTo(t, dsn)
	execute := func(text string) {
		t.Helper()
		if _, err := client.Execute(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	const role = `duet init "quoted"`
	execute(`create role "duet init ""quoted"""`)
	defer execute(`drop owned by "duet init ""quoted"""; drop role "duet init ""quoted"""`)
	r := duetRun(t, "init", "--dsn", dsn, "--grant", role)
	r.want(t, exitOK, "made the table duet.commit_token\ngranted its use to the role \"duet init \\\"quoted\\\"\"\n", "")
	const use = `set role "duet init ""quoted"""; insert into duet.commit_token (token) values (gen_random_uuid());
		select * from duet.commit_token; delete from duet.commit_token; reset role`
	execute(use)
	execute("revoke all on schema duet, public from public")

	printed := duetRun(t, "init", "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db", "--print", "--grant", role)
	printed.want(t, exitOK, "CREATE TABLE IF NOT EXISTS duet.commit_token", "")
	execute("drop schema duet cascade")
	execute(printed.out)
	execute(use)
	duetRun(t, "init", "--dsn", dsn, "--grant", "nobody_there").want(t, exitFailed,
		"the table duet.commit_token is there already\n", `granting its use to the role "nobody_there"`)

	dropped := duetRun(t, "init", "--print", "--drop")
	execute(dropped.out)
	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "there is no table", "")
}

func TestInitFailures(t *testing.T) {
	server := pgtest.Shared(t)
	dsn := server.NewDatabase(t)
	client := connectTo(t, dsn)
	execute := func(text string) {
		t.Helper()
		if _, err := client.Execute(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	for name, table := range map[string]string{
		"another type":  "token text primary key, at timestamptz default now()",
		"not unique":    "token uuid, at timestamptz default now()",
		"unique in two": "token uuid, at timestamptz default now(), primary key (token, at)",
		"no default":    "token uuid primary key, at timestamptz",
		"a column less": "token uuid primary key",
	} {
		execute("create schema duet; create table duet.commit_token (" + table + ")")
		r := duetRun(t, "init", "--dsn", dsn)
		if r.code != exitFailed || !strings.Contains(r.err, "is not the table that duet makes") {
			t.Errorf("%s: exit %d: %s%s", name, r.code, r.out, r.err)
		}
		execute("drop schema duet cascade")
	}
	execute("create schema duet; create table duet.other (i int)")
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "made the table", "")
	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "kept the schema duet, which holds other things\n", "")
	execute("drop schema duet cascade; create role duet_init_weak login")
	defer execute("drop role duet_init_weak")
	weak := strings.Replace(dsn, pgtest.Superuser+"@", "duet_init_weak@", 1)
	duetRun(t, "init", "--dsn", weak).want(t, exitFailed, "", "--print gives")
	duetRun(t, "init", "--dsn", dsn+"&options=-c%20default_transaction_read_only%3Don").want(t, exitFailed, "", "name the primary")
	r := duetRun(t, "init", "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db")
	r.want(t, exitFailed, "", "127.0.0.1:1")
	if strings.Contains(r.err, "s3cr3t") {
		t.Errorf("the password is shown: %s", r.err)
	}
	duetRun(t, "init", "--drop", "--grant", "a").want(t, exitUsage, "", "--grant")
	duetRun(t, "init", "--dsn", "edgedb://a@h/b", "--grant", "a").want(t, exitUsage, "", "EdgeDB has no grants")
	duetRun(t, "init", "--dsn", "mysql://h/b").want(t, exitUsage, "", "the scheme mysql is unknown")
}

// Many services that start at once may all run it.
func TestInitAtOnce(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	var results [8]result
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = duetRun(t, "init", "--dsn", dsn) })
	}
	wg.Wait()
	for _, r := range results {
		r.want(t, exitOK, "the table duet.commit_token", "")
	}
}

func TestInitEdgeDB(t *testing.T) {
	dsn := edgedbtest.Shared(t).NewBranch(t)
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "made the type default::CommitToken\n", "")
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "the type default::CommitToken is there already\n", "")
	duetRun(t, "init", "--dsn", dsn, "--print").want(t, exitOK, edgedb.CommitTokenSchema+";\n", "")
	duetRun(t, "init", "--dsn", dsn, "--drop", "--print").want(t, exitOK, dropTokenType+";\n", "")
	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "dropped the type default::CommitToken\n", "")
	duetRun(t, "init", "--dsn", dsn, "--drop").want(t, exitOK, "there is no type default::CommitToken\n", "")
	duetRun(t, "init", "--dsn", dsn).want(t, exitOK, "made the type default::CommitToken\n", "")
}
