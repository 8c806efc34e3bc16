package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Conn is one connection to a PostgreSQL server. Flights are sent by any
// goroutine and answered in the order in which they were sent; the caller of
// the flight at the head reads its own answers, and hands the reading on at its
// last ReadyForQuery. There is no goroutine per connection: one is started only
// to read what an impatient caller left behind, or to finish a long write.
//
//	field              owner                          guard
//	s, nc, raw, cfg    set once                       -
//	rd                 whoever has the turn to read   the queue: state flightReading, or drain
//	params             written by the reader          mu
//	head … sent        everybody                      mu
//	writing            who set it may write nc        mu
//	looking            who set it has the turn to read mu
type Conn struct {
	s    *session // only read
	nc   net.Conn // plain or TLS
	raw  net.Conn // below TLS
	cfg  *Config
	rd   *reader
	poll poller

	mu     sync.Mutex
	params map[string]string
	cause  error // why the connection is closed, nil while it is open
	dead   chan struct{}

	head, tail *Flight // flights not answered yet
	status     byte    // the last ReadyForQuery's transaction status

	pending  []byte // queued behind a write that is under way, or held
	spare    []byte // the other half of pending's double buffer
	writing  bool
	written  chan struct{} // closed when the write under way has ended; made by who waits
	writeErr error         // a write found the other side gone
	held     *Flight       // it is being cancelled: nothing is written behind it
	asking   bool          // a worker has the server asked to cancel
	parting  bool          // this side closed the connection while it was busy
	queued   uint64        // bytes that flights have queued, ever
	sent     uint64        // bytes handed to the kernel, ever, with those of a write under way
	settled  uint64        // bytes of flights that were answered, ever

	looseUntil time.Time // a signal that cancels may come late until then; zero: none was asked for

	unreplicated bool // the server has warned of a commit that its standbys may not have

	looking  bool // an idle connection is being looked at: nobody gets the turn to read
	draining bool
	onIdle   func()
	workers  sync.WaitGroup // drainer and long writes
}

const (
	// inlineWrite is how many unanswered bytes a socket's buffers hold on every
	// system. More are written by a helper, so that the caller can read
	// meanwhile: two sides that both only write would wait for ever.
	inlineWrite = 16 << 10

	// keptBuffer is the largest buffer for writing that is kept for reuse.
	keptBuffer = 64 << 10

	// cancelGrace is how long an abandoned flight may go on before the server is
	// asked to cancel it: most end sooner, and a request costs the server a
	// process.
	cancelGrace = 3 * time.Millisecond

	// cancelAgain is how long the first CancelRequest may be without effect before
	// another follows; then it is twice that, and so on.
	cancelAgain = 100 * time.Millisecond

	// defaultCancelTimeout bounds how long an abandoned flight may take to end
	// before its connection is closed.
	defaultCancelTimeout = 5 * time.Second

	// partingTimeout bounds a CancelRequest for what a connection was running
	// when this side closed it. Close waits for it.
	partingTimeout = 500 * time.Millisecond

	// hangTime is how long a dialer may go on after the end of its ctx.
	hangTime = 50 * time.Millisecond
)

// longAgo is a deadline in the past: it ends a read that is under way.
var longAgo = time.Unix(1, 0)

// Connect makes a connection: dial, TLS, startup, authentication. ctx bounds
// all of it.
func Connect(ctx context.Context, cfg *Config) (*Conn, error) {
	s, err := handshake(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		s: s, nc: s.nc, raw: s.raw, cfg: cfg, rd: s.rd, params: s.params, status: 'I', dead: make(chan struct{}),
	}
	c.rd.limit = messageLimit
	c.poll.init(s.raw, s.tlsUsed)
	return c, nil
}

// Send queues the flight and writes it, together with whatever else is queued.
// Answers are read with Next, under ctx: when it ends, Next returns at once, the
// server is asked to cancel the flight if that is its turn, and the rest is
// read in the background. On an error nothing of the flight will be answered;
// Unsent tells whether the server can have seen it.
func (c *Conn) Send(ctx context.Context, f *Flight) error {
	f.conn, f.ctx = c, ctx
	f.start = never
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.Lone {
		c.look()
	}
	c.mu.Lock()
	if err := c.refuseLocked(f); err != nil {
		c.mu.Unlock()
		return err
	}
	c.enqueueLocked(f)
	f.reading = f.state == flightReading && c.head == f
	c.mu.Unlock()
	if ctx.Done() != nil {
		f.stop = context.AfterFunc(ctx, f.interrupt)
	}
	return nil
}

// SendLazy queues the flight without a reader: whoever reads next reads its
// answers first. An error in them closes the connection. The Flight belongs to
// the connection afterwards.
func (c *Conn) SendLazy(f *Flight) error { return c.sendUnattended(f, flightLazy) }

// SendAbandoned queues the flight and lets the background read its answers. An
// error in them is ignored.
func (c *Conn) SendAbandoned(f *Flight) error {
	f.NoCancel, f.ignored = true, true
	return c.sendUnattended(f, flightAbandoned)
}

func (c *Conn) sendUnattended(f *Flight, state flightState) error {
	f.conn, f.ctx = c, context.Background()
	f.start = never
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuseLocked(f); err != nil {
		return err
	}
	f.state = state
	c.enqueueLocked(f)
	return nil
}

// never is the start of a flight that was not sent.
const never = ^uint64(0)

// refuseLocked says why f cannot be sent.
func (c *Conn) refuseLocked(f *Flight) error {
	if !f.complete() {
		return errors.New("the flight does not end with Sync or Query, so that the server would not answer it")
	}
	if c.cause == nil && c.writeErr == nil {
		return nil
	}
	if c.cause == nil && c.busyLocked() {
		return &DeadError{Cause: c.writeErr} // the reader may find why
	}
	c.failLocked(c.writeErr)
	return c.closedLocked()
}

// enqueueLocked puts f behind the others and sees that it gets written. mu is
// released during the write.
func (c *Conn) enqueueLocked(f *Flight) {
	f.start = c.queued
	c.queued += uint64(len(f.buf))
	if f.state == flightNew {
		f.state = flightQueued
	}
	if c.tail == nil {
		c.head = f
	} else {
		c.tail.next = f
	}
	c.tail = f
	if !c.looseUntil.IsZero() {
		if f.hitUntil = c.looseUntil; time.Now().After(c.looseUntil) {
			c.looseUntil = time.Time{}
		}
	}
	c.grantLocked()
	f.lent = c.writeLocked(f.buf)
}

// grantLocked gives the turn to read to the first flight that somebody waits
// for, or starts the drainer where nobody does. Lazy flights before it are read
// by whoever gets the turn.
func (c *Conn) grantLocked() {
	if c.cause != nil || c.looking {
		return // there is nothing to read any more, or look will grant it
	}
	f := c.firstLocked()
	switch {
	case f == nil:
	case f.state == flightQueued:
		f.state = flightReading
		if f.turn != nil {
			select {
			case f.turn <- struct{}{}:
			default:
			}
		}
	case f.state == flightAbandoned && !c.draining:
		c.drainLocked()
	}
}

// drainLocked starts the drainer.
func (c *Conn) drainLocked() {
	c.draining = true
	c.workers.Add(1)
	go func() {
		idle := c.drain()
		c.workers.Done() // before idle, which may close the connection and wait for it
		if idle != nil {
			idle()
		}
	}()
}

// idleLocked has who waits for the connection to be idle told, by a drainer that
// finds nothing to do: who holds mu cannot call out.
func (c *Conn) idleLocked() {
	if c.onIdle != nil && !c.busyLocked() {
		c.drainLocked()
	}
}

// popLocked removes the answered flight at the head. The caller has the turn to
// read.
func (c *Conn) popLocked(f *Flight) {
	c.head = f.next
	if c.head == nil {
		c.tail = nil
	}
	f.next = nil
	f.state = flightDone
	c.settled = f.start + uint64(len(f.buf))
	if f.interrupted {
		f.interrupted = false
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	c.rd.shed()
	c.grantLocked()
	c.idleLocked()
}

// fail closes the connection for a reason; the first one is kept. It gives the
// error that callers see.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(err)
	return c.closedLocked()
}

func (c *Conn) failLocked(err error) {
	if c.cause != nil {
		return
	}
	c.cause = err
	_ = c.raw.Close() // not the TLS connection's Close, which may wait to say goodbye
	close(c.dead)
	c.idleLocked()
}

// closedLocked is the error for a caller of a closed connection: ErrClosed and
// the cause are both in its tree.
func (c *Conn) closedLocked() error {
	if errors.Is(c.cause, ErrClosed) {
		return c.cause
	}
	return &DeadError{Cause: c.cause}
}

// Close says goodbye if the connection is idle, closes it, and waits for what
// works in its background. Where the server is running a flight, it is asked to
// cancel that, as it would otherwise go on; it has half a second to take note.
// An error, ctx's, says that some of that is still ending: the socket is closed
// nevertheless. Close is idempotent and may be called at any time.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.cause == nil {
		if c.head == nil && !c.writing && c.held == nil {
			_ = c.nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = c.nc.Write([]byte{'X', 0, 0, 0, 4})
		}
		c.partLocked()
		c.failLocked(ErrClosed)
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.workers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the connection is closed, but its background has not ended yet: %w", ctx.Err())
	}
}

// Err is why the connection is closed, nil while it is open.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return nil
	}
	return c.closedLocked()
}

// Fail closes the connection because of err, for a caller that found it in a
// state that nobody can trust. It does not wait; what the server is running is
// cancelled as by Close.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partLocked()
	c.failLocked(err)
}

// Status is the transaction status of the last ReadyForQuery: 'I' outside a
// transaction block, 'T' inside one, 'E' inside one that has failed.
func (c *Conn) Status() byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Busy says whether answers are outstanding that somebody, or the drainer,
// still has to read. Lazy flights do not count.
func (c *Conn) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busyLocked()
}

func (c *Conn) busyLocked() bool {
	if c.draining {
		return true
	}
	for f := c.head; f != nil && c.cause == nil; f = f.next {
		if f.state != flightLazy {
			return true
		}
	}
	return false
}

// WhenIdle calls f once nothing is outstanding any more, or the connection is
// closed: at once in this goroutine if that is so already, else in a goroutine
// of its own. One function can wait at a time.
func (c *Conn) WhenIdle(f func()) {
	c.mu.Lock()
	if c.busyLocked() {
		c.onIdle = f
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f()
}

// Parameter gives a run-time parameter that the server reports, such as
// server_version (PostgreSQL documentation, section "Asynchronous Operations").
func (c *Conn) Parameter(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.params[name]
}

// PID is the process id of the server's backend, 0 where the server did not
// tell.
func (c *Conn) PID() uint32 { return c.s.pid }

// Address is what the connection was made to.
func (c *Conn) Address() string { return c.cfg.Address }
