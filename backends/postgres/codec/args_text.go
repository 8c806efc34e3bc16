package codec

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// jsonbVersion is the first byte of jsonb's binary form.
const jsonbVersion = 1

// appendArgString encodes a string: it is the type's text form whatever the
// type. Binary is chosen where the bytes are the same, since the elements of a
// binary array need it.
func appendArgString(dst []byte, oid uint32, s string) ([]byte, argForm, error) {
	if len(s) > argMaxSize {
		return dst, argNull, errArgSize
	}
	if oid == pgtype.UUIDOID && len(s) == 36 {
		if out, ok := appendParsedUUID(dst, s); ok {
			return out, argBinary, nil
		}
	}
	if strings.IndexByte(s, 0) >= 0 {
		return dst, argNull, errArgNUL
	}
	if !utf8.ValidString(s) {
		return dst, argNull, errArgUTF8
	}
	switch {
	case oid == pgtype.JSONBOID:
		dst = append(dst, jsonbVersion)
	case oid != pgtype.JSONOID && !isTextOID(oid):
		return append(dst, s...), argText, nil
	}
	return append(dst, s...), argBinary, nil
}

// appendArgBytes encodes a []byte: the value of a bytea or a uuid, else text.
func appendArgBytes(dst []byte, oid uint32, b []byte) ([]byte, argForm, error) {
	if b == nil {
		return dst, argNull, nil
	}
	if len(b) > argMaxSize {
		return dst, argNull, errArgSize
	}
	if oid == pgtype.ByteaOID || oid == pgtype.UUIDOID && len(b) == 16 {
		return append(dst, b...), argBinary, nil
	}
	if err := checkArgText(b); err != nil {
		return dst, argNull, err
	}
	switch {
	case oid == pgtype.JSONBOID:
		dst = append(dst, jsonbVersion)
	case oid != pgtype.JSONOID && !isTextOID(oid):
		return append(dst, b...), argText, nil
	}
	return append(dst, b...), argBinary, nil
}

func appendArgBool(dst []byte, oid uint32, v bool) ([]byte, argForm, error) {
	if oid != pgtype.BoolOID {
		return dst, argNull, errArgUnfit
	}
	if v {
		return append(dst, 1), argBinary, nil
	}
	return append(dst, 0), argBinary, nil
}

func appendArgUUID(dst []byte, oid uint32, v [16]byte) ([]byte, argForm, error) {
	if oid != pgtype.UUIDOID {
		return dst, argNull, errArgUnfit
	}
	return append(dst, v[:]...), argBinary, nil
}

// appendParsedUUID parses the canonical form with hyphens; the server knows
// more forms, and gets those as text.
func appendParsedUUID(dst []byte, s string) ([]byte, bool) {
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return dst, false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	var id [16]byte
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return dst, false
	}
	return append(dst, id[:]...), true
}
