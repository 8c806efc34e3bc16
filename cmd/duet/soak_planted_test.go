package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

// What is wrong in the tables is found there, on both backends: a write that is
// gone, one that is there twice, one that was told not to be, half a transfer, a
// token that is missing.
func TestSoakPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers")
	}
	tests := map[string]struct {
		database string // of the shop's tables, "" where it is to be found
		lose     string
		double   string
		half     string
		token    string
	}{
		"postgres": {
			database: pgtest.Superuser,
			lose:     "delete from log where id = 2",
			double:   "insert into transfer select id, xid from transfer where id = 1; insert into posting select * from posting where id = 1",
			half:     "delete from posting where id = 3 and amount > 0",
			token:    "delete from duet.commit_token where at > now() - interval '1 hour'",
		},
		"edgedb": {
			lose:   "delete from duet_conformance.transfer where amount = 4",
			double: "insert into duet_conformance.transfer select * from duet_conformance.transfer where amount = 3",
			half:   "update duet_conformance.account set balance = balance - 7 where name = 'n1'",
			token:  "delete from duet.commit_token",
		},
	}
	for backend, tt := range tests {
		t.Run(backend, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			st, err := newStage(ctx, streams{out: io.Discard, err: io.Discard}, soakOptions{backend: backend, accounts: 10, duration: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := st.close(); err != nil {
					t.Error(err)
				}
			}()
			if err := st.open(ctx); err != nil {
				t.Fatal(err)
			}
			book := plantedWork(ctx, t, st)
			database := tt.database
			if database == "" {
				names, err := direct(ctx, st.pg, pgtest.Superuser, `select datname from pg_database where datname like 'duet\_edgedb\_%'`)
				if err != nil {
					t.Fatal(err)
				}
				database = *names[0][0]
			}
			find := func(want ...string) {
				t.Helper()
				found, err := st.shop.facts(ctx)
				if err != nil {
					t.Fatal(err)
				}
				v := judge(book, found, st.circumstances())
				got := slices.Sorted(maps.Keys(v.counts))
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("found %q, want %q: %v", got, want, v.offences)
				}
			}
			plant := func(sql string) {
				t.Helper()
				if _, err := direct(ctx, st.pg, database, sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			find()
			lie := slices.IndexFunc(book.entries, func(e entry) bool { return e.work == workIdempotent })
			book.entries[lie].told = toldNotApplied
			find(offenceToldWrong)
			book.entries[lie].told = toldApplied
			plant(tt.token)
			find(offenceTokens)
			book.entries[0].proof, book.entries[2].proof = proofNone, proofNone // tokens were not asked for
			plant(tt.lose)
			if backend == "postgres" {
				find(offenceLost)
				plant(tt.half)
				find(offenceLost, offenceTorn)
				plant(tt.double)
				find(offenceLost, offenceTorn, offenceDuplicated)
				return
			}
			find(offenceLost, offenceTorn) // its money has moved
			plant(tt.half)
			find(offenceLost, offenceTorn, offenceWrongSum)
			plant(tt.double)
			find(offenceLost, offenceTorn, offenceWrongSum, offenceDuplicated)
		})
	}
}

// plantedWork does a few things that go well, and writes their ledger.
func plantedWork(ctx context.Context, t *testing.T, st *soakStage) *ledgerBook {
	t.Helper()
	w := &soakWorker{workers: 1, shop: st.shop, clients: st.clients, accounts: 10, page: newPage(), clock: st.clock, calls: &st.calls}
	w.do(ctx, soakStep{work: workRetryingTx, proof: proofToken, move: soakMove{id: 1, payer: 1, payee: 2, amount: 5}})
	w.do(ctx, soakStep{work: workInsert, move: soakMove{id: 2}})
	w.do(ctx, soakStep{work: workRawTx, proof: proofToken, move: soakMove{id: 3, payer: 2, payee: 3, amount: 5}})
	w.do(ctx, soakStep{work: workIdempotent, move: soakMove{id: 4}})
	w.do(ctx, soakStep{work: workBegin, move: soakMove{id: 5, payer: 4, payee: 3, amount: 5}, twist: twistGivesUp})
	w.do(ctx, soakStep{work: workRetryingTx, move: soakMove{id: 6, payer: 4, payee: 3, amount: 5}, twist: twistNested})
	w.do(ctx, soakStep{work: workRetryingTx, move: soakMove{id: 7, payer: 4, payee: 3, amount: 5}, twist: twistSwallow})
	w.do(ctx, soakStep{work: workBegin, move: soakMove{id: 8, payer: 4, payee: 3, amount: 5}, twist: twistLeak})
	w.do(ctx, soakStep{work: workSum})
	w.do(ctx, soakStep{work: workEcho, move: soakMove{id: 9}})
	w.do(ctx, soakStep{work: workRows, size: 20, read: 20})
	w.do(ctx, soakStep{work: workRows, size: 20, read: 3})
	want := []soakTold{toldApplied, toldApplied, toldApplied, toldApplied, toldNotApplied, toldApplied, toldNotApplied, toldApplied}
	var got []soakTold
	for _, e := range w.page.entries {
		got = append(got, e.told)
	}
	if !slices.Equal(got, want) || len(w.page.offences) > 0 {
		t.Fatalf("told %v, want %v: %+v; %v", got, want, w.page.entries, w.page.offences)
	}
	for key, c := range w.page.calls {
		if c.Unknown > 0 || key.work.store() == storeNone && c.NotApplied > 0 {
			t.Fatalf("%s: %+v", key.work, c)
		}
	}
	return bind([]*page{w.page})
}
