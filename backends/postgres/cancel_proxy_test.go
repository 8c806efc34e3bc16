package postgres_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate is a proxy before the server that can fall silent at a chosen moment: the
// connection stays, and nothing comes through it any more.
type gate struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	closed  bool
	over    chan struct{} // closed with it
	at      string        // falls silent towards the client when the client sends this text
	deaf    bool          // and no longer reads from the client either
	after   int           // falls silent after so many messages of the next connection; -1: never
	silent  chan struct{}
	stopped bool // silent was closed
}

// openGate puts a gate before the server of a DSN, and gives the DSN that leads
// through it.
func openGate(t testing.TB, dsn string) (*gate, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	if u.Hostname() == "" || !strings.Contains(u.Host, ":") {
		t.Skip("the DSN of the test server is not a URI with a host and a port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &gate{listener: listener, server: u.Host, after: -1, silent: make(chan struct{}), over: make(chan struct{})}
	u.Host = listener.Addr().String()
	g.wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() { g.serve(nc) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		g.mu.Lock()
		g.closed = true
		close(g.over)
		for _, nc := range g.conns {
			_ = nc.Close()
		}
		g.mu.Unlock()
		g.wg.Wait()
	})
	return g, u.String()
}

// silenceAt makes a connection fall silent, once, before text reaches the
// server; deaf says that nothing behind it is read either. The channel is closed
// when it comes to that.
func (g *gate) silenceAt(text string, deaf bool) <-chan struct{} {
	return g.set(text, deaf, -1)
}

// silenceAfter makes the next connection fall silent when the server has sent n
// messages; the answer to an SSLRequest and a TLS record are one, too.
func (g *gate) silenceAfter(n int) <-chan struct{} { return g.set("", false, n) }

func (g *gate) set(text string, deaf bool, after int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.deaf, g.after, g.silent, g.stopped = text, deaf, after, make(chan struct{}), false
	return g.silent
}

// fall makes it known that a connection is silent now.
func (g *gate) fall() {
	if !g.stopped {
		g.stopped = true
		close(g.silent)
	}
}

// keep notes a connection to be closed at the end.
func (g *gate) keep(nc net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = nc.Close()
		return false
	}
	g.conns = append(g.conns, nc)
	return true
}

func (g *gate) serve(client net.Conn) {
	defer client.Close()
	if !g.keep(client) {
		return
	}
	server, err := net.Dial("tcp", g.server)
	if err != nil || !g.keep(server) {
		return
	}
	defer server.Close()
	g.mu.Lock()
	left := g.after
	g.after = -1
	g.mu.Unlock()
	p := &gatedConn{gate: g, left: left}
	g.wg.Go(func() { p.forth(client, server); _ = server.(*net.TCPConn).CloseWrite() })
	p.back(client, server)
}

// gatedConn is one connection through a gate.
type gatedConn struct {
	gate *gate

	mu   sync.Mutex
	mute bool // nothing more goes to the client
	left int  // messages of the server that still get through, -1 for all
	tls  bool // the client asked for TLS
}

// forth carries what the client sends.
func (p *gatedConn) forth(client, server net.Conn) {
	buf, first := make([]byte, 64<<10), true
	for {
		n, err := client.Read(buf)
		if first && n >= 8 && binary.BigEndian.Uint32(buf[4:]) == 80877103 {
			p.mu.Lock()
			p.tls = true
			p.mu.Unlock()
		}
		first = false
		g := p.gate
		g.mu.Lock()
		hit, deaf := g.at != "" && bytes.Contains(buf[:n], []byte(g.at)), g.deaf
		if hit {
			g.at = ""
			p.mu.Lock()
			p.mute = true
			p.mu.Unlock()
			g.fall()
		}
		g.mu.Unlock()
		if hit && deaf {
			<-g.over // the sockets stay open, and the client's fills
			return
		}
		if n > 0 {
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// back carries what the server sends, message by message where they are counted.
func (p *gatedConn) back(client, server net.Conn) {
	buf := make([]byte, 64<<10)
	if p.left < 0 {
		for {
			n, err := server.Read(buf)
			p.mu.Lock()
			mute := p.mute
			p.mu.Unlock()
			if n > 0 && !mute {
				_, _ = client.Write(buf[:n])
			}
			if err != nil {
				if mute {
					_, _ = io.Copy(io.Discard, client) // until the client gives up
				}
				return
			}
		}
	}
	answered := false
	for ; p.left > 0; p.left-- {
		if _, err := io.ReadFull(server, buf[:1]); err != nil {
			return
		}
		p.mu.Lock()
		encrypted := p.tls // known now, as the client spoke first
		p.mu.Unlock()
		size := 1
		if !encrypted || answered {
			if _, err := io.ReadFull(server, buf[1:5]); err != nil {
				return
			}
			size = 1 + int(binary.BigEndian.Uint32(buf[1:]))
			if encrypted { // a TLS record
				size = 5 + int(binary.BigEndian.Uint16(buf[3:]))
			}
			if size < 5 || size > len(buf) {
				return
			}
			if _, err := io.ReadFull(server, buf[5:size]); err != nil {
				return
			}
		}
		answered = true
		if _, err := client.Write(buf[:size]); err != nil {
			return
		}
	}
	p.gate.mu.Lock()
	p.gate.fall()
	p.gate.mu.Unlock()
	_, _ = io.Copy(io.Discard, server)
	_, _ = io.Copy(io.Discard, client)
}
