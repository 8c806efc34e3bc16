package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// interrupt runs when the ctx of a flight ends: it wakes the caller out of its
// read. A caller that waits for its turn sees ctx itself.
func (f *Flight) interrupt() {
	c := f.conn
	c.mu.Lock()
	defer c.mu.Unlock()
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
		f := c.head
		for f != nil && f.state == flightLazy {
			f = f.next
		}
		if c.cause != nil || f == nil || f.state != flightAbandoned {
			c.draining = false
			c.grantLocked()
			if !c.busyLocked() {
				idle, c.onIdle = c.onIdle, nil
			}
			c.mu.Unlock()
			return idle
		}
		cancel := !f.NoCancel && len(c.s.secret) > 0
		f.interrupted = true // popLocked clears the deadline
		_ = c.nc.SetReadDeadline(time.Now().Add(c.cancelTimeout()))
		c.held = cancel
		c.mu.Unlock()

		answered, canceled := make(chan struct{}), make(chan struct{})
		if cancel {
			c.workers.Add(1)
			go c.askToCancel(answered, canceled)
		} else {
			close(canceled)
		}
		err := c.discard(f)
		if isTimeout(err) {
			err = fmt.Errorf("an abandoned flight did not end in %v: %w", c.cancelTimeout(), err)
		}
		if err != nil {
			_ = c.fail(err)
		}
		close(answered)
		<-canceled
		c.mu.Lock()
		if err == nil {
			c.popLocked(f)
		}
		c.releaseLocked()
		c.mu.Unlock()
	}
}

// discard reads f to its end without looking at what it says.
func (c *Conn) discard(f *Flight) error {
	if err := c.readLazy(f, false); err != nil {
		return readCause(err)
	}
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

// askToCancel sends a CancelRequest for what the connection is running
// (PostgreSQL documentation, section "Canceling Requests in Progress"), unless
// that is answered in a moment anyway. When it returns, the server has either
// delivered the signal or will never do so, or the connection is closed.
func (c *Conn) askToCancel(answered <-chan struct{}, done chan<- struct{}) {
	defer c.workers.Done()
	defer close(done)
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case <-answered:
		return
	case <-c.dead:
		return
	case <-grace.C:
	}
	ctx, stop := context.WithTimeout(context.Background(), c.cancelTimeout())
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	c.workers.Add(1)
	go func() { // a connection that is closed meanwhile needs no cancelling
		defer c.workers.Done()
		select {
		case <-c.dead:
			stop()
		case <-ended:
		}
	}()
	if !c.awaitWritten(ctx) {
		return // the drainer gives up as well
	}
	err := sendCancel(ctx, c.cfg, c.s)
	if op, ok := errors.AsType[*net.OpError](err); err == nil || ok && op.Op == "dial" {
		return // without it the drainer waits, and then gives up
	}
	// The signal may yet come, and would hit whatever runs then.
	_ = c.fail(fmt.Errorf("the server did not answer when it was asked to cancel: %w", err))
}

func (c *Conn) cancelTimeout() time.Duration {
	if c.cfg.CancelTimeout > 0 {
		return c.cfg.CancelTimeout
	}
	return defaultCancelTimeout
}
