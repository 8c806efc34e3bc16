package edgedbtest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/xdg-go/scram"
)

// frame is one message.
type frame struct {
	typ  byte
	body []byte
}

func (f frame) String() string { return fmt.Sprintf("%c %x", f.typ, f.body) }

// rawClient sends and reads messages as they are.
type rawClient struct {
	nc *tls.Conn
	rd *bufio.Reader
}

// dialRaw makes a TLS connection with the protocol's name.
func dialRaw(t testing.TB, s *edgedbtest.Server) *rawClient {
	t.Helper()
	nc, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"edgedb-binary"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(limit))
	return &rawClient{nc: nc, rd: bufio.NewReader(nc)}
}

func message(typ byte, body []byte) []byte {
	m := append([]byte{typ}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...)
	return append(m, body...)
}

// send sends messages at once.
func (c *rawClient) send(t testing.TB, frames ...frame) {
	t.Helper()
	var all []byte
	for _, f := range frames {
		all = append(all, message(f.typ, f.body)...)
	}
	if _, err := c.nc.Write(all); err != nil {
		t.Fatalf("sending: %v", err)
	}
}

func (c *rawClient) next() (frame, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.rd, head); err != nil {
		return frame{}, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err := io.ReadFull(c.rd, body)
	return frame{head[0], body}, err
}

// read reads one message.
func (c *rawClient) read(t testing.TB) frame {
	t.Helper()
	f, err := c.next()
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return f
}

// until reads up to a message of the type, and gives all that came.
func (c *rawClient) until(t testing.TB, typ byte) []frame {
	t.Helper()
	var all []frame
	for {
		f := c.read(t)
		all = append(all, f)
		if f.typ == typ {
			return all
		}
	}
}

// builder appends the parts of a message.
type builder []byte

func (b builder) u16(v uint16) builder { return binary.BigEndian.AppendUint16(b, v) }
func (b builder) u32(v uint32) builder { return binary.BigEndian.AppendUint32(b, v) }
func (b builder) u64(v uint64) builder { return binary.BigEndian.AppendUint64(b, v) }
func (b builder) text(s string) builder {
	return append(b.u32(uint32(len(s))), s...)
}

// handshakeFrame is a ClientHandshake.
func handshakeFrame(major, minor uint16, params ...string) frame {
	b := builder{}.u16(major).u16(minor).u16(uint16(len(params) / 2))
	for _, p := range params {
		b = b.text(p)
	}
	return frame{'V', b.u16(0)}
}

// login logs in, and gives all that the server said, up to the first error or
// ReadyForCommand.
func (c *rawClient) login(t testing.TB, first frame, user, password string) []frame {
	t.Helper()
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	talk := client.NewConversation()
	var all []frame
	c.send(t, first)
	for {
		f := c.read(t)
		all = append(all, f)
		if f.typ == 'Z' || f.typ == 'E' {
			return all
		}
		if f.typ != 'R' {
			continue
		}
		switch status := binary.BigEndian.Uint32(f.body); status {
		case 10:
			m, _ := talk.Step("")
			c.send(t, frame{'p', builder{}.text("SCRAM-SHA-256").text(m)})
		case 11:
			m, err := talk.Step(string(f.body[8:]))
			if err != nil {
				t.Fatal(err)
			}
			c.send(t, frame{'r', builder{}.text(m)})
		case 12:
			if _, err := talk.Step(string(f.body[8:])); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// raw is a client that has logged in to a branch, by protocol 2.0.
func raw(t testing.TB, s *edgedbtest.Server, branch string) *rawClient {
	t.Helper()
	c := dialRaw(t, s)
	got := c.login(t, handshakeFrame(2, 0, "user", s.User(), "branch", branch), s.User(), s.Password())
	if last := got[len(got)-1]; last.typ != 'Z' {
		t.Fatalf("the login ended with %s", last)
	}
	return c
}

// null is no type.
var null = make([]byte, 16)

// command is the body of a Parse: everything is allowed, and the state is empty.
func command(text string, format, cardinality byte) builder {
	b := builder{}.u16(0).u64(1<<64 - 1).u64(0).u64(0)
	b = append(b, format, cardinality).text(text)
	return append(b, null...).u32(0)
}

func parseFrame(text string, format, cardinality byte) frame {
	return frame{'P', command(text, format, cardinality)}
}

// executeFrame is an Execute without arguments.
func executeFrame(text string, format, cardinality byte) frame {
	b := append(command(text, format, cardinality), null...)
	return frame{'O', append(b, null...).u32(0)}
}

var syncFrame = frame{'S', nil}

// errorOf takes an ErrorResponse apart.
func errorOf(t testing.TB, f frame) (code uint32, message string, attrs map[uint16]string) {
	t.Helper()
	if f.typ != 'E' || len(f.body) < 9 {
		t.Fatalf("%s is no ErrorResponse", f)
	}
	code = binary.BigEndian.Uint32(f.body[1:])
	rest := f.body[5:]
	take := func() string {
		n := binary.BigEndian.Uint32(rest)
		s := string(rest[4 : 4+n])
		rest = rest[4+n:]
		return s
	}
	message = take()
	attrs = map[uint16]string{}
	n := binary.BigEndian.Uint16(rest)
	for rest = rest[2:]; n > 0; n-- {
		key := binary.BigEndian.Uint16(rest)
		rest = rest[2:]
		attrs[key] = take()
	}
	return code, message, attrs
}

// closed holds that the server closes the connection.
func (c *rawClient) closed(t testing.TB) {
	t.Helper()
	for {
		_, err := c.next()
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatal("the server does not close the connection")
		}
		if err != nil {
			return
		}
	}
}
