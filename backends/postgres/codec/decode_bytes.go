package codec

import (
	"encoding/hex"
	"reflect"
)

// isBytes16 says whether t is laid out as [16]byte.
func isBytes16(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8
}

// decodeBytes16 is for uuid.
func decodeBytes16(p ptr, src []byte) error {
	if len(src) != 16 {
		return wrongSize(src, 16)
	}
	store(p, [16]byte(src))
	return nil
}

// compileString decodes text kinds as they are and everything else as PostgreSQL
// would write it. bytea has no text that would be safe to guess.
func compileString(src *source) func(ptr, []byte) error {
	switch src.class {
	case classText:
		return decodeText
	case classBytea:
		return nil
	}
	text := src.textForm()
	return func(p ptr, b []byte) error {
		s, err := text(b)
		if err != nil {
			return err
		}
		store(p, s)
		return nil
	}
}

func decodeText(p ptr, src []byte) error {
	store(p, string(src))
	return nil
}

// compileBytes copies bytea, text and uuid into bytes.
func compileBytes(c class, dst reflect.Type) func(ptr, []byte) error {
	if c != classBytea && c != classText && c != classUUID {
		return nil
	}
	if dst.Kind() == reflect.Slice {
		return decodeBytes
	}
	n := dst.Len()
	return func(p ptr, src []byte) error {
		if len(src) != n {
			return reasonf("%d bytes do not fit %v", len(src), dst)
		}
		reflect.Copy(valueAt(p, dst), reflect.ValueOf(src))
		return nil
	}
}

// decodeBytes copies, as src belongs to the connection. What is empty is not nil.
func decodeBytes(p ptr, src []byte) error {
	b := make([]byte, len(src))
	copy(b, src)
	store(p, b)
	return nil
}

// formatUUID writes the canonical form.
func formatUUID(src []byte) (string, error) {
	if len(src) != 16 {
		return "", wrongSize(src, 16)
	}
	var b [36]byte
	hex.Encode(b[0:8], src[0:4])
	hex.Encode(b[9:13], src[4:6])
	hex.Encode(b[14:18], src[6:8])
	hex.Encode(b[19:23], src[8:10])
	hex.Encode(b[24:36], src[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:]), nil
}

// formatChar writes a "char" as PostgreSQL 16 does: nothing for zero, octal for
// what is not ASCII.
func formatChar(src []byte) (string, error) {
	switch {
	case len(src) != 1:
		return "", wrongSize(src, 1)
	case src[0] == 0:
		return "", nil
	case src[0] >= 0x80:
		return string([]byte{'\\', '0' + src[0]>>6, '0' + src[0]>>3&7, '0' + src[0]&7}), nil
	default:
		return string(src), nil
	}
}
