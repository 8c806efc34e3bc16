package pool

import (
	"context"
	"slices"
	"time"
)

// lookAgain is how often a wait for an existing connection looks whether there
// still is one.
const lookAgain = 20 * time.Millisecond

// claim is a wait for an existing connection: whoever releases one that matches
// hands it over, past the queue of those who want any.
type claim[T any] struct {
	match func(T) bool
	got   chan *conn[T] // has room for the one that there may be
}

// AcquireExisting lends a connection for which match says true: an idle one, or
// the first to be released. It never makes one. Where the pool has none that
// matches, or the last of them goes, it gives [ErrNone]; connections that ctx
// carries ([MarkContext]) do not count. The wait ends with ctx and when the pool
// closes, as Acquire's does.
//
// match must be quick, may be called for lent connections, under the pool's
// lock, and must not call the pool.
func (p *Pool[T]) AcquireExisting(ctx context.Context, holder string, match func(v T) bool) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if holder == "" {
		holder = holderOf(ctx)
	}
	start := p.now()
	mine := heldBy(ctx, p)
	cl := &claim[T]{match: match, got: make(chan *conn[T], 1)}
	p.claim(cl)
	defer p.disclaim(cl)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if l, _, err := p.acquireFitting(ctx, holder, match); l != nil || err != nil {
			return l, err
		}
		if !p.exists(match, mine) {
			return nil, ErrNone
		}
		select {
		case c := <-cl.got:
			if l, err := p.lendConn(ctx, c, holder); l != nil || err != nil {
				return l, err
			}
			p.claim(cl) // it was not fit
		case <-tick.C:
		case <-p.closing.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			e := p.exhaustedError(time.Duration(p.now()-start), 0)
			e.Err, e.Cause = ctx.Err(), context.Cause(ctx)
			return nil, e
		}
	}
}

func (p *Pool[T]) claim(cl *claim[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = append(p.claims, cl)
	p.claimed.Store(int32(len(p.claims)))
}

// disclaim ends a claim, and gives back what came too late.
func (p *Pool[T]) disclaim(cl *claim[T]) {
	p.mu.Lock()
	p.dropClaimLocked(cl)
	p.mu.Unlock()
	select {
	case c := <-cl.got:
		p.passBack(c)
	default:
	}
}

func (p *Pool[T]) dropClaimLocked(cl *claim[T]) {
	if i := slices.Index(p.claims, cl); i >= 0 {
		p.claims = slices.Delete(p.claims, i, i+1)
		p.claimed.Store(int32(len(p.claims)))
	}
}

// offer hands a released connection to the first claim that it matches. It says
// false where there is none.
func (p *Pool[T]) offer(c *conn[T]) bool {
	if p.claimed.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cl := range p.claims {
		if cl.match(c.value) {
			p.dropClaimLocked(cl)
			cl.got <- c
			return true
		}
	}
	return false
}

// exists says whether a connection matches that somebody else than mine may give
// back.
func (p *Pool[T]) exists(match func(T) bool, mine []*mark) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.closing.Load() || c.outdated() || !match(c.value) {
			continue
		}
		lease := c.lease.Load()
		if lease == nil || !slices.ContainsFunc(mine, func(m *mark) bool { return m.lease == any(lease) }) {
			return true
		}
	}
	return false
}

// Hold has the pool keep at least n connections from now on, as MinSize does, up
// to MaxSize. It returns at once.
func (p *Pool[T]) Hold(n int32) {
	n = min(n, p.cfg.MaxSize)
	for {
		held := p.held.Load()
		if n <= held {
			return
		}
		if p.held.CompareAndSwap(held, n) {
			break
		}
	}
	p.wake()
}
