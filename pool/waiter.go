package pool

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
)

var errAcquireTimeout = errors.New("acquire timeout")

type waiterKey struct{}

// waiter is the context of one wait: it ends with the caller's, after
// AcquireTimeout, and when the pool closes, and its cause says which.
type waiter struct {
	context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	unwatch func() bool
	// dialing: a connection is being made for this wait.
	dialing atomic.Bool
}

func (p *Pool[T]) newWaiter(ctx context.Context) *waiter {
	w := &waiter{}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	if p.cfg.AcquireTimeout > 0 {
		w.timer = time.AfterFunc(p.cfg.AcquireTimeout, func() { w.cancel(errAcquireTimeout) })
	}
	w.unwatch = context.AfterFunc(p.closing, func() { w.cancel(ErrClosed) })
	return w
}

// end gives up what the waiter holds.
func (w *waiter) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.unwatch()
	w.cancel(nil)
}

// Value lets the function that connects find the wait it works for.
func (w *waiter) Value(key any) any {
	if key == (waiterKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// waitError says what ended a wait.
func (p *Pool[T]) waitError(ctx context.Context, w *waiter, err error, start int64) error {
	ended := w.Err()
	switch {
	case errors.Is(err, puddle.ErrClosedPool):
		return ErrClosed
	case ended == nil || err != ended: // identity is meant: Connect's own errors may wrap the same
		if p.closed.Load() {
			return ErrClosed // connecting was cut short by the shutdown
		}
		return err
	}
	cause := context.Cause(w)
	if cause == ErrClosed {
		return ErrClosed
	}
	e := p.exhaustedError(time.Duration(p.now()-start), 0)
	e.Dialing = w.dialing.Load()
	if cause != errAcquireTimeout {
		e.Err, e.Cause = ctx.Err(), cause
	}
	return e
}
