package codec_test

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// status has only a kind, level reads itself from text, score from database/sql.
type (
	status string
	level  int
	score  struct{ got []any }
	ident  [16]byte
	moment time.Time
)

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return fmt.Errorf("no level %q", text)
	}
	return nil
}

func (s *score) Scan(src any) error {
	if src == "bad" {
		return errors.New("a bad score")
	}
	s.got = append(s.got, src)
	return nil
}

// numericBytes lays out a numeric.
func numericBytes(weight int16, sign, scale uint16, digits ...int16) []byte {
	b := be2(int16(len(digits)))
	b = append(b, be2(weight)...)
	b = binary.BigEndian.AppendUint16(b, sign)
	b = binary.BigEndian.AppendUint16(b, scale)
	for _, d := range digits {
		b = append(b, be2(d)...)
	}
	return b
}

// decodesTo is one value, its destination and what is to come of it.
type decodesTo struct {
	name string
	oid  uint32
	src  []byte
	run  func(oid uint32, src []byte) (any, error)
	want any
	err  string
}

// into decodes into a T.
func into[T any](oid uint32, src []byte) (any, error) { return decodeOne[T](oid, src) }

func (c decodesTo) test(t *testing.T) {
	got, err := c.run(c.oid, c.src)
	if c.err != "" {
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Fatalf("got %v and the error %v, want the error %q", got, err, c.err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	compare := cmp.Options{
		cmp.AllowUnexported(score{}),
		cmp.Comparer(func(a, b moment) bool { return time.Time(a).Equal(time.Time(b)) }),
		cmp.Comparer(func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
	if diff := cmp.Diff(c.want, got, compare); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func p[T any](v T) *T { return &v }

var uuidBytes = []byte("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef")

func TestDecodeValue(t *testing.T) {
	tests := []decodesTo{
		{"named string", pgtype.TextOID, []byte("new"), into[status], status("new"), ""},
		{"empty string", pgtype.TextOID, []byte{}, into[string], "", ""},
		{"NUL and invalid UTF-8 stay", pgtype.TextOID, []byte("a\x00\xff"), into[string], "a\x00\xff", ""},
		{"unknown type is text", 999_999, []byte("red"), into[status], status("red"), ""},
		{"unknown type into any", 999_999, []byte("red"), into[any], "red", ""},
		{"unknown type into bytes", 999_999, []byte("red"), into[[]byte], []byte("red"), ""},
		{"text into TextUnmarshaler", pgtype.TextOID, []byte("high"), into[level], level(2), ""},
		{"unknown type into TextUnmarshaler", 999_999, []byte("low"), into[level], level(1), ""},
		{"int into a kind with UnmarshalText", pgtype.Int4OID, be4(7), into[level], level(7), ""},
		{"TextUnmarshaler fails", pgtype.TextOID, []byte("x"), into[level], nil, `column "c": text into codec_test.level: no level "x"`},
		{"char", pgtype.QCharOID, []byte("b"), into[string], "b", ""},
		{"char zero", pgtype.QCharOID, []byte{0}, into[string], "", ""},
		{"char into byte", pgtype.QCharOID, []byte("b"), into[byte], byte('b'), ""},
		{"char not ASCII", pgtype.QCharOID, []byte{0xE9}, into[string], `\351`, ""},

		{"int8 overflow", pgtype.Int4OID, be4(300), into[int8], nil, `row 1, column "c": 300 does not fit int8`},
		{"negative into uint", pgtype.Int8OID, be8(-1), into[uint64], nil, "-1 does not fit uint64"},
		{"xid8 into int64", pgtype.XID8OID, be8(-1), into[int64], nil, "18446744073709551615 does not fit int64"},
		{"int8 into float64, inexact", pgtype.Int8OID, be8(1<<53 + 1), into[float64], nil, "does not fit float64 exactly"},
		{"largest int8 into float64", pgtype.Int8OID, be8(math.MaxInt64), into[float64], nil, "does not fit float64 exactly"},
		{"int4 into float32", pgtype.Int4OID, be4(1 << 24), into[float32], float32(1 << 24), ""},
		{"float8 into int", pgtype.Float8OID, be8(0), into[int], nil, "float8 does not decode into int"},
		{"float8 into float32", pgtype.Float8OID, be8(int64(math.Float64bits(1e300))), into[float32], nil, "1e+300 does not fit float32"},
		{"float8 infinity into float32", pgtype.Float8OID, be8(int64(math.Float64bits(math.Inf(1)))), into[float32], float32(math.Inf(1)), ""},
		{"int4 of 3 bytes", pgtype.Int4OID, []byte{1, 2, 3}, into[int], nil, "malformed value: it has 3 bytes, not 4"},
		{"int into string", pgtype.Int4OID, be4(-42), into[string], "-42", ""},
		{"bool into string", pgtype.BoolOID, []byte{1}, into[string], "t", ""},
		{"bytea into string", pgtype.ByteaOID, []byte("x"), into[string], nil, "bytea does not decode into string"},
		{"bytea into TextUnmarshaler", pgtype.ByteaOID, []byte("x"), into[netip.Addr], nil, "bytea does not decode into netip.Addr"},
		{"bytea into array", pgtype.ByteaOID, []byte("abc"), into[[3]byte], [3]byte{'a', 'b', 'c'}, ""},
		{"bytea into array of other size", pgtype.ByteaOID, []byte("abcd"), into[[3]byte], nil, "4 bytes do not fit [3]uint8"},
		{"empty bytea", pgtype.ByteaOID, []byte{}, into[[]byte], []byte{}, ""},

		{"uuid into a named array", pgtype.UUIDOID, uuidBytes, into[ident], ident(uuidBytes), ""},
		{"uuid into string", pgtype.UUIDOID, uuidBytes, into[string], "01234567-89ab-cdef-0123-456789abcdef", ""},
		{"uuid into any", pgtype.UUIDOID, uuidBytes, into[any], "01234567-89ab-cdef-0123-456789abcdef", ""},
		{"short uuid", pgtype.UUIDOID, uuidBytes[:15], into[ident], nil, "malformed value"},

		{"NULL into string", pgtype.TextOID, nil, into[string], nil, `row 1, column "c": NULL into string`},
		{"NULL into slice", pgtype.Int4ArrayOID, nil, into[[]int], nil, `NULL into []int`},
		{"NULL into pointer", pgtype.TextOID, nil, into[*string], (*string)(nil), ""},
		{"NULL into any", pgtype.TextOID, nil, into[any], nil, ""},
		{"NULL into Optional", pgtype.TextOID, nil, into[duet.Optional[string]], duet.None[string](), ""},
		{"Optional", pgtype.TextOID, []byte("x"), into[duet.Optional[string]], duet.Some("x"), ""},
		{"Optional of pointer", pgtype.Int4OID, be4(1), into[duet.Optional[*int]], duet.Some(p(1)), ""},
		{"pointer to pointer", pgtype.Int4OID, be4(1), into[**int], p(p(1)), ""},
		{"sql.Null", pgtype.Int4OID, be4(1), into[sql.Null[int32]], sql.Null[int32]{V: 1, Valid: true}, ""},
		{"sql.NullString", pgtype.TextOID, []byte("x"), into[sql.NullString], sql.NullString{String: "x", Valid: true}, ""},
		{"sql.NullTime", pgtype.DateOID, nil, into[sql.NullTime], sql.NullTime{}, ""},
		{"NULL into a Scanner", pgtype.TextOID, nil, into[score], score{got: []any{nil}}, ""},
		{"Scanner fails", pgtype.TextOID, []byte("bad"), into[score], nil, `column "c": text into codec_test.score: a bad score`},
		{"NULL into pgtype", pgtype.Int4OID, nil, into[pgtype.Int4], pgtype.Int4{}, ""},
		{"pgtype.Range", pgtype.Int4rangeOID, oracle(t, pgtype.Int4rangeOID, pgtype.Range[int32]{Lower: 1, Upper: 5, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}), into[pgtype.Range[int32]], pgtype.Range[int32]{Lower: 1, Upper: 5, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}, ""},
		{"range into any", pgtype.Int4rangeOID, oracle(t, pgtype.Int4rangeOID, pgtype.Range[int32]{Lower: 1, Upper: 5, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}), into[any], "[1,5)", ""},
		{"point into any", pgtype.PointOID, oracle(t, pgtype.PointOID, pgtype.Point{P: pgtype.Vec2{X: 1, Y: 2.5}, Valid: true}), into[any], "(1,2.5)", ""},
		{"int4 into a channel", pgtype.Int4OID, be4(1), into[chan int], nil, "int4 does not decode into chan int"},

		{"inet into Addr", pgtype.InetOID, []byte{2, 32, 0, 4, 10, 0, 0, 1}, into[netip.Addr], netip.MustParseAddr("10.0.0.1"), ""},
		{"network into Addr", pgtype.InetOID, []byte{2, 8, 0, 4, 10, 0, 0, 1}, into[netip.Addr], nil, "10.0.0.1/8 is a network"},
		{"inet into IP", pgtype.InetOID, []byte{2, 32, 0, 4, 10, 0, 0, 1}, into[net.IP], net.IP{10, 0, 0, 1}, ""},
		{"cidr into IPNet", pgtype.CIDROID, []byte{2, 8, 1, 4, 10, 0, 0, 0}, into[net.IPNet], net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}, ""},
		{"inet with a mask too long", pgtype.InetOID, []byte{2, 33, 0, 4, 10, 0, 0, 1}, into[netip.Prefix], nil, "malformed address"},
	}
	for _, c := range tests {
		t.Run(c.name, c.test)
	}
}

func TestDecodeTimes(t *testing.T) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	interval := func(micros int64, days, months int32) []byte {
		return append(append(be8(micros), be4(days)...), be4(months)...)
	}
	tests := []decodesTo{
		{"timestamptz is UTC", pgtype.TimestamptzOID, be8(-1), into[time.Time], time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), ""},
		{"a type declared as time.Time", pgtype.TimestampOID, be8(0), into[moment], moment(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), ""},
		{"date", pgtype.DateOID, be4(8825), into[time.Time], day, ""},
		{"date into string", pgtype.DateOID, be4(8825), into[string], "2024-02-29", ""},
		{"infinity into time", pgtype.TimestampOID, be8(math.MaxInt64), into[time.Time], nil, `column "c": infinity into time.Time`},
		{"-infinity into time", pgtype.DateOID, be4(math.MinInt32), into[time.Time], nil, `column "c": -infinity into time.Time`},
		{"infinity into string", pgtype.TimestamptzOID, be8(math.MaxInt64), into[string], "infinity", ""},
		{"-infinity into any", pgtype.DateOID, be4(math.MinInt32), into[any], "-infinity", ""},
		{"infinity into pgtype", pgtype.DateOID, be4(math.MaxInt32), into[pgtype.Date], pgtype.Date{InfinityModifier: pgtype.Infinity, Valid: true}, ""},
		{"timestamptz into string", pgtype.TimestamptzOID, be8(500_000), into[string], "2000-01-01 00:00:00.5+00", ""},
		{"BC", pgtype.DateOID, be4(-730_486), into[string], "0002-12-31 BC", ""},
		{"time into Duration", pgtype.TimeOID, be8(3_600_000_000), into[time.Duration], time.Hour, ""},
		{"time into Time", pgtype.TimeOID, be8(3_600_000_000), into[time.Time], time.Date(0, 1, 1, 1, 0, 0, 0, time.UTC), ""},
		{"midnight at the end", pgtype.TimeOID, be8(86_400_000_000), into[string], "24:00:00", ""},
		{"time out of range", pgtype.TimeOID, be8(86_400_000_001), into[time.Duration], nil, "malformed time"},
		{"interval with days", pgtype.IntervalOID, interval(1, 2, 0), into[time.Duration], 48*time.Hour + time.Microsecond, ""},
		{"interval mixed signs", pgtype.IntervalOID, interval(-1, 1, 0), into[time.Duration], 24*time.Hour - time.Microsecond, ""},
		{"interval with months", pgtype.IntervalOID, interval(0, 0, 1), into[time.Duration], nil, "an interval of 1 months into time.Duration"},
		{"interval too long in days", pgtype.IntervalOID, interval(0, math.MaxInt32-1, 0), into[time.Duration], nil, "does not fit time.Duration"},
		{"interval too long in sum", pgtype.IntervalOID, interval(math.MaxInt64/1000, 1, 0), into[time.Duration], nil, "does not fit time.Duration"},
		{"interval too long downwards", pgtype.IntervalOID, interval(math.MinInt64/1000, -1, 0), into[time.Duration], nil, "does not fit time.Duration"},
		{"infinite interval", pgtype.IntervalOID, interval(math.MaxInt64, math.MaxInt32, math.MaxInt32), into[time.Duration], nil, "infinite interval"},
		{"interval into any", pgtype.IntervalOID, interval(0, 2, 1), into[any], "1 mon 2 days", ""},
	}
	for _, c := range tests {
		t.Run(c.name, c.test)
	}
}

func TestDecodeNumeric(t *testing.T) {
	const negative, nan, inf = 0x4000, 0xC000, 0xD000
	huge := numericBytes(32767, 0, 0, 1)
	tests := []decodesTo{
		{"zero with places", pgtype.NumericOID, numericBytes(0, 0, 2), into[string], "0.00", ""},
		{"small", pgtype.NumericOID, numericBytes(-2, negative, 8, 12), into[string], "-0.00000012", ""},
		{"inner zeros", pgtype.NumericOID, numericBytes(1, 0, 3, 1, 20, 5000), into[string], "10020.500", ""},
		{"any", pgtype.NumericOID, numericBytes(0, 0, 1, 1, 5000), into[any], "1.5", ""},
		{"NaN into string", pgtype.NumericOID, numericBytes(0, nan, 0), into[string], "NaN", ""},
		{"infinity into float", pgtype.NumericOID, numericBytes(0, inf, 0), into[float64], math.Inf(1), ""},
		{"NaN into int", pgtype.NumericOID, numericBytes(0, nan, 0), into[int], nil, "NaN into int"},
		{"NaN into big.Int", pgtype.NumericOID, numericBytes(0, nan, 0), into[big.Int], nil, "NaN into big.Int"},
		{"infinity into big.Rat", pgtype.NumericOID, numericBytes(0, inf, 0), into[big.Rat], nil, "Infinity into big.Rat"},
		{"NaN into big.Float", pgtype.NumericOID, numericBytes(0, nan, 0), into[*big.Float], nil, "NaN into big.Float"},
		{"fraction into int", pgtype.NumericOID, numericBytes(0, 0, 1, 1, 5000), into[int], nil, "1.5 is not an integer and does not fit int"},
		{"integer with places", pgtype.NumericOID, numericBytes(0, negative, 2, 7), into[int8], int8(-7), ""},
		{"lowest int64", pgtype.NumericOID, numericBytes(4, negative, 0, 922, 3372, 368, 5477, 5808), into[int64], int64(math.MinInt64), ""},
		{"too large", pgtype.NumericOID, huge, into[uint64], nil, "does not fit uint64"},
		{"largest weight", pgtype.NumericOID, huge, into[string], "1" + strings.Repeat("0", 4*32767), ""},
		{"too large for float", pgtype.NumericOID, huge, into[float64], nil, "does not fit float64"},
		{"big.Int", pgtype.NumericOID, numericBytes(5, 0, 0, 1), into[big.Int], *new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil), ""},
		{"digit above 9999", pgtype.NumericOID, numericBytes(0, 0, 0, 10000), into[string], nil, "malformed numeric: digit 10000"},
		{"sign", pgtype.NumericOID, numericBytes(0, 1, 0), into[string], nil, "malformed numeric: sign 0x1"},
		{"places", pgtype.NumericOID, numericBytes(0, 0, 0xFFFF), into[string], nil, "malformed numeric: 65535 decimal places"},
		{"count", pgtype.NumericOID, []byte{255, 255, 0, 0, 0, 0, 0, 0}, into[string], nil, "malformed numeric: 65535 digits in 0 bytes"},
	}
	for _, c := range tests {
		t.Run(c.name, c.test)
	}
}

func TestScannerIsGivenDriverValues(t *testing.T) {
	when := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		oid  uint32
		src  []byte
		want any
	}{
		{pgtype.Int2OID, be2(2), int64(2)},
		{pgtype.OIDOID, be4(-1), int64(math.MaxUint32)},
		{pgtype.XID8OID, be8(-1), "18446744073709551615"},
		{pgtype.Float4OID, be4(int32(math.Float32bits(1.5))), 1.5},
		{pgtype.BoolOID, []byte{1}, true},
		{pgtype.ByteaOID, []byte("b"), []byte("b")},
		{pgtype.TextOID, []byte("t"), "t"},
		{pgtype.TimestampOID, be8(0), when},
		{pgtype.NumericOID, numericBytes(0, 0, 1, 1, 5000), "1.5"},
		{pgtype.UUIDOID, uuidBytes, "01234567-89ab-cdef-0123-456789abcdef"},
		{pgtype.JSONBOID, []byte("\x01{}"), []byte("{}")},
		{pgtype.TextArrayOID, oracle(t, pgtype.TextArrayOID, []string{"a", "b c"}), `{a,"b c"}`},
		{pgtype.DateOID, be4(math.MaxInt32), "infinity"},
	}
	for _, c := range tests {
		t.Run(fmt.Sprint(c.oid), func(t *testing.T) {
			got, err := decodeOne[score](c.oid, c.src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{c.want}, got.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// address has no json tags, so that duet's names hold inside it.
type address struct {
	StreetName string
	ZIP        string `duet:"postcode"`
	Lines      []line
	_          int
}

type line struct {
	LineNo int64
	Extra  any
}

// branch embeds, by value and by pointer.
type branch struct {
	line
	*Twig
	TopName string
}

// Twig is exported, so that encoding/json can allocate it.
type Twig struct {
	LeafCount int
	_         bool
}

type tagged struct {
	StreetName string `json:"StreetName"`
}

// field decodes into the field of a struct, as a struct alone is a whole row.
func field[T any](oid uint32, src []byte) (any, error) {
	v, err := decodeOne[struct{ C T }](oid, src)
	return v.C, err
}

func TestDecodeJSON(t *testing.T) {
	const text = `{"street_name":"High","postcode":"X1","lines":[{"line_no":9007199254740993,"extra":1.10}]}`
	want := address{StreetName: "High", ZIP: "X1", Lines: []line{{LineNo: 9007199254740993, Extra: json.Number("1.10")}}}
	tests := []decodesTo{
		{"duet's names", pgtype.JSONOID, []byte(text), field[address], want, ""},
		{"pointer", pgtype.JSONBOID, []byte("\x01" + text), field[*address], &want, ""},
		{"slice", pgtype.JSONOID, []byte("[" + text + "]"), into[[]address], []address{want}, ""},
		{"embedded", pgtype.JSONOID, []byte(`{"line_no":1,"leaf_count":2,"top_name":"t"}`), field[branch], branch{line{LineNo: 1}, &Twig{LeafCount: 2}, "t"}, ""},
		{"into a record", pgtype.JSONOID, []byte(`{}`), field[duet.Record], nil, "json does not decode into duet.Record"},
		{"json tags", pgtype.JSONOID, []byte(`{"StreetName":"a"}`), field[tagged], tagged{"a"}, ""},
		{"map", pgtype.JSONOID, []byte(`{"a":1}`), into[map[string]int], map[string]int{"a": 1}, ""},
		{"number", pgtype.JSONOID, []byte(`12`), into[int], 12, ""},
		{"string keeps the text", pgtype.JSONBOID, []byte("\x01\"x\""), into[string], `"x"`, ""},
		{"raw", pgtype.JSONBOID, []byte("\x01[1]"), into[json.RawMessage], json.RawMessage("[1]"), ""},
		{"any", pgtype.JSONOID, []byte(`{"n":12345678901234567890,"l":[null,true]}`), into[any], map[string]any{"n": json.Number("12345678901234567890"), "l": []any{nil, true}}, ""},
		{"null", pgtype.JSONOID, []byte("null"), field[address], address{}, ""},
		{"SQL NULL", pgtype.JSONOID, nil, field[address], nil, "NULL into codec_test.address"},
		{"wrong shape", pgtype.JSONOID, []byte(`"x"`), field[address], nil, "json into codec_test.address: json: cannot unmarshal string"},
		{"version", pgtype.JSONBOID, []byte("\x02{}"), into[any], nil, "malformed jsonb"},
		{"empty jsonb", pgtype.JSONBOID, []byte{}, into[string], nil, "malformed jsonb"},
		{"empty json", pgtype.JSONOID, []byte{}, into[any], nil, "unexpected EOF"},
		{"trailing", pgtype.JSONOID, []byte(`1 2`), into[any], nil, "something follows"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(fmt.Sprintf("%T", c.want), "address") || strings.Contains(fmt.Sprintf("%T", c.want), "branch") {
				got, err := c.run(c.oid, c.src)
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			c.test(t)
		})
	}
}
