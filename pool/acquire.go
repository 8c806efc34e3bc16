package pool

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/jackc/puddle/v2"
)

// Acquire lends a connection until its [Lease.Release]. With none idle it makes
// one where the pool has room, and otherwise waits in a fair queue until one is
// released. The wait ends with ctx and after AcquireTimeout, both with an
// [*ExhaustedError], and with [ErrClosed] when the pool closes. A ctx that has
// already ended gives its error. Errors of Connect come as they are, those of
// hooks as [*HookError].
//
// A ctx that carries leases of this same pool ([MarkContext]), as many as
// MaxSize, fails at once: waiting would be for ever.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	return p.AcquireAs(ctx, "")
}

// AcquireAs is Acquire with a name for the holder, which the error of an
// exhausted pool shows. An empty one is taken from ctx ([WithHolder]).
func (p *Pool[T]) AcquireAs(ctx context.Context, holder string) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if holder == "" {
		holder = holderOf(ctx)
	}
	if l, err := p.acquireIdle(ctx, holder); l != nil || err != nil {
		return l, err
	}
	return p.acquireSlow(ctx, holder)
}

// TryAcquire lends an idle connection without waiting. With none idle it gives
// [ErrNone], and where the pool has room, it begins to make a connection in the
// background, for a later try. Otherwise it is as Acquire.
func (p *Pool[T]) TryAcquire(ctx context.Context) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	holder := holderOf(ctx)
	if l, err := p.acquireIdle(ctx, holder); l != nil || err != nil {
		return l, err
	}
	for {
		res, err := p.puddle.TryAcquire(p.closing)
		if errors.Is(err, puddle.ErrClosedPool) {
			return nil, ErrClosed
		}
		if err != nil {
			return nil, ErrNone
		}
		if l, err := p.lend(ctx, res, holder, false); l != nil || err != nil {
			return l, err
		}
	}
}

// acquireIdle takes an idle connection, if there is one. It gives neither a
// lease nor an error when there is none.
func (p *Pool[T]) acquireIdle(ctx context.Context, holder string) (*Lease[T], error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	for {
		res, counted := p.takeIdle()
		if res == nil {
			return nil, nil
		}
		if l, err := p.lend(ctx, res, holder, counted); l != nil || err != nil {
			return l, err
		}
	}
}

// takeIdle takes an idle connection from puddle, nil where there is none: the
// slow way finds out why.
//
// It asks puddle only where one is known to be idle: puddle's TryAcquire would
// otherwise begin to connect, and the slow way would do so again.
func (p *Pool[T]) takeIdle() (res *puddle.Resource[*conn[T]], counted bool) {
	counted = p.takeFree()
	if !counted && !p.strayIdle() {
		return nil, false
	}
	res, err := p.puddle.TryAcquire(p.closing)
	if err != nil {
		if counted {
			p.free.Add(1)
		}
		return nil, false
	}
	return res, counted
}

func (p *Pool[T]) takeFree() bool {
	for {
		n := p.free.Load()
		if n <= 0 {
			return false
		}
		if p.free.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// strayIdle finds connections that became idle without being released: made to
// hold MinSize, or for a caller who had given up.
func (p *Pool[T]) strayIdle() bool {
	return p.stray.Load() > 0 && p.puddle.Stat().IdleResources() > 0
}

// took settles the counts for a connection that puddle handed out.
func (p *Pool[T]) took(c *conn[T], counted bool) {
	switch {
	case counted && !c.counted:
		p.free.Add(1)
	case !counted && c.counted:
		p.free.Add(-1)
	}
	c.counted = false
	if c.stray {
		c.stray = false
		p.stray.Add(-1)
	}
}

// lend makes a lease of what puddle handed out. Neither a lease nor an error
// means that the connection was not fit and another one is to be taken.
func (p *Pool[T]) lend(ctx context.Context, res *puddle.Resource[*conn[T]], holder string, counted bool) (*Lease[T], error) {
	c := res.Value()
	c.res = res
	p.took(c, counted)
	return p.lendConn(ctx, c, holder)
}

// lendConn is lend for a connection that the caller owns.
func (p *Pool[T]) lendConn(ctx context.Context, c *conn[T], holder string) (*Lease[T], error) {
	l := &Lease[T]{c: c, holder: holder, since: p.now()}
	if p.cfg.CaptureStacks {
		l.stack = callers()
	}
	// The lease is seen before closed is read: a forced shutdown either finds the
	// lease or is found here.
	c.lease.Store(l)
	if p.closed.Load() {
		l.discard(ReasonShutdown, nil)
		return nil, ErrClosed
	}
	if c.outdated() {
		l.discard(ReasonExpired, nil)
		return nil, nil
	}
	if p.vetted {
		if ok, err := p.vet(ctx, l); !ok {
			return nil, err
		}
	}
	c.uses++
	p.acquires.Add(1)
	return l, nil
}

// vet asks the hooks whether the connection can be lent. What they end by a panic
// is not lent either.
func (p *Pool[T]) vet(ctx context.Context, l *Lease[T]) (ok bool, err error) {
	reason := ReasonHook
	defer func() {
		if !ok {
			l.discard(reason, err)
		}
	}()
	if p.cfg.Healthy != nil && !p.cfg.Healthy(l.c.value) {
		reason = ReasonUnhealthy
		return false, nil
	}
	if p.cfg.OnAcquire != nil {
		if err := p.cfg.OnAcquire(ctx, l.c.value); err != nil {
			return false, &HookError{Hook: "OnAcquire", Err: err}
		}
	}
	if l.state.Load() != leaseHeld {
		return false, ErrClosed // terminated meanwhile
	}
	return true, nil
}

// acquireSlow waits in puddle's queue or for a connection to be made.
func (p *Pool[T]) acquireSlow(ctx context.Context, holder string) (*Lease[T], error) {
	mine := heldBy(ctx, p)
	if int32(len(mine)) >= p.cfg.MaxSize {
		return nil, p.exhaustedError(0, int32(len(mine)))
	}
	long := len(mine) > 0 && p.waitsLong(ctx)
	for _, m := range mine {
		m.lease.want(1, long)
		defer m.lease.want(-1, long)
	}
	if long && p.crossed() {
		e := p.exhaustedError(0, 0)
		e.Crossed = true
		return nil, e
	}
	start := p.now()
	l, err := p.wait(ctx, holder, start)
	if p.cfg.OnWait != nil {
		p.tellWait(ctx, l, time.Duration(p.now()-start), err)
	}
	return l, err
}

// crossedTime is how long a wait must last at least to be one of those that block
// each other: what a shorter one keeps from others comes back soon.
const crossedTime = time.Second

// waitsLong says that nothing ends a wait under ctx soon.
func (p *Pool[T]) waitsLong(ctx context.Context) bool {
	if d := p.cfg.AcquireTimeout; d > 0 && d < crossedTime {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= crossedTime
}

// crossed says whether every connection there may be is lent to somebody who
// waits for another one: none would come back soon, or ever.
func (p *Pool[T]) crossed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int32(0)
	for c := range p.conns {
		if l := c.lease.Load(); l != nil && l.live() && l.stuck.Load() > 0 {
			n++
		}
	}
	return n >= p.cfg.MaxSize
}

func (p *Pool[T]) wait(ctx context.Context, holder string, start int64) (*Lease[T], error) {
	w := p.newWaiter(ctx)
	defer w.end()
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	for {
		res, err := p.puddle.Acquire(w)
		if err != nil {
			return nil, p.waitError(ctx, w, err, start)
		}
		if l, err := p.lend(ctx, res, holder, false); l != nil || err != nil {
			return l, err
		}
	}
}

// tellWait calls the hook; its panic gives the connection back.
func (p *Pool[T]) tellWait(ctx context.Context, l *Lease[T], waited time.Duration, err error) {
	told := false
	defer func() {
		if !told && l != nil {
			l.Release()
		}
	}()
	p.cfg.OnWait(ctx, waited, err)
	told = true
}

// callers is the stack above the pool's own functions, as it was.
func callers() []uintptr {
	pcs := make([]uintptr, 32)
	return pcs[:runtime.Callers(5, pcs)]
}
