package edgedbtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// maxMessage is the longest message that is read; loginMessage is that before
// the client has logged in.
const (
	maxMessage   = 256 << 20
	loginMessage = 64 << 10
)

// readBuffer is how much is read from the client at once.
const readBuffer = 16 << 10

// message is one message of the client. Its body is valid until the next one is
// read.
type message struct {
	typ  byte
	body []byte
}

// messageReader cuts what a client sends into messages: a type byte, a length
// that counts itself, and a body (EdgeDB documentation, "Conventions").
type messageReader struct {
	rd    *bufio.Reader
	limit int
	body  []byte
}

// whole says whether the next message is here already, so that reading it does
// not wait.
func (m *messageReader) whole() bool {
	if m.rd.Buffered() < 5 {
		return false
	}
	head, err := m.rd.Peek(5)
	if err != nil {
		return false
	}
	return uint64(m.rd.Buffered()) >= 1+uint64(binary.BigEndian.Uint32(head[1:]))
}

// next reads one message. io.EOF is the end between two messages.
func (m *messageReader) next() (message, error) {
	head, err := m.rd.Peek(5)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return message{}, err
	}
	typ, n := head[0], binary.BigEndian.Uint32(head[1:])
	if n < 4 || uint64(n-4) > uint64(m.limit) {
		return message{}, &Error{Code: codeBinaryProtocol, Message: fmt.Sprintf("invalid message length %d", n)}
	}
	if _, err := m.rd.Discard(5); err != nil {
		return message{}, err
	}
	body, err := m.read(int(n - 4))
	return message{typ: typ, body: body}, err
}

// read reads a body. The buffer grows with what really comes: a length alone
// costs no memory.
func (m *messageReader) read(n int) ([]byte, error) {
	if cap(m.body) > 1<<20 && n < 1<<16 {
		m.body = nil // one huge message is no reason to keep its memory
	}
	m.body = m.body[:0]
	for len(m.body) < n {
		step := min(n-len(m.body), max(readBuffer, len(m.body)))
		at := len(m.body)
		if cap(m.body) < at+step {
			m.body = append(m.body, make([]byte, step)...)
		} else {
			m.body = m.body[:at+step]
		}
		if got, err := io.ReadFull(m.rd, m.body[at:]); err != nil {
			m.body = m.body[:at+got]
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return m.body, nil
}

// payload takes a message's body apart. The first thing that is wrong stays in
// err, and from then on everything is zero.
type payload struct {
	rest []byte
	err  error
}

func (p *payload) take(n int) []byte {
	if p.err != nil || n < 0 || n > len(p.rest) {
		p.fail("a message ends too early")
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *payload) fail(reason string) {
	if p.err == nil {
		p.err = &Error{Code: codeBinaryProtocol, Message: reason}
	}
	p.rest = nil
}

func (p *payload) u8() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *payload) u16() uint16 {
	if b := p.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (p *payload) u32() uint32 {
	if b := p.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (p *payload) u64() uint64 {
	if b := p.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (p *payload) uuid() (id typedesc.UUID) {
	copy(id[:], p.take(16))
	return id
}

// bytes are a length of 4 bytes and so many bytes.
func (p *payload) bytes() []byte { return p.take(int(p.u32())) }

// text is bytes that are UTF-8.
func (p *payload) text() []byte {
	b := p.bytes()
	if !utf8.Valid(b) {
		p.fail("a text is not valid UTF-8")
		return nil
	}
	return b
}

// headers skips what no statement of the catalogue needs.
func (p *payload) headers() {
	for n := p.u16(); n > 0 && p.err == nil; n-- {
		p.u16()
		p.bytes()
	}
}

// end holds that nothing is left over.
func (p *payload) end() error {
	if p.err == nil && len(p.rest) > 0 {
		p.fail(fmt.Sprintf("a message has %d bytes too many", len(p.rest)))
	}
	return p.err
}
