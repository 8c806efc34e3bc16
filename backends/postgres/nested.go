package postgres

import (
	"context"
	"strconv"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// Nested runs fn in a savepoint.
func (x *tx) Nested(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	if err := x.enter(""); err != nil {
		return err
	}
	t := x.t
	t.mu.Lock()
	t.busy = false
	before := t.failed
	t.points++
	name := "duet_" + strconv.Itoa(t.points)
	inner := &scope{outer: x.scope, applied: t.s.applied}
	x.scope.inner = inner
	t.ahead = append(t.ahead, "SAVEPOINT "+name)
	t.mu.Unlock()
	nested := newTx(t, x.opt, inner)
	returned := false
	defer func() {
		t.mu.Lock()
		inner.ended = true
		x.scope.inner = nil
		t.mu.Unlock()
		if !returned { // a panic or Goexit: the whole transaction will be rolled back
			t.fail(simpleError(duet.KindClosed, duet.PhaseRun, "", "a nested transaction panicked"))
		}
	}()
	err := fn(ctx, nested)
	returned = true
	return t.endNested(ctx, inner, name, before, err)
}

// endNested releases the savepoint, or goes back to it.
func (t *transaction) endNested(ctx context.Context, s *scope, name string, before, err error) error {
	t.mu.Lock()
	failed, dead := t.failed, t.dead
	if t.ended || t.busy { // the connection is not this transaction's to use
		t.mu.Unlock()
		return t.endedInUse(err)
	}
	sent := true
	for i, c := range t.ahead {
		if c == "SAVEPOINT "+name { // nothing ran in it
			t.ahead = t.ahead[:i]
			sent = false
			break
		}
	}
	t.mu.Unlock()
	if dead != nil {
		if err == nil {
			err = dead
		}
		return err
	}
	swallowed := err == nil && failed != nil && before == nil
	if swallowed {
		err = swallowedError(failed)
	}
	if !sent {
		return err
	}
	if err == nil {
		t.mu.Lock()
		t.ahead = append(t.ahead, "RELEASE SAVEPOINT "+name)
		t.mu.Unlock()
		return nil
	}
	t.mu.Lock()
	t.ahead, t.busy = nil, true
	t.mu.Unlock()
	defer t.leave()
	if back := t.run(ctx, false, "ROLLBACK TO SAVEPOINT "+name, "RELEASE SAVEPOINT "+name); back != nil {
		t.kill(back)
		return err
	}
	if len(s.applied) > 0 || len(t.s.applied) > 0 {
		t.s.doubt(s.applied) // settings made since are undone
	}
	t.mu.Lock()
	if failed == nil || classify(failed) != retry.Conflict { // a conflict is the whole transaction's
		t.failed = before
	}
	t.mu.Unlock()
	return err
}

// endedInUse is the end of a nested transaction while something else goes on:
// the outer one has ended, or a call or rows are still using it.
func (t *transaction) endedInUse(err error) error {
	wrong := simpleError(duet.KindInvalidArgument, duet.PhaseRun, "", "the nested transaction was ended while it was in use, by another goroutine or by rows that were not closed, or after its outer one")
	t.kill(wrong)
	if err == nil {
		return wrong
	}
	return err
}

// swallowedError says that a closure returned nil although a statement had
// failed.
func swallowedError(failed error) error {
	e := &duet.Error{Kind: duet.KindOf(failed), Backend: backendName, Phase: duet.PhaseRun,
		Message: "the closure returned nil, but a statement in its transaction had failed", Err: failed}
	return e
}
