package codec_test

import (
	"database/sql"
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

// hostile is a decoder that is given arbitrary bytes. cols are set where it is
// not a single column of type oid.
type hostile struct {
	oid  uint32
	typ  reflect.Type
	cols []codec.Column
}

// hostilePair is a composite type that is registered.
const hostilePair = 100_000

// hostilePairs are types and destinations with code of their own.
func hostilePairs() []hostile {
	users, _ := userResult(1, nil, "")
	return []hostile{
		{oid: pgtype.BoolOID, typ: reflect.TypeFor[bool]()},
		{oid: pgtype.Int2OID, typ: reflect.TypeFor[int8]()},
		{oid: pgtype.Int4OID, typ: reflect.TypeFor[*int]()},
		{oid: pgtype.Int8OID, typ: reflect.TypeFor[duet.Optional[uint64]]()},
		{oid: pgtype.Float4OID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.Float8OID, typ: reflect.TypeFor[float32]()},
		{oid: pgtype.QCharOID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.NumericOID, typ: reflect.TypeFor[int64]()},
		{oid: pgtype.NumericOID, typ: reflect.TypeFor[float64]()},
		{oid: pgtype.NumericOID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.NumericOID, typ: reflect.TypeFor[big.Rat]()},
		{oid: pgtype.NumericOID, typ: reflect.TypeFor[pgtype.Numeric]()},
		{oid: pgtype.UUIDOID, typ: reflect.TypeFor[[16]byte]()},
		{oid: pgtype.UUIDOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.ByteaOID, typ: reflect.TypeFor[sql.RawBytes]()},
		{oid: pgtype.TimestamptzOID, typ: reflect.TypeFor[time.Time]()},
		{oid: pgtype.TimestampOID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.DateOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.TimeOID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.IntervalOID, typ: reflect.TypeFor[time.Duration]()},
		{oid: pgtype.IntervalOID, typ: reflect.TypeFor[string]()},
		{oid: pgtype.InetOID, typ: reflect.TypeFor[netip.Prefix]()},
		{oid: pgtype.JSONOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.JSONBOID, typ: reflect.TypeFor[json.RawMessage]()},
		{oid: pgtype.JSONBOID, typ: reflect.TypeFor[map[string]int]()},
		{oid: pgtype.Int4ArrayOID, typ: reflect.TypeFor[[]int64]()},
		{oid: pgtype.Int4ArrayOID, typ: reflect.TypeFor[[][]*int32]()},
		{oid: pgtype.Int4ArrayOID, typ: reflect.TypeFor[[2]int32]()},
		{oid: pgtype.TextArrayOID, typ: reflect.TypeFor[[]any]()},
		{oid: pgtype.TextArrayOID, typ: reflect.TypeFor[score]()},
		{oid: pgtype.ByteaArrayOID, typ: reflect.TypeFor[[][]byte]()},
		{oid: pgtype.BoxArrayOID, typ: reflect.TypeFor[[]pgtype.Box]()},
		{oid: pgtype.Int4ArrayOID, typ: reflect.TypeFor[pgtype.Array[int32]]()},
		{oid: pgtype.Int4rangeOID, typ: reflect.TypeFor[pgtype.Range[int32]]()},
		{oid: pgtype.Int4multirangeOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.RecordOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.PathOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.PolygonOID, typ: reflect.TypeFor[pgtype.Polygon]()},
		{oid: pgtype.VarbitOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.TSVectorOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.TIDOID, typ: reflect.TypeFor[any]()},
		{oid: pgtype.MacaddrOID, typ: reflect.TypeFor[string]()},
		{oid: hostilePair, typ: reflect.TypeFor[struct {
			C struct {
				A *int
				B []string
			}
		}]()},
		{oid: hostilePair, typ: reflect.TypeFor[any]()},
		{typ: reflect.TypeFor[user](), cols: users},
		{typ: reflect.TypeFor[duet.Record](), cols: users},
		{oid: 999_999, typ: reflect.TypeFor[level]()},
	}
}

// FuzzRowDecoder gives arbitrary bytes to a decoder. Whatever comes, there is a
// value or an error, and memory in proportion to the bytes: a numeric of eight
// bytes may have 131072 digits, every other value is bounded much more tightly.
func FuzzRowDecoder(f *testing.F) {
	types := codec.NewTypes()
	types.Register(&pgtype.Type{Name: "pair", OID: hostilePair, Codec: &pgtype.CompositeCodec{Fields: []pgtype.CompositeCodecField{
		{Name: "a", Type: &pgtype.Type{Name: "int4", OID: pgtype.Int4OID, Codec: pgtype.Int4Codec{}}},
		{Name: "b", Type: &pgtype.Type{Name: "_text", OID: pgtype.TextArrayOID, Codec: &pgtype.ArrayCodec{ElementType: &pgtype.Type{Name: "text", OID: pgtype.TextOID, Codec: pgtype.TextCodec{}}}}},
	}}})
	_, goodUser := userResult(1, be4(3), "Ada", "a", "b")
	pairs := hostilePairs()
	decoders := make([]*codec.RowDecoder, len(pairs))
	for i, h := range pairs {
		cols := h.cols
		if cols == nil {
			cols = column(h.oid)
		}
		d, err := types.RowDecoder(cols, h.typ, false)
		if err != nil {
			f.Fatalf("oid %d into %v: %v", h.oid, h.typ, err)
		}
		decoders[i] = d
		f.Add(uint8(i), goodUser)
		f.Add(uint8(i), dataRow(join(be4(2), be4(23), be4(4), be4(1), be4(1009), be4(12), be4(0), be4(0), be4(25))))
		f.Add(uint8(i), dataRow(nil))
		f.Add(uint8(i), dataRow([]byte{}))
		f.Add(uint8(i), dataRow([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1}))
		f.Add(uint8(i), dataRow([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9}))
		f.Add(uint8(i), dataRow([]byte{0, 1, 0x7f, 0xff, 0, 0, 0x3f, 0xff, 0x27, 0x0f}))
	}
	f.Add(uint8(0), []byte{0, 1, 0x7f, 0xff, 0xff, 0xff})
	f.Add(uint8(0), []byte{0, 1, 0xff, 0xff, 0xff, 0xfe})
	f.Fuzz(func(t *testing.T, which uint8, row []byte) {
		i := int(which) % len(pairs)
		out := reflect.New(pairs[i].typ)
		target, err := codec.PointerTarget(out.Interface())
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = target.Decode(decoders[i], row, 1)
		runtime.ReadMemStats(&after)
		most := uint64(64<<10 + 512*len(row))
		if pairs[i].oid == pgtype.TSVectorOID { // pgtype believes one lexeme's number of positions, a uint16
			most += 1 << 20
		}
		if pairs[i].oid == pgtype.NumericOID || pairs[i].oid == pgtype.RecordOID {
			most = uint64(4<<20 + 100_000*len(row))
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("oid %d into %v: %d bytes allocated for %d", pairs[i].oid, pairs[i].typ, got, len(row))
		}
	})
}
