package wire

import (
	"encoding/binary"
	"io"
)

const (
	// readBufferSize is what a connection keeps for reading. The server sends
	// in pieces of 8 KiB; a few of them are worth one system call.
	readBufferSize = 32 << 10

	// startupMessageLimit bounds a message until the server has authenticated
	// us. Nothing legitimate comes near it.
	startupMessageLimit = 64 << 10

	// messageLimit bounds a message afterwards: the server itself cannot build
	// one of more than 1 GiB.
	messageLimit = 1 << 30

	headerSize = 5
)

// reader frames the server's messages out of one buffer. It is owned by whoever
// reads the connection at the moment. Time-outs of src lose nothing: what had
// come stays in the buffer, and next can be called again.
type reader struct {
	src   io.Reader
	buf   []byte
	start int // first byte not handed out yet
	end   int // behind the last byte read
	need  int // size of the message that is not wholly there
	limit int // largest length field accepted
}

func newReader(src io.Reader) *reader {
	return &reader{src: src, buf: make([]byte, readBufferSize), limit: startupMessageLimit}
}

// next gives the next message's type and body. The body is valid until the next
// call.
func (r *reader) next() (typ byte, body []byte, err error) {
	for {
		typ, body, ok, err := r.buffered()
		if ok || err != nil {
			return typ, body, err
		}
		if err := r.fill(); err != nil {
			return 0, nil, err
		}
	}
}

// buffered is next without reading: ok says whether a whole message is there.
func (r *reader) buffered() (typ byte, body []byte, ok bool, err error) {
	have := r.end - r.start
	if have < headerSize {
		r.need = headerSize
		return 0, nil, false, nil
	}
	head := r.buf[r.start : r.start+headerSize]
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > uint32(r.limit) {
		return 0, nil, false, protocolErrorf("message %q announces a length of %d bytes, outside 4 to %d", head[0], length, r.limit)
	}
	size := 1 + int(length)
	if have < size {
		r.need = size
		return 0, nil, false, nil
	}
	body = r.buf[r.start+headerSize : r.start+size : r.start+size]
	r.start += size
	return head[0], body, true, nil
}

// room is where more bytes can be put without moving any; grow says that n were.
func (r *reader) room() []byte {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	return r.buf[r.end:]
}

func (r *reader) grow(n int) { r.end += n }

// shed lets go of what a huge message left behind, once all of it was consumed.
func (r *reader) shed() {
	if r.start == r.end && len(r.buf) > 4*readBufferSize {
		r.start, r.end = 0, 0
		r.buf = make([]byte, readBufferSize)
	}
}

// fill reads once, making room first. The buffer grows only as bytes really
// arrive, so that a length alone costs no memory.
func (r *reader) fill() error {
	size := r.need
	if r.start == r.end {
		r.start, r.end = 0, 0
		r.shed()
	}
	if r.start+size > len(r.buf) && r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		grown := make([]byte, min(2*len(r.buf), max(size, readBufferSize)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}
