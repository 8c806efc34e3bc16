package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
)

// soakCall bounds each call: a fault must not hold anybody longer.
const soakCall = 45 * time.Second

// Coming back later than this after the end of its ctx is an offence: it is far
// more than what a busy machine and the grace of a commit explain.
const soakTooLate = soakGrace + 4*time.Second

// soakClient is a client of the library under test.
type soakClient struct {
	duet.Client
	conns *witnesses // nil: it is not known which survive
}

// soakWorker is one of the goroutines that work, with a stream of choices of
// its own.
type soakWorker struct {
	number, workers int
	shop            shop
	clients         []soakClient
	accounts        int
	proofs          []soakProof // that transfers ask for, one as often as another
	rng             *rand.Rand
	page            *page
	clock           func() time.Duration
	calls           *atomic.Int64 // of all workers
	seq             int64
}

// soakStep is a call with all choices made, so that what a worker draws does not
// depend on how its calls end.
type soakStep struct {
	work   soakWork
	proof  soakProof
	client int
	move   soakMove
	size   int64
	read   int64

	cancelAfter  time.Duration // ends the ctx so long after the call begins; 0: it goes on
	cancelCommit time.Duration // ends the ctx so long after the closure's return; 0: it goes on
	twist        soakTwist
}

// soakTwist is what a closure does beside its work.
type soakTwist uint8

const (
	twistNone    soakTwist = iota
	twistNested            // a savepoint that is rolled back
	twistGivesUp           // returns an error after all its work
	twistSwallow           // swallows the error of a statement
	twistLeak              // uses its handle after its end
)

// shares are how often each work is done, in 100.
var soakShares = [soakWorks]int{
	workRetryingTx: 34, workRawTx: 8, workBegin: 8, workInsert: 14, workIdempotent: 8, workSum: 6, workEcho: 12, workRows: 5, workSleep: 5,
}

func (w *soakWorker) next() soakStep {
	w.seq++
	s := soakStep{client: w.rng.IntN(len(w.clients))}
	pick := w.rng.IntN(100)
	for pick >= soakShares[s.work] {
		pick -= soakShares[s.work]
		s.work++
	}
	s.proof = w.proofs[w.rng.IntN(len(w.proofs))]
	if s.work.store() != storeTransfer {
		s.proof = proofNone
	}
	s.move = soakMove{id: w.seq*int64(w.workers) + int64(w.number), payer: w.account(), amount: 1 + w.rng.Int64N(100)}
	s.move.payee = s.move.payer%w.accounts + 1
	if other := w.account(); other != s.move.payer {
		s.move.payee = other
	}
	s.size = 1 + w.rng.Int64N(1000)*w.rng.Int64N(10)
	s.read = w.rng.Int64N(s.size + 1)
	after := time.Duration(w.rng.ExpFloat64()*8*float64(time.Millisecond)) + time.Microsecond
	switch d := w.rng.IntN(100); {
	case s.work == workSleep:
		s.cancelAfter = after
	case d < 10:
		s.cancelAfter = after
	case d < 16:
		s.cancelCommit = after / 16
	}
	if d := w.rng.IntN(40); s.work.store() == storeTransfer && d < 8 {
		s.twist = soakTwist(1 + d/2)
	}
	return s
}

// account picks one; one in ten is among those that everybody wants.
func (w *soakWorker) account() int {
	if w.rng.IntN(10) == 0 {
		return 1 + w.rng.IntN(min(hotAccounts, w.accounts))
	}
	return 1 + w.rng.IntN(w.accounts)
}

// run works until quit is closed; what was begun is brought to its end.
func (w *soakWorker) run(ctx context.Context, quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-ctx.Done():
			return
		default:
		}
		if !w.do(context.WithoutCancel(ctx), w.next()) {
			select { // the server is away: nothing is gained by asking at once
			case <-time.After(5 * time.Millisecond):
			case <-quit:
			}
		}
	}
}

// soakCtx is the ctx of a call, and when it ended.
type soakCtx struct {
	context.Context
	stop  context.CancelFunc
	clock func() time.Duration
	ended atomic.Int64 // since the soak's start; 0: it goes on
}

func (w *soakWorker) newCtx(ctx context.Context, after time.Duration) *soakCtx {
	c := &soakCtx{clock: w.clock}
	c.Context, c.stop = context.WithTimeout(ctx, soakCall)
	context.AfterFunc(c.Context, func() { c.ended.CompareAndSwap(0, int64(w.clock())) })
	c.endAfter(after)
	return c
}

// endAfter ends the ctx after a while; 0 is never.
func (c *soakCtx) endAfter(after time.Duration) {
	if after <= 0 {
		return
	}
	timer := time.AfterFunc(after, func() {
		c.ended.CompareAndSwap(0, int64(c.clock()))
		c.stop()
	})
	context.AfterFunc(c.Context, func() { timer.Stop() })
}

// do makes one call, writes what it was told, and says whether the server was
// there.
func (w *soakWorker) do(parent context.Context, s soakStep) bool {
	ctx := w.newCtx(parent, s.cancelAfter)
	defer ctx.stop()
	client := w.clients[s.client]
	e := entry{id: s.move.id, work: s.work, proof: s.proof, twist: s.twist, began: w.clock()}
	e.asked = e.began
	var err error
	switch s.work {
	case workRetryingTx, workRawTx, workBegin:
		err = w.transfer(ctx, client, s, &e)
	case workInsert:
		err = w.shop.insert(ctx, client, e.id)
	case workIdempotent:
		err = w.shop.note(ctx, client.With(duet.Options{Idempotent: duet.On}), e.id)
	case workSum:
		err = w.sum(ctx, client)
	case workEcho:
		err = w.echo(ctx, client, s)
	case workRows:
		err = w.rows(ctx, client, s)
	case workSleep:
		err = w.shop.sleep(ctx, client)
	}
	e.back = w.clock()
	w.told(ctx, client, &e, err)
	w.calls.Add(1)
	return duet.KindOf(err) != duet.KindUnavailable
}

// told writes into the ledger what the call came back with.
func (w *soakWorker) told(ctx *soakCtx, client soakClient, e *entry, err error) {
	ctxErr := ctx.Err()
	if err == nil {
		w.page.write(*e, "")
		return
	}
	e.failure = shorten(err.Error())
	e.told = toldNotApplied
	failed, isDuet := errors.AsType[*duet.Error](err)
	if e.canceled = ctxErr != nil && errors.Is(err, ctxErr); ctxErr != nil {
		e.ended = time.Duration(ctx.ended.Load())
		if late := e.back - max(e.ended, e.began); e.ended > 0 {
			w.page.late = append(w.page.late, late)
			if late > soakTooLate {
				w.page.offend(offenceLate, fmt.Sprintf("%s, %s after its ctx's end: %s", e.describe(), shortDuration(late), e.failure))
			}
		}
	}
	switch {
	case e.work.store() == storeTransfer && errors.Is(err, duet.ErrCommitUnknown), isDuet && failed.Outcome == duet.OutcomeUnknown:
		e.told = toldUnknown
		if client.conns != nil {
			e.survivor = client.conns.since(e.asked)
		}
	case isDuet && failed.Outcome == duet.OutcomeApplied:
		e.told = toldApplied
	}
	if !isDuet && !errors.Is(err, errSoakGivesUp) {
		w.page.offend(offenceBadError, fmt.Sprintf("%s: no *duet.Error: %s", e.describe(), e.failure))
	}
	w.lookForStray(ctx, e.work, err)
	w.page.write(*e, kindText(err, failed, e.twist))
}

// kindText says briefly what an error is.
func kindText(err error, e *duet.Error, twist soakTwist) string {
	switch {
	case twist == twistSwallow && duet.KindOf(err) == duet.KindOther:
		return "a swallowed error"
	case errors.Is(err, errSoakGivesUp):
		return "the closure's own"
	case e == nil:
		return "other"
	case e.Code != "":
		return e.Kind.String() + " " + e.Code
	default:
		return e.Kind.String()
	}
}

// lookForStray looks for a statement that was cancelled though its ctx goes on:
// another one's cancelling has struck it. The faults end the sockets of cancel
// requests before the server has seen to them, so that this may happen; a
// statement of its own is run again then, and in a transaction the error says what
// it is, and RetryingTx runs the attempt again.
func (w *soakWorker) lookForStray(ctx context.Context, work soakWork, err error) {
	said := work.store() == storeTransfer && err != nil && strings.Contains(err.Error(), "may have come late")
	if ctx.Err() == nil && hasCode(err, "57014") && !said {
		w.page.offend(offenceStrayCancel, fmt.Sprintf("%s: %s", work, shorten(err.Error())))
	}
}

func hasCode(err error, code string) bool {
	if e, ok := err.(*duet.Error); ok && e.Code == code {
		return true
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		return hasCode(u.Unwrap(), code)
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			if hasCode(inner, code) {
				return true
			}
		}
	}
	return false
}

// shorten keeps what tells errors apart.
func shorten(s string) string {
	const most = 400
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
