package pool

import (
	"time"

	"github.com/jackc/puddle/v2"
)

// fillAgain is how soon the upkeep tries again to fill the pool where that
// failed; each time it waits twice as long, up to HealthCheckPeriod.
const fillAgain = 100 * time.Millisecond

// maintain is the one goroutine of a pool: it holds MinSize and closes idle
// connections that are too old. Close waits for it.
func (p *Pool[T]) maintain() {
	defer close(p.upkeep)
	ticker := time.NewTicker(p.cfg.HealthCheckPeriod)
	defer ticker.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	wait := time.Duration(0) // 0: filling did not fail
	for {
		try := true
		select {
		case <-p.closing.Done():
			return
		case <-ticker.C:
			p.sweep()
			try = wait == 0
		case <-again.C:
		case <-p.kick:
			// After a failure, only time tries again, or that another attempt went well:
			// who waits for a connection tries by himself, and a server in trouble is
			// left alone.
			try = wait == 0 || p.connectable()
		}
		switch {
		case !try:
		case p.fill():
			wait = 0
		default:
			wait = min(max(2*wait, fillAgain), p.cfg.HealthCheckPeriod)
			again.Reset(wait)
		}
	}
}

// fill makes connections, one after the other, until MinSize is held. It says
// whether none failed.
func (p *Pool[T]) fill() bool {
	for p.size() < p.minSize() && !p.closed.Load() {
		if err := p.puddle.CreateResource(p.closing); err != nil {
			// A pool without a free slot has more than MinSize, or waiters who fill
			// it, or its kick comes when the slot is free.
			return err == puddle.ErrNotAvailable
		}
	}
	return true
}

// connectable says whether the last attempt to connect went well.
func (p *Pool[T]) connectable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastErr == nil
}

// minSize is MinSize, or what Hold has asked for.
func (p *Pool[T]) minSize() int32 { return max(p.cfg.MinSize, p.held.Load()) }

// size counts the connections that are there or in the making.
func (p *Pool[T]) size() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.connecting
	for c := range p.conns {
		if !c.closing.Load() {
			n++
		}
	}
	return n
}

// sweep closes idle connections that are over their time.
func (p *Pool[T]) sweep() {
	idle := p.puddle.AcquireAllIdle()
	spare := p.size() - p.minSize()
	// The most recently used one comes first and must go back last, to be lent
	// first again; the other way round they are the ones used least.
	for i := len(idle) - 1; i >= 0; i-- {
		res := idle[i]
		c := res.Value()
		c.res = res
		p.took(c, false)
		switch {
		case p.closed.Load():
			c.destroy(ReasonShutdown, nil)
		case c.outdated():
			c.destroy(ReasonExpired, nil)
			spare--
		case c.dies > 0 && p.now() >= c.dies:
			c.destroy(ReasonLifetime, nil)
			spare--
		case spare > 0 && p.cfg.MaxIdleTime > 0 && res.IdleDuration() >= p.cfg.MaxIdleTime:
			c.destroy(ReasonIdle, nil)
			spare--
		default:
			p.putBack(c, false)
		}
	}
}
