package typedesc

import "encoding/binary"

// reader takes bytes apart. What is missing is read as zeros, and noted in
// short.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	head := r.rest[:n:n]
	r.rest = r.rest[n:]
	return head
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int32() int32 { return int32(r.uint32()) }

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) int64() int64 { return int64(r.uint64()) }

// value reads a length and that many bytes. It is nil for the length -1, and
// not nil for the length 0.
func (r *reader) value() []byte {
	n := r.int32()
	if r.short || n == -1 {
		return nil
	}
	if b := r.take(int(n)); b != nil || r.short {
		return b
	}
	return []byte{}
}

// done says that everything was read and nothing was missing.
func (r *reader) done() bool { return !r.short && len(r.rest) == 0 }

// check gives what EdgeDB says of bytes that do not end where they should.
func (r *reader) check() error {
	switch {
	case r.short:
		return inputError("insufficient data in buffer")
	case len(r.rest) > 0:
		return inputError("unexpected trailing data in buffer")
	}
	return nil
}

// appendValue appends a length and the bytes; nil is written as the length -1.
func appendValue(dst, value []byte) []byte {
	if value == nil {
		return binary.BigEndian.AppendUint32(dst, 0xffffffff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
