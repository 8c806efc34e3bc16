package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

func (c *client) RetryingTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	loop := retry.Loop{Budget: &c.db.budget, Classify: classify}
	if c.opt.Retry != nil {
		loop.Policy = *c.opt.Retry
	}
	if hook := c.db.cfg.Hooks.Retry; hook != nil {
		loop.Notify = func(e retry.Event) {
			hook(ctx, duet.RetryInfo{Backend: backendName, Name: c.opt.Name, Attempt: e.Attempt, Class: e.Class, Err: e.Err, Wait: e.Wait})
		}
	}
	begun := false
	err := loop.Run(ctx, func(ctx context.Context, n int) error {
		begun = true
		return c.attempt(ctx, n, duet.Serializable, fn)
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
	return c.attempt(ctx, 1, duet.IsolationDefault, fn)
}

// attempt runs fn once in a transaction on a connection of the pool.
func (c *client) attempt(ctx context.Context, n int, isolation duet.Isolation, fn func(context.Context, duet.Tx) error) (err error) {
	if err := unsupportedOptions(&c.opt); err != nil {
		return err
	}
	ctx, end := c.db.beginTx(ctx, &c.opt, n)
	defer func() { end(err) }()
	lease, err := c.db.acquireAlone(ctx, &c.opt)
	if err != nil {
		return err
	}
	x := newTransaction(c.db, lease, lease.Value(), &c.opt, isolation)
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

func (c *conn) RawTx(ctx context.Context, fn func(context.Context, duet.Tx) error) (err error) {
	ctx, end := c.db.beginTx(ctx, c.opt, 1)
	defer func() { end(err) }()
	x, err := c.open()
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
	x, err := c.open()
	if err != nil {
		return nil, err
	}
	return &openTx{tx: x, after: c.closed}, nil
}

// open begins a transaction on a lent connection, which it keeps busy.
func (c *conn) open() (*tx, error) {
	if err := unsupportedOptions(c.opt); err != nil {
		return nil, err
	}
	if err := c.lent.enter(""); err != nil {
		return nil, err
	}
	c.s.dirty = true
	if c.s.wc.Status() != 'I' {
		c.lent.leave()
		return nil, simpleError(duet.KindInvalidArgument, duet.PhasePrepare, "", "a transaction that was begun by hand is open on the connection")
	}
	x := newTransaction(c.db, nil, c.s, c.opt, duet.IsolationDefault)
	x.t.lent = c.lent
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

// expire ends a transaction whose connection is taken away; false means that
// something is running in it.
func (t *transaction) expire() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy {
		return false
	}
	t.ended = true
	return true
}

func (c *client) Begin(ctx context.Context) (duet.OpenTx, error) {
	if err := unsupportedOptions(&c.opt); err != nil {
		return nil, err
	}
	lease, err := c.db.acquireAlone(ctx, &c.opt)
	if err != nil {
		return nil, err
	}
	return &openTx{tx: newTransaction(c.db, lease, lease.Value(), &c.opt, duet.IsolationDefault)}, nil
}

// runClosure runs fn and ends the transaction as its return decides. A panic or
// runtime.Goexit in fn rolls back and goes on.
func runClosure(ctx context.Context, x *tx, fn func(context.Context, duet.Tx) error) (err error) {
	returned := false
	defer func() {
		if !returned {
			x.t.finish(ctx, x.scope)
		}
	}()
	err = fn(ctx, x)
	returned = true
	if err == nil {
		return x.t.commit(ctx, x.scope)
	}
	failed := x.t.finish(ctx, x.scope)
	if failed != nil && classify(failed) != retry.Permanent && classify(err) == retry.Permanent && ctx.Err() == nil && !errors.Is(err, duet.ErrCommitUnknown) {
		return &duet.Error{Kind: duet.KindOf(failed), Backend: backendName, Phase: duet.PhaseRun, Err: errors.Join(err, failed)}
	}
	return err
}

// finish ends the transaction without a COMMIT and gives the first statement
// that failed. The connection goes back.
func (t *transaction) finish(ctx context.Context, s *scope) error {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return nil
	}
	t.ended, s.ended = true, true
	failed, busy := t.failed, t.busy
	t.mu.Unlock()
	if !busy && t.began && t.s.wc.Err() == nil {
		t.undo(ctx)
	}
	t.giveBack(ctx, busy)
	return failed
}

// undoTimeout bounds the wait for a ROLLBACK, beside Options.Timeout.
const undoTimeout = time.Second

// undo rolls back: it waits for the answer while ctx lasts, though not for long,
// and leaves it to the background otherwise.
func (t *transaction) undo(ctx context.Context) {
	if t.s.setInTx {
		t.s.doubt(t.applied)
	}
	if ctx.Err() == nil && !t.s.wc.Busy() {
		wait := undoTimeout
		if t.opt.Timeout > 0 {
			wait = min(wait, t.opt.Timeout)
		}
		ctx, stop := context.WithTimeout(ctx, wait)
		defer stop()
		if t.rollback(ctx) == nil || t.s.wc.Err() != nil {
			return
		}
	}
	f := wire.NewFlight()
	if f.Command("ROLLBACK") == nil {
		f.Sync()
		_ = t.s.wc.SendAbandoned(f)
	}
}

// giveBack returns the connection; one that somebody still uses is closed.
func (t *transaction) giveBack(ctx context.Context, busy bool) {
	t.mu.Lock()
	lease, s := t.lease, t.s
	t.mu.Unlock()
	if busy {
		s.wc.Fail(errors.New("its transaction ended while a call was still running on it"))
	}
	switch {
	case lease == nil:
	case busy:
		lease.Destroy()
	default:
		t.db.releaseWithin(ctx, lease)
	}
}

// openTx is a transaction that its user ends.
type openTx struct {
	*tx
	after func()
}

func (o *openTx) Commit(ctx context.Context) error {
	t := o.t
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return simpleError(duet.KindClosed, duet.PhaseCommit, "", "the transaction has ended")
	}
	err := t.commit(ctx, o.scope)
	o.done()
	return err
}

func (o *openTx) Rollback(ctx context.Context) error {
	t := o.t
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return nil
	}
	_ = t.finish(ctx, o.scope)
	o.done()
	return nil
}

func (o *openTx) done() {
	if o.after != nil {
		o.after()
		o.after = nil
	}
}
