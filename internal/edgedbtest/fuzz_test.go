package edgedbtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// deaf is a connection of which only the deadlines matter.
type deaf struct{ net.Conn }

func (deaf) SetDeadline(time.Time) error     { return nil }
func (deaf) SetReadDeadline(time.Time) error { return nil }
func (deaf) Close() error                    { return nil }

// detached is a server without PostgreSQL.
func detached(tb testing.TB) *Server {
	cfg, err := Config{Password: "fuzz"}.filled()
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{cfg: cfg, branches: map[string]*branch{}, pg: target{network: "unix", address: "/nonexistent/.s.PGSQL.1", user: "x"}}
	if s.catalog, err = newCatalog(cfg); err != nil {
		tb.Fatal(err)
	}
	if s.login, err = newVerifier(cfg.User, cfg.Password); err != nil {
		tb.Fatal(err)
	}
	s.branches["main"] = &branch{name: "main", sessions: map[*client]net.Conn{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	tb.Cleanup(s.cancel)
	return s
}

// detachedClient is a client that says what rd holds.
func detachedClient(s *Server, rd io.Reader) (*client, *bytes.Buffer) {
	out := &bytes.Buffer{}
	c := &client{srv: s, raw: deaf{}, major: 2, prepared: map[int]*prepared{}}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.in = messageReader{rd: bufio.NewReader(rd), limit: maxMessage}
	c.out = messageWriter{w: out}
	c.watcher.init(c)
	return c, out
}

// bodyOf is a Parse or an Execute with nothing special about it.
func bodyOf(text string, execute bool, args []byte) []byte {
	w := messageWriter{}
	w.u16(0)
	w.u64(1<<64 - 1)
	w.u64(0)
	w.u64(0)
	w.u8('b')
	w.u8('m')
	w.text(text)
	w.uuid(typedesc.UUID{})
	w.bytes(nil)
	if execute {
		w.uuid(typedesc.UUID{})
		w.uuid(typedesc.UUID{})
		w.bytes(args)
	}
	return w.buf
}

func messageOf(typ byte, body []byte) []byte {
	return append(append([]byte{typ}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...), body...)
}

// Whatever a client sends, before or after it has logged in: the server neither
// panics nor hangs, and what it says is whole messages.
func FuzzClient(f *testing.F) {
	s := detached(f)
	sync := messageOf('S', nil)
	var handshake messageWriter
	handshake.u16(2)
	handshake.u16(0)
	handshake.u16(2)
	for _, p := range []string{"user", "edgedb", "branch", "main"} {
		handshake.text(p)
	}
	handshake.u16(0)
	f.Add(false, append(messageOf('P', bodyOf("select 1", false, nil)), sync...))
	f.Add(false, append(messageOf('O', bodyOf("select <str>$0", true, []byte{0, 0, 0, 1, 0, 0, 0, 0, 255, 255, 255, 255})), sync...))
	f.Add(false, append(messageOf('O', bodyOf("start transaction read only", true, nil)), sync...))
	f.Add(false, append(messageOf('O', bodyOf("rollback to savepoint `x`", true, nil)), messageOf('X', nil)...))
	f.Add(false, append(messageOf('O', bodyOf("select global tenant", true, nil)), messageOf('H', nil)...))
	f.Add(false, []byte{'S', 0, 0, 0, 3})
	f.Add(false, []byte{'P', 255, 255, 255, 255, 0})
	f.Add(true, append(messageOf('V', handshake.buf), messageOf('p', appendText(appendText(nil, mechanism), "n,,n=edgedb,r=abc"))...))
	f.Add(true, messageOf('V', []byte{0, 1, 0, 0, 0, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, login bool, data []byte) {
		c, out := detachedClient(s, bytes.NewReader(data))
		if login {
			c.in.limit = loginMessage
			c.login()
		} else {
			c.branch = s.branches["main"]
			c.run()
		}
		c.cancel()
		rd := messageReader{rd: bufio.NewReader(out), limit: maxMessage}
		for {
			if _, err := rd.next(); err == io.EOF {
				return
			} else if err != nil {
				t.Fatalf("what the server says is no whole message: %v", err)
			}
		}
	})
}

// Messages are cut the same way however they arrive, and a message that is cut
// off is an error.
func TestMessageReader(t *testing.T) {
	var all []byte
	var want []int
	for _, n := range []int{0, 1, 4, readBuffer - 5, readBuffer, readBuffer + 1, 3 << 20, 0, 17} {
		all = append(all, messageOf('P', bytes.Repeat([]byte{byte(n)}, n))...)
		want = append(want, n)
	}
	for name, rd := range map[string]io.Reader{"at once": bytes.NewReader(all), "in pieces": &pieces{rest: all}} {
		m := messageReader{rd: bufio.NewReaderSize(rd, readBuffer), limit: maxMessage}
		for i, n := range want {
			got, err := m.next()
			if err != nil || got.typ != 'P' || len(got.body) != n || bytes.Count(got.body, []byte{byte(n)}) != n {
				t.Fatalf("%s, message %d: %c with %d bytes, %v", name, i, got.typ, len(got.body), err)
			}
		}
		if _, err := m.next(); err != io.EOF {
			t.Errorf("%s: the end is %v", name, err)
		}
	}
	whole := messageOf('P', bytes.Repeat([]byte{7}, 100))
	for n := 1; n < len(whole); n++ {
		m := messageReader{rd: bufio.NewReader(bytes.NewReader(whole[:n])), limit: maxMessage}
		if _, err := m.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	// A length alone costs no memory.
	m := messageReader{rd: bufio.NewReader(bytes.NewReader([]byte{'P', 0x0f, 0xff, 0xff, 0xff, 1})), limit: maxMessage}
	if _, err := m.next(); !errors.Is(err, io.ErrUnexpectedEOF) || cap(m.body) > 1<<20 {
		t.Errorf("%v, %d bytes kept", err, cap(m.body))
	}
}

// pieces gives one to five bytes at a time, or a lot.
type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	p.n++
	n := min(p.n%5+1, len(p.rest), len(b))
	if p.n > 1000 {
		n = min(len(p.rest), len(b))
	}
	copy(b, p.rest[:n])
	p.rest = p.rest[n:]
	return n, nil
}
