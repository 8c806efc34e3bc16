package pool

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
)

// conn is a slot of puddle with a connection in it. Fields without a guard belong
// to the owner (see Pool) and change hands through puddle's lock or the lease.
type conn[T any] struct {
	pool  *Pool[T]
	value T
	born  int64  // on the pool's clock
	dies  int64  // when MaxLifetime and jitter are over; 0 is never
	gen   uint64 // the pool's when connecting began
	since uint64 // how often ExpireWhere had been called then

	res     *puddle.Resource[*conn[T]] // while not idle
	uses    int64
	counted bool // in Pool.free, while idle
	stray   bool // in Pool.stray
	reason  Reason
	err     error // of the hook that led to closing

	lease      atomic.Pointer[Lease[T]] // nil while idle
	closing    atomic.Bool
	unwanted   atomic.Bool // ExpireWhere meant it
	terminated sync.Once
}

// construct is puddle's way to a new connection. It runs in a goroutine of
// puddle or of the pool's upkeep.
func (p *Pool[T]) construct(ctx context.Context) (*conn[T], error) {
	if w, ok := ctx.Value(waiterKey{}).(*waiter); ok {
		w.dialing.Store(true)
	}
	c := &conn[T]{pool: p, stray: true}
	p.mu.Lock()
	p.connecting++
	c.gen, c.since = p.gen.Load(), p.partings
	p.mu.Unlock()
	err := p.connect(ctx, c)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.connecting--
	p.meant(c, err == nil)
	p.lastErr = err
	if err != nil {
		p.failures++
		return nil, err
	}
	c.born = p.now()
	if life := p.cfg.MaxLifetime; life > 0 {
		if jitter := p.cfg.MaxLifetimeJitter; jitter > 0 {
			life += rand.N(jitter)
		}
		c.dies = c.born + int64(life)
	}
	p.connects++
	p.conns[c] = struct{}{}
	p.stray.Add(1)
	p.wake()
	return c, nil
}

// connect calls the user's functions.
func (p *Pool[T]) connect(ctx context.Context, c *conn[T]) error {
	err := guard("Connect", func() (err error) {
		c.value, err = p.cfg.Connect(ctx)
		return err
	})
	if err != nil || p.cfg.OnConnect == nil {
		return err
	}
	err = guard("OnConnect", func() error {
		if err := p.cfg.OnConnect(ctx, c.value); err != nil {
			return &HookError{Hook: "OnConnect", Err: err}
		}
		return nil
	})
	if err != nil {
		c.terminate()
	}
	return err
}

func (c *conn[T]) age() time.Duration { return time.Duration(c.pool.now() - c.born) }

// reset calls the hooks of a release. It says false when the connection was
// destroyed instead; a panic passes through after that.
func (c *conn[T]) reset() (ok bool) {
	var err error
	defer func() {
		if !ok {
			c.destroy(ReasonHook, err)
		}
	}()
	if hook := c.pool.cfg.OnRelease; hook != nil {
		if err = hook(c.value); err != nil {
			err = &HookError{Hook: "OnRelease", Err: err}
			return false
		}
	}
	if hook := c.pool.cfg.Reset; hook != nil {
		if err = hook(c.value); err != nil {
			err = &HookError{Hook: "Reset", Err: err}
			return false
		}
	}
	return true
}

// putBack makes the connection idle; used says whether its idle time begins
// anew. The order matters: free counts a connection only once puddle has it.
func (p *Pool[T]) putBack(c *conn[T], used bool) {
	res := c.res
	c.res = nil
	c.lease.Store(nil)
	c.counted = true
	if used {
		res.Release()
	} else {
		res.ReleaseUnused()
	}
	p.free.Add(1)
}

// destroy closes a connection that the caller owns, in the background, and then
// frees its slot. Puddle's own Destroy would not tell when the slot is free;
// Hijack, after closing, frees it before it returns.
func (c *conn[T]) destroy(reason Reason, err error) {
	c.leave(reason, err)
	go c.vacate()
}

// leave marks a connection that the caller owns as closing.
func (c *conn[T]) leave(reason Reason, err error) {
	c.reason, c.err = reason, err
	c.closing.Store(true)
	c.lease.Store(nil)
}

func (c *conn[T]) vacate() {
	c.finish()
	c.res.Hijack()
	c.pool.wake()
}

// wake has the upkeep look whether MinSize is held.
func (p *Pool[T]) wake() {
	select {
	case p.kick <- struct{}{}:
	default: // it knows already
	}
}

// finish closes the connection and strikes it off the list.
func (c *conn[T]) finish() {
	p := c.pool
	c.closing.Store(true)
	c.shut()
	if p.cfg.OnClose != nil {
		// Nobody is there to be told about a panic.
		_ = guard("OnClose", func() error { p.cfg.OnClose(c.reason, c.age(), c.err); return nil })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	p.closes[c.reason]++
}

// shut closes the connection, in good order where it can be.
func (c *conn[T]) shut() {
	p := c.pool
	if p.cfg.Close == nil || !c.reason.graceful() || p.forced.Load() {
		c.terminate()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.CloseTimeout)
	defer cancel()
	err := guard("Close", func() error { p.cfg.Close(ctx, c.value); return nil })
	if err != nil || ctx.Err() != nil {
		c.terminate()
		return
	}
	c.terminated.Do(func() {}) // nothing is left to terminate
}

// terminate closes the connection by force, once, and returns when that is done,
// whoever does it.
func (c *conn[T]) terminate() {
	c.terminated.Do(func() {
		p := c.pool
		switch {
		case p.cfg.Terminate != nil:
			_ = guard("Terminate", func() error { p.cfg.Terminate(c.value); return nil })
		case p.cfg.Close != nil:
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = guard("Close", func() error { p.cfg.Close(ctx, c.value); return nil })
		}
	})
}
