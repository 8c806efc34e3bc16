package pool

import (
	"context"
	"sync"
	"sync/atomic"
)

// Close ends the pool: new and waiting acquires fail with [ErrClosed], idle
// connections are closed, lent ones when they are released, and Close returns
// when all of that is done. Where ctx ends first, all that is left is closed by
// force, as by Terminate, and a [*CloseError] says how much that was. Close may
// be called at any time, from several goroutines, and again: each call waits
// for the end, within its own ctx.
//
// Called by a holder, Close waits for this holder's own Release.
func (p *Pool[T]) Close(ctx context.Context) error {
	p.shutdown()
	select {
	case <-p.ended:
		return nil
	default:
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
	}
	e := &CloseError{Holders: p.holders(), Err: ctx.Err()}
	s := p.Stat()
	e.Other = s.Total - s.InUse
	if e.Out = p.force(); e.Out == 0 && e.Other == 0 {
		select {
		case <-p.ended: // between the two
			return nil
		default:
		}
	}
	return e
}

// Terminate ends the pool at once: every connection, lent ones too, is closed by
// Config.Terminate, and Terminate returns when those calls have. Holders find
// their connection broken; their Release does nothing. A following Close waits
// until everything has ended.
func (p *Pool[T]) Terminate() {
	p.shutdown()
	p.force()
}

// shutdown begins the end of the pool, once.
func (p *Pool[T]) shutdown() {
	p.shut.Do(func() {
		p.closed.Store(true)
		p.stop()
		go func() {
			// Puddle ends what is being made, closes what is idle, and waits for
			// all that is lent or being closed. Nothing waits for its lock long.
			p.puddle.Close()
			<-p.upkeep
			close(p.ended)
		}()
	})
}

// force terminates every connection, whatever it is doing, and gives how many
// were lent.
func (p *Pool[T]) force() int32 {
	p.forced.Store(true)
	p.mu.Lock()
	all := make([]*conn[T], 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	var lent atomic.Int32
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			l := c.lease.Load()
			mine := l != nil && l.force()
			c.terminate()
			if mine {
				lent.Add(1)
				c.leave(ReasonShutdown, nil)
				c.vacate()
			}
		})
	}
	wg.Wait()
	return lent.Load()
}
