package codec_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

func ExampleTypes_AppendArgs() {
	types := codec.NewTypes()
	b, err := types.AppendArgs(nil, []uint32{pgtype.Int2OID, pgtype.TextOID}, []any{7, "a"})
	fmt.Printf("% x %v\n", b, err)
	_, err = types.AppendArgs(nil, []uint32{pgtype.Int2OID}, []any{70000})
	fmt.Println(err)
	// Output:
	// 00 02 00 01 00 01 00 02 00 00 00 02 00 07 00 00 00 01 61 <nil>
	// argument 1 ($1, int2): the value does not fit int2
}

const secret = "hunter2"

var errValue = errors.New("no value")

type (
	brokenValuer struct{}
	loopValuer   struct{}
	nilValuer    struct{ S string }
	brokenText   struct{}
	loop         *loop
	opaque       struct{ Password string }
	decimal2     struct{ units int64 }
)

func (brokenValuer) Value() (driver.Value, error) { return nil, errValue }
func (v loopValuer) Value() (driver.Value, error) { return v, nil }
func (v nilValuer) Value() (driver.Value, error)  { return v.S, nil }
func (brokenText) MarshalText() ([]byte, error)   { return nil, errValue }
func (d decimal2) String() string                 { return fmt.Sprintf("%d.%02d", d.units/100, d.units%100) }

func TestArgumentErrors(t *testing.T) {
	var endless loop
	endless = &endless
	deep := make([][][][][][][]int, 1)
	deep[0] = [][][][][][]int{{{{{{1}}}}}}
	for _, test := range []struct {
		name string
		oid  uint32
		arg  any
		want string
	}{
		{"int2 overflow", pgtype.Int2OID, 70000, "argument 1 ($1, int2): the value does not fit int2"},
		{"int4 overflow", pgtype.Int4OID, int64(math.MinInt64), "the value does not fit int4"},
		{"int8 overflow", pgtype.Int8OID, uint64(math.MaxUint64), "the value does not fit int8"},
		{"a time into bytea", pgtype.ByteaOID, time.Unix(0, 0), "a Go time.Time cannot be sent as bytea"},
		{"a pointer to a time into bytea", pgtype.ByteaOID, new(time.Time), "a Go *time.Time cannot be sent as bytea"},
		{"oid below zero", pgtype.OIDOID, -1, "the value does not fit oid"},
		{"oid overflow", pgtype.OIDOID, 1 << 40, "the value does not fit oid"},
		{"fraction into int", pgtype.Int4OID, 2.5, "the value does not fit int4"},
		{"NaN into int", pgtype.Int8OID, math.NaN(), "the value does not fit int8"},
		{"2^63 into int8", pgtype.Int8OID, math.Ldexp(1, 63), "does not fit int8"},
		{"float4 overflow", pgtype.Float4OID, 1e300, "the value does not fit float4"},
		{"float4 underflow", pgtype.Float4OID, 1e-300, "the value does not fit float4"},
		{"a third", pgtype.NumericOID, big.NewRat(1, 3), "no finite decimal form"},
		{"huge integer", pgtype.NumericOID, new(big.Int).Lsh(big.NewInt(1), 1<<20), "does not fit numeric"},
		{"too many digits", pgtype.NumericOID, new(big.Int).Exp(big.NewInt(10), big.NewInt(131072), nil), "does not fit numeric"},
		{"huge float", pgtype.NumericOID, new(big.Float).SetMantExp(big.NewFloat(1), math.MaxInt32-1), "does not fit numeric"},
		{"NUL", pgtype.TextOID, secret + "\x00", "argument 1 ($1, text): text cannot contain NUL"},
		{"NUL in a date", pgtype.DateOID, "\x00", "text cannot contain NUL"},
		{"NUL in bytes as text", pgtype.TextOID, []byte("\x00"), "text cannot contain NUL"},
		{"invalid UTF-8", pgtype.TextOID, secret + "\xff", "text is not valid UTF-8"},
		{"invalid UTF-8 for an unknown type", 99999, []byte("\xff"), "argument 1 ($1, oid 99999): text is not valid UTF-8"},
		{"NUL in an element", pgtype.TextArrayOID, []string{"a", "\x00"}, "element 2: text cannot contain NUL"},
		{"int into text", pgtype.TextOID, 1, "a Go int cannot be sent as text"},
		{"bool into int", pgtype.Int4OID, true, "a Go bool cannot be sent as int4"},
		{"time into int", pgtype.Int4OID, time.Now(), "a Go time.Time cannot be sent as int4"},
		{"struct", pgtype.Int4OID, opaque{secret}, "a Go codec_test.opaque cannot be sent as int4"},
		{"pointer to struct", pgtype.Int4OID, &opaque{secret}, "a Go *codec_test.opaque cannot be sent as int4"},
		{"struct for an unknown type", 99999, opaque{secret}, "cannot be sent as oid 99999"},
		{"array of structs", pgtype.TextArrayOID, []opaque{{secret}}, "element 1: a Go codec_test.opaque cannot be sent as text"},
		{"slice into int", pgtype.Int4OID, []string{secret}, "a Go []string cannot be sent as int4"},
		{"channel into JSON", pgtype.JSONBOID, make(chan int), "encoding a chan int as JSON"},
		{"NaN into JSON", pgtype.JSONOID, math.NaN(), "encoding a float64 as JSON"},
		{"ragged", pgtype.Int4ArrayOID, [][]int{{1, 2}, {3}}, "element 2: the array is not rectangular: 1 elements instead of 2"},
		{"ragged, empty", pgtype.Int4ArrayOID, [][]int{{}, {1}}, "element 2: the array is not rectangular"},
		{"ragged, depth", pgtype.Int4ArrayOID, []any{1, []int{2}}, "element 2: the array is not rectangular"},
		{"ragged, depth before", pgtype.Int4ArrayOID, []any{[]int{2}, 1}, "element 2: the array is not rectangular"},
		{"seven dimensions", pgtype.Int4ArrayOID, deep, "at most 6 dimensions"},
		{"element overflow", pgtype.Int2ArrayOID, [][]int{{1, 70000}}, "element 1: element 2: the value does not fit int2"},
		{"Value fails", pgtype.TextOID, brokenValuer{}, "no value"},
		{"Value gives itself", pgtype.TextOID, loopValuer{}, "more than 32 pointers or Valuers"},
		{"pointer to itself", pgtype.TextOID, endless, "more than 32 pointers or Valuers"},
		{"MarshalText fails", pgtype.TextOID, brokenText{}, "no value"},
		{"year too late", pgtype.TimestamptzOID, time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC), "the year does not fit timestamptz"},
		{"year too early", pgtype.TimestampOID, time.Date(-4713, 11, 23, 0, 0, 0, 0, time.UTC), "the year does not fit timestamp"},
		{"date too late", pgtype.DateOID, time.Date(5874898, 12, 1, 0, 0, 0, 0, time.UTC), "does not fit date"},
		{"far future", pgtype.TimestampOID, time.Unix(math.MaxInt64, 0), "does not fit timestamp"},
		{"far past", pgtype.DateOID, time.Unix(math.MinInt64, 0), "does not fit date"},
		{"negative time", pgtype.TimeOID, -time.Second, "does not fit time"},
		{"address with a zone", pgtype.InetOID, netip.MustParseAddr("fe80::1%eth0"), "address with a zone"},
		{"net.IP of no length", pgtype.InetOID, net.IP{1, 2}, "neither 4 nor 16 bytes"},
		{"mask with holes", pgtype.InetOID, net.IPNet{IP: net.IPv4(1, 2, 3, 4), Mask: net.IPMask{255, 0, 255, 0}}, "no canonical mask"},
		{"mask of the other family", pgtype.InetOID, net.IPNet{IP: net.ParseIP("fe80::1"), Mask: net.CIDRMask(8, 32)}, "does not belong to its address"},
		{"prefix without bits", pgtype.InetOID, netip.PrefixFrom(netip.MustParseAddr("1.2.3.4"), 40), "not valid"},
		{"long fraction", pgtype.NumericOID, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 16384)), "does not fit numeric"},
		{"fraction of any length", pgtype.NumericOID, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 1<<20)), "too long for numeric"},
		{"a gigabyte", pgtype.ByteaOID, make([]byte, 1<<30), "longer than 1073741823 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dst := []byte("kept")
			got, err := codec.NewTypes().AppendArgs(dst, []uint32{test.oid}, []any{test.arg})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the value: %v", err)
			}
			if string(got) != "kept" {
				t.Errorf("dst is %q after an error", got)
			}
		})
	}
}

func TestArgumentCauseIsWrapped(t *testing.T) {
	for _, arg := range []any{brokenValuer{}, &brokenValuer{}, brokenText{}, []any{brokenText{}}} {
		_, err := codec.NewTypes().AppendArgs(nil, []uint32{99999}, []any{arg})
		if !errors.Is(err, errValue) {
			t.Errorf("%T: %v does not wrap the cause", arg, err)
		}
	}
}

func TestArgumentCount(t *testing.T) {
	types := codec.NewTypes()
	_, err := types.AppendArgs(nil, []uint32{pgtype.Int4OID}, []any{1, 2})
	if err == nil || err.Error() != "the text has 1 positional parameters, and there are 2 arguments" {
		t.Errorf("got %v", err)
	}
	for n, fits := range map[int]bool{65535: true, 65536: false} {
		b, err := types.AppendArgs(nil, make([]uint32, n), make([]any, n))
		if (err == nil) != fits {
			t.Errorf("%d arguments: %v", n, err)
		}
		if fits {
			if _, values := splitArgs(t, b); len(values) != n {
				t.Errorf("%d values of %d", len(values), n)
			}
		}
	}
}

func TestArgumentForms(t *testing.T) {
	for _, test := range []struct {
		name   string
		oid    uint32
		arg    any
		format int16
		want   string
	}{
		{"string as it is for an unknown type", 99999, "x", codec.TextFormat, "x"},
		{"int as text for an unknown type", 99999, -3, codec.TextFormat, "-3"},
		{"slice as text for an unknown type", 99999, [][]string{{"a", `b"`}}, codec.TextFormat, `{{"a","b\""}}`},
		{"empty slice for an unknown type", 99999, []string{}, codec.TextFormat, "{}"},
		{"string for a date", pgtype.DateOID, "tomorrow", codec.TextFormat, "tomorrow"},
		{"jsonb has a version", pgtype.JSONBOID, "{}", codec.BinaryFormat, "\x01{}"},
		{"Stringer for a numeric", pgtype.NumericOID, decimal2{150}, codec.TextFormat, "1.50"},
		{"Valuer behind a pointer", pgtype.TextOID, &nilValuer{"v"}, codec.BinaryFormat, "v"},
		{"monotonic time", pgtype.TimestamptzOID, time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC), codec.BinaryFormat, "\x00\x00\x00\x00\x00\x0f\x42\x40"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := codec.NewTypes().AppendArgs([]byte("lead"), []uint32{test.oid}, []any{test.arg})
			if err != nil {
				t.Fatal(err)
			}
			formats, values := splitArgs(t, b[4:])
			if formats[0] != test.format || string(values[0]) != test.want {
				t.Errorf("got format %d, %q; want %d, %q", formats[0], values[0], test.format, test.want)
			}
		})
	}
}

func TestNilArguments(t *testing.T) {
	for _, arg := range []any{nil, (*int)(nil), (*nilValuer)(nil), []int(nil), []byte(nil), map[string]int(nil), (*big.Int)(nil), (**int)(nil), ptrTo[any](nil), ptrTo[*int](nil)} {
		for _, oid := range []uint32{pgtype.Int4OID, pgtype.TextOID, pgtype.JSONBOID, pgtype.Int4ArrayOID, 99999} {
			b, err := codec.NewTypes().AppendArgs(nil, []uint32{oid}, []any{arg})
			if err != nil {
				t.Errorf("%T for oid %d: %v", arg, oid, err)
				continue
			}
			if _, values := splitArgs(t, b); values[0] != nil {
				t.Errorf("%T for oid %d is %q instead of NULL", arg, oid, values[0])
			}
		}
	}
}

func TestAppendArgsDoesNotAllocate(t *testing.T) {
	oids, args := mixedArgs()
	types := codec.NewTypes()
	dst := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := types.AppendArgs(dst, oids, args); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// mixedArgs are the types that must not allocate, against the types they go to.
func mixedArgs() ([]uint32, []any) {
	return []uint32{
			pgtype.Int8OID, pgtype.Int2OID, pgtype.OIDOID, pgtype.NumericOID, pgtype.Float8OID, pgtype.Float4OID, pgtype.BoolOID, pgtype.TextOID, pgtype.ByteaOID,
			pgtype.TimestamptzOID, pgtype.DateOID, pgtype.UUIDOID, pgtype.UUIDOID, pgtype.JSONBOID, pgtype.NumericOID, pgtype.Int4OID, pgtype.DateOID, 99999,
		}, []any{
			int64(1) << 40, int16(3), uint32(4), 1234567, 1.5, float32(2.5), true, "text", []byte("bytes"),
			time.Now(), time.Now(), [16]byte{1}, "00112233-4455-6677-8899-aabbccddeeff", `{"a":1}`, 0.125, nil, "2020-01-01", "unknown",
		}
}

func BenchmarkAppendArgs(b *testing.B) {
	now := time.Now()
	for _, bench := range []struct {
		name string
		oids []uint32
		args []any
	}{
		{"int", []uint32{pgtype.Int8OID}, []any{int64(12345678)}},
		{"five", []uint32{pgtype.Int8OID, pgtype.TextOID, pgtype.TimestamptzOID, pgtype.NumericOID, pgtype.BoolOID}, []any{int64(12345678), "some text", now, 12.5, true}},
		{"named", []uint32{pgtype.Int2OID}, []any{named(5)}},
		{"pointer", []uint32{pgtype.Int8OID}, []any{ptrTo(int64(5))}},
		{"ints", []uint32{pgtype.Int8ArrayOID}, []any{make([]int64, 100)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			types := codec.NewTypes()
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := types.AppendArgs(dst, bench.oids, bench.args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
