package decode_test

import (
	"database/sql"
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

type (
	myTime  time.Time
	myUUID  [16]byte
	myBool  bool
	myFloat float32
	upper   string
	both    struct{ text string }
	tagged  struct {
		A int    `json:"aa"`
		B string `json:"bb"`
	}
	inner struct{ SomeName string }
	outer struct {
		TheInner inner
		List     []inner
		P        *inner
		M        map[string]inner
		Ignored  int `duet:"-"`
	}
	tree struct {
		Name string
		Kids []tree
	}
)

func (u *upper) UnmarshalText(b []byte) error {
	*u = upper(strings.ToUpper(string(b)))
	return nil
}

func (b *both) UnmarshalJSON(v []byte) error { b.text = "json " + string(v); return nil }

// scalarIndex finds a sample by name.
func scalarIndex(t *testing.T, name string) (i int, wire []byte) {
	t.Helper()
	order := []string{"", "str", "bool", "int16", "int32", "int64", "float32", "float64", "bigint", "decimal", "bytes", "uuid", "json", "datetime",
		"local_datetime", "local_date", "local_time", "duration", "relative_duration", "date_duration", "memory"}
	for i, n := range order {
		if n == name {
			for _, s := range scalarSamples {
				if s.name == name {
					return i, s.wire
				}
			}
		}
	}
	t.Fatalf("there is no sample of %s", name)
	return 0, nil
}

func TestConversions(t *testing.T) {
	tests := []struct {
		from string
		wire []byte // nil for the sample's
		want any
	}{
		{"str", nil, upper("X")},
		{"str", []byte("10.0.0.1"), netip.MustParseAddr("10.0.0.1")},
		{"str", []byte("10.0.0.1"), net.ParseIP("10.0.0.1")},
		{"str", nil, scanned{"x"}},
		{"str", nil, sql.NullString{String: "x", Valid: true}},
		{"str", nil, sql.Null[myString]{V: "x", Valid: true}},
		{"str", nil, duet.Some(ptr(myString("x")))},
		{"str", nil, edgedb.NewOptionalStr("x")},
		{"bool", nil, myBool(true)},
		{"bool", nil, scanned{true}},
		{"int16", nil, float64(-2)},
		{"int16", nil, scanned{int64(-2)}},
		{"int32", nil, sql.NullInt16{Int16: -3, Valid: true}},
		{"int64", nil, big64(-4)},
		{"int64", int64Of(1 << 53), float64(1 << 53)},
		{"float32", nil, scanned{1.5}},
		{"float64", nil, myFloat(1.5)},
		{"bigint", nil, int16(-10002)},
		{"bigint", nil, *big.NewInt(-10002)},
		{"bigint", nil, big.NewRat(-10002, 1)},
		{"bigint", nil, scanned{"-10002"}},
		{"bigint", nil, edgedb.NewOptionalBigInt(big.NewInt(-10002))},
		{"decimal", nil, 1.123},
		{"decimal", nil, float32(1.123)},
		{"decimal", nil, big.NewRat(1123, 1000)},
		{"decimal", nil, scanned{"1.123"}},
		{"decimal", nil, ownDec{"0002000000000003000104ce"}},
		{"decimal", number(0, 0, 2, 5), uint8(5)},
		{"bytes", nil, myBytes{0, 1}},
		{"bytes", []byte{}, []byte{}},
		{"bytes", nil, scanned{[]byte{0, 1}}},
		{"uuid", nil, myUUID(aUUID)},
		{"uuid", nil, aUUID[:]},
		{"uuid", nil, scanned{"b9545c35-1fe7-485f-a6ea-f8ead251abd3"}},
		{"json", nil, json.RawMessage(`{"a":[1]}`)},
		{"json", nil, myString(`{"a":[1]}`)},
		{"json", nil, scanned{[]byte(`{"a":[1]}`)}},
		{"json", nil, both{`json {"a":[1]}`}},
		{"json", nil, map[string][]int{"a": {1}}},
		{"json", []byte("\x01{\"aa\":1,\"bb\":\"x\"}"), tagged{1, "x"}},
		{"json", []byte("\x01{\"the_inner\":{\"some_name\":\"x\"},\"list\":[{\"some_name\":\"y\"},{}],\"p\":null,\"m\":{\"k\":{\"SomeName\":\"z\"}},\"extra\":1}"),
			outer{TheInner: inner{"x"}, List: []inner{{"y"}, {}}, M: map[string]inner{"k": {"z"}}}},
		{"json", []byte("\x01{\"Name\":\"a\",\"Kids\":[{\"Name\":\"b\"}]}"), tree{"a", []tree{{Name: "b"}}}},
		{"json", []byte("\x01null"), []int(nil)},
		{"json", []byte("\x0112345678901234567890.5"), any(json.Number("12345678901234567890.5"))},
		{"datetime", nil, myTime(time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC))},
		{"datetime", nil, "1999-12-31T23:59:59.999999+00:00"},
		{"datetime", nil, scanned{time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC)}},
		{"datetime", nil, sql.NullTime{Time: time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), Valid: true}},
		{"datetime", int64Of(-63082281600000000), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"datetime", int64Of(252455615999999999), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{"local_datetime", int64Of(-63082281600000000), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"local_datetime", int64Of(-63082281600000000), "0001-01-01T00:00:00"},
		{"local_date", int32Of(-730119), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"local_date", int32Of(2921939), "9999-12-31"},
		{"local_time", int64Of(86399999999), "23:59:59.999999"},
		{"local_time", nil, scanned{"00:00:00.000001"}},
		{"duration", nil, "PT-1H-0.000001S"},
		{"duration", duration(math.MaxInt64, 0, 0), "PT2562047788H54.775807S"},
		{"duration", duration(math.MinInt64, 0, 0), any("PT-2562047788H-54.775808S")},
		{"relative_duration", duration(-1_000_000, 1, 0), 24*time.Hour - time.Second},
		{"relative_duration", nil, scanned{"P1Y2M-2DT-0.000001S"}},
		{"date_duration", duration(0, 2, 0), 48 * time.Hour},
		{"date_duration", duration(0, 0, 0), "P0D"},
		{"memory", nil, uint16(1025)},
		{"memory", nil, edgedb.NewOptionalMemory(1025)},
	}
	for _, tt := range tests {
		i, wire := scalarIndex(t, tt.from)
		if tt.wire != nil {
			wire = tt.wire
		}
		out := reflect.New(reflect.TypeOf(tt.want))
		if strings.HasPrefix(tt.from, "json") && reflect.TypeOf(tt.want) == reflect.TypeFor[json.Number]() || tt.from == "duration" && tt.wire != nil && wire[0] == 0x80 {
			out = reflect.New(reflect.TypeFor[any]())
		}
		if err := decode.CopyWire(i, wire, out.Interface()); err != nil {
			t.Errorf("%s into %T: %v", tt.from, tt.want, err)
			continue
		}
		same(t, tt.from, out.Elem().Interface(), tt.want)
	}
}

func big64(v int64) *string { return ptr(big.NewInt(v).String()) }

func TestConversionsThatFail(t *testing.T) {
	tests := []struct {
		from string
		wire []byte
		out  any
		want string
	}{
		{"str", nil, new(int), "str does not decode into int"},
		{"str", nil, new(bool), "str does not decode into bool"},
		{"str", nil, new([3]byte), "1 bytes do not fit [3]uint8"},
		{"str", nil, new(netip.Addr), "str into netip.Addr: "},
		{"str", nil, new(duet.Record), "str does not decode into duet.Record"},
		{"str", nil, new(chan int), "str does not decode into chan int"},
		{"str", nil, new(error), "str does not decode into error"},
		{"bool", nil, new(int), "bool does not decode into int"},
		{"int16", nil, new(uint), "-2 does not fit uint"},
		{"int64", int64Of(1 << 40), new(int32), "1099511627776 does not fit int32"},
		{"int64", int64Of(1<<53 + 1), new(float64), "9007199254740993 does not fit float64 exactly"},
		{"int64", int64Of(math.MaxInt64), new(float64), "does not fit float64 exactly"},
		{"int64", nil, new(bool), "int64 does not decode into bool"},
		{"int64", nil, new(time.Time), "int64 into time.Time: parsing"},
		{"float64", []byte{0x7f, 0xe0, 0, 0, 0, 0, 0, 0}, new(float32), "does not fit float32"},
		{"float64", nil, new(int), "float64 does not decode into int"},
		{"bigint", number(10, 0, 0, 1), new(int64), "does not fit int64"},
		{"decimal", nil, new(int64), "1.123 is not an integer and does not fit int64"},
		{"decimal", nil, new(*big.Int), "1.123 is not an integer and does not fit big.Int"},
		{"decimal", number(1000, 0, 0, 1), new(float64), "does not fit float64"},
		{"bytes", nil, new(string), "bytes does not decode into string"},
		{"bytes", nil, new([3]byte), "2 bytes do not fit [3]uint8"},
		{"uuid", nil, new([15]byte), "16 bytes do not fit [15]uint8"},
		{"json", nil, new(int), "json into int: "},
		{"json", []byte("\x02{}"), new(any), "malformed json"},
		{"json", []byte("\x01{"), new(outer), "json into decode_test.outer: "},
		{"json", []byte("\x01{\"the_inner\": 1}"), new(outer), "json into decode_test.outer: "},
		{"json", nil, new(duet.Record), "json does not decode into duet.Record"},
		{"datetime", nil, new(time.Duration), "datetime does not decode into time.Duration"},
		{"duration", duration(math.MaxInt64, 0, 0), new(time.Duration), "does not fit time.Duration"},
		{"relative_duration", nil, new(time.Duration), "a duration of 14 months into time.Duration"},
		{"local_time", int64Of(86400000000), new(any), "malformed time"},
		{"int64", []byte{1}, new(any), "malformed value: it has 1 bytes, not 8"},
		{"decimal", []byte{1}, new(any), "malformed number: it has 1 bytes"},
		{"decimal", []byte{0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, new(any), "malformed number: digit 65535"},
		{"decimal", []byte{0, 0, 0, 0, 0xc0, 0, 0, 0}, new(any), "malformed number"},
	}
	for _, tt := range tests {
		i, wire := scalarIndex(t, tt.from)
		if tt.wire != nil {
			wire = tt.wire
		}
		err := decode.CopyWire(i, wire, tt.out)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s into %T: got %v, want %q", tt.from, tt.out, err, tt.want)
		}
	}
}

func TestJSONConversions(t *testing.T) {
	type pair struct {
		N int64
		S *string
	}
	tests := []struct {
		text string
		want any
	}{
		{`9223372036854775807`, int64(math.MaxInt64)}, {`-9223372036854775808`, int64(math.MinInt64)}, {`18446744073709551615`, uint64(math.MaxUint64)},
		{`255`, uint8(255)}, {`1.0`, 1}, {`1e3`, 1000}, {`1.5`, float32(1.5)}, {`"NaN"`, math.NaN()}, {`"-Infinity"`, math.Inf(-1)}, {`1e400`, mustInt("1" + strings.Repeat("0", 400))},
		{hugeInt, mustInt(hugeInt)}, {`12345678901234567890.0123456789`, "12345678901234567890.0123456789"}, {`1.25`, big.NewRat(5, 4)},
		{`"AAE="`, []byte{0, 1}}, {`"AAE="`, myBytes{0, 1}}, {`"AAE="`, [2]byte{0, 1}}, {`{"x": {"a": 1}}`, []byte(`{"a": 1}`)}, {`""`, []byte{}},
		{`"b9545c35-1fe7-485f-a6ea-f8ead251abd3"`, aUUID}, {`"b9545c35-1fe7-485f-a6ea-f8ead251abd3"`, edgedb.UUID(aUUID)}, {`"b9545c35-1fe7-485f-a6ea-f8ead251abd3"`, myUUID(aUUID)},
		{`"2026-11-21T10:20:30.456789+00:00"`, aTime}, {`"2026-11-21T11:20:30.456789+01:00"`, aTime}, {`"2026-11-21T10:20:30.456789"`, aTime}, {`"2026-11-21T10:20:30.456789+00:00"`, myTime(aTime)},
		{`"2026-11-21"`, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, {`"PT1H-1.5S"`, time.Hour - 1500*time.Millisecond}, {`"01:02:03"`, time.Hour + 2*time.Minute + 3*time.Second},
		{`"PT1.5S"`, edgedb.Duration(1_500_000)}, {`"P1M2DT3S"`, edgedb.NewRelativeDuration(1, 2, 3_000_000)}, {`"P1M2D"`, edgedb.NewDateDuration(1, 2)},
		{`"2026-11-21"`, edgedb.NewLocalDate(2026, 11, 21)}, {`"10:20:30"`, edgedb.NewLocalTime(10, 20, 30, 0)}, {`"5KiB"`, edgedb.Memory(5120)},
		{`"2026-11-21T10:20:30"`, edgedb.NewLocalDateTime(2026, 11, 21, 10, 20, 30, 0)},
		{`"x"`, edgedb.NewOptionalStr("x")}, {`5`, edgedb.NewOptionalInt16(5)}, {`null`, edgedb.OptionalStr{}}, {`null`, duet.None[string]()}, {`null`, (*int)(nil)}, {`null`, sql.NullTime{}},
		{`{"lower": 1, "upper": null, "inc_lower": true, "inc_upper": false}`, edgedb.NewRangeInt64(edgedb.NewOptionalInt64(1), edgedb.OptionalInt64{}, true, false)},
		{`true`, myBool(true)}, {`"x"`, upper("X")}, {`"x"`, scanned{"x"}}, {`1`, scanned{int64(1)}}, {`1.5`, scanned{1.5}}, {`{"x":{"a":1}}`, scanned{[]byte(`{"a":1}`)}},
		{`null`, scanned{nil}}, {`[1, 2]`, []int8{1, 2}}, {`[1, 2]`, [2]int8{1, 2}}, {`[]`, []string{}}, {`null`, (*[]string)(nil)},
		{`{"n": 1, "s": null}`, pair{N: 1}}, {`[1, "x"]`, pair{1, ptr("x")}}, {`{"s": "x", "n": 1}`, &pair{1, ptr("x")}}, {`[{"n": 1, "s": "x"}]`, []*pair{{1, ptr("x")}}},
		{`{"x": {"a": 1}}`, map[string]int{"a": 1}}, {`{"x": {"a": 1}}`, json.RawMessage(`{"a": 1}`)}, {`{"x": [1]}`, json.RawMessage(`[1]`)}, {`{"b": 1, "a": [null, 0.1, 1e2, 12345678901234567890, 0.10000000000000000001]}`,
			record("b", int64(1), "a", []any{nil, 0.1, 100.0, json.Number("12345678901234567890"), json.Number("0.10000000000000000001")})},
		{`{"name": "a", "kids": [{"name": "b", "kids": []}]}`, tree{"a", []tree{{Name: "b", Kids: []tree{}}}}}, {`{"a": 1}`, both{`json {"a": 1}`}},
		{`1.123`, ownDec{"0002000000000003000104ce"}}, {`[1, "x"]`, []any{int64(1), "x"}}, {`{"n": 1, "s": "x"}`, []any{int64(1), "x"}}, {`{"only": 7}`, 7}, {`{"only": "x"}`, ptr(myString("x"))},
		{`"a\"\u00e4"`, `a"ä`}, {`true`, "true"},
	}
	for _, tt := range tests {
		out := reflect.New(reflect.TypeOf(tt.want))
		if err := decode.JSONInto([]byte(tt.text), out.Interface(), false); err != nil {
			t.Errorf("%s into %T: %v", tt.text, tt.want, err)
			continue
		}
		same(t, tt.text, out.Elem().Interface(), tt.want)
	}
	fails := []struct {
		text string
		out  any
		want string
	}{
		{`9223372036854775808`, new(int64), "9223372036854775808 does not fit int64"}, {`-1`, new(uint), "-1 does not fit uint"}, {`1.5`, new(int), "1.5 is not an integer and does not fit int"},
		{`256`, new(uint8), "256 does not fit uint8"}, {`1e400`, new(float64), "does not fit float64"}, {`"x"`, new(int), "a string into int"}, {`1`, new(bool), "a number into bool"},
		{`"NaN"`, new(int), "a string into int"}, {`null`, new(string), "NULL into string"}, {`null`, new(int), "NULL into int"}, {`null`, new([]string), "NULL into []string"}, {`null`, new(pair), "NULL into decode_test.pair"},
		{`"!"`, new([]byte), "which takes base64 here"}, {`"AAE="`, new([3]byte), "2 bytes do not fit"}, {`"x"`, new(time.Time), "a string into time.Time"}, {`1`, new(time.Time), "a number into time.Time"},
		{`"P1M"`, new(time.Duration), "a duration of 1 months"}, {`"x"`, new(edgedb.UUID), "a string into edgedbtypes.UUID"}, {`"x"`, new(edgedb.LocalDate), "a string into edgedbtypes.LocalDate"},
		{`{"n": 1}`, new(pair), `field "S" (s) of decode_test.pair has no column (columns: n)`}, {`{"n": 1, "s": "", "t": 1}`, new(pair), `column "t" has no field in decode_test.pair (fields: n, s)`},
		{`{"n": "x", "s": ""}`, new(pair), `field "n": a string into int64`}, {`[1, "x", 2]`, new(pair), `column "2" has no field`}, {`[1]`, new(pair), `field "S" (s) of decode_test.pair has no column (columns: 0)`},
		{`[1, 2, 3]`, new([2]int), "3 elements do not fit [2]int"}, {`[1, "x"]`, new([]int), "element 2: a string into int"}, {`1`, new([]int), "a number into []int"},
		{`{"a": 1, "b": 2}`, new(int), "int takes one column, and the result has 2 (a, b)"}, {`1`, new(chan int), "JSON does not decode into chan int"},
		{`{"x": {"n": 1}}`, new([]pair), "an object into []decode_test.pair"},
	}
	for _, tt := range fails {
		err := decode.JSONInto([]byte(tt.text), tt.out, false)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s into %T: got %v, want %q", tt.text, tt.out, err, tt.want)
		}
	}
}
