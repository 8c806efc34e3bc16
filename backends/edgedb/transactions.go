package edgedb

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

func (c *client) RetryingTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	loop := retry.Loop{Budget: &c.db.budget, Classify: classify}
	opt := &c.view.opt
	if opt.Retry != nil {
		loop.Policy = *opt.Retry
	}
	if hook := c.db.cfg.Hooks.Retry; hook != nil {
		loop.Notify = func(e retry.Event) {
			hook(ctx, duet.RetryInfo{Backend: backendName, Name: opt.Name, Attempt: e.Attempt, Class: e.Class, Err: e.Err, Wait: e.Wait})
		}
	}
	begun := false
	err := loop.Run(ctx, func(ctx context.Context, n int) error {
		begun = true
		return c.attempt(ctx, n, fn)
	})
	if err != nil && !begun {
		return acquireError(err, "")
	}
	return gaveUp(err)
}

// gaveUp dresses the loop's own error as one of duet's: the last attempt's, with
// the loop's word for why there was no other.
func gaveUp(err error) error {
	given, ok := err.(*retry.Error)
	if !ok {
		return err
	}
	e := duet.Error{Backend: backendName, Phase: duet.PhaseRun}
	if last, ok := errors.AsType[*duet.Error](given.Last); ok {
		e = *last
	}
	e.Message, e.Err = "the transaction failed", given
	return &e
}

func (c *client) RawTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	return c.attempt(ctx, 1, fn)
}

// attempt runs fn once in a transaction on a connection of the pool.
func (c *client) attempt(ctx context.Context, n int, fn func(context.Context, duet.Tx) error) (err error) {
	if c.view.bad != nil {
		return c.view.bad
	}
	ctx, end := c.db.beginTx(ctx, &c.view.opt, n)
	defer func() { end(err) }()
	lease, err := c.db.acquireAlone(ctx, c.view)
	if err != nil {
		return err
	}
	x := newTransaction(c.db, lease, lease.Value(), c.view)
	err = errPanicked // what the hook is told where fn does not return
	return runClosure(context.WithValue(pool.MarkContext(ctx, lease), txKey{}, x.t), x, fn)
}

// errPanicked is what became of a closure that did not return.
var errPanicked = errors.New("the closure panicked")

// beginTx tells the hook of an attempt. The function it gives is not nil.
func (d *db) beginTx(ctx context.Context, opt *duet.Options, n int) (context.Context, func(error)) {
	nothing := func(error) {}
	hook := d.cfg.Hooks.Tx
	if hook == nil {
		return ctx, nothing
	}
	watched, end := hook(ctx, duet.TxInfo{Backend: backendName, Name: opt.Name, Attempt: n})
	if watched == nil {
		watched = ctx
	}
	if end == nil {
		end = nothing
	}
	return watched, end
}

func (c *client) Begin(ctx context.Context) (duet.OpenTx, error) {
	if c.view.bad != nil {
		return nil, c.view.bad
	}
	lease, err := c.db.acquireAlone(ctx, c.view)
	if err != nil {
		return nil, err
	}
	return &openTx{tx: newTransaction(c.db, lease, lease.Value(), c.view)}, nil
}

func (c *conn) RawTx(ctx context.Context, fn func(context.Context, duet.Tx) error) (err error) {
	ctx, end := c.db.beginTx(ctx, &c.view.opt, 1)
	defer func() { end(err) }()
	x, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer c.closed()
	err = errPanicked
	if c.lent.lease != nil {
		ctx = pool.MarkContext(ctx, c.lent.lease)
	}
	return runClosure(ctx, x, fn)
}

func (c *conn) Begin(ctx context.Context) (duet.OpenTx, error) {
	if err := ctx.Err(); err != nil {
		return nil, acquireError(err, "")
	}
	x, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return &openTx{tx: x, after: c.closed}, nil
}

// open begins a transaction on a lent connection, which it keeps busy.
func (c *conn) open(ctx context.Context) (*tx, error) {
	if c.view.bad != nil {
		return nil, c.view.bad
	}
	if err := c.lent.enter(""); err != nil {
		return nil, err
	}
	if err := c.fit(ctx, true); err != nil {
		c.lent.leave()
		return nil, err
	}
	x := newTransaction(c.db, nil, c.slot, c.view)
	c.lent.mu.Lock()
	c.lent.open = x.t
	c.lent.mu.Unlock()
	return x, nil
}

// closed notes that the transaction on the lent connection has ended.
func (c *conn) closed() {
	c.lent.mu.Lock()
	c.lent.open, c.lent.busy = nil, false
	c.lent.mu.Unlock()
}

// runClosure runs fn and ends the transaction as its return decides. A panic or
// runtime.Goexit in fn rolls back and goes on.
func runClosure(ctx context.Context, x *tx, fn func(context.Context, duet.Tx) error) (err error) {
	returned := false
	defer func() {
		if !returned {
			_ = x.t.finish(ctx)
		}
	}()
	err = fn(ctx, x)
	returned = true
	if err == nil {
		return x.t.commit(ctx)
	}
	failed := x.t.finish(ctx)
	if failed != nil && classify(failed) != retry.Permanent && classify(err) == retry.Permanent && ctx.Err() == nil && !errors.Is(err, duet.ErrCommitUnknown) {
		return &duet.Error{Kind: duet.KindOf(failed), Backend: backendName, Phase: duet.PhaseRun, Err: errors.Join(err, failed)}
	}
	return err
}

// finish ends the transaction without a COMMIT and gives the first statement
// that failed. The connection goes back.
func (t *transaction) finish(ctx context.Context) error {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return nil
	}
	t.ended = true
	failed, busy, s := t.failed, t.busy, t.slot
	t.mu.Unlock()
	if busy {
		s.lose(errReleased)
	}
	if timeout := t.view.opt.Timeout; timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, timeout)
		defer stop()
	}
	t.undo(ctx)
	t.giveBack()
	return failed
}

// expire ends a transaction whose connection is taken away.
func (t *transaction) expire() {
	ended, stop := context.WithCancel(context.Background())
	stop()
	_ = t.finish(ended)
}

// undo rolls back: it waits for the answer while ctx lasts and nothing else is
// running, and leaves it to the background otherwise.
func (t *transaction) undo(ctx context.Context) {
	t.mu.Lock()
	w, alone := t.work, t.busy || t.adrift
	t.mu.Unlock()
	if w == nil {
		return
	}
	deadline := time.Now().Add(undoTimeout)
	w.send(&txJob{verb: txRollback, deadline: deadline})
	if alone {
		return
	}
	timer := time.NewTimer(undoTimeout + stuckPatience)
	defer timer.Stop()
	select {
	case <-w.done:
		return
	case <-ctx.Done():
	case <-w.slot.cut:
	case <-timer.C:
	}
	w.slot.watchUntil(deadline)
}

// giveBack returns the connection, once nothing is running on it. Doing it again
// does nothing.
func (t *transaction) giveBack() {
	t.mu.Lock()
	lease := t.lease
	t.lease = nil
	t.mu.Unlock()
	if lease != nil {
		t.db.release(lease)
	}
}
