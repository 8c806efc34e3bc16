package codec_test

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

// agrees checks that what pgtype encodes comes back as it went in.
func agrees[T any](t *testing.T, name string, oid uint32, gen *rapid.Generator[T], same func(a, b T) bool) {
	t.Helper()
	m := pgtype.NewMap()
	t.Run(name, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			want := gen.Draw(rt, "value")
			src, err := m.Encode(oid, pgtype.BinaryFormatCode, want, []byte{})
			if err != nil {
				rt.Fatalf("pgtype cannot encode %v: %v", want, err)
			}
			got, err := decodeOne[T](oid, src)
			if err != nil {
				rt.Fatalf("decoding %v: %v", want, err)
			}
			if !same(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
		})
	})
}

func equal[T comparable](a, b T) bool { return a == b }

func deepEqual[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

// microTime are the times that PostgreSQL can keep.
func microTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		micros := rapid.Int64Range(-200_000_000_000_000_000, 9_000_000_000_000_000_000).Draw(t, "micros")
		return time.UnixMicro(micros).UTC()
	})
}

func TestDecodeAgreesWithPgtype(t *testing.T) {
	agrees(t, "bool", pgtype.BoolOID, rapid.Bool(), equal)
	agrees(t, "int2", pgtype.Int2OID, rapid.Int16(), equal)
	agrees(t, "int4", pgtype.Int4OID, rapid.Int32(), equal)
	agrees(t, "int8", pgtype.Int8OID, rapid.Int64(), equal)
	agrees(t, "int8 into int", pgtype.Int8OID, rapid.Int(), equal)
	agrees(t, "oid", pgtype.OIDOID, rapid.Uint32(), equal)
	agrees(t, "xid8", pgtype.XID8OID, rapid.Uint64(), equal)
	agrees(t, "float4", pgtype.Float4OID, rapid.Float32(), equal)
	agrees(t, "float8", pgtype.Float8OID, rapid.Float64(), equal)
	agrees(t, "text", pgtype.TextOID, rapid.String(), equal)
	agrees(t, "bytea", pgtype.ByteaOID, rapid.SliceOf(rapid.Byte()), func(a, b []byte) bool { return string(a) == string(b) && a != nil })
	agrees(t, "uuid", pgtype.UUIDOID, rapid.Custom(func(t *rapid.T) [16]byte {
		return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
	}), equal)
	agrees(t, "timestamptz", pgtype.TimestamptzOID, microTime(), equal)
	agrees(t, "timestamp", pgtype.TimestampOID, microTime(), equal)
	agrees(t, "date", pgtype.DateOID, rapid.Map(rapid.Int32Range(-700_000, 2_000_000), func(d int32) time.Time {
		return time.Unix(int64(d)*86400, 0).UTC()
	}), equal)
	agrees(t, "time", pgtype.TimeOID, rapid.Map(rapid.Int64Range(0, 86_400_000_000), func(us int64) pgtype.Time {
		return pgtype.Time{Microseconds: us, Valid: true}
	}), equal)
	agrees(t, "interval", pgtype.IntervalOID, rapid.Map(rapid.Int64Range(math.MinInt64/1000, math.MaxInt64/1000), func(us int64) time.Duration {
		return time.Duration(us) * time.Microsecond
	}), equal)
	agrees(t, "inet", pgtype.InetOID, rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "six") {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))), rapid.IntRange(0, 128).Draw(t, "bits"))
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "a"))), rapid.IntRange(0, 32).Draw(t, "bits"))
	}), equal)
	agrees(t, "int4[]", pgtype.Int4ArrayOID, rapid.SliceOf(rapid.Int32()), func(a, b []int32) bool { return deepEqual(a, append([]int32{}, b...)) })
	agrees(t, "text[]", pgtype.TextArrayOID, rapid.SliceOf(rapid.Ptr(rapid.String(), true)), func(a, b []*string) bool {
		return cmp.Equal(a, append([]*string{}, b...))
	})
	agrees(t, "int8[][]", pgtype.Int8ArrayOID, rapid.Custom(func(t *rapid.T) [][]int64 {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		return rapid.SliceOfN(rapid.SliceOfN(rapid.Int64(), n, n), 1, 5).Draw(t, "rows")
	}), deepEqual)
}

// decimal draws a number as text, as PostgreSQL would print it.
func decimal(t *rapid.T) (text string, r *big.Rat) {
	digits := rapid.StringMatching(`(0|[1-9][0-9]{0,50})`).Draw(t, "integer")
	text = digits
	if rapid.Bool().Draw(t, "fraction") {
		text += "." + rapid.StringMatching(`[0-9]{1,40}`).Draw(t, "fraction digits")
	}
	r, _ = new(big.Rat).SetString(text)
	if r.Sign() != 0 && rapid.Bool().Draw(t, "negative") {
		text = "-" + text
		r.Neg(r)
	}
	return text, r
}

func TestNumericAgreesWithPgtype(t *testing.T) {
	m := pgtype.NewMap()
	rapid.Check(t, func(t *rapid.T) {
		text, want := decimal(t)
		var n pgtype.Numeric
		if err := n.Scan(text); err != nil {
			t.Fatal(err)
		}
		src, err := m.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := decodeOne[string](pgtype.NumericOID, src)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := new(big.Rat).SetString(s); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%s: got %q", text, s)
		}
		rat, err := decodeOne[*big.Rat](pgtype.NumericOID, src)
		if err != nil || rat.Cmp(want) != 0 {
			t.Fatalf("%s: got %v, %v", text, rat, err)
		}
		float, err := decodeOne[float64](pgtype.NumericOID, src)
		if nearest, _ := want.Float64(); err != nil || float != nearest {
			t.Fatalf("%s: got %v, %v, want %v", text, float, err, nearest)
		}
		var theirs pgtype.Numeric
		if err := m.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, src, &theirs); err != nil {
			t.Fatal(err)
		}
		ours, err := decodeOne[pgtype.Numeric](pgtype.NumericOID, src)
		if err != nil || ours.Int.Cmp(theirs.Int) != 0 || ours.Exp != theirs.Exp || !ours.Valid {
			t.Fatalf("%s: got %v, %v, want %v", text, ours, err, theirs)
		}
		whole, err := decodeOne[big.Int](pgtype.NumericOID, src)
		if want.IsInt() != (err == nil) || err == nil && whole.Cmp(want.Num()) != 0 {
			t.Fatalf("%s: got %v, %v", text, &whole, err)
		}
		i, err := decodeOne[int64](pgtype.NumericOID, src)
		fits := want.IsInt() && want.Num().IsInt64()
		if fits != (err == nil) || fits && i != want.Num().Int64() {
			t.Fatalf("%s: got %v, %v", text, i, err)
		}
	})
}

// TestIntegersFitOrFail tries every pair of widths: the value arrives or there is
// an error, never another value.
func TestIntegersFitOrFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		src := be8(v)
		fitsOrFails[int](t, src, v)
		fitsOrFails[int8](t, src, v)
		fitsOrFails[int16](t, src, v)
		fitsOrFails[int32](t, src, v)
		fitsOrFails[int64](t, src, v)
		fitsOrFails[uint](t, src, v)
		fitsOrFails[uint8](t, src, v)
		fitsOrFails[uint16](t, src, v)
		fitsOrFails[uint32](t, src, v)
		fitsOrFails[uint64](t, src, v)
		f, err := decodeOne[float64](pgtype.Int8OID, src)
		exact := new(big.Float).SetFloat64(float64(v)).Cmp(new(big.Float).SetInt64(v)) == 0
		if exact != (err == nil) || exact && f != float64(v) {
			t.Fatalf("%d into float64: %v, %v", v, f, err)
		}
	})
}

func fitsOrFails[D int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64](t *rapid.T, src []byte, v int64) {
	got, err := decodeOne[D](pgtype.Int8OID, src)
	want := fmt.Sprint(v)
	if fits := fmt.Sprint(D(v)) == want; fits != (err == nil) || fits && fmt.Sprint(got) != want {
		t.Fatalf("%d into %T: got %v, %v", v, got, got, err)
	}
}
