package codec_test

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgTypeRow has the columns of pg_type that are read most.
type pgTypeRow struct {
	OID          uint32
	Typname      string
	Typnamespace uint32
	Typowner     uint32
	Typlen       int16
	Typbyval     bool
	Typtype      string
	Typcategory  string
	Typdelim     string
	Typrelid     uint32
	Typelem      uint32
	Typarray     uint32
}

func pgTypeResult() ([]codec.Column, []byte) {
	cols := []codec.Column{
		{Name: "oid", OID: pgtype.OIDOID}, {Name: "typname", OID: pgtype.NameOID},
		{Name: "typnamespace", OID: pgtype.OIDOID}, {Name: "typowner", OID: pgtype.OIDOID},
		{Name: "typlen", OID: pgtype.Int2OID}, {Name: "typbyval", OID: pgtype.BoolOID},
		{Name: "typtype", OID: pgtype.QCharOID}, {Name: "typcategory", OID: pgtype.QCharOID},
		{Name: "typdelim", OID: pgtype.QCharOID}, {Name: "typrelid", OID: pgtype.OIDOID},
		{Name: "typelem", OID: pgtype.OIDOID}, {Name: "typarray", OID: pgtype.OIDOID},
	}
	return cols, dataRow(be4(1184), []byte("timestamptz"), be4(11), be4(10), be2(8), []byte{1},
		[]byte("b"), []byte("D"), []byte(","), be4(0), be4(0), be4(1185))
}

// fiveColumns is a row of fixed sizes and one string.
type fiveColumns struct {
	ID     int64
	Amount int32
	Ratio  float64
	Done   bool
	Name   string
}

func fiveColumnsResult() ([]codec.Column, []byte) {
	cols := []codec.Column{
		{Name: "id", OID: pgtype.Int8OID}, {Name: "amount", OID: pgtype.Int4OID},
		{Name: "ratio", OID: pgtype.Float8OID}, {Name: "done", OID: pgtype.BoolOID},
		{Name: "name", OID: pgtype.TextOID},
	}
	return cols, dataRow(be8(123456), be4(42), be8(0x3FF8000000000000), []byte{1}, []byte("Ada Lovelace"))
}

func compileFor[T any](b testing.TB, cols []codec.Column) *codec.RowDecoder {
	b.Helper()
	d, err := codec.NewTypes().RowDecoder(cols, reflect.TypeFor[T](), false)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func benchmarkDecode[T any](b *testing.B, cols []codec.Column, row []byte) {
	d := compileFor[T](b, cols)
	out := new(T)
	b.ReportAllocs()
	for b.Loop() {
		target, err := codec.PointerTarget(out)
		if err != nil {
			b.Fatal(err)
		}
		if err := target.Decode(d, row, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkMap decodes the same with pgtype's plans, one per column.
func benchmarkMap(b *testing.B, cols []codec.Column, row []byte, dest ...any) {
	m := pgtype.NewMap()
	b.ReportAllocs()
	for b.Loop() {
		rest := row[2:]
		for i, c := range cols {
			size := int(int32(binary.BigEndian.Uint32(rest)))
			if err := m.Scan(c.OID, codec.BinaryFormat, rest[4:4+size], dest[i]); err != nil {
				b.Fatal(err)
			}
			rest = rest[4+size:]
		}
	}
}

func BenchmarkRow(b *testing.B) {
	int4Cols, int4Row := column(pgtype.Int4OID), dataRow(be4(7))
	cols12, row12 := pgTypeResult()
	cols5, row5 := fiveColumnsResult()
	b.Run("int/duet", func(b *testing.B) { benchmarkDecode[int](b, int4Cols, int4Row) })
	b.Run("int/pgtype", func(b *testing.B) { benchmarkMap(b, int4Cols, int4Row, new(int)) })
	b.Run("columns5/duet", func(b *testing.B) { benchmarkDecode[fiveColumns](b, cols5, row5) })
	b.Run("columns5/pgtype", func(b *testing.B) {
		var v fiveColumns
		benchmarkMap(b, cols5, row5, &v.ID, &v.Amount, &v.Ratio, &v.Done, &v.Name)
	})
	b.Run("pg_type/duet", func(b *testing.B) { benchmarkDecode[pgTypeRow](b, cols12, row12) })
	b.Run("pg_type/pgtype", func(b *testing.B) {
		var v pgTypeRow
		var typtype, category, delim byte
		benchmarkMap(b, cols12, row12, &v.OID, &v.Typname, &v.Typnamespace, &v.Typowner, &v.Typlen, &v.Typbyval,
			&typtype, &category, &delim, &v.Typrelid, &v.Typelem, &v.Typarray)
	})
}

func BenchmarkSlice(b *testing.B) {
	cols, row := fiveColumnsResult()
	d := compileFor[fiveColumns](b, cols)
	b.ReportAllocs()
	for b.Loop() {
		var out []fiveColumns
		s, err := codec.SliceTarget(&out)
		if err != nil {
			b.Fatal(err)
		}
		s.Reset()
		for n := range 1000 {
			if err := s.Append(d, row, n+1); err != nil {
				b.Fatal(err)
			}
		}
	}
}
