package typedesc

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
)

// UUID is the id of a type or a descriptor.
type UUID [16]byte

// namespace is the namespace of the ids that EdgeDB derives.
var namespace = UUID{0x00, 0xe5, 0x02, 0x76, 0x25, 0x02, 0x11, 0xe7, 0x97, 0xf2, 0x27, 0xfe, 0x51, 0x23, 0x8d, 0xbd}

// emptyTuple is the known id of the tuple without elements.
var emptyTuple = UUID{15: 0xff}

// derive makes the id of a text: a UUID of version 5 (RFC 9562).
func derive(text string) UUID {
	sum := sha1.Sum(append(namespace[:], text...))
	id := UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String writes the id with its hyphens.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseUUID reads the form that String writes.
func parseUUID(text string) (UUID, error) {
	var u UUID
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
		if _, err := hex.Decode(u[:], []byte(digits)); err == nil {
			return u, nil
		}
	}
	return UUID{}, fmt.Errorf("%q is not a UUID", text)
}
