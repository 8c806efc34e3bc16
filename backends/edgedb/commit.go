package edgedb

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
)

// commit commits, or says why not.
func (t *transaction) commit(ctx context.Context) error {
	t.mu.Lock()
	failed, dead, busy, w := t.failed, t.dead, t.busy, t.work
	t.mu.Unlock()
	if busy {
		_ = t.finish(ctx)
		return simpleError(duet.KindInvalidArgument, duet.PhaseCommit, "", "the transaction was ended while it was in use by another goroutine; it was rolled back")
	}
	if dead != nil && failed == dead {
		_ = t.finish(ctx)
		return dead
	}
	if failed != nil {
		_ = t.finish(ctx)
		return swallowedError(failed)
	}
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
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
	return t.sendCommit(ctx, w)
}

// sendCommit has COMMIT sent and waits for its answer.
func (t *transaction) sendCommit(ctx context.Context, w *txWork) error {
	j := &txJob{verb: txCommit}
	if deadline, ok := ctx.Deadline(); ok { // its answer matters even to those who have gone
		if j.deadline = time.Now().Add(commitPatience); deadline.After(j.deadline) {
			j.deadline = deadline
		}
	}
	w.send(j)
	select {
	case <-w.done:
		return t.committed(ctx, w)
	case <-ctx.Done():
	case <-w.slot.cut:
	}
	err := ctx.Err()
	if err == nil {
		err = errCut("")
	}
	if j.state.CompareAndSwap(workRuns, workLeft) {
		return serverError(err, "", duet.PhaseCommit) // it will be rolled back
	}
	select {
	case <-w.done:
		return t.committed(ctx, w)
	default:
		w.slot.watchUntil(j.deadline)
		return t.commitLost(ctx, err)
	}
}

// committed judges how a transaction ended that was to be committed.
func (t *transaction) committed(ctx context.Context, w *txWork) error {
	err := w.end.err
	switch {
	case !w.committing: // the pool took the connection away before
		return errCut("")
	case err == nil:
		return nil
	case !w.unsent && (connectionLost(err) || !refusesCommit(err)):
		return t.commitLost(ctx, err)
	}
	return serverError(err, "", duet.PhaseCommit)
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

// commitLost is the error of a COMMIT without an answer.
func (t *transaction) commitLost(ctx context.Context, err error) error {
	e := &duet.Error{
		Kind: duet.KindCommitUnknown, Backend: backendName, Phase: duet.PhaseCommit,
		Message: "COMMIT was sent and its answer was lost: the transaction may or may not have been applied",
		Err:     err,
	}
	if made, ok := errors.AsType[*duet.Error](serverError(err, "", duet.PhaseCommit)); ok && made.Kind != duet.KindClosed {
		e.Err = made.Err
		if made.Err == nil {
			e.Err = made
		}
	}
	if hook := t.db.cfg.Hooks.CommitResolved; hook != nil {
		hook(ctx, duet.CommitInfo{Name: t.view.opt.Name, Err: e})
	}
	return e
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
	after func()
}

func (o *openTx) Commit(ctx context.Context) error {
	if o.hasEnded() {
		return simpleError(duet.KindClosed, duet.PhaseCommit, "", "the transaction has ended")
	}
	err := o.t.commit(ctx)
	o.done()
	return err
}

func (o *openTx) Rollback(ctx context.Context) error {
	if o.hasEnded() {
		return nil
	}
	_ = o.t.finish(ctx)
	o.done()
	return nil
}

func (o *openTx) hasEnded() bool {
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	return o.t.ended
}

func (o *openTx) done() {
	if o.after != nil {
		o.after()
		o.after = nil
	}
}
