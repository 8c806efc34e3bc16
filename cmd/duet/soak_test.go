package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
)

func TestSoakUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--duration", "10ms"}, {"--backend", "mysql"}, {"--goroutines", "0"}, {"--accounts", "1"}, {"--every", "0s"}, {"x"},
	} {
		duetRun(t, append([]string{"soak"}, args...)...).want(t, exitUsage, "", "See 'duet soak --help'.")
	}
}

// A short soak on each backend, with both kinds of report.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and works for seconds")
	}
	r := duetRun(t, "soak", "--duration", "5s", "--seed", "7", "--goroutines", "16", "--every", "20ms")
	r.want(t, exitOK, "\nsoak: ok, ", "")
	for _, want := range []string{
		"\nCOMMIT's answer ", "\nserver restarted, ", "\nwhat callers were told ", "\ntransfer, RetryingTx ", "lost 0, duplicated 0, told wrong 0",
	} {
		r.want(t, exitOK, want, "")
	}
	r = duetRun(t, "soak", "--duration", "5s", "--seed", "7", "--goroutines", "16", "--backend", "edgedb", "--json")
	r.want(t, exitOK, `{"ok":true,"backend":"edgedb",`, "")
	var report soakReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if report.FaultsTotal < 10 || report.Calls < 20 || report.Lost != 0 || len(report.Told) < 8 {
		t.Errorf("%d faults, %d calls, %d lost, %d rows: %s", report.FaultsTotal, report.Calls, report.Lost, len(report.Told), r.out)
	}
}

// The faults and the choices come from the seed alone.
func TestSoakSeed(t *testing.T) {
	plan := func(seed uint64) (all []soakFault) {
		p := newSoakPlan(seed, time.Millisecond, false)
		for range 500 {
			all = append(all, p.next())
		}
		return all
	}
	steps := func(seed uint64) (all []soakStep) {
		w := &soakWorker{clients: make([]soakClient, 3), accounts: 10, workers: 1, proofs: []soakProof{proofID}, rng: rand.New(rand.NewPCG(seed, 0))}
		for range 500 {
			all = append(all, w.next())
		}
		return all
	}
	if !reflect.DeepEqual(plan(1), plan(1)) || !reflect.DeepEqual(steps(1), steps(1)) {
		t.Error("two plans of one seed differ")
	}
	if reflect.DeepEqual(plan(1), plan(2)) || reflect.DeepEqual(steps(1), steps(2)) {
		t.Error("the plans of two seeds are the same")
	}
	works := map[soakWork]int{}
	for _, s := range steps(3) {
		works[s.work]++
		if s.move.payer == s.move.payee || s.move.payer < 1 || s.move.payer > 10 || s.move.payee < 1 || s.move.payee > 10 {
			t.Fatalf("a transfer from %d to %d", s.move.payer, s.move.payee)
		}
	}
	if len(works) != int(soakWorks) {
		t.Errorf("only the works %v are drawn", works)
	}
}

// liar is a shop whose calls come back otherwise than what they did.
type liar struct {
	postgresShop
	err error
}

func (l *liar) insert(context.Context, duet.Querier, int64) error { return l.err }

// What a call comes back with is written down as what its caller was told.
func TestSoakTold(t *testing.T) {
	stray := &duet.Error{Kind: duet.KindCanceled, Code: "57014", Message: "canceling statement"}
	tests := []struct {
		name    string
		err     error
		told    soakTold
		offence string
	}{
		{"success", nil, toldApplied, ""},
		{"refused", &duet.Error{Kind: duet.KindUnavailable}, toldNotApplied, ""},
		{"lost", &duet.Error{Kind: duet.KindUnavailable, Outcome: duet.OutcomeUnknown}, toldUnknown, ""},
		{"not one of ours", context.Canceled, toldNotApplied, offenceBadError},
		{"another's cancel", stray, toldNotApplied, offenceStrayCancel},
		{"another's cancel, deep within", &duet.Error{Kind: duet.KindOther, Err: stray}, toldNotApplied, offenceStrayCancel},
	}
	for _, tt := range tests {
		w := &soakWorker{
			shop: &liar{err: tt.err}, clients: make([]soakClient, 1), page: newPage(), clock: func() time.Duration { return 1 }, calls: new(atomic.Int64),
		}
		w.do(t.Context(), soakStep{work: workInsert})
		if len(w.page.entries) != 1 || w.page.entries[0].told != tt.told {
			t.Errorf("%s: the ledger has %+v, want one line with %d", tt.name, w.page.entries, tt.told)
		}
		var what []string
		for _, o := range w.page.offences {
			what = append(what, o.what)
		}
		if got := strings.Join(what, ", "); got != tt.offence {
			t.Errorf("%s: the offences %q, want %q", tt.name, got, tt.offence)
		}
	}
}
