package main

import (
	"fmt"
	"slices"
	"time"
)

// facts are what the database holds at the end, read over a connection of their
// own, with no proxy before it.
type facts struct {
	rows          [storeNone]map[int64]int // how often each id is there
	torn          []string                 // what was applied in part
	sum, wantSum  int64                    // of all balances
	wrongBalances int64                    // accounts whose balance is not what their transfers make of it
	outside       int64                    // rows of statements that must never have been applied

	tokens    int64 // commit tokens that are there
	lookedUp  int64 // those of them that are twins, which lookups leave
	oldTokens int64 // those of them that are due to be pruned
}

// circumstances are what excuses an outcome that stayed unknown.
type circumstances struct {
	restarts []window // of the server
	cuts     []window // of all connections at once
}

// window is a time, since the soak's start.
type window struct{ from, to time.Duration }

func (w window) overlaps(from, to time.Duration) bool { return w.from <= to && from <= w.to }

// Patience of the library with a lost commit, less a little: what is measured
// begins before the library's own clock does.
const (
	soakGrace    = time.Second
	soakPatience = 30 * time.Second
	soakSlack    = 50 * time.Millisecond
)

// unknownCount is a row of the table of unknown outcomes.
type unknownCount struct {
	Work       string `json:"work"`
	Proof      string `json:"proof,omitempty"`
	Reason     string `json:"reason"`
	Applied    int64  `json:"applied"` // as it turned out
	NotApplied int64  `json:"not_applied"`
	Allowed    bool   `json:"allowed"`
}

// verdict is what the comparison found.
type verdict struct {
	offences []offence
	counts   map[string]int64 // all offences by what they are
	unknown  []unknownCount
}

func (v *verdict) add(what, format string, args ...any) {
	v.counts[what]++
	if v.counts[what] <= maxDetails {
		v.offences = append(v.offences, offence{what, fmt.Sprintf(format, args...)})
	}
}

// judge compares what callers were told with what is there.
func judge(b *ledgerBook, f *facts, c circumstances) *verdict {
	v := &verdict{counts: map[string]int64{}, offences: b.offences}
	for _, o := range b.offences {
		v.counts[o.what]++
	}
	for what, n := range b.dropped {
		v.counts[what] += int64(n)
	}
	asked := [storeNone]map[int64]struct{}{}
	for i := range asked {
		asked[i] = make(map[int64]struct{}, len(f.rows[i]))
	}
	var tokened int64 // transfers that are there, and asked for a token
	for i := range b.entries {
		e := &b.entries[i]
		if e.proof == proofToken && f.rows[e.work.store()][e.id] > 0 {
			tokened++
		}
		asked[e.work.store()][e.id] = struct{}{}
		v.entry(e, f.rows[e.work.store()][e.id], c)
	}
	for store, rows := range f.rows {
		for id := range rows {
			if _, ok := asked[store][id]; !ok {
				v.add(offencePhantom, "the id %d is there", id)
			}
		}
	}
	for _, torn := range f.torn {
		v.add(offenceTorn, "%s", torn)
	}
	if f.sum != f.wantSum {
		v.add(offenceWrongSum, "at the end all balances are %d, want %d", f.sum, f.wantSum)
	}
	if f.wrongBalances > 0 {
		v.add(offenceTorn, "%d balances are not what their transfers make of them", f.wrongBalances)
	}
	// A lookup that finds no token leaves it, too, beside its twin.
	if left := f.tokens - f.lookedUp - f.oldTokens; left < tokened {
		v.add(offenceTokens, "%d transfers with ExactlyOnce were applied, and %d tokens are there", tokened, left)
	}
	if f.outside > 0 {
		v.add(offenceOutside, "%d rows are there that were rolled back, or sent through a handle that had ended", f.outside)
	}
	return v
}

// entry judges one line; n is how often its id is there.
func (v *verdict) entry(e *entry, n int, c circumstances) {
	if n > 1 {
		v.add(offenceDuplicated, "%s is there %d times", e.describe(), n)
	}
	switch {
	case e.told == toldApplied && n == 0:
		v.add(offenceLost, "%s was told applied, and is not there", e.describe())
	case e.told == toldNotApplied && n > 0:
		v.add(offenceToldWrong, "%s is there, and was told not applied: %s", e.describe(), e.failure)
	case e.told == toldUnknown:
		reason, allowed := excuse(e, c)
		v.countUnknown(e, reason, allowed, n > 0)
		if !allowed {
			v.add(offenceUnknown, "%s: %s", e.describe(), e.failure)
		}
	}
}

func (e *entry) describe() string {
	text := fmt.Sprintf("%d (%s", e.id, e.work)
	if e.proof != proofNone {
		text += ", " + soakProofNames[e.proof]
	}
	text += fmt.Sprintf(", from %s to %s", e.began.Round(time.Millisecond), e.back.Round(time.Millisecond))
	if e.ended > 0 {
		text += fmt.Sprintf(", its ctx ended at %s", e.ended.Round(time.Millisecond))
	}
	return text + ")"
}

func (v *verdict) countUnknown(e *entry, reason string, allowed, applied bool) {
	key := unknownCount{Work: e.work.String(), Proof: soakProofNames[e.proof], Reason: reason, Allowed: allowed}
	i := slices.IndexFunc(v.unknown, func(u unknownCount) bool {
		return u.Work == key.Work && u.Proof == key.Proof && u.Reason == key.Reason
	})
	if i < 0 {
		i = len(v.unknown)
		v.unknown = append(v.unknown, key)
	}
	if applied {
		v.unknown[i].Applied++
	} else {
		v.unknown[i].NotApplied++
	}
}

// excuse says why an outcome may have stayed unknown, and whether it may.
func excuse(e *entry, c circumstances) (reason string, allowed bool) {
	if e.work.store() != storeTransfer {
		return "a single statement's answer was lost", true
	}
	if e.proof == proofNone {
		return "no proof was asked for", true
	}
	if e.ended > 0 && e.back-max(e.ended, e.asked) >= soakGrace-soakSlack {
		return "the ctx had ended, and the grace was used up", true
	}
	if e.back-e.asked >= soakPatience-soakSlack {
		return "looked for as long as it may", true
	}
	if e.proof == proofToken {
		return "none", false
	}
	within := func(w window) bool { return w.overlaps(e.asked, e.back) }
	if slices.ContainsFunc(c.restarts, within) {
		return "the server was restarted", true
	}
	if e.survivor == nil || !e.survivor.lived(e.back) {
		if slices.ContainsFunc(c.cuts, within) {
			return "all connections were cut at once", true
		}
		return "no connection survived", true
	}
	return "none", false
}
