package codec_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

func ExampleTypes_JSON() {
	e, err := codec.NewTypes().JSON([]codec.Column{{Name: "id", OID: pgtype.Int4OID}, {Name: "name", OID: pgtype.TextOID}})
	if err != nil {
		fmt.Println(err)
		return
	}
	row := []byte("\x00\x02" + "\x00\x00\x00\x04\x00\x00\x00\x2a" + "\x00\x00\x00\x03Ada")
	out, err := e.AppendRow(nil, row, 1)
	fmt.Println(string(out), err)
	// Output: {"id":42,"name":"Ada"} <nil>
}

// jsonValue encodes a single value with no object around it.
func jsonValue(oid uint32, src []byte) (string, error) {
	e, err := codec.NewTypes().JSON([]codec.Column{{Name: "?column?", OID: oid}})
	if err != nil {
		return "", err
	}
	out, err := e.AppendRow(nil, dataRow(src), 1)
	return string(out), err
}

func TestJSONStrings(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(rt, "text")
		got, err := jsonValue(pgtype.TextOID, append([]byte{}, raw...))
		if err != nil {
			rt.Fatal(err)
		}
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			rt.Fatalf("%q: %v", got, err)
		}
		if want := string([]rune(string(raw))); back != want || !utf8.ValidString(got) {
			rt.Fatalf("got %q, want %q", back, want)
		}
	})
}

func TestJSONFloatsAreThoseOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f64 := math.Float64frombits(rapid.Uint64().Draw(rt, "bits"))
		f32 := float32(rapid.Float32().Draw(rt, "float32"))
		if math.IsNaN(f64) || math.IsInf(f64, 0) {
			return
		}
		for _, v := range []any{f64, f32} {
			want, err := json.Marshal(v)
			if err != nil {
				rt.Fatal(err)
			}
			oid, src := uint32(pgtype.Float8OID), binary.BigEndian.AppendUint64(nil, math.Float64bits(f64))
			if v == any(f32) {
				oid, src = pgtype.Float4OID, binary.BigEndian.AppendUint32(nil, math.Float32bits(f32))
			}
			if got, err := jsonValue(oid, src); got != string(want) || err != nil {
				rt.Fatalf("got %s, %v, want %s", got, err, want)
			}
		}
	})
}

func TestJSONBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")
		got, err := jsonValue(pgtype.ByteaOID, append([]byte{}, raw...))
		back, decodeErr := base64.StdEncoding.DecodeString(strings.Trim(got, `"`))
		if err != nil || decodeErr != nil || !bytes.Equal(back, raw) {
			rt.Fatalf("got %s, %v, %v", got, err, decodeErr)
		}
	})
}

func TestJSONMalformed(t *testing.T) {
	array := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, test := range []struct {
		name string
		oid  uint32
		src  []byte
		want string
	}{
		{"short int", pgtype.Int4OID, []byte{1}, `row 7, column "c": malformed value: it has 1 bytes, not 4`},
		{"empty bool", pgtype.BoolOID, []byte{}, "malformed"},
		{"time outside the day", pgtype.TimeOID, be8(-1), "malformed time"},
		{"json", pgtype.JSONOID, []byte(`{"a":}`), "not JSON"},
		{"two values", pgtype.JSONOID, []byte(`1,2`), "not JSON"},
		{"jsonb without version", pgtype.JSONBOID, []byte{}, "version"},
		{"jsonb of another version", pgtype.JSONBOID, []byte("\x02{}"), "version"},
		{"numeric cut short", pgtype.NumericOID, []byte{0, 9, 0, 0, 0, 0, 0, 0}, "malformed numeric"},
		{"numeric digit", pgtype.NumericOID, []byte{0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, "malformed numeric"},
		{"inet", pgtype.InetOID, []byte{2, 33, 0, 4, 1, 2, 3, 4}, "malformed address"},
		{"array of another type", pgtype.Int4ArrayOID, array(be4(0), be4(0), be4(pgtype.TextOID)), "malformed array"},
		{"array of too many dimensions", pgtype.Int4ArrayOID, array(be4(math.MaxInt32), be4(0), be4(pgtype.Int4OID)), "malformed array"},
		{"array of too many elements", pgtype.Int4ArrayOID, array(be4(2), be4(0), be4(pgtype.Int4OID), be4(1<<30), be4(1), be4(1<<30), be4(1)), "malformed array"},
		{"element cut short", pgtype.Int4ArrayOID, array(be4(1), be4(0), be4(pgtype.Int4OID), be4(1), be4(1), be4(3), []byte{1, 2, 3}), `column "c", element 1: malformed`},
		{"range without bounds", pgtype.Int4rangeOID, []byte{0}, "malformed range"},
		{"multirange that lies", pgtype.Int4multirangeOID, be4(math.MaxInt32), "malformed multirange"},
		{"record that lies", pgtype.RecordOID, be4(math.MaxInt32), "malformed composite"},
		{"record of an unknown type", pgtype.RecordOID, array(be4(1), be4(99999), be4(0)), "oid 99999 has no known binary form"},
		{"path that lies", pgtype.PathOID, array([]byte{1}, be4(math.MaxInt32)), "path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := codec.NewTypes().JSON(column(test.oid))
			if err != nil {
				t.Fatal(err)
			}
			out, err := e.AppendRow([]byte("kept"), dataRow(test.src), 7)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			var where *codec.DecodeError
			if !errors.As(err, &where) || where.Row != 7 || where.Column != "c" {
				t.Errorf("the error does not say where: %v", err)
			}
			if string(out) != "kept" {
				t.Errorf("dst is %q after an error", out)
			}
		})
	}
}

// Each level of nesting doubles the quotes within: a short value must not become
// a text that fills the memory.
func TestJSONBoundsNestedQuotes(t *testing.T) {
	value, oid := []byte(`"`), uint32(pgtype.TextOID)
	for range 60 {
		record := append(be4(1), be4(int32(oid))...)
		record = append(record, be4(int32(len(value)))...)
		value, oid = append(record, value...), pgtype.RecordOID
	}
	if _, err := jsonValue(oid, value); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
	for range 10 {
		record := append(be4(1), be4(int32(oid))...)
		record = append(record, be4(int32(len(value)))...)
		value = append(record, value...)
	}
	if _, err := jsonValue(oid, value); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("got %v", err)
	}
}

func TestJSONMalformedRows(t *testing.T) {
	e, err := codec.NewTypes().JSON(column(pgtype.Int4OID))
	if err != nil {
		t.Fatal(err)
	}
	good := dataRow(be4(1))
	for _, row := range [][]byte{nil, {0}, good[:len(good)-1], append(good[:len(good):len(good)], 0), {0, 2}, {0, 1}, {0, 1, 0xff, 0xff, 0xff, 0xfe}, {0, 1, 0x7f, 0xff, 0xff, 0xff}} {
		if out, err := e.AppendRow(nil, row, 1); err == nil {
			t.Errorf("% x became %s", row, out)
		}
	}
}

// benchRow is a row of the common types.
func benchRow(t testing.TB) ([]codec.Column, []byte) {
	types := codec.NewTypes()
	oids, args := mixedArgs()
	var cols []codec.Column
	b, err := types.AppendArgs(nil, oids, args)
	if err != nil {
		t.Fatal(err)
	}
	formats, values := splitArgs(t, b)
	var keep [][]byte
	for i, oid := range oids {
		if formats[i] == types.Format(oid) {
			cols = append(cols, codec.Column{Name: fmt.Sprintf("column_%d", i), OID: oid})
			keep = append(keep, values[i])
		}
	}
	b, err = types.AppendArgs(nil, []uint32{pgtype.Int4ArrayOID}, []any{[][]int{{1, 2}, {3, 4}}})
	if err != nil {
		t.Fatal(err)
	}
	_, values = splitArgs(t, b)
	return append(cols, codec.Column{Name: "ints", OID: pgtype.Int4ArrayOID}), dataRow(append(keep, values[0])...)
}

func TestAppendRowDoesNotAllocate(t *testing.T) {
	cols, row := benchRow(t)
	e, err := codec.NewTypes().JSON(cols)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := e.AppendRow(dst, row, 1); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestJSONEncoderIsSafeForConcurrentUse(t *testing.T) {
	cols, row := benchRow(t)
	cols = append(cols, codec.Column{Name: "range", OID: pgtype.Int4rangeOID})
	binary.BigEndian.PutUint16(row, uint16(len(cols)))
	row = append(row, 0, 0, 0, 1, 1)
	e, err := codec.NewTypes().JSON(cols)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.AppendRow(nil, row, 1)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				if got, err := e.AppendRow(nil, row, 1); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %s, %v", got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkAppendRow(b *testing.B) {
	cols, row := benchRow(b)
	e, err := codec.NewTypes().JSON(cols)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out, err := e.AppendRow(dst, row, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out)))
	}
}

func FuzzJSONRow(f *testing.F) {
	types := codec.NewTypes()
	var encoders []*codec.JSONEncoder
	for _, oids := range [][]uint32{
		{pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.BoolOID, pgtype.TextOID, pgtype.ByteaOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.OIDOID, 99999},
		{pgtype.NumericOID, pgtype.NumericArrayOID}, {pgtype.JSONOID}, {pgtype.JSONBOID, pgtype.JSONBArrayOID},
		{pgtype.DateOID, pgtype.TimeOID, pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.IntervalOID}, {pgtype.InetOID, pgtype.CIDROID, pgtype.MacaddrOID, pgtype.UUIDOID, pgtype.QCharOID},
		{pgtype.RecordOID}, {pgtype.RecordArrayOID}, {pgtype.TstzrangeOID, pgtype.NummultirangeOID}, {pgtype.PathOID}, {pgtype.PolygonOID}, {pgtype.VarbitOID}, {pgtype.TSVectorOID}, {pgtype.TextArrayOID}, {pgtype.PointArrayOID},
	} {
		var cols []codec.Column
		for i, oid := range oids {
			cols = append(cols, codec.Column{Name: fmt.Sprint(i), OID: oid})
		}
		e, err := types.JSON(cols)
		if err != nil {
			f.Fatal(err)
		}
		encoders = append(encoders, e)
	}
	f.Add(uint8(1), dataRow([]byte{0, 1, 0, 0, 0x40, 0, 0, 2, 0, 1}, nil))
	f.Add(uint8(2), dataRow([]byte(`{"a":1}`)))
	f.Add(uint8(6), dataRow(append(append(be4(1), be4(pgtype.TextOID)...), 0, 0, 0, 1, '"')))
	f.Add(uint8(13), dataRow([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01a")))
	f.Add(uint8(4), dataRow(be4(0), be8(0), be8(math.MaxInt64), be8(math.MinInt64+1), make([]byte, 16)))
	f.Fuzz(func(t *testing.T, which uint8, row []byte) {
		out, err := encoders[int(which)%len(encoders)].AppendRow(nil, row, 1)
		if err == nil && !json.Valid(out) {
			t.Errorf("not JSON: %q", out)
		}
		if limit := 1<<20 + 64<<10*len(row); len(out) > limit {
			t.Errorf("%d bytes made of %d", len(out), len(row))
		}
	})
}
