package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
)

// tappedConn is a real connection that counts its reads and writes, keeps what
// was read, and knows whether it was closed.
type tappedConn struct {
	net.Conn
	onEvent func() // before each read and write

	mu     sync.Mutex
	got    []byte
	closed bool
}

func (c *tappedConn) Read(p []byte) (int, error) {
	c.onEvent()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, p[:n]...)
	return n, err
}

func (c *tappedConn) Write(p []byte) (int, error) {
	c.onEvent()
	return c.Conn.Write(p)
}

func (c *tappedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.Conn.Close()
}

func (c *tappedConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// tap makes cfg dial tapped connections, which are given to made.
func tap(cfg *wire.Config, onEvent func(), made func(*tappedConn)) {
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		onEvent()
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &tappedConn{Conn: nc, onEvent: onEvent}
		made(c)
		return c, nil
	}
}

// testCancelledEverywhere ends ctx before the 1st, 2nd, … event of a real
// startup, until one gets through.
func testCancelledEverywhere(t *testing.T, server *pgtest.Server) {
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire, "allow": wire.TLSAllow} {
		t.Run(name, func(t *testing.T) {
			for at := 0; ; at++ {
				if at > 200 {
					t.Fatal("more than 200 events")
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var events int
				var mu sync.Mutex
				var conns []*tappedConn
				cfg := configFor(server, "tls_user")
				if mode == wire.TLSDisable {
					cfg.User = "scram_user"
				}
				cfg.TLS = mode
				tap(cfg, func() {
					mu.Lock()
					defer mu.Unlock()
					if events == at {
						cancel()
					}
					events++
				}, func(c *tappedConn) { conns = append(conns, c) })
				s, err := wire.Handshake(ctx, cfg)
				if err == nil {
					if events > at {
						t.Errorf("event %d of %d: the connection was made with a dead ctx", at, events)
					}
					s.Close()
					return
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("event %d: %v", at, err)
				}
				for _, c := range conns {
					if !c.isClosed() {
						t.Errorf("event %d: the socket is open", at)
					}
				}
			}
		})
	}
}

// testCutTranscript plays what a real server sent, up to each byte.
func testCutTranscript(t *testing.T, server *pgtest.Server) {
	for _, role := range []string{"trust_user", "password_user", "md5_user"} {
		cfg := configFor(server, role)
		var conn *tappedConn
		tap(cfg, func() {}, func(c *tappedConn) { conn = c })
		s, err := connect(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		for cut := 0; cut <= len(conn.got); cut++ {
			fake := newFakeConn(conn.got[:cut])
			cfg := fakeConfig(fake)
			_, err := wire.Handshake(bounded(t), cfg)
			if cut == len(conn.got) {
				if err != nil {
					t.Errorf("%s: the whole transcript: %v", role, err)
				}
				break
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: cut after %d of %d bytes: %v", role, cut, len(conn.got), err)
			}
			checkFailure(t, err, fake)
		}
	}
}
