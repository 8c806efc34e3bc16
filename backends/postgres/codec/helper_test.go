package codec_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

// dataRow lays out the body of a DataRow message; nil is NULL.
func dataRow(values ...[]byte) []byte {
	row := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		if v == nil {
			row = binary.BigEndian.AppendUint32(row, 0xFFFFFFFF)
			continue
		}
		row = binary.BigEndian.AppendUint32(row, uint32(len(v)))
		row = append(row, v...)
	}
	return row
}

// oracle encodes v as pgtype would send it, in binary where that is known.
func oracle(t testing.TB, oid uint32, v any) []byte {
	t.Helper()
	m := pgtype.NewMap()
	b, err := m.Encode(oid, codec.NewTypes().Format(oid), v, []byte{})
	if err != nil {
		t.Fatalf("pgtype cannot encode %v as oid %d: %v", v, oid, err)
	}
	return b
}

// column is a single column of a type.
func column(oid uint32) []codec.Column {
	return []codec.Column{{Name: "c", OID: oid, TypeMod: -1}}
}

// decodeOne decodes a single value into a new T.
func decodeOne[T any](oid uint32, src []byte) (T, error) {
	var out T
	d, err := codec.NewTypes().RowDecoder(column(oid), reflect.TypeFor[T](), false)
	if err != nil {
		return out, err
	}
	target, err := codec.PointerTarget(&out)
	if err != nil {
		return out, err
	}
	err = target.Decode(d, dataRow(src), 1)
	return out, err
}

// be2, be4 and be8 are integers on the wire.
func be2(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be4(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func be8(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

// join concatenates.
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// typeOf is T.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
