package edgedb

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/committoken"
)

// commit commits, or says why not. Where the answer is lost, it finds out what
// became of the transaction.
func (t *transaction) commit(ctx context.Context) error {
	t.mu.Lock()
	failed, dead, busy, w := t.failed, t.dead, t.busy, t.work
	t.ended = t.ended || !busy && failed == nil
	t.mu.Unlock()
	switch {
	case busy:
		_ = t.finish(ctx)
		return simpleError(duet.KindInvalidArgument, duet.PhaseCommit, "", "the transaction was ended while it was in use by another goroutine; it was rolled back")
	case dead != nil && failed == dead:
		_ = t.finish(ctx)
		return dead
	case failed != nil:
		_ = t.finish(ctx)
		return swallowedError(failed)
	}
	defer t.giveBack()
	if w == nil {
		return nil // nothing was asked of the server
	}
	if err := ctx.Err(); err != nil {
		t.undo(ctx)
		e := acquireError(err, "")
		e.Phase = duet.PhaseCommit
		return e
	}
	if timeout := t.view.opt.Timeout; timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, timeout)
		defer stop()
	}
	if err := t.leaveToken(ctx); err != nil {
		t.undo(ctx)
		return err
	}
	lost, err := t.sendCommit(ctx, w)
	switch {
	case lost != nil:
		return t.outcome(ctx, lost)
	case err == nil && t.token != (committoken.Token{}):
		t.giveBack()
		t.db.prune()
	}
	return err
}

// lostCommit is a COMMIT that was sent, and to which there is no answer, or none
// that tells.
type lostCommit struct {
	err     error           // why
	since   time.Time       // when it was missed
	pending <-chan struct{} // closed when the answer comes after all; nil where it cannot
}

// sendCommit has COMMIT sent and waits for its answer: the error it gives, or
// that it was lost.
func (t *transaction) sendCommit(ctx context.Context, w *txWork) (*lostCommit, error) {
	grace := t.grace()
	j := &txJob{verb: txCommit}
	if deadline, ok := ctx.Deadline(); ok { // its answer matters even to those who have gone
		if j.deadline = time.Now().Add(commitPatience); deadline.Add(grace).After(j.deadline) {
			j.deadline = deadline.Add(grace)
		}
	}
	w.send(j)
	select {
	case <-w.done:
		return t.answered(w)
	case <-ctx.Done():
	case <-w.slot.cut:
	}
	lost := &lostCommit{err: ctx.Err(), since: time.Now(), pending: w.done}
	if lost.err == nil {
		lost.err = errCut("")
	}
	if j.state.CompareAndSwap(workRuns, workLeft) {
		w.slot.watchUntil(time.Now().Add(undoTimeout))
		return nil, serverError(lost.err, "", duet.PhaseCommit) // it will be rolled back
	}
	if t.token != (committoken.Token{}) {
		grace /= 2 // the other half is for looking
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-w.done:
		return t.answered(w)
	default:
	}
	select {
	case <-w.done:
		return t.answered(w)
	case <-timer.C:
		w.slot.watchUntil(j.deadline)
		return lost, nil
	}
}

// answered judges how a transaction ended that was to be committed.
func (t *transaction) answered(w *txWork) (*lostCommit, error) {
	err := w.end.err
	switch {
	case !w.committing: // the pool took the connection away before
		return nil, errCut("")
	case err == nil:
		return nil, nil
	case !w.unsent && (connectionLost(err) || !refusesCommit(err)):
		return &lostCommit{err: err, since: time.Now()}, nil
	}
	return nil, serverError(err, "", duet.PhaseCommit)
}

// refusesCommit says that an error of the server's means that nothing was applied.
// Others may be about what lies behind the server: it may have lost its own
// database in the middle of the COMMIT.
func refusesCommit(err error) bool {
	_, _, c := known(err)
	switch c.code >> 24 {
	case 0x03, 0x04, 0x05, 0x07: // of the protocol, the command, its execution, or access
		return true
	}
	return false
}

// swallowedError says that a closure returned nil although a statement had
// failed.
func swallowedError(failed error) error {
	return &duet.Error{Kind: duet.KindOf(failed), Backend: backendName, Phase: duet.PhaseRun,
		Message: "the closure returned nil, but a statement in its transaction had failed", Err: failed}
}

// openTx is a transaction that its user ends.
type openTx struct {
	*tx
	after   func()
	claimed atomic.Bool // by whoever ends it
}

func (o *openTx) Commit(ctx context.Context) error {
	if !o.claim() {
		return simpleError(duet.KindClosed, duet.PhaseCommit, "", "the transaction has ended")
	}
	err := o.t.commit(ctx)
	o.done()
	return err
}

func (o *openTx) Rollback(ctx context.Context) error {
	if !o.claim() {
		return nil
	}
	_ = o.t.finish(ctx)
	o.done()
	return nil
}

// claim says that it is the caller who ends the transaction. It can have ended by
// itself, with its connection.
func (o *openTx) claim() bool {
	o.t.mu.Lock()
	ended := o.t.ended
	o.t.mu.Unlock()
	return !ended && o.claimed.CompareAndSwap(false, true)
}

func (o *openTx) done() {
	if o.after != nil {
		o.after()
	}
}
