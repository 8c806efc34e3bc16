package pool

import (
	"sync/atomic"
	"time"
)

// Lease is a connection on loan. It belongs to one holder at a time, who ends it
// with Release or Destroy; the first of these counts, from whatever goroutine,
// and later calls do nothing.
type Lease[T any] struct {
	c      *conn[T]
	holder string
	since  int64 // on the pool's clock
	state  atomic.Int32
	// wants counts the holder's own waits for further connections, and stuck those
	// of them that may take long.
	wants, stuck atomic.Int32
	stack        []uintptr
}

// States of a lease. Held goes to one of the others once; Forced may go to
// forcedReleased, which matters to Value alone.
const (
	leaseHeld int32 = iota
	leaseReleased
	leaseForced // taken away by a forced shutdown
	leaseForcedReleased
)

// Value is the connection. After Release or Destroy it is the zero value of T:
// the connection may be another's by then. It stays after the pool terminated
// the connection under its holder.
func (l *Lease[T]) Value() T {
	switch l.state.Load() {
	case leaseHeld, leaseForced:
		return l.c.value
	default:
		var zero T
		return zero
	}
}

// Release gives the connection back. It is closed instead where it is too old,
// expired, or one of OnRelease and Reset fails; these run before Release
// returns.
func (l *Lease[T]) Release() {
	if !l.take() {
		return
	}
	c, p := l.c, l.c.pool
	if p.cfg.OnRelease != nil || p.cfg.Reset != nil {
		if !c.reset() {
			return
		}
	}
	switch {
	case p.closed.Load():
		c.destroy(ReasonShutdown, nil)
	case c.outdated():
		c.destroy(ReasonExpired, nil)
	case p.cfg.MaxUses > 0 && c.uses >= p.cfg.MaxUses:
		c.destroy(ReasonUses, nil)
	case c.dies > 0 && p.now() >= c.dies:
		c.destroy(ReasonLifetime, nil)
	case p.offer(c):
	default:
		p.putBack(c, true)
	}
}

// Destroy ends the lease and terminates the connection, because it is broken or
// in doubt. It does not wait for that.
func (l *Lease[T]) Destroy() { l.discard(ReasonDestroyed, nil) }

func (l *Lease[T]) discard(reason Reason, err error) {
	if l.take() {
		l.c.destroy(reason, err)
	}
}

// Age is the time since the connection was made.
func (l *Lease[T]) Age() time.Duration { return l.c.age() }

// Held is the time since the connection was lent.
func (l *Lease[T]) Held() time.Duration { return time.Duration(l.c.pool.now() - l.since) }

// Holder is the name given at acquire, "" where none was.
func (l *Lease[T]) Holder() string { return l.holder }

// take ends the lease on its holder's side and says whether the connection is
// now the caller's to return or destroy.
func (l *Lease[T]) take() bool {
	if l.state.CompareAndSwap(leaseHeld, leaseReleased) {
		return true
	}
	l.state.CompareAndSwap(leaseForced, leaseForcedReleased)
	return false
}

// force ends the lease on the pool's side.
func (l *Lease[T]) force() bool { return l.state.CompareAndSwap(leaseHeld, leaseForced) }

func (l *Lease[T]) live() bool { return l.state.Load() == leaseHeld }
