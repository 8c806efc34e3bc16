package edgedb

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// relay stands between a client and the shared server. It reads both sides, and
// can say something else than what was said.
type relay struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	open     atomic.Int32
	opened   atomic.Int32

	mu     sync.Mutex
	tamper func(m said) (instead []byte, hangUp bool)
	log    []said
	conns  map[net.Conn]bool // says whether it is a client's
}

// said is one message on its way.
type said struct {
	conn     int  // which connection, from 1
	server   bool // the server said it
	typ      byte
	body     []byte
	text     string // of a Parse or an Execute; for the server's, of the one it answers
	answers  byte   // for the server's: the type of the last Parse or Execute, 0 before
	position int    // in what this side said on this connection, from 0
}

func (m said) frame() []byte { return frame(m.typ, m.body) }

// relayed gives a client that is connected through a relay to a branch of its
// own, and the branch.
func relayed(t *testing.T, cfg Config, accounts ...string) (duet.Client, *relay, string) {
	t.Helper()
	direct, branch := served(t, Config{MaxConns: 1}, accounts...)
	r := newRelay(t, edgedbtest.Shared(t).Addr())
	c, err := Connect(t.Context(), r.dsn(t, branch), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutDown(t, c) })
	_ = direct
	return c, r, branch
}

func shutDown(t *testing.T, c duet.Client) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func (r *relay) dsn(t testing.TB, branch string) string {
	s := edgedbtest.Shared(t)
	return "edgedb://" + s.User() + ":" + s.Password() + "@" + r.listener.Addr().String() + "/" + branch + "?tls_security=insecure"
}

func newRelay(t testing.TB, target string) *relay {
	t.Helper()
	r := &relay{target: target, conns: map[net.Conn]bool{}}
	r.listener = tlsListener(t, "edgedb-binary")
	r.wg.Go(func() {
		for {
			c, err := r.listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() { r.listener.Close(); r.cut(); r.wg.Wait() })
	return r
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

// say says something to all clients that nobody has asked for.
func (r *relay) say(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c, client := range r.conns {
		if client {
			_, _ = c.Write(b)
		}
	}
}

// tampering has f decide what is passed on, until the function it gives is called.
func (r *relay) tampering(f func(m said) (instead []byte, hangUp bool)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tamper, r.log = f, nil
	return func() { r.tampering(nil) }
}

// executed counts how often a command that contains text reached the server since
// the last call of tampering.
func (r *relay) executed(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.log {
		if !m.server && m.typ == 'O' && strings.Contains(m.text, text) {
			n++
		}
	}
	return n
}

func (r *relay) serve(client net.Conn) {
	defer client.Close()
	server, err := tls.Dial("tcp", r.target, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"edgedb-binary"}})
	if err != nil {
		return
	}
	defer server.Close()
	id := int(r.opened.Add(1))
	r.open.Add(1)
	defer r.open.Add(-1)
	r.mu.Lock()
	r.conns[client], r.conns[server] = true, false
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, client)
		delete(r.conns, server)
	}()
	var last atomic.Pointer[said]
	last.Store(&said{})
	var wg sync.WaitGroup
	wg.Go(func() { r.pass(id, &last, server, client, false) })
	r.pass(id, &last, client, server, true)
	wg.Wait()
}

// pass carries one side's messages.
func (r *relay) pass(id int, last *atomic.Pointer[said], to, from net.Conn, server bool) {
	defer to.Close()
	defer from.Close()
	for position := 0; ; position++ {
		var head [5]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		m := said{conn: id, server: server, typ: head[0], body: make([]byte, binary.BigEndian.Uint32(head[1:])-4), position: position}
		if _, err := io.ReadFull(from, m.body); err != nil {
			return
		}
		switch {
		case server:
			m.text, m.answers = last.Load().text, last.Load().typ
		case m.typ == 'P' || m.typ == 'O':
			n := binary.BigEndian.Uint32(m.body[28:])
			m.text = string(m.body[32 : 32+n])
			last.Store(&m)
		}
		out, hangUp := m.frame(), false
		r.mu.Lock()
		r.log = append(r.log, m)
		f := r.tamper
		r.mu.Unlock()
		if f != nil {
			out, hangUp = f(m)
		}
		if _, err := to.Write(out); err != nil || hangUp {
			return
		}
	}
}
