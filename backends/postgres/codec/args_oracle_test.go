package codec_test

import (
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

// readable checks that pgtype reads what was encoded as the value that it was.
func readable[T any](t *testing.T, name string, oid uint32, gen *rapid.Generator[T], same func(a, b T) bool) {
	t.Helper()
	types, m := codec.NewTypes(), pgtype.NewMap()
	t.Run(name, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			want := gen.Draw(rt, "value")
			b, err := types.AppendArgs(nil, []uint32{oid}, []any{want})
			if err != nil {
				rt.Fatalf("encoding %v: %v", want, err)
			}
			formats, values := splitArgs(t, b)
			var got T
			if err := m.Scan(oid, formats[0], values[0], &got); err != nil {
				rt.Fatalf("pgtype cannot read %v from %x: %v", want, values[0], err)
			}
			if !same(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
		})
	})
}

func textWithoutNUL() *rapid.Generator[string] {
	return rapid.Map(rapid.String(), func(s string) string { return strings.ReplaceAll(s, "\x00", "") })
}

func TestArgumentsAgreeWithPgtype(t *testing.T) {
	readable(t, "bool", pgtype.BoolOID, rapid.Bool(), equal)
	readable(t, "int2", pgtype.Int2OID, rapid.Int16(), equal)
	readable(t, "int4", pgtype.Int4OID, rapid.Int32(), equal)
	readable(t, "int8", pgtype.Int8OID, rapid.Int64(), equal)
	readable(t, "oid", pgtype.OIDOID, rapid.Uint32(), equal)
	readable(t, "xid8", pgtype.XID8OID, rapid.Uint64(), equal)
	readable(t, "float4", pgtype.Float4OID, rapid.Float32(), equal)
	readable(t, "float8", pgtype.Float8OID, rapid.Float64(), equal)
	readable(t, "numeric from int", pgtype.NumericOID, rapid.Int64(), equal)
	readable(t, "numeric from float", pgtype.NumericOID, rapid.Float64Range(-1e30, 1e30), equal)
	readable(t, "text", pgtype.TextOID, textWithoutNUL(), equal)
	readable(t, "bytea", pgtype.ByteaOID, rapid.SliceOf(rapid.Byte()), func(a, b []byte) bool { return string(a) == string(b) })
	readable(t, "uuid", pgtype.UUIDOID, rapid.Custom(func(t *rapid.T) [16]byte {
		return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
	}), equal)
	readable(t, "timestamptz", pgtype.TimestamptzOID, microTime(), time.Time.Equal)
	readable(t, "timestamp", pgtype.TimestampOID, microTime(), time.Time.Equal)
	readable(t, "interval", pgtype.IntervalOID, rapid.Map(rapid.Int64Range(-1e15, 1e15), func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }), equal)
	readable(t, "inet", pgtype.InetOID, rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "a")))
		return netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits"))
	}), equal)
	readable(t, "int4[]", pgtype.Int4ArrayOID, rapid.SliceOf(rapid.Int32()), func(a, b []int32) bool { return deepEqual(a, append([]int32{}, b...)) })
	readable(t, "text[]", pgtype.TextArrayOID, rapid.SliceOf(rapid.Ptr(textWithoutNUL(), true)), func(a, b []*string) bool { return cmp.Equal(a, append([]*string{}, b...)) })
	readable(t, "int8[][]", pgtype.Int8ArrayOID, rapid.Custom(func(t *rapid.T) [][]int64 {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		return rapid.SliceOfN(rapid.SliceOfN(rapid.Int64(), n, n), 1, 5).Draw(t, "rows")
	}), deepEqual)
}

// A decimal goes out as it came: its value, and in JSON its digits.
func TestNumericRoundTrip(t *testing.T) {
	types, m := codec.NewTypes(), pgtype.NewMap()
	e, err := types.JSON([]codec.Column{{Name: "?column?", OID: pgtype.NumericOID}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{0,40}[1-9])?`).Draw(rt, "decimal")
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			rt.Fatal(text)
		}
		b, err := types.AppendArgs(nil, []uint32{pgtype.NumericOID}, []any{want})
		if err != nil {
			rt.Fatal(err)
		}
		_, values := splitArgs(t, b)
		var read pgtype.Numeric
		if err := m.Scan(pgtype.NumericOID, codec.BinaryFormat, values[0], &read); err != nil {
			rt.Fatal(err)
		}
		if read.Int == nil {
			rt.Fatalf("%s became %v", text, read)
		}
		got, err := e.AppendRow(nil, dataRow(values[0]), 1)
		if err != nil {
			rt.Fatal(err)
		}
		if string(got) != text && text != "-0" {
			rt.Fatalf("%s became %s", text, got)
		}
	})
}

func FuzzTextArgument(f *testing.F) {
	for _, s := range []string{"", "a", "\x00", "\xff", `{"a"}`, `"\`, "NULL", "a,b", "ä𝄞", "\u2028"} {
		f.Add(s, s)
	}
	types, m := codec.NewTypes(), pgtype.NewMap()
	f.Fuzz(func(t *testing.T, a, b string) {
		sendable := func(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
		want := []string{a, b}
		oids := []uint32{pgtype.TextOID, pgtype.TextArrayOID, 99999}
		out, err := types.AppendArgs(nil, oids, []any{a, want, want})
		if err == nil != (sendable(a) && sendable(b)) {
			t.Fatalf("%q, %q: %v", a, b, err)
		}
		if err != nil {
			return
		}
		formats, values := splitArgs(t, out)
		if string(values[0]) != a {
			t.Errorf("text: got %q, want %q", values[0], a)
		}
		// The second array went as binary, the third as a literal.
		for i := 1; i < 3; i++ {
			var got []string
			if err := m.Scan(pgtype.TextArrayOID, formats[i], values[i], &got); err != nil {
				t.Fatalf("%q: %v", values[i], err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("format %d: %s", formats[i], diff)
			}
		}
	})
}
