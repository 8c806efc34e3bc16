package wire

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// interrupt runs when the ctx of a flight ends: it wakes the caller out of its
// read. A caller that waits for its turn sees ctx itself.
func (f *Flight) interrupt() {
	c := f.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.over.IsZero() {
		f.over = time.Now()
	}
	if f.Grace > 0 && f.late == nil {
		f.late = time.AfterFunc(f.Grace, f.interrupt)
		return
	}
	if f.state == flightReading && c.cause == nil {
		f.interrupted = true
		_ = c.nc.SetReadDeadline(longAgo)
	}
}

// leave hands the flight to the drainer and gives ctx's error.
func (f *Flight) leave() error {
	c := f.conn
	f.unwatch()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.state == flightQueued || f.state == flightReading {
		f.state = flightAbandoned
		c.holdLocked()
		c.grantLocked()
	}
	return f.ctx.Err()
}

// Abandon leaves the rest of the flight's answers to the background, as the end
// of ctx does: the server is asked to cancel it, unless NoCancel is set. The
// flight must not be touched afterwards.
func (f *Flight) Abandon() { _ = f.leave() }

// drain reads what callers left behind, one flight after the other. It gives
// the function that waits for the connection to be idle, if there is one.
func (c *Conn) drain() (idle func()) {
	for {
		c.mu.Lock()
		f := c.firstLocked()
		if c.cause != nil || f == nil || f.state != flightAbandoned {
			c.draining = false
			c.grantLocked()
			if !c.busyLocked() {
				idle, c.onIdle = c.onIdle, nil
			}
			c.mu.Unlock()
			return idle
		}
		c.holdLocked()
		f.interrupted = true // popLocked clears the deadline
		_ = c.nc.SetReadDeadline(time.Now().Add(c.cancelTimeout()))
		c.mu.Unlock()

		err := c.leaveOff(f)
		c.mu.Lock()
		if err == nil {
			c.popLocked(f)
		} else {
			c.failLocked(c.timedOut(err))
		}
		c.asking = false
		c.releaseLocked()
		c.mu.Unlock()
	}
}

// leaveOff reads an abandoned flight to its end, and has the server asked to
// cancel it where that may be. When it returns, no signal can come any more, or
// the connection is closed.
func (c *Conn) leaveOff(f *Flight) error {
	if err := c.readLazy(f, false); err != nil { // first: the signal would hit what the server runs now
		return readCause(err)
	}
	c.mu.Lock()
	cancel := c.cause == nil && c.held == f
	c.asking = cancel
	c.mu.Unlock()
	if !cancel {
		return c.discard(f)
	}
	answered, settled := make(chan struct{}), make(chan struct{})
	c.workers.Add(1)
	go func() {
		defer c.workers.Done()
		defer close(settled)
		c.cancelFlight(f, answered)
	}()
	err := c.discard(f)
	if err != nil {
		_ = c.fail(c.timedOut(err)) // it ends the asking, too
	}
	close(answered)
	<-settled
	return err
}

// looseTime is how long after a CancelRequest flights are called disturbed. The
// end of its socket is the server's word that the signal is out; but something in
// between may have ended the socket first, and the server signals twice, so that
// even a cancelling that struck proves nothing then.
const looseTime = time.Second

// firstLocked is the flight at the head, behind the lazy ones.
func (c *Conn) firstLocked() *Flight {
	f := c.head
	for f != nil && f.state == flightLazy {
		f = f.next
	}
	return f
}

// holdLocked keeps more from being written behind an abandoned flight at the
// head, where that will be cancelled.
func (c *Conn) holdLocked() {
	if f := c.firstLocked(); f != nil && f.state == flightAbandoned && c.mayCancelLocked(f) {
		c.held = f
	}
}

// mayCancelLocked says whether the server may be asked to cancel f. What was
// written behind f may be hit as well, and where one of that must not be, f is
// left to end by itself.
func (c *Conn) mayCancelLocked(f *Flight) bool {
	if f.NoCancel || len(c.s.secret) == 0 {
		return false
	}
	for g := f.next; g != nil && c.sent > g.start; g = g.next {
		if g.state == flightLazy || g.NoCancel && !g.ignored {
			return false
		}
	}
	return true
}

// discard reads f to its end without looking at what it says.
func (c *Conn) discard(f *Flight) error {
	for f.at < len(f.steps) {
		typ, body, err := c.rd.next()
		if err != nil {
			return readCause(err)
		}
		if _, _, err := c.accept(f, typ, body); err != nil {
			return err
		}
	}
	return nil
}

// timedOut words the end of CancelTimeout.
func (c *Conn) timedOut(err error) error {
	if isTimeout(err) {
		return fmt.Errorf("an abandoned flight did not end in %v: %w", c.cancelTimeout(), err)
	}
	return err
}

// cancelFlight asks the server to cancel f, which it is running (PostgreSQL
// documentation, section "Canceling Requests in Progress"), unless that is
// answered in a moment anyway. When it returns, the server has either delivered
// the signal or will never do so, or the connection is closed.
func (c *Conn) cancelFlight(f *Flight, answered <-chan struct{}) {
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case <-answered:
		return
	case <-c.dead:
		if !c.parted() {
			return
		}
	case <-grace.C:
	}
	ctx, stop := context.WithTimeout(context.Background(), c.cancelTimeout())
	defer stop()
	if !c.awaitWritten(ctx) {
		return // the drainer gives up as well
	}
	for wait := cancelAgain; c.disturb(f); wait *= 2 {
		err := c.askToCancel(ctx, stop)
		c.mu.Lock()
		c.looseUntil = time.Now().Add(looseTime)
		for g := f.next; g != nil; g = g.next { // what was held back meanwhile, too
			g.hitUntil = c.looseUntil
		}
		c.mu.Unlock()
		if _, ok := errors.AsType[*notAsked](err); err != nil && !ok {
			// The signal may yet come, and would hit whatever runs then.
			_ = c.fail(fmt.Errorf("the server did not answer when it was asked to cancel: %w", err))
			return
		}
		again := time.NewTimer(wait) // a server that was between two messages drops the signal
		defer again.Stop()
		select {
		case <-answered:
			return
		case <-c.dead:
			return
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// disturb notes which flights the signal for f may hit. It says no where that
// must not be: one has been written together with f, since it was held.
func (c *Conn) disturb(f *Flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mayCancelLocked(f) {
		c.releaseLocked()
		return false
	}
	for g := f.next; g != nil && c.sent > g.start; g = g.next {
		g.hitUntil = time.Now().Add(c.cancelTimeout() + looseTime) // of the asking, and then
	}
	return true
}

// errDialerHangs is given up with where a DialFunc does not honour its ctx.
var errDialerHangs = errors.New("the dialer goes on after the end of its context")

// askToCancel sends the CancelRequest and waits for its end. stop ends ctx, as
// is done where the connection is closed meanwhile: at once where the server
// left, in a moment where this side closed it.
func (c *Conn) askToCancel(ctx context.Context, stop func()) error {
	ended := make(chan error, 1)
	go func() { ended <- sendCancel(ctx, c.cfg, c.s) }()
	dead, over := c.dead, ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case err := <-ended:
			return err
		case <-dead:
			dead = nil
			if !c.parted() {
				stop()
				continue
			}
			defer time.AfterFunc(partingTimeout, stop).Stop()
		case <-over:
			over = nil
			timer := time.NewTimer(hangTime)
			defer timer.Stop()
			late = timer.C
		case <-late:
			return errDialerHangs
		}
	}
}

// partLocked sees that the server does not go on with what it is running when
// this side closes the connection: it would notice only when it has something to
// say, and hold its locks until then.
func (c *Conn) partLocked() {
	f := c.firstLocked()
	if c.cause != nil || f == nil || c.sent <= f.start {
		return
	}
	c.parting = true
	if c.asking || !c.mayCancelLocked(f) {
		return // it is being asked already, or must not be
	}
	c.workers.Add(1)
	go func() {
		defer c.workers.Done()
		ctx, stop := context.WithTimeout(context.Background(), partingTimeout)
		defer stop()
		_ = c.askToCancel(ctx, stop) // whatever comes of it, the connection is closed
	}()
}

// parted says whether this side closed the connection while it was busy.
func (c *Conn) parted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parting
}

func (c *Conn) cancelTimeout() time.Duration {
	if c.cfg.CancelTimeout > 0 {
		return c.cfg.CancelTimeout
	}
	return defaultCancelTimeout
}
