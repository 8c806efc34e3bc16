package wire

import (
	"time"
)

// peekTime is how long a look under TLS may take to read a record whose first
// bytes are there.
const peekTime = 20 * time.Millisecond

// maxLooks bounds how often a look reads.
const maxLooks = 16

// look takes what came while the connection was idle, without waiting: a FATAL
// error, the end of the stream, notices, the answers of lazy flights. A dead
// connection is so found before anything is sent on it.
func (c *Conn) look() {
	c.mu.Lock()
	if c.cause != nil || c.looking || c.busyLocked() {
		c.mu.Unlock()
		return
	}
	c.looking = true
	c.mu.Unlock()
	c.takeAll()
	c.mu.Lock()
	c.looking = false
	c.grantLocked()
	c.mu.Unlock()
}

// Unread says whether lazy flights have not been answered, or their answers not
// been read.
func (c *Conn) Unread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head != nil && c.head.state == flightLazy
}

// takeAll takes piece by piece what is there: a warning and the end of the
// stream are often two.
func (c *Conn) takeAll() {
	for range maxLooks {
		n, err := c.peek()
		c.rd.grow(n)
		c.takeIdle(err)
		if n == 0 || err != nil {
			return
		}
	}
}

// peek reads what is there. Under TLS it peeks below it, and reads through it
// where something is there; what the TLS connection itself has buffered is read
// with a deadline in the past, which costs no system call.
func (c *Conn) peek() (int, error) {
	if c.nc == c.raw {
		return c.poll.try(c.rd.room())
	}
	var one [1]byte
	n, ended := c.poll.try(one[:])
	deadline := longAgo
	if n > 0 {
		deadline = time.Now().Add(peekTime)
	}
	_ = c.nc.SetReadDeadline(deadline)
	n, err := c.nc.Read(c.rd.room())
	_ = c.nc.SetReadDeadline(time.Time{})
	if isTimeout(err) {
		err = ended
	}
	return n, err
}

// asked says whether a flight was sent meanwhile: what is in the buffer may then
// be its answers.
func (c *Conn) asked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head != nil
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
	for !c.asked() {
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
