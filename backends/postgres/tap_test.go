package postgres_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// tap is a DialFunc that sees what a client writes, message by message, and can
// cut a connection at any of them.
type tap struct {
	mu     sync.Mutex
	log    []message
	writes int
	dials  int
	cancel int // CancelRequests seen

	// before is asked about each message that is about to be written.
	before func(message) verdict
	// rewrite changes the bytes of a write.
	rewrite func([]byte) []byte
}

// message is one message of the frontend: its type, and the text of a Parse or
// Query.
type message struct {
	typ  byte
	text string
}

func (m message) String() string {
	if m.text != "" {
		return string(m.typ) + "[" + m.text + "]"
	}
	return string(m.typ)
}

// verdict is what becomes of a write.
type verdict int

const (
	pass      verdict = iota
	cutBefore         // the connection dies and nothing is written
	cutAfter          // it is written, answered, and the answer is lost
)

func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.dials++
	t.mu.Unlock()
	return &tappedConn{Conn: nc, tap: t}, nil
}

// reset forgets what was seen.
func (t *tap) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log, t.writes, t.dials, t.cancel = nil, 0, 0, 0
}

// on sets before.
func (t *tap) on(before func(message) verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before = before
}

// trace is what was written since reset.
func (t *tap) trace() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var words []string
	for _, m := range t.log {
		words = append(words, m.String())
	}
	return strings.Join(words, " ")
}

// want fails unless exactly these messages were written since reset, and
// resets.
func (t *tap) want(tb testing.TB, trace string) {
	tb.Helper()
	if got := t.trace(); got != trace {
		tb.Errorf("written:\n got %s\nwant %s", got, trace)
	}
	t.reset()
}

// flights counts the groups written since reset.
func (t *tap) flights() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, m := range t.log {
		if m.typ == 'S' || m.typ == 'Q' {
			n++
		}
	}
	return n
}

// count counts the messages whose text contains part.
func (t *tap) count(part string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, m := range t.log {
		if strings.Contains(m.text, part) {
			n++
		}
	}
	return n
}

// cutOnce cuts at the n-th message whose text contains part, from 1.
func cutOnce(part string, n int, v verdict) func(message) verdict {
	return func(m message) verdict {
		if strings.Contains(m.text, part) {
			if n--; n == 0 {
				return v
			}
		}
		return pass
	}
}

type tappedConn struct {
	net.Conn
	tap *tap

	mu      sync.Mutex
	started bool
	rest    []byte
	cut     bool // the next read loses what it got
}

func (c *tappedConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}

func (c *tappedConn) Write(p []byte) (int, error) {
	out := p
	c.tap.mu.Lock()
	c.tap.writes++
	if c.tap.rewrite != nil {
		out = c.tap.rewrite(bytes.Clone(p))
	}
	v := c.seen(p)
	c.tap.mu.Unlock()
	switch v {
	case cutBefore:
		_ = c.Conn.Close()
		return 0, fmt.Errorf("tap: %w", syscall.ECONNRESET)
	case cutAfter:
		c.mu.Lock()
		c.cut = true
		c.mu.Unlock()
	}
	if len(out) != len(p) {
		return 0, errors.New("tap: rewrite changed the length")
	}
	return c.Conn.Write(out)
}

// seen takes note of the messages in p; tap.mu is held.
func (c *tappedConn) seen(p []byte) verdict {
	c.rest = append(c.rest, p...)
	worst := pass
	for {
		if !c.started {
			if len(c.rest) < 8 {
				return worst
			}
			n := int(binary.BigEndian.Uint32(c.rest))
			switch binary.BigEndian.Uint32(c.rest[4:]) {
			case 80877102:
				c.tap.cancel++
			case 80877103: // SSLRequest
			default:
				c.started = true
			}
			c.rest = c.rest[min(n, len(c.rest)):]
			continue
		}
		if len(c.rest) < 5 {
			return worst
		}
		n := 1 + int(binary.BigEndian.Uint32(c.rest[1:]))
		if len(c.rest) < n {
			return worst
		}
		m := message{typ: c.rest[0], text: messageText(c.rest[0], c.rest[5:n])}
		c.rest = c.rest[n:]
		c.tap.log = append(c.tap.log, m)
		if c.tap.before != nil {
			worst = max(worst, c.tap.before(m))
		}
	}
}

func messageText(typ byte, body []byte) string {
	if typ == 'P' {
		_, body, _ = bytes.Cut(body, []byte{0})
	}
	if typ != 'P' && typ != 'Q' {
		return ""
	}
	text, _, _ := bytes.Cut(body, []byte{0})
	return string(text)
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut && n > 0 {
		_ = c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}
