package pool

import (
	"runtime"
	"slices"
	"time"
)

// Stat is what a pool is and has done, at one moment. Counts of what was done
// begin with the pool. While the pool works, a connection that is changing hands
// may be counted by where it comes from.
type Stat struct {
	// MinSize and MaxSize are the configured sizes.
	MinSize, MaxSize int32
	// Total counts the slots taken: Idle + InUse + Connecting + Closing.
	Total int32
	// Idle counts connections that nobody has.
	Idle int32
	// InUse counts lent connections.
	InUse int32
	// Connecting counts connections in the making.
	Connecting int32
	// Closing counts connections being closed.
	Closing int32
	// Waiting counts acquires that wait, in the queue or for a connection in the
	// making.
	Waiting int32

	// Acquires counts acquires that got a connection.
	Acquires int64
	// Waited counts the times that one was handed out after waiting in the queue
	// or for its making, and WaitTime is the time these waits took together.
	Waited   int64
	WaitTime time.Duration
	// Exhausted counts acquires that failed with an [*ExhaustedError].
	Exhausted int64
	// Connects counts connections that were made.
	Connects int64
	// ConnectFailures counts failures of Connect and OnConnect.
	ConnectFailures int64
	// Closed counts connections that were closed, whatever the reason.
	Closed int64
	// ByReason splits Closed; index it with a [Reason].
	ByReason [reasons]int64
}

// Stat gives the pool's figures.
func (p *Pool[T]) Stat() Stat {
	ps := p.puddle.Stat()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stat{
		MinSize: p.cfg.MinSize, MaxSize: p.cfg.MaxSize,
		Connecting: p.connecting,
		Waiting:    p.waiting.Load(),
		Acquires:   p.acquires.Load(),
		Waited:     ps.EmptyAcquireCount(), WaitTime: ps.EmptyAcquireWaitTime(),
		Exhausted:       p.exhausted.Load(),
		Connects:        p.connects,
		ConnectFailures: p.failures,
		ByReason:        p.closes,
	}
	for c := range p.conns {
		switch {
		case c.closing.Load():
			s.Closing++
		case c.lease.Load() != nil:
			s.InUse++
		default:
			s.Idle++
		}
	}
	for _, n := range p.closes {
		s.Closed += n
	}
	s.Total = s.Idle + s.InUse + s.Connecting + s.Closing
	return s
}

// Holder is who has a connection.
type Holder struct {
	// Name is the one given at acquire, "" where none was.
	Name string
	// Held is for how long.
	Held time.Duration
	// Wants says that this holder waits for a further connection himself.
	Wants bool
	// Stack is where the connection was acquired, with Config.CaptureStacks.
	Stack []runtime.Frame
}

const maxHolders = 3

// holders are those who have had connections longest, at most three.
func (p *Pool[T]) holders() []Holder {
	now := p.now()
	p.mu.Lock()
	var leases []*Lease[T]
	for c := range p.conns {
		if l := c.lease.Load(); l != nil && l.live() {
			leases = append(leases, l)
		}
	}
	p.mu.Unlock()
	slices.SortFunc(leases, func(a, b *Lease[T]) int { return int(max(min(a.since-b.since, 1), -1)) })
	leases = leases[:min(len(leases), maxHolders)]
	var hs []Holder
	for _, l := range leases {
		hs = append(hs, Holder{
			Name: l.holder, Held: time.Duration(max(0, now-l.since)), Wants: l.wants.Load() > 0, Stack: frames(l.stack),
		})
	}
	return hs
}

func frames(pcs []uintptr) []runtime.Frame {
	if len(pcs) == 0 {
		return nil
	}
	var all []runtime.Frame
	for it := runtime.CallersFrames(pcs); ; {
		f, more := it.Next()
		all = append(all, f)
		if !more {
			return all
		}
	}
}
