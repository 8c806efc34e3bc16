package edgedbtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// client is one client's connection. It belongs to the goroutine that serves
// it, which reads a message, does what it asks, and reads the next.
type client struct {
	srv     *Server
	raw     net.Conn
	nc      *tls.Conn
	in      messageReader
	out     messageWriter
	ctx     context.Context // ends when the client is gone, or the server closes
	cancel  context.CancelFunc
	watcher watcher

	major    int // of the protocol
	branch   *branch
	skipping bool // an error was sent: everything up to Sync is skipped
	over     bool // the connection is to be closed
	cut      bool // without a word

	// What the client last sent of its state, and what it means.
	stateID   typedesc.UUID
	stateData []byte
	state     typedesc.State

	tx *transaction // nil outside of one

	pg         *wire.Conn // nil until the first command
	generation uint64     // of the branch's schema, when prepared was filled
	prepared   map[int]*prepared
	names      int // counts the names of prepared statements
	row        []typedesc.Column
	json       []byte
}

// loginTimeout is how long a client may take to log in.
const loginTimeout = time.Minute

// endTimeout bounds how long the end of a client waits for PostgreSQL.
const endTimeout = 10 * time.Second

// secure begins TLS, or says what a client without it needs to know.
func (s *Server) secure(nc net.Conn) *tls.Conn {
	_ = nc.SetDeadline(time.Now().Add(loginTimeout))
	first := make([]byte, 1)
	if _, err := io.ReadFull(nc, first); err != nil {
		return nil
	}
	if first[0] == 'V' {
		out := messageWriter{w: nc}
		out.fault(&Error{Code: codeBinaryProtocol, Message: "TLS Required", Attributes: []Attribute{
			{attrHint, "Upgrade the client to a newer version that supports TLS"},
			{attrDetails, "The server requires Transport Layer Security (TLS)"},
		}})
		out.flush()
		return nil
	}
	secured := tls.Server(&sniffed{Conn: nc, first: first}, s.certs.config)
	if err := secured.HandshakeContext(s.ctx); err != nil {
		return nil
	}
	if secured.ConnectionState().NegotiatedProtocol != alpn {
		// The real server speaks HTTP to those who do not ask for its protocol.
		_, _ = io.WriteString(secured, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_ = secured.Close()
		return nil
	}
	return secured
}

// sniffed is a connection of which the first byte was read already.
type sniffed struct {
	net.Conn
	first []byte
}

func (s *sniffed) Read(p []byte) (int, error) {
	if len(s.first) > 0 && len(p) > 0 {
		n := copy(p, s.first)
		s.first = s.first[n:]
		return n, nil
	}
	return s.Conn.Read(p)
}

func newClient(s *Server, raw net.Conn, nc *tls.Conn) *client {
	c := &client{srv: s, raw: raw, nc: nc, prepared: map[int]*prepared{}}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.in = messageReader{rd: bufio.NewReaderSize(nc, readBuffer), limit: loginMessage}
	c.out = messageWriter{w: nc}
	c.watcher.init(c)
	return c
}

// end gives everything back.
func (c *client) end() {
	c.cancel()
	if c.branch != nil {
		c.branch.leave(c)
	}
	if !c.cut {
		_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		_ = c.nc.Close() // says goodbye in TLS
	}
	c.raw.Close()
	c.drop()
}

// drop closes the connection to PostgreSQL. A statement that the client has
// abandoned is cancelled first: PostgreSQL does not look at its socket while it
// works.
func (c *client) drop() {
	if c.pg == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	if c.pg.Busy() {
		idle := make(chan struct{})
		c.pg.WhenIdle(func() { close(idle) })
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
	_ = c.pg.Close(ctx)
	c.pg, c.tx = nil, nil
	clear(c.prepared)
}

// read reads the next message. Before it waits for one, what was answered is
// sent.
func (c *client) read() (message, error) {
	if !c.in.whole() {
		c.out.flush()
		if c.out.err != nil {
			return message{}, c.out.err
		}
	}
	return c.in.next()
}

// run serves the client after it has logged in.
func (c *client) run() {
	for !c.over && c.out.err == nil {
		m, err := c.read()
		if err != nil {
			c.refuse(err)
			return
		}
		if c.skipping && m.typ != 'S' && m.typ != 'X' {
			continue
		}
		if err := c.step(m); err != nil && !c.cut {
			c.report(err)
		}
	}
	if !c.cut {
		c.out.flush()
	}
}

// refuse tells a client whose bytes make no sense why it is cut off.
func (c *client) refuse(err error) {
	if e, ok := err.(*Error); ok {
		c.out.fault(e)
		c.out.flush()
	}
}

// report sends an error: what follows up to Sync is skipped, and a transaction
// has failed.
func (c *client) report(err error) {
	c.out.fault(asError(err))
	c.skipping = true
	if c.tx != nil {
		c.tx.failed = true
	}
}

// step does what one message asks.
func (c *client) step(m message) error {
	switch m.typ {
	case 'P', 'O':
		return c.command(m)
	case 'S':
		if err := c.strike(Received, m.typ, ""); err != nil || c.over {
			return err
		}
		c.skipping = false
		c.ready()
	case 'H': // Flush
		c.out.flush()
	case 'X':
		c.over = true
	case 'D', 'E', 'Q':
		return errorf(codeBinaryProtocol, "message type %q is not supported in protocol versions greater than 0.13", string(m.typ))
	case '>', '<':
		return errorf(codeUnsupported, "this server neither dumps nor restores")
	default:
		return errorf(codeUnexpectedMessage, "unexpected message type %q", string(m.typ))
	}
	return nil
}

// ready sends ReadyForCommand with the state of the transaction.
func (c *client) ready() {
	c.out.begin('Z')
	c.out.u16(0)
	switch {
	case c.tx == nil:
		c.out.u8('I')
	case c.tx.failed:
		c.out.u8('E')
	default:
		c.out.u8('T')
	}
	c.out.end()
}

// strike lets a fault happen, if there is one for this message.
func (c *client) strike(at Point, typ byte, text string) error {
	name := ""
	if c.branch != nil {
		name = c.branch.name
	}
	f := c.srv.faults.strikes(at, name, typ, text)
	if f == nil {
		return nil
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-c.ctx.Done():
		}
	}
	switch {
	case f.Cut:
		c.over, c.cut = true, true
		c.out.buf = c.out.buf[:0]
	case f.Torn:
		c.out.torn, c.over, c.cut = true, true, true
		c.ready()
	case f.Code != 0:
		return &Error{Code: f.Code, Message: f.Message}
	}
	return nil
}
