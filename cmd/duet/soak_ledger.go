package main

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// soakTold is what a caller was told of its work.
type soakTold uint8

const (
	toldApplied soakTold = iota
	toldNotApplied
	toldUnknown
)

// soakWork is what a caller asked for.
type soakWork uint8

// Works up to the last single statement leave rows, by which the ledger is judged
// at the end; the others are judged on the spot.
const (
	workRetryingTx soakWork = iota
	workRawTx
	workBegin
	workInsert     // a single statement
	workIdempotent // a single statement that may run twice
	workSum
	workEcho
	workRows
	workSleep
	soakWorks
)

var soakWorkNames = [soakWorks]string{
	"transfer, RetryingTx", "transfer, RawTx", "transfer, Begin and Commit", "insert, one statement", "insert, Idempotent",
	"sum of all balances", "echo", "rows, partly read", "sleep, cancelled",
}

func (w soakWork) String() string { return soakWorkNames[w] }

// soakStore is where a work leaves its id.
type soakStore uint8

const (
	storeTransfer soakStore = iota
	storeInsert
	storeIdempotent
	storeNone
)

func (w soakWork) store() soakStore {
	switch w {
	case workRetryingTx, workRawTx, workBegin:
		return storeTransfer
	case workInsert:
		return storeInsert
	case workIdempotent:
		return storeIdempotent
	default:
		return storeNone
	}
}

// soakProof is how a lost commit's outcome can be known.
type soakProof uint8

const (
	proofNone soakProof = iota
	proofID
	proofToken
	soakProofs
)

var soakProofNames = [soakProofs]string{"", "transaction id", "token"}

// entry is one line of the ledger: what was asked for, and what was told. Times
// are since the soak's start.
type entry struct {
	id       int64
	work     soakWork
	proof    soakProof
	twist    soakTwist
	told     soakTold
	canceled bool          // its ctx had ended
	ended    time.Duration // when its ctx ended, where it did
	began    time.Duration
	asked    time.Duration // when the commit, or the single statement, was called
	back     time.Duration
	survivor *survivors // connections that were there when the commit was called, where the outcome is unknown
	failure  string     // what it was told, where that is an error
}

func (e *entry) took() time.Duration { return e.back - e.began }

// offence is something that must not be, seen while the soak ran.
type offence struct{ what, detail string }

// The offences that callers see, and those that the comparison finds.
const (
	offenceLost         = "lost"
	offenceDuplicated   = "duplicated"
	offenceToldWrong    = "told wrong"
	offenceUnknown      = "unknown where the outcome could be known"
	offencePhantom      = "applied, and nobody asked for it"
	offenceTorn         = "applied in part"
	offenceOutside      = "ran outside its transaction"
	offenceWrongSum     = "a read saw a wrong sum"
	offenceWrongAnswer  = "another's answer"
	offenceStrayCancel  = "a stray 57014"
	offenceLate         = "came back late"
	offenceBadError     = "an error that breaks the contract"
	offenceTokens       = "transactions left no token"
	offenceNeverSettled = "goroutines, connections or clients that did not settle"
)

// offences are all of them, in the order in which they are told.
var offences = []string{
	offenceLost, offenceDuplicated, offenceToldWrong, offenceUnknown, offencePhantom, offenceTorn, offenceOutside, offenceWrongSum,
	offenceWrongAnswer, offenceStrayCancel, offenceLate, offenceBadError, offenceTokens, offenceNeverSettled,
}

// maxDetails is how many offences of one kind one page tells the details of.
const maxDetails = 5

// page is the part of the ledger that one goroutine writes.
type page struct {
	entries  []entry
	offences []offence
	dropped  map[string]int // offences beyond maxDetails
	calls    map[soakKey]*soakCount
	late     []time.Duration // from the end of a ctx to the call's return
	longest  entry
}

// soakKey is a row of the table of what callers were told.
type soakKey struct {
	work  soakWork
	proof soakProof
}

// soakCount counts what callers were told.
type soakCount struct {
	Calls, Applied, NotApplied, Unknown, Canceled int64
	kinds                                         map[string]soakKind // errors that are no unknown outcomes and no ends of a ctx
}

// soakKind counts errors of a kind, and has one of them.
type soakKind struct {
	n       int64
	example string
}

func newPage() *page { return &page{dropped: map[string]int{}, calls: map[soakKey]*soakCount{}} }

// write adds an entry.
func (p *page) write(e entry, kind string) {
	if e.took() > p.longest.took() {
		p.longest = e
	}
	if e.work.store() != storeNone {
		p.entries = append(p.entries, e)
	}
	key := soakKey{e.work, e.proof}
	c := p.calls[key]
	if c == nil {
		c = &soakCount{kinds: map[string]soakKind{}}
		p.calls[key] = c
	}
	c.Calls++
	switch e.told {
	case toldApplied:
		c.Applied++
	case toldNotApplied:
		c.NotApplied++
	case toldUnknown:
		c.Unknown++
	}
	if e.told == toldApplied {
		return
	}
	if e.canceled {
		c.Canceled++
	} else if e.told == toldNotApplied {
		k := c.kinds[kind]
		c.kinds[kind] = soakKind{k.n + 1, e.work.String() + ": " + e.failure}
	}
}

func (p *page) offend(what, detail string) {
	n := 0
	for _, o := range p.offences {
		if o.what == what {
			n++
		}
	}
	if n >= maxDetails {
		p.dropped[what]++
		return
	}
	p.offences = append(p.offences, offence{what, detail})
}

// ledgerBook is all pages bound together.
type ledgerBook struct {
	entries  []entry
	offences []offence
	dropped  map[string]int
	calls    map[soakKey]*soakCount
	late     []time.Duration // sorted
	longest  entry
}

func bind(pages []*page) *ledgerBook {
	b := &ledgerBook{dropped: map[string]int{}, calls: map[soakKey]*soakCount{}}
	for _, p := range pages {
		b.entries = append(b.entries, p.entries...)
		b.offences = append(b.offences, p.offences...)
		b.late = append(b.late, p.late...)
		if p.longest.took() > b.longest.took() {
			b.longest = p.longest
		}
		for what, n := range p.dropped {
			b.dropped[what] += n
		}
		for key, c := range p.calls {
			sum := b.calls[key]
			if sum == nil {
				sum = &soakCount{kinds: map[string]soakKind{}}
				b.calls[key] = sum
			}
			sum.add(c)
		}
	}
	slices.Sort(b.late)
	return b
}

func (c *soakCount) add(o *soakCount) {
	c.Calls += o.Calls
	c.Applied += o.Applied
	c.NotApplied += o.NotApplied
	c.Unknown += o.Unknown
	c.Canceled += o.Canceled
	for kind, k := range o.kinds {
		c.kinds[kind] = soakKind{c.kinds[kind].n + k.n, k.example}
	}
}

// keys are the rows of the table, in order.
func (b *ledgerBook) keys() []soakKey {
	return slices.SortedFunc(maps.Keys(b.calls), func(x, y soakKey) int {
		return cmp.Or(cmp.Compare(x.work, y.work), cmp.Compare(x.proof, y.proof))
	})
}
