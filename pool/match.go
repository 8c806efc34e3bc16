package pool

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/puddle/v2"
)

// AcquireMatching is AcquireAs in a pool whose connections are of several kinds.
// It lends, in this order: an idle connection for which match says true; a new
// one, where the pool has room; an idle one of another kind, or the first one
// to be released, after convert made it fit in place. However many kinds there
// are, they share one MaxSize.
//
// Connect learns the wanted kind from ctx, whose values it is given. match must
// be quick and is called for idle connections only. convert works on a
// connection that is lent already, under the caller's ctx, which it must honour;
// its error, or a panic, destroys the connection, and the error is returned as
// it is.
func (p *Pool[T]) AcquireMatching(
	ctx context.Context, holder string, match func(v T) bool, convert func(ctx context.Context, v T) error,
) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if holder == "" {
		holder = holderOf(ctx)
	}
	for range 2 { // another one may take what was made, once
		l, passed, err := p.acquireFitting(ctx, holder, match)
		if l != nil || err != nil {
			return l, err
		}
		if !passed {
			break // whoever has to make a connection makes a fitting one
		}
		if grown, err := p.grow(ctx); !grown {
			if err != nil {
				return nil, err
			}
			break
		}
	}
	l, err := p.AcquireAs(ctx, holder)
	if err != nil || match(l.Value()) {
		return l, err
	}
	return p.convert(ctx, l, convert)
}

func (p *Pool[T]) convert(ctx context.Context, l *Lease[T], convert func(context.Context, T) error) (*Lease[T], error) {
	done := false
	defer func() {
		if !done {
			l.Destroy()
		}
	}()
	if err := convert(ctx, l.Value()); err != nil {
		return nil, err
	}
	done = true
	return l, nil
}

// acquireFitting takes the idle connection that fits and was used last. passed
// says that there were others, which stay as they were.
func (p *Pool[T]) acquireFitting(ctx context.Context, holder string, match func(T) bool) (l *Lease[T], passed bool, err error) {
	if p.closed.Load() {
		return nil, false, ErrClosed
	}
	var others []*conn[T]
	defer func() {
		for i := len(others) - 1; i >= 0; i-- { // the one used last must be lent first again
			p.passBack(others[i])
		}
	}()
	for {
		res, counted := p.takeIdle()
		if res == nil {
			return nil, len(others) > 0, nil
		}
		c := res.Value()
		if !match(c.value) {
			c.res = res
			p.took(c, counted)
			others = append(others, c)
			continue
		}
		if l, err := p.lend(ctx, res, holder, counted); l != nil || err != nil {
			return l, len(others) > 0, err
		}
	}
}

// passBack makes idle again what was only looked at, or hands it to who has a
// claim to it.
func (p *Pool[T]) passBack(c *conn[T]) {
	switch {
	case p.closed.Load():
		c.destroy(ReasonShutdown, nil)
	case c.outdated():
		c.destroy(ReasonExpired, nil)
	case p.offer(c):
	default:
		p.putBack(c, false)
	}
}

// grow makes an idle connection, where the pool has room, with the values of
// ctx. It says false without an error where there is none.
func (p *Pool[T]) grow(ctx context.Context) (bool, error) {
	if s := p.puddle.Stat(); s.TotalResources() >= s.MaxResources() {
		return false, nil
	}
	start := p.now()
	w := p.newWaiter(ctx)
	defer w.end()
	w.dialing.Store(true)
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	made := make(chan error, 1)
	go func() { made <- p.puddle.CreateResource(growing{p.closing, ctx}) }()
	select {
	case err := <-made:
		if errors.Is(err, puddle.ErrNotAvailable) {
			return false, nil
		}
		if p.cfg.OnWait != nil {
			p.cfg.OnWait(ctx, time.Duration(p.now()-start), err)
		}
		if err != nil && p.closed.Load() {
			err = ErrClosed
		}
		return err == nil, err
	case <-w.Done():
		return false, p.waitError(ctx, w, w.Err(), start)
	}
}

// growing is the context of a connection in the making: it ends with the pool,
// and has the values of who asked for it.
type growing struct {
	context.Context
	asked context.Context
}

func (g growing) Value(key any) any { return g.asked.Value(key) }
