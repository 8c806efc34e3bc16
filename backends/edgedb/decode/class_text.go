package decode

import (
	"encoding/hex"
	"reflect"

	"github.com/edgedb/edgedb-go"
)

// strs is the class of str, and of enums.
func strs() *class[string] {
	return &class[string]{
		scalar:  scalarStr,
		natural: func(v string) any { return v },
		driver:  func(v string) any { return v },
		text:    func(v string) string { return v },
		wire:    func(v string) ([]byte, error) { return []byte(v), nil },
		into: func(t reflect.Type) setter[string] {
			if implements(t, textUnmarshalerType) {
				return nil
			}
			if isBytes(t) || isByteArray(t) {
				return func(dst reflect.Value, v string) error { return setBytes(dst, []byte(v)) }
			}
			return nil
		},
	}
}

// bytesClass is the class of bytes. Its text would be a guess, so it has none.
func bytesClass() *class[[]byte] {
	return &class[[]byte]{
		scalar:  scalarBytes,
		private: true,
		natural: func(v []byte) any { return copyBytes(v) },
		driver:  func(v []byte) any { return copyBytes(v) },
		wire:    func(v []byte) ([]byte, error) { return copyBytes(v), nil },
		into: func(t reflect.Type) setter[[]byte] {
			if isBytes(t) || isByteArray(t) {
				return setBytes
			}
			return nil
		},
	}
}

// copyBytes copies b; what is empty is not nil.
func copyBytes(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// setBytes stores bytes in a slice, or in an array of the same length.
func setBytes(dst reflect.Value, v []byte) error {
	if dst.Kind() == reflect.Slice {
		dst.SetBytes(copyBytes(v))
		return nil
	}
	if len(v) != dst.Len() {
		return reasonf("%d bytes do not fit %v", len(v), dst.Type())
	}
	reflect.Copy(dst, reflect.ValueOf(v))
	return nil
}

// uuids is the class of uuid.
func uuids() *class[edgedb.UUID] {
	return &class[edgedb.UUID]{
		scalar:  scalarUUID,
		natural: func(v edgedb.UUID) any { return uuidText(v) },
		driver:  func(v edgedb.UUID) any { return uuidText(v) },
		text:    uuidText,
		wire:    func(v edgedb.UUID) ([]byte, error) { return v[:], nil },
		into: func(t reflect.Type) setter[edgedb.UUID] {
			if isBytes(t) || isByteArray(t) {
				return func(dst reflect.Value, v edgedb.UUID) error { return setBytes(dst, v[:]) }
			}
			return nil
		},
	}
}

// uuidText writes the canonical form.
func uuidText(v edgedb.UUID) string {
	var b [36]byte
	hex.Encode(b[0:8], v[0:4])
	hex.Encode(b[9:13], v[4:6])
	hex.Encode(b[14:18], v[6:8])
	hex.Encode(b[19:23], v[8:10])
	hex.Encode(b[24:36], v[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
