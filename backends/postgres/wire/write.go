package wire

import (
	"context"
	"time"
)

// writeLocked hands msg to the kernel, or leaves it to whoever is writing at the
// moment. mu is held, and released during the write. After it returns msg may be
// reused, unless it was lent to a helper.
func (c *Conn) writeLocked(msg []byte) (lent bool) {
	if c.writing || c.blockedLocked() {
		c.pending = append(c.pending, msg...)
		return false
	}
	c.writing = true
	if c.longWriteLocked() {
		c.helpLocked(msg)
		return true
	}
	c.pumpLocked(msg, false)
	return false
}

// longWriteLocked says whether more is unanswered than socket buffers hold for
// certain.
func (c *Conn) longWriteLocked() bool { return c.queued-c.settled > inlineWrite }

// helpLocked goes on writing in a goroutine of its own, so that the caller can
// read meanwhile.
func (c *Conn) helpLocked(msg []byte) {
	c.workers.Add(1)
	go func() {
		defer c.workers.Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pumpLocked(msg, true)
	}()
}

// pumpLocked writes msg and then whatever was queued meanwhile: many callers
// share one system call. The caller has set writing, which makes it the only
// writer.
func (c *Conn) pumpLocked(msg []byte, helper bool) {
	for {
		c.sent += uint64(len(msg)) // from here on the server may have seen it
		c.mu.Unlock()
		n, err := c.nc.Write(msg)
		c.mu.Lock()
		if err != nil {
			c.writeFailedLocked(n, len(msg), err)
			break
		}
		if c.cause != nil || c.blockedLocked() || len(c.pending) == 0 {
			break
		}
		msg = c.pending
		c.pending, c.spare = c.spare[:0], msg
		if !helper && c.longWriteLocked() {
			c.helpLocked(msg)
			return
		}
	}
	c.writing = false
	if len(c.pending) == 0 && cap(c.pending)+cap(c.spare) > 2*keptBuffer {
		c.pending, c.spare = nil, nil
	}
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
}

// blockedLocked says that nothing may be written: the flight that is being
// cancelled has been.
func (c *Conn) blockedLocked() bool { return c.held != nil && c.sent > c.held.start }

// releaseLocked ends the time in which nothing may be written.
func (c *Conn) releaseLocked() {
	c.held = nil
	if len(c.pending) > 0 && !c.writing && c.cause == nil {
		msg := c.pending
		c.pending, c.spare = nil, nil
		c.writeLocked(msg)
	}
}

// writeFailedLocked takes note of a failed write. How much of msg was handed
// over is known exactly without TLS only.
func (c *Conn) writeFailedLocked(n, size int, err error) {
	if n == 0 && c.nc != c.raw {
		n = size
	}
	c.sent -= uint64(size - n)
	if !isReset(err) {
		c.failLocked(err)
		return
	}
	// The server may have said why before it left: the reader finds that, or the
	// end of the stream, and must not wait for it for long.
	c.writeErr = err
	_ = c.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
}

// awaitWritten waits until no write is under way.
func (c *Conn) awaitWritten(ctx context.Context) bool {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return true
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	written := c.written
	c.mu.Unlock()
	select {
	case <-written:
		return true
	case <-ctx.Done():
		return false
	}
}
