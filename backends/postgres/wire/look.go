package wire

import (
	"time"
)

// peekTime is how long a look under TLS may take to read a record whose first
// bytes are there.
const peekTime = 20 * time.Millisecond

// look takes what came while the connection was idle, without waiting: a FATAL
// error, the end of the stream, notices, the answers of lazy flights. A dead
// connection is so found before anything is sent on it.
func (c *Conn) look() {
	c.mu.Lock()
	busy := c.cause != nil || c.busyLocked()
	c.mu.Unlock()
	if busy {
		return
	}
	if c.nc == c.raw {
		n, err := c.poll.try(c.rd.room())
		c.rd.grow(n)
		c.takeIdle(err)
		return
	}
	c.lookTLS()
}

// lookTLS peeks below TLS, and reads through it where something is there. What
// the TLS connection itself has buffered is read with a deadline in the past,
// which costs no system call.
func (c *Conn) lookTLS() {
	var one [1]byte
	n, err := c.poll.try(one[:])
	if err != nil {
		c.takeIdle(err)
		return
	}
	deadline := longAgo
	if n > 0 {
		deadline = time.Now().Add(peekTime)
	}
	_ = c.nc.SetReadDeadline(deadline)
	n, err = c.nc.Read(c.rd.room())
	_ = c.nc.SetReadDeadline(time.Time{})
	if isTimeout(err) {
		err = nil
	}
	c.rd.grow(n)
	c.takeIdle(err)
}

// takeIdle handles the buffered messages of an idle connection; err is how
// reading them ended.
func (c *Conn) takeIdle(err error) {
	if c.rd.start == c.rd.end && err == nil {
		return // the usual case
	}
	if lazyErr := c.readLazy(nil, true); lazyErr != nil {
		_ = c.fail(lazyErr)
		return
	}
	for {
		typ, body, ok, ferr := c.rd.buffered()
		if ferr != nil {
			_ = c.fail(ferr)
			return
		}
		if !ok {
			break
		}
		if typ == byte(ErrorResponse) {
			_ = c.fail(decodeServerError(body))
			return
		}
		if typ != noticeResponse && typ != parameterStatus && typ != notificationResponse {
			_ = c.fail(protocolErrorf("message %q came while nothing was asked", typ))
			return
		}
		if aerr := c.asynchronous(typ, body); aerr != nil {
			_ = c.fail(aerr)
			return
		}
	}
	if err != nil {
		_ = c.fail(readCause(err))
	}
}
