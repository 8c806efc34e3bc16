package faultproxy

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const (
	// peekSize is how much of a message is held back for the rules, at most.
	peekSize = 8 << 10
	// longestStartup is MAX_STARTUP_PACKET_LENGTH of the server: longer ones are
	// refused.
	longestStartup = 10_000
	// tlsHandshake is the first byte of TLS, and of no startup packet that a
	// server takes: it begins at once where the client has sslnegotiation=direct.
	tlsHandshake = 0x16
)

// The codes of the untyped packets (PostgreSQL documentation, "Message Formats").
const (
	cancelCode = 80877102
	sslCode    = 80877103
	gssencCode = 80877104
)

// frame is a message as it stands at the buffer's beginning.
type frame struct {
	typ    byte
	header int64 // its bytes that are no body
	total  int64
	seen   []byte // what of it is in the buffer, at most peekSize
}

// body is what is known of the body.
func (f *frame) body() []byte {
	return f.seen[min(int(f.header), len(f.seen)):]
}

// verdict says how the next message can be found.
type verdict uint8

const (
	framed   verdict = iota // here it is
	ended                   // the source ended before it
	unframed                // there are no messages to be seen, from here on
)

// runMessages passes messages. It says whether to pass on that the source ended.
func (p *pipe) runMessages() bool {
	for {
		if p.drop.Load() {
			p.discard()
			return true
		}
		f, v := p.next()
		switch {
		case v == ended:
			return true
		case p.drop.Load(): // since it was waited for
			continue
		case v == unframed:
			return p.runRaw()
		}
		if on, source := p.message(&f); !on {
			return source
		}
	}
}

// next finds the next message.
func (p *pipe) next() (frame, verdict) {
	if p.from == Client && !p.begun {
		return p.nextUntyped()
	}
	if !p.fill(1) {
		return frame{}, ended
	}
	if p.c.opaque.Load() {
		return frame{}, unframed
	}
	typ := p.buf[p.a]
	if p.from == Server && p.c.asked.Load() > 0 {
		p.c.asked.Add(-1)
		if typ == 'S' || typ == 'G' { // the client goes on when it has heard that
			p.c.opaque.Store(true)
			p.c.named(false)
			p.c.count()
		}
		if typ != 'E' { // servers older than TLS answer with an ErrorResponse
			return frame{typ: SSLAnswer, total: 1, seen: p.buf[p.a : p.a+1]}, framed
		}
	}
	if !p.fill(5) {
		return frame{}, ended
	}
	length := int64(int32(binary.BigEndian.Uint32(p.buf[p.a+1:])))
	if length < 4 {
		return frame{}, unframed // nonsense, which the receiver will judge
	}
	f := frame{typ: typ, header: 5, total: length + 1}
	p.peek(&f)
	return f, framed
}

// nextUntyped finds the packets before a session begins.
func (p *pipe) nextUntyped() (frame, verdict) {
	if !p.fill(1) {
		return frame{}, ended
	}
	if p.c.opaque.Load() {
		return frame{}, unframed
	}
	if p.buf[p.a] == tlsHandshake {
		p.c.opaque.Store(true)
		p.c.named(false)
		p.c.count()
		return frame{}, unframed
	}
	if !p.fill(4) {
		return frame{}, ended
	}
	f := frame{header: 4, total: int64(binary.BigEndian.Uint32(p.buf[p.a:]))}
	if f.total < 8 || f.total > longestStartup {
		p.begun = true
		return frame{}, unframed
	}
	if !p.fill(8) {
		return frame{}, ended
	}
	switch binary.BigEndian.Uint32(p.buf[p.a+4:]) {
	case cancelCode:
		f.typ = CancelRequest
	case sslCode:
		f.typ = SSLRequest
	case gssencCode:
		f.typ = GSSENCRequest
	default: // a protocol's version
		f.typ = Startup
		p.begun = true
	}
	p.c.named(f.typ == CancelRequest)
	if f.typ == Startup {
		p.c.count()
	}
	p.peek(&f)
	return f, framed
}

// peek holds back the beginning of a message that has a text. Where the source
// ends in it, what there is counts.
func (p *pipe) peek(f *frame) {
	if hasText(p.from, f.typ) {
		p.fill(int(min(f.total, peekSize)))
	}
	f.seen = p.buf[p.a:min(p.w, p.a+int(min(f.total, peekSize)))]
}

// message passes one message, with what the rules do to it. Unless the next one
// may follow, it says whether that is for the source's end.
func (p *pipe) message(f *frame) (on, source bool) {
	p.look(f)
	p.note(f)
	at := int64(0)
	for _, s := range p.steps {
		if !p.pass(s.at - at) {
			return false, true
		}
		at = s.at
		switch p.strike(s, f.total-s.at) {
		case stop:
			return false, false
		case dropping:
			p.discard()
			return false, true
		}
	}
	if !p.pass(f.total - at) {
		return false, true
	}
	return true, true
}

// note keeps what must be known of a message when it has passed.
func (p *pipe) note(f *frame) {
	if p.from != Client {
		return
	}
	switch f.typ {
	case SSLRequest, GSSENCRequest:
		if !p.swallows() {
			p.c.asked.Add(1)
		}
	case 'P', 'B', 'C':
		p.known.note(f.typ, f.body())
	}
}

// swallows says that the message at hand will be dropped.
func (p *pipe) swallows() bool {
	for _, s := range p.steps {
		if s.planted.rule.Do == Swallow && s.planted.rule.At != Inside {
			return true
		}
	}
	return false
}

// broken says that reading ended with more than the source's end.
func (p *pipe) broken() bool { return p.err != nil && !errors.Is(p.err, io.EOF) }

func timeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded)
}
