package postgres_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// loser is a DialFunc whose connections, once armed, lose answers: so many
// messages of the server are handed over, and then the stream ends. With a
// refusal nothing that is written reaches the server, and the refusal is the
// answer.
type loser struct {
	mu      sync.Mutex
	armed   bool
	keep    int // messages that still come
	refusal []byte
	once    bool // only one connection is lost
	lost    int
	dials   atomic.Int64
}

// arm loses everything behind n messages from now on.
func (l *loser) arm(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.keep, l.refusal, l.once, l.lost = true, n, nil, true, 0
}

// refuse answers every flight on any connection with a message.
func (l *loser) refuse(m *pgproto3.ErrorResponse, once bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	l.armed, l.refusal, l.once, l.lost = true, b, once, 0
}

// disarm says how many connections were lost.
func (l *loser) disarm() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	return l.lost
}

func (l *loser) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.dials.Add(1)
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &losingConn{Conn: nc, l: l}, nil
}

// losingConn has no SyscallConn: nobody can look at it before writing.
type losingConn struct {
	net.Conn
	l       *loser
	login   bool // done with it
	raw     []byte
	out     []byte
	ended   bool
	refused atomic.Bool
}

func (c *losingConn) Write(p []byte) (int, error) {
	c.l.mu.Lock()
	typ := p[0]
	refuse := c.l.armed && c.l.refusal != nil && (typ == 'P' || typ == 'B' || typ == 'Q' || typ == 'C') && c.login
	c.l.mu.Unlock()
	if refuse {
		c.refused.Store(true)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *losingConn) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.ended {
			return 0, io.EOF
		}
		if c.refused.Load() {
			c.end(c.l.refusal)
			continue
		}
		buf := make([]byte, 16<<10)
		n, err := c.Conn.Read(buf)
		if n == 0 {
			return 0, err
		}
		c.take(buf[:n])
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// take hands over whole messages, as many as may come.
func (c *losingConn) take(b []byte) {
	if !c.login && len(c.raw) == 0 && len(b) == 1 { // the answer to SSLRequest
		c.out = append(c.out, b...)
		return
	}
	c.raw = append(c.raw, b...)
	for len(c.raw) >= 5 && !c.ended {
		n := 1 + int(binary.BigEndian.Uint32(c.raw[1:]))
		if len(c.raw) < n {
			return
		}
		if c.login && c.lose() {
			c.end(nil)
			return
		}
		c.login = c.login || c.raw[0] == 'Z'
		c.out = append(c.out, c.raw[:n]...)
		c.raw = c.raw[n:]
	}
}

// lose counts a message, and says whether it is one too many.
func (c *losingConn) lose() bool {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if !c.l.armed || c.l.refusal != nil || c.l.once && c.l.lost > 0 {
		return false
	}
	c.l.keep--
	return c.l.keep < 0
}

func (c *losingConn) end(last []byte) {
	c.l.mu.Lock()
	c.l.lost++
	if c.l.once {
		c.l.armed = false
	}
	c.l.mu.Unlock()
	c.out = append(c.out, last...)
	c.ended = true
	_ = c.Conn.Close()
}
