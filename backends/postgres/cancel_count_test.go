package postgres_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// sockets is a DialFunc that counts what is open, sessions and CancelRequests
// apart: which of them a socket is, its first write tells.
type sockets struct {
	mu       sync.Mutex
	open     int // now, with those that have not written yet
	most     int // sessions open at once, ever
	sessions int // made in all
	cancels  int // CancelRequests in all

	// hurdle is called before a session's or a CancelRequest's first bytes are
	// written; its error is the write's, errSwallowed that of one which arrives
	// nowhere.
	hurdle func(cancel bool, nc net.Conn) error
}

func (s *sockets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: nc, s: s}, nil
}

// figures gives the counters: sessions open now, at most at once, and made in
// all, and CancelRequests.
func (s *sockets) figures() (open, most, sessions, cancels int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.most, s.sessions, s.cancels
}

// cancelCode is what a CancelRequest has where a startup message has its version
// (PostgreSQL documentation, "Message Formats", CancelRequest).
const cancelCode = 80877102

type countedConn struct {
	net.Conn
	s       *sockets
	known   bool
	session bool
	closed  sync.Once
}

func (c *countedConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}

func (c *countedConn) Write(p []byte) (int, error) {
	if !c.known {
		cancel := len(p) >= 8 && binary.BigEndian.Uint32(p[4:]) == cancelCode
		c.s.mu.Lock()
		c.known, c.session = true, !cancel
		if cancel {
			c.s.cancels++
		} else {
			c.s.sessions++
			c.s.open++
			c.s.most = max(c.s.most, c.s.open)
		}
		hurdle := c.s.hurdle
		c.s.mu.Unlock()
		if hurdle != nil {
			if err := hurdle(cancel, c.Conn); err == errSwallowed {
				return len(p), nil
			} else if err != nil {
				return 0, err
			}
		}
	}
	return c.Conn.Write(p)
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if c.session {
			c.s.open--
		}
	})
	return err
}

// lateness is how long after the end of their ctx calls came back.
type lateness struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *lateness) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// at gives a percentile, 100 for the worst.
func (l *lateness) at(percent float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return 0
	}
	slices.Sort(l.all)
	i := int(percent / 100 * float64(len(l.all)))
	return l.all[min(i, len(l.all)-1)]
}

func (l *lateness) String() string {
	us := func(p float64) time.Duration { return l.at(p).Round(time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, worst %v", us(50), us(90), us(99), us(100))
}
