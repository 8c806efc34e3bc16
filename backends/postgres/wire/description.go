package wire

import (
	"bytes"
	"encoding/binary"
)

// Field describes one column of a result (PostgreSQL documentation, "Message
// Formats", RowDescription).
type Field struct {
	Name    string
	OID     uint32
	TypeMod int32
}

// DecodeParameters reads the body of a ParameterDescription: the types of the
// parameters.
func DecodeParameters(body []byte) ([]uint32, error) {
	if len(body) < 2 || len(body) != 2+4*int(binary.BigEndian.Uint16(body)) {
		return nil, protocolErrorf("a ParameterDescription of %d bytes that contradicts itself", len(body))
	}
	oids := make([]uint32, (len(body)-2)/4)
	for i := range oids {
		oids[i] = binary.BigEndian.Uint32(body[2+4*i:])
	}
	return oids, nil
}

// DecodeFields reads the body of a RowDescription. The result is not nil, also
// where there are no columns.
func DecodeFields(body []byte) ([]Field, error) {
	size := len(body)
	bad := func() error { return protocolErrorf("a RowDescription of %d bytes that contradicts itself", size) }
	if len(body) < 2 {
		return nil, bad()
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	const fixed = 18 // table oid, attribute, type oid, size, modifier, format
	if n*(fixed+1) > len(body) {
		return nil, bad()
	}
	fields := make([]Field, n)
	for i := range fields {
		end := bytes.IndexByte(body, 0)
		if end < 0 || len(body) < end+1+fixed {
			return nil, bad()
		}
		rest := body[end+1:]
		fields[i] = Field{
			Name:    string(body[:end]),
			OID:     binary.BigEndian.Uint32(rest[6:]),
			TypeMod: int32(binary.BigEndian.Uint32(rest[12:])),
		}
		body = rest[fixed:]
	}
	if len(body) != 0 {
		return nil, bad()
	}
	return fields, nil
}

// DecodeError reads the body of an ErrorResponse.
func DecodeError(body []byte) error { return decodeServerError(body) }
