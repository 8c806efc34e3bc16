package edgedbtest

import (
	"encoding/binary"
	"io"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// flushAt is how much is gathered before it is sent in the midst of an answer.
const flushAt = 32 << 10

// messageWriter gathers messages for a client. The first error stays, and from
// then on nothing is sent.
type messageWriter struct {
	w    io.Writer
	buf  []byte
	at   int // where the length of the open message is
	torn bool
	err  error
}

// begin opens a message. Its fields are then appended to buf.
func (m *messageWriter) begin(typ byte) {
	m.buf = append(m.buf, typ, 0, 0, 0, 0)
	m.at = len(m.buf) - 4
}

// end closes the open message.
func (m *messageWriter) end() {
	binary.BigEndian.PutUint32(m.buf[m.at:], uint32(len(m.buf)-m.at))
	if m.torn {
		m.buf = m.buf[:m.at+(len(m.buf)-m.at)/2]
		m.flush()
		m.err = io.ErrClosedPipe
	}
	if len(m.buf) >= flushAt {
		m.flush()
	}
}

func (m *messageWriter) flush() {
	if len(m.buf) > 0 && m.err == nil {
		_, m.err = m.w.Write(m.buf)
	}
	m.buf = m.buf[:0]
	if cap(m.buf) > 1<<20 {
		m.buf = nil
	}
}

func (m *messageWriter) u8(v byte)    { m.buf = append(m.buf, v) }
func (m *messageWriter) u16(v uint16) { m.buf = binary.BigEndian.AppendUint16(m.buf, v) }
func (m *messageWriter) u32(v uint32) { m.buf = binary.BigEndian.AppendUint32(m.buf, v) }
func (m *messageWriter) u64(v uint64) { m.buf = binary.BigEndian.AppendUint64(m.buf, v) }

func (m *messageWriter) uuid(id typedesc.UUID) { m.buf = append(m.buf, id[:]...) }

func (m *messageWriter) bytes(b []byte) {
	m.u32(uint32(len(b)))
	m.buf = append(m.buf, b...)
}

func (m *messageWriter) text(s string) {
	m.u32(uint32(len(s)))
	m.buf = append(m.buf, s...)
}

// data sends one element of a result.
func (m *messageWriter) data(element []byte) {
	m.begin('D')
	m.u16(1)
	m.bytes(element)
	m.end()
}

// fault sends an ErrorResponse.
func (m *messageWriter) fault(e *Error) {
	m.begin('E')
	m.u8(severityError)
	m.u32(e.Code)
	m.text(e.Message)
	m.u16(uint16(len(e.Attributes)))
	for _, a := range e.Attributes {
		m.u16(a.Key)
		m.text(a.Value)
	}
	m.end()
}
