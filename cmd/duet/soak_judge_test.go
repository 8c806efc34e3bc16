package main

import (
	"strings"
	"testing"
	"time"
)

// honest is a ledger of three calls and what the database holds after them.
func honest() (*ledgerBook, *facts) {
	p := newPage()
	p.write(entry{id: 1, work: workRetryingTx, proof: proofToken, told: toldApplied}, "")
	p.write(entry{id: 2, work: workInsert, told: toldApplied}, "")
	p.write(entry{id: 3, work: workRawTx, proof: proofID, told: toldNotApplied, failure: "refused"}, "unavailable")
	f := &facts{sum: 10, wantSum: 10, tokens: 1}
	for i := range f.rows {
		f.rows[i] = map[int64]int{}
	}
	f.rows[storeTransfer][1], f.rows[storeInsert][2] = 1, 1
	return bind([]*page{p}), f
}

func TestSoakJudgeAcquits(t *testing.T) {
	b, f := honest()
	if v := judge(b, f, circumstances{}); len(v.counts) > 0 || len(v.offences) > 0 {
		t.Errorf("an honest ledger: %v", v.offences)
	}
}

// Each thing that must not be is found, in a ledger or in tables that were
// tampered with.
func TestSoakJudgeConvicts(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(*ledgerBook, *facts)
		what   string
		detail string
	}{
		{"a lost transfer", func(_ *ledgerBook, f *facts) { delete(f.rows[storeTransfer], 1) }, offenceLost, "1 (transfer, RetryingTx, token"},
		{"a lost insert", func(_ *ledgerBook, f *facts) { delete(f.rows[storeInsert], 2) }, offenceLost, "2 (insert, one statement"},
		{"a duplicate", func(_ *ledgerBook, f *facts) { f.rows[storeTransfer][1] = 2 }, offenceDuplicated, "is there 2 times"},
		{"a lie", func(_ *ledgerBook, f *facts) { f.rows[storeTransfer][3] = 1 }, offenceToldWrong, "told not applied: refused"},
		{"what nobody asked for", func(_ *ledgerBook, f *facts) { f.rows[storeIdempotent][9] = 1 }, offencePhantom, "the id 9"},
		{"the same id elsewhere", func(_ *ledgerBook, f *facts) { f.rows[storeInsert][1] = 1 }, offencePhantom, "the id 1"},
		{"half a transfer", func(_ *ledgerBook, f *facts) { f.torn = []string{"transfer 1: one posting"} }, offenceTorn, "one posting"},
		{"money made", func(_ *ledgerBook, f *facts) { f.sum++ }, offenceWrongSum, "11, want 10"},
		{"a balance", func(_ *ledgerBook, f *facts) { f.wrongBalances = 2 }, offenceTorn, "2 balances"},
		{"outside", func(_ *ledgerBook, f *facts) { f.outside = 1 }, offenceOutside, "1 rows"},
		{"no token", func(_ *ledgerBook, f *facts) { f.tokens = 0 }, offenceTokens, "1 transfers"},
		{"a twin is no token", func(_ *ledgerBook, f *facts) { f.lookedUp = 1 }, offenceTokens, "0 tokens"},
		{"seen on the way", func(b *ledgerBook, _ *facts) { b.offences = []offence{{offenceStrayCancel, "x"}} }, offenceStrayCancel, "x"},
		{"unknown with a token", func(b *ledgerBook, _ *facts) { b.entries[0].told = toldUnknown }, offenceUnknown, "1 ("},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, f := honest()
			tt.tamper(b, f)
			v := judge(b, f, circumstances{})
			if v.counts[tt.what] != 1 || len(v.counts) != 1 || len(v.offences) != 1 {
				t.Fatalf("%v, %v; want one of %q", v.counts, v.offences, tt.what)
			}
			if o := v.offences[0]; o.what != tt.what || !strings.Contains(o.detail, tt.detail) {
				t.Errorf("%+v; want %q with %q", o, tt.what, tt.detail)
			}
		})
	}
}

func TestSoakExcuses(t *testing.T) {
	lived := &witness{}
	lived.heard.Store(int64(10 * time.Second))
	survivor := &survivors{conns: []*witness{lived}}
	at := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	restart := circumstances{restarts: []window{{at(4), at(5)}}}
	tests := []struct {
		name    string
		entry   entry
		c       circumstances
		allowed bool
	}{
		{"a single statement", entry{work: workInsert}, circumstances{}, true},
		{"no proof asked for", entry{work: workRawTx}, circumstances{}, true},
		{"a token, at once", entry{work: workRawTx, proof: proofToken, asked: at(1), back: at(2)}, circumstances{}, false},
		{"a token, ctx ended, at once", entry{work: workRawTx, proof: proofToken, asked: at(1), ended: at(1.5), back: at(2)}, circumstances{}, false},
		{"a token, grace used up", entry{work: workRawTx, proof: proofToken, asked: at(1), ended: at(1.5), back: at(2.5)}, circumstances{}, true},
		{"a token, ctx ended before", entry{work: workRawTx, proof: proofToken, asked: at(3), ended: at(1), back: at(3.1)}, circumstances{}, false},
		{"a token, patience used up", entry{work: workRawTx, proof: proofToken, asked: at(1), back: at(31)}, circumstances{}, true},
		{"a token, restart", entry{work: workRawTx, proof: proofToken, asked: at(1), back: at(6)}, restart, false},
		{"an id, survivor", entry{work: workRawTx, proof: proofID, asked: at(1), back: at(2), survivor: survivor}, circumstances{}, false},
		{"an id, survivor until then", entry{work: workRawTx, proof: proofID, asked: at(1), back: at(12), survivor: survivor}, circumstances{}, true},
		{"an id, nobody", entry{work: workRawTx, proof: proofID, asked: at(1), back: at(2), survivor: &survivors{}}, circumstances{}, true},
		{"an id, restart", entry{work: workRawTx, proof: proofID, asked: at(1), back: at(4.5), survivor: survivor}, restart, true},
		{"an id, restart later", entry{work: workRawTx, proof: proofID, asked: at(1), back: at(3.9), survivor: survivor}, restart, false},
	}
	for _, tt := range tests {
		if reason, allowed := excuse(&tt.entry, tt.c); allowed != tt.allowed {
			t.Errorf("%s: allowed %v (%s), want %v", tt.name, allowed, reason, tt.allowed)
		}
	}
}
