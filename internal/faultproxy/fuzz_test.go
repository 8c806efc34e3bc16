package faultproxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// script is a connection that gives its bytes in chunks, and keeps what is written
// to it.
type script struct {
	net.Conn
	mu      sync.Mutex
	in, out []byte
	chunk   int
}

func (s *script) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), s.chunk)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, b...)
	return len(b), nil
}

func (s *script) Close() error                    { return nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }

// passThrough sends data through one direction, and gives what arrived and the
// messages that were seen.
func passThrough(from Side, begun bool, chunk int, data []byte, rules ...Rule) (arrived []byte, seen, texts []string) {
	p := &Proxy{conns: map[*conn]struct{}{}, cfg: Config{Watch: func(m Message) {
		seen = append(seen, fmt.Sprintf("%q %d", m.Type, m.Length))
		texts = append(texts, m.Text, m.Name)
	}}}
	var set ruleSet
	for _, r := range rules {
		p := &Planted{rule: r, count: &p.opened, struck: make(chan struct{}), gone: make(chan struct{})}
		set[from] = append(set[from], p)
	}
	p.rules.Store(&set)
	source, sink := &script{in: data, chunk: chunk}, &script{}
	c := newConn(p, source, sink)
	if from == Server {
		c = newConn(p, sink, source)
		if !begun {
			c.asked.Store(1)
		}
	}
	pipe := c.pipe(from)
	pipe.begun = begun
	c.wg.Go(pipe.run)
	c.wg.Wait()
	if len(pipe.buf) != bufferSize || len(pipe.known.statements) > keptNames || len(pipe.known.portals) > keptNames {
		panic("it keeps more than it may")
	}
	return sink.out, seen, texts
}

// framesOf is what passThrough should see, found the simplest way.
func framesOf(from Side, begun bool, data []byte) (seen []string) {
	if from == Server && !begun && len(data) > 0 && data[0] != 'E' {
		seen = append(seen, fmt.Sprintf("%q %d", SSLAnswer, 1))
		if data[0] == 'S' || data[0] == 'G' {
			return seen
		}
		data = data[1:]
	}
	for from == Client && !begun {
		if len(data) < 8 || data[0] == tlsHandshake {
			return seen
		}
		n := binary.BigEndian.Uint32(data)
		if n < 8 || n > longestStartup {
			return seen
		}
		typ := Startup
		switch binary.BigEndian.Uint32(data[4:]) {
		case cancelCode:
			typ = CancelRequest
		case sslCode:
			typ = SSLRequest
		case gssencCode:
			typ = GSSENCRequest
		default:
			begun = true
		}
		seen = append(seen, fmt.Sprintf("%q %d", typ, n))
		data = data[min(int(n), len(data)):]
	}
	for len(data) >= 5 {
		n := int64(int32(binary.BigEndian.Uint32(data[1:])))
		if n < 4 {
			return seen
		}
		seen = append(seen, fmt.Sprintf("%q %d", data[0], n+1))
		data = data[min(n+1, int64(len(data))):]
	}
	return seen
}

// FuzzFrames sends what a hostile peer may send: all of it arrives, whatever its
// pieces, the messages in it are found, and what harm is done to them panics
// nowhere.
func FuzzFrames(f *testing.F) {
	startup := encode(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}})
	session := encode(slices.Concat(extended("SELECT 1"), []pgproto3.FrontendMessage{
		&pgproto3.Parse{Name: "s", Query: "COMMIT"}, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"}, &pgproto3.Execute{Portal: "p"},
		&pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Close{ObjectType: 'P'}, &pgproto3.Query{String: "x"}, &pgproto3.CopyData{Data: make([]byte, 300)},
	})...)
	f.Add(true, uint16(1), slices.Concat(startup, session))
	f.Add(true, uint16(7), slices.Concat(encode(&pgproto3.SSLRequest{}, &pgproto3.GSSEncRequest{}), startup, session))
	f.Add(true, uint16(100), encode(&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte("abcd")}))
	f.Add(false, uint16(3), []byte("N"+commitAnswer+"E\x00\x00\x00\x15SERROR\x00C42P01\x00x\x00\x00"))
	f.Add(false, uint16(9), []byte("S\x16\x03\x01"))
	f.Add(false, uint16(9), []byte("C\x7f\xff\xff\xffx"))
	f.Add(true, uint16(9), []byte("\x00\x00\x00\x05xxxxxxxx"))
	f.Add(true, uint16(9), slices.Concat(startup, []byte("P\x80\x00\x00\x00xxxxxxxx")))
	f.Fuzz(func(t *testing.T, client bool, chunk uint16, data []byte) {
		from := Server
		if client {
			from = Client
		}
		size := int(chunk)%5000 + 1
		for _, begun := range []bool{false, true} {
			got, seen, texts := passThrough(from, begun, size, data)
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes arrived of %d", len(got), len(data))
			}
			if _, _, want := passThrough(from, begun, bufferSize, data); !slices.Equal(texts, want) {
				t.Errorf("begun=%t, chunks of %d: read the texts %q, and in one %q", begun, size, texts, want)
			}
			if want := framesOf(from, begun, data); !slices.Equal(seen, want) {
				t.Errorf("begun=%t, chunks of %d: saw %q, want %q", begun, size, seen, want)
			}
			got, _, _ = passThrough(from, begun, size, data,
				Rule{Times: -1, Every: 2, Do: Split, Pieces: 5}, Rule{Times: -1, Text: "COMMIT"[:chunk%7], At: Inside, Do: Split},
				Rule{Times: -1, At: Point(chunk % 3), Do: Stall, For: 1}, Rule{Bytes: int64(chunk), Do: Split}, Rule{Text: "a text that is not there"})
			if !bytes.Equal(got, data) {
				t.Errorf("with harmless rules, %d bytes arrived of %d", len(got), len(data))
			}
			got, _, _ = passThrough(from, begun, size, data, Rule{Times: -1, At: Point(chunk % 3), N: int64(chunk % 11), Do: Corrupt})
			if len(got) != len(data) {
				t.Errorf("changed, %d bytes arrived of %d", len(got), len(data))
			}
			got, _, _ = passThrough(from, begun, size, data, Rule{Skip: int(chunk % 5), At: Point(chunk % 3), N: int64(chunk % 11)})
			if !bytes.HasPrefix(data, got) {
				t.Errorf("a cut leaves %q of %q", got, data)
			}
			got, _, _ = passThrough(from, begun, size, data, Rule{Times: -1, At: Point(chunk % 3), N: int64(chunk % 11), Do: Swallow})
			if len(got) > len(data) {
				t.Errorf("%d bytes arrived of %d", len(got), len(data))
			}
		}
	})
}

// A client that names statements without end fills no memory.
func TestNamesAreBounded(t *testing.T) {
	var data []byte
	for i := range 3 * keptNames {
		data = append(data, encode(
			&pgproto3.Parse{Name: fmt.Sprint("s", i), Query: "x"}, &pgproto3.Bind{DestinationPortal: fmt.Sprint("p", i), PreparedStatement: fmt.Sprint("s", i)},
		)...)
	}
	if _, seen, _ := passThrough(Client, true, 1000, data); len(seen) != 6*keptNames {
		t.Errorf("saw %d messages", len(seen))
	}
}
