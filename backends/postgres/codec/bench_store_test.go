package codec_test

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

// stored is a row of the types that are stored most.
type stored struct {
	A, B int64
	C, D int32
	E    float64
	F    bool
	G    time.Time
	H    [16]byte
	I    string
}

func storedResult() ([]codec.Column, []byte) {
	oids := []uint32{
		pgtype.Int8OID, pgtype.Int8OID, pgtype.Int4OID, pgtype.Int4OID, pgtype.Float8OID,
		pgtype.BoolOID, pgtype.TimestamptzOID, pgtype.UUIDOID, pgtype.QCharOID,
	}
	cols := make([]codec.Column, len(oids))
	for i, oid := range oids {
		cols[i] = codec.Column{Name: string(rune('a' + i)), OID: oid}
	}
	return cols, dataRow(be8(1), be8(2), be4(3), be4(4), be8(0), []byte{1}, be8(5), uuidBytes, []byte("x"))
}

var errSize = errors.New("size")

// reflectDecoders do with reflect what the package does with pointer.go: the same
// checks, chosen once for each column, without allocation.
func reflectDecoders() []func(reflect.Value, []byte) error {
	signed := func(f reflect.Value, src []byte) error {
		var v int64
		switch len(src) {
		case 4:
			v = int64(int32(binary.BigEndian.Uint32(src)))
		case 8:
			v = int64(binary.BigEndian.Uint64(src))
		default:
			return errSize
		}
		if f.OverflowInt(v) {
			return errSize
		}
		f.SetInt(v)
		return nil
	}
	return []func(reflect.Value, []byte) error{
		signed, signed, signed, signed,
		func(f reflect.Value, src []byte) error {
			if len(src) != 8 {
				return errSize
			}
			f.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(src)))
			return nil
		},
		func(f reflect.Value, src []byte) error {
			if len(src) != 1 {
				return errSize
			}
			f.SetBool(src[0] != 0)
			return nil
		},
		func(f reflect.Value, src []byte) error {
			if len(src) != 8 {
				return errSize
			}
			micros := int64(binary.BigEndian.Uint64(src))
			*f.Addr().Interface().(*time.Time) = time.Unix(micros/1_000_000+946_684_800, micros%1_000_000*1000).UTC()
			return nil
		},
		func(f reflect.Value, src []byte) error {
			if len(src) != 16 {
				return errSize
			}
			*f.Addr().Interface().(*[16]byte) = [16]byte(src)
			return nil
		},
		func(f reflect.Value, src []byte) error {
			f.SetString(string(src))
			return nil
		},
	}
}

// BenchmarkStore compares the stores of pointer.go with those of reflect, which
// they are there to replace.
func BenchmarkStore(b *testing.B) {
	cols, row := storedResult()
	b.Run("pointer", func(b *testing.B) { benchmarkDecode[stored](b, cols, row) })
	b.Run("reflect", func(b *testing.B) {
		decoders := reflectDecoders()
		out := new(stored)
		b.ReportAllocs()
		for b.Loop() {
			v := reflect.ValueOf(out).Elem()
			if len(row) < 2 || int(binary.BigEndian.Uint16(row)) != len(decoders) {
				b.Fatal("row")
			}
			rest := row[2:]
			for i := range decoders {
				if len(rest) < 4 {
					b.Fatal("length")
				}
				size := int(int32(binary.BigEndian.Uint32(rest)))
				rest = rest[4:]
				if size < 0 || size > len(rest) {
					b.Fatal("size")
				}
				if err := decoders[i](v.Field(i), rest[:size:size]); err != nil {
					b.Fatal(err)
				}
				rest = rest[size:]
			}
		}
	})
}
