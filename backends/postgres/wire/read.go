package wire

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// maxParameters and maxParameterSize bound what a server may report of its
// run-time parameters, all of which is kept.
const (
	maxParameters    = 1000
	maxParameterSize = 64 << 10
)

// errServerLeft is the cause where the stream ended without a word.
var errServerLeft = errors.New("the server closed the connection without saying why")

// Next gives the flight's next answer. The body is valid until the next call.
// Ready ends a group, and has no body: see [Conn.Status]; after the last one the
// flight is done, and the next flight may be reading already. An ErrorResponse is
// followed by its group's Ready, unless it is FATAL: that, like everything else
// that ends the connection, is an error of type *DeadError. When ctx ends, Next
// gives its error and leaves the flight to the connection: it must not be
// touched any more.
func (f *Flight) Next() (Kind, []byte, error) {
	c := f.conn
	if !f.reading {
		if err := f.await(); err != nil {
			f.unwatch()
			return 0, nil, err
		}
	}
	for {
		typ, body, err := c.rd.next()
		if err != nil {
			f.unwatch()
			return 0, nil, f.readFailed(err)
		}
		if typ == byte(DataRow) && f.steps[f.at] == stepExecute && !f.skipping {
			return DataRow, body, nil
		}
		kind, out, err := c.accept(f, typ, body)
		if err != nil {
			f.unwatch()
			return 0, nil, c.fail(err)
		}
		if kind != 0 {
			return kind, out, nil
		}
	}
}

// await waits for the turn to read, and reads the lazy flights before it.
func (f *Flight) await() error {
	c := f.conn
	c.mu.Lock()
	for f.state == flightQueued {
		if c.cause != nil {
			err := c.closedLocked()
			c.mu.Unlock()
			return err
		}
		if f.turn == nil {
			f.turn = make(chan struct{}, 1)
		}
		c.mu.Unlock()
		select {
		case <-f.turn:
		case <-c.dead:
		case <-f.ctx.Done():
			return f.leave()
		}
		c.mu.Lock()
	}
	state := f.state
	c.mu.Unlock()
	if state != flightReading {
		return protocolErrorf("internal: a flight was read after its end")
	}
	if f.ctx.Err() != nil && f.Grace <= 0 {
		return f.leave()
	}
	if err := c.readLazy(f, false); err != nil {
		return f.readFailed(err)
	}
	f.reading = true
	return nil
}

// readLazy reads the flights before f that nobody waits for. Nothing but an
// error of reading is returned; what is wrong in their answers closes the
// connection. With peek it stops where it would have to wait.
func (c *Conn) readLazy(f *Flight, peek bool) error {
	for {
		c.mu.Lock()
		lazy := c.head
		done := lazy == nil || lazy == f || lazy.state != flightLazy
		c.mu.Unlock()
		if done {
			return nil
		}
		var typ byte
		var body []byte
		var err error
		if peek {
			var ok bool
			if typ, body, ok, err = c.rd.buffered(); err == nil && !ok {
				return nil
			}
		} else {
			typ, body, err = c.rd.next()
		}
		if err != nil {
			return err
		}
		kind, body, err := c.accept(lazy, typ, body)
		if err != nil {
			return c.fail(err)
		}
		if kind == ErrorResponse {
			return c.fail(decodeServerError(body))
		}
	}
}

// accept takes one message for the flight that is being answered. It gives the
// kind for the flight's reader, 0 for a message that is none of its business;
// an error closes the connection.
func (c *Conn) accept(f *Flight, typ byte, body []byte) (Kind, []byte, error) {
	if typ == noticeResponse || typ == parameterStatus || typ == notificationResponse {
		return 0, nil, c.asynchronous(typ, body)
	}
	f.answered = f.answered || typ != byte(ErrorResponse)
	s := f.steps[f.at]
	what := transition(s, typ)
	if f.skipping && what != ready {
		if what == fail {
			if err := decodeServerError(body); isFatal(err) {
				return 0, nil, err // the session was ended while it was skipping
			}
		}
		what = refuse
	}
	switch what {
	case deliver:
		return Kind(typ), body, nil
	case advance:
		f.at++
		return Kind(typ), body, nil
	case ready:
		return Ready, nil, c.endGroup(f, body)
	case fail:
		return ErrorResponse, body, f.failGroup(body)
	case refuseCopy:
		return 0, nil, c.refuseCopy(f, typ)
	case ignore:
		return 0, nil, nil
	default:
		return 0, nil, protocolErrorf("message %q came where a flight was at step %d", typ, s)
	}
}

// failGroup skips to the Sync of the group. A FATAL error is the connection's
// last word.
func (f *Flight) failGroup(body []byte) error {
	if err := decodeServerError(body); isFatal(err) {
		return err
	}
	f.skipping = true
	f.failed, f.failedAt = f.at, time.Now()
	for s := f.steps[f.at]; s != stepSync && s != stepQuery; s = f.steps[f.at] {
		f.at++
	}
	return nil
}

// isFatal says whether err ends the connection: severity FATAL or PANIC, or a
// message that cannot be read.
func isFatal(err error) bool {
	e, ok := errors.AsType[*ServerError](err)
	return !ok || e.Severity == "FATAL" || e.Severity == "PANIC"
}

// endGroup takes a ReadyForQuery.
func (c *Conn) endGroup(f *Flight, body []byte) error {
	if len(body) != 1 || body[0] != 'I' && body[0] != 'T' && body[0] != 'E' {
		return protocolErrorf("ReadyForQuery with the status %q", body)
	}
	f.skipping = false
	f.at++
	c.mu.Lock()
	c.status = body[0]
	if f.at == len(f.steps) && f.state != flightAbandoned { // the drainer ends its own
		f.reading = false
		c.popLocked(f)
	}
	c.mu.Unlock()
	return nil
}

// errCopyBehind is the cause where a COPY from the client cannot be refused: the
// server takes what was sent behind it for its data, and drops it. Whose answers
// come then nobody can say.
var errCopyBehind = errors.New("a COPY from the client was started by a flight that has more behind it: COPY must be alone")

// refuseCopy ends a COPY that nobody can serve. While the server reads COPY data
// it ignores the Sync that was already sent, so it needs another one
// (PostgreSQL documentation, section "COPY Operations").
func (c *Conn) refuseCopy(f *Flight, typ byte) error {
	f.Copied = true
	switch typ {
	case copyOutResponse:
		return nil // its data are dropped
	case copyBothResponse:
		return protocolErrorf("the server started a replication stream that nobody asked for")
	}
	msg, err := (&pgproto3.CopyFail{Message: "no data were given with the command"}).Encode(nil)
	if err != nil {
		return err
	}
	behind := len(f.steps) - 1 - f.at
	if f.steps[f.at] == stepExecute {
		msg = append(msg, 'S', 0, 0, 0, 4)
		behind-- // the Sync
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if behind > 0 || f.next != nil || c.held != nil || c.cause != nil {
		return errCopyBehind
	}
	c.queued += uint64(len(msg))
	c.writeLocked(msg)
	return nil
}

// syncRepWait is the function of the server that warns where a commit's wait for
// its synchronous standbys was ended early (src/backend/replication/syncrep.c):
// the commit is done, but a failover may lose it.
const syncRepWait = "SyncRepWaitForLSN"

// TakeUnreplicated says whether the server has warned, since the last call, that a
// commit did not wait for its synchronous standbys.
func (c *Conn) TakeUnreplicated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.unreplicated
	c.unreplicated = false
	return was
}

// asynchronous takes a message that may come at any time.
func (c *Conn) asynchronous(typ byte, body []byte) error {
	switch typ {
	case noticeResponse:
		var notice pgproto3.NoticeResponse
		if err := notice.Decode(body); err != nil {
			return protocolErrorf("a NoticeResponse that cannot be read: %v", err)
		}
		if notice.Routine == syncRepWait {
			c.mu.Lock()
			c.unreplicated = true
			c.mu.Unlock()
		}
		if c.cfg.OnNotice != nil {
			c.cfg.OnNotice(&notice)
		}
	case parameterStatus:
		if len(body) > maxParameterSize {
			return protocolErrorf("a ParameterStatus of %d bytes", len(body))
		}
		var status pgproto3.ParameterStatus
		if err := status.Decode(body); err != nil {
			return protocolErrorf("a ParameterStatus that cannot be read: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.params[status.Name] = status.Value
		if len(c.params) > maxParameters {
			return protocolErrorf("the server reports more than %d parameters", maxParameters)
		}
	}
	return nil
}

// readFailed ends a read that did not give a message: ctx ended, or the
// connection did.
func (f *Flight) readFailed(err error) error {
	c := f.conn
	if isTimeout(err) {
		c.mu.Lock()
		interrupted, writeErr := f.interrupted, c.writeErr
		c.mu.Unlock()
		if interrupted && writeErr == nil {
			return f.leave()
		}
		if writeErr != nil {
			err = writeErr
		}
	}
	return c.fail(readCause(err))
}

// readCause words what ended the stream.
func readCause(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errServerLeft
	}
	if errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	return err
}
