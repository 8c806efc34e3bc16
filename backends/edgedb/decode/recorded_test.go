package decode_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
	"github.com/google/go-cmp/cmp"
)

// query fetches into out, a *[]T.
func query(t testing.TB, c *decode.Cache, ex edgedb.Executor, cmd string, out any, args ...any) error {
	t.Helper()
	row, err := decode.RowsTarget(out)
	if err != nil {
		return err
	}
	wrapped, err := decode.Args(false, nil, args)
	if err != nil {
		return err
	}
	res, err := c.Fetch(context.Background(), ex, decode.Request{Cmd: cmd, Args: wrapped, Row: row})
	if err != nil {
		return err
	}
	return res.Query(out, false)
}

// same compares values; NaN equals itself, and numbers of any size go by value.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	opts := cmp.Options{
		cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }),
		cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
		cmp.Comparer(func(a, b *big.Rat) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
		cmp.Comparer(func(a, b duet.Record) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }),
		cmp.Exporter(func(reflect.Type) bool { return true }),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func record(pairs ...any) duet.Record {
	var names []string
	var values []any
	for i := 0; i < len(pairs); i += 2 {
		names, values = append(names, pairs[i].(string)), append(values, pairs[i+1])
	}
	return duet.NewRecord(names, values)
}

func mustInt(text string) *big.Int {
	v, ok := new(big.Int).SetString(text, 10)
	if !ok {
		panic(text)
	}
	return v
}

func ptr[T any](v T) *T { return &v }

type (
	myString string
	myInt    int64
	myBytes  []byte
)

const hugeInt = "-123456789012345678901234567890"

var (
	aTime = time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC)
	aUUID = [16]byte{0xb9, 0x54, 0x5c, 0x35, 0x1f, 0xe7, 0x48, 0x5f, 0xa6, 0xea, 0xf8, 0xea, 0xd2, 0x51, 0xab, 0xd3}
)

// recordedValues are what recorded commands give, in several Go types each. The
// first of each is natural, []any what an interface value gets.
var recordedValues = []struct {
	cmd  string
	args []any
	want []any
}{
	{"select {true, false}", nil, []any{[]bool{true, false}, []any{true, false}, []*bool{ptr(true), ptr(false)}, []string{"true", "false"},
		[]duet.Optional[bool]{duet.Some(true), duet.Some(false)}}},
	{"select {<int16>-32768, <int16>32767}", nil, []any{[]int16{-32768, 32767}, []any{int16(-32768), int16(32767)}, []int{-32768, 32767},
		[]float32{-32768, 32767}, []string{"-32768", "32767"}, []edgedb.OptionalInt16{edgedb.NewOptionalInt16(-32768), edgedb.NewOptionalInt16(32767)},
		[]edgedb.OptionalInt64{edgedb.NewOptionalInt64(-32768), edgedb.NewOptionalInt64(32767)}}},
	{"select {<int32>-2147483648, <int32>2147483647}", nil, []any{[]int32{math.MinInt32, math.MaxInt32}, []any{int32(math.MinInt32), int32(math.MaxInt32)},
		[]myInt{math.MinInt32, math.MaxInt32}}},
	{"select {<int64>-9223372036854775808, <int64>9223372036854775807}", nil, []any{[]int64{math.MinInt64, math.MaxInt64},
		[]any{int64(math.MinInt64), int64(math.MaxInt64)}, []string{"-9223372036854775808", "9223372036854775807"}}},
	{"select <float32>1.5", nil, []any{[]float32{1.5}, []any{float32(1.5)}, []float64{1.5}, []string{"1.5"}}},
	{"select {<float64>1.5, <float64>'inf', <float64>'nan'}", nil, []any{[]float64{1.5, math.Inf(1), math.NaN()}, []any{1.5, math.Inf(1), math.NaN()},
		[]string{"1.5", "Infinity", "NaN"}}},
	{"select {'', 'grüße', 'a\\nb'}", nil, []any{[]string{"", "grüße", "a\nb"}, []any{"", "grüße", "a\nb"}, []myString{"", "grüße", "a\nb"},
		[][]byte{{}, []byte("grüße"), []byte("a\nb")}, []*string{ptr(""), ptr("grüße"), ptr("a\nb")}}},
	{`select b'\x00\x01\xff'`, nil, []any{[][]byte{{0, 1, 255}}, []any{[]byte{0, 1, 255}}, [][3]byte{{0, 1, 255}}, []myBytes{{0, 1, 255}}}},
	{"select <uuid>'b9545c35-1fe7-485f-a6ea-f8ead251abd3'", nil, []any{[]edgedb.UUID{aUUID}, []any{"b9545c35-1fe7-485f-a6ea-f8ead251abd3"}, [][16]byte{aUUID},
		[]string{"b9545c35-1fe7-485f-a6ea-f8ead251abd3"}, [][]byte{aUUID[:]}, []edgedb.OptionalUUID{edgedb.NewOptionalUUID(aUUID)}}},
	{"select <datetime>'2026-11-21T10:20:30.456789+00:00'", nil, []any{[]time.Time{aTime}, []any{aTime}, []string{"2026-11-21T10:20:30.456789+00:00"},
		[]*time.Time{&aTime}, []edgedb.OptionalDateTime{edgedb.NewOptionalDateTime(aTime)}}},
	{"select <cal::local_datetime>'2026-11-21T10:20:30.456789'", nil, []any{[]edgedb.LocalDateTime{edgedb.NewLocalDateTime(2026, 11, 21, 10, 20, 30, 456789)},
		[]any{aTime}, []time.Time{aTime}, []string{"2026-11-21T10:20:30.456789"}}},
	{"select <cal::local_date>'2026-11-21'", nil, []any{[]edgedb.LocalDate{edgedb.NewLocalDate(2026, 11, 21)}, []any{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
		[]time.Time{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, []string{"2026-11-21"}}},
	{"select <cal::local_time>'10:20:30.456789'", nil, []any{[]edgedb.LocalTime{edgedb.NewLocalTime(10, 20, 30, 456789)},
		[]any{10*time.Hour + 20*time.Minute + 30456789*time.Microsecond}, []time.Duration{10*time.Hour + 20*time.Minute + 30456789*time.Microsecond},
		[]time.Time{time.Date(0, 1, 1, 10, 20, 30, 456789000, time.UTC)}, []string{"10:20:30.456789"}}},
	{"select <duration>'45.6 seconds'", nil, []any{[]edgedb.Duration{45_600_000}, []any{45600 * time.Millisecond}, []time.Duration{45600 * time.Millisecond},
		[]string{"PT45.6S"}, []edgedb.OptionalDuration{edgedb.NewOptionalDuration(45_600_000)}}},
	{"select <cal::relative_duration>'1 month 2 days 3 seconds'", nil, []any{[]edgedb.RelativeDuration{edgedb.NewRelativeDuration(1, 2, 3_000_000)},
		[]any{"P1M2DT3S"}, []string{"P1M2DT3S"}}},
	{"select <cal::date_duration>'1 month 2 days'", nil, []any{[]edgedb.DateDuration{edgedb.NewDateDuration(1, 2)}, []any{"P1M2D"}, []string{"P1M2D"},
		[]edgedb.OptionalDateDuration{edgedb.NewOptionalDateDuration(edgedb.NewDateDuration(1, 2))}}},
	{"select {<json>(a := 1, b := 'x'), to_json('null')}", nil, []any{[]json.RawMessage{[]byte(`{"a": 1, "b": "x"}`), []byte("null")},
		[]any{map[string]any{"a": json.Number("1"), "b": "x"}, nil}, [][]byte{[]byte(`{"a": 1, "b": "x"}`), []byte("null")}, []string{`{"a": 1, "b": "x"}`, "null"},
		[]struct {
			A int
			B myString
		}{{1, "x"}, {}}, []map[string]any{{"a": json.Number("1"), "b": "x"}, nil}}},
	{"select {<bigint>'-123456789012345678901234567890', <bigint>0}", nil, []any{[]*big.Int{mustInt(hugeInt), new(big.Int)}, []any{hugeInt, "0"},
		[]string{hugeInt, "0"}, []big.Int{*mustInt(hugeInt), {}}, []float64{-123456789012345678901234567890, 0}}},
	{"select <cfg::memory>'5KiB'", nil, []any{[]edgedb.Memory{5120}, []any{int64(5120)}, []int64{5120}, []string{"5KiB"}}},
	{"select {[1, 2, 3], <array<int64>>[]}", nil, []any{[][]int64{{1, 2, 3}, {}}, []any{[]any{int64(1), int64(2), int64(3)}, []any{}}, [][]int8{{1, 2, 3}, {}},
		[][]any{{[]any{int64(1), int64(2), int64(3)}}, {[]any{}}}, [][]*int64{{ptr[int64](1), ptr[int64](2), ptr[int64](3)}, {}}}},
	{"select ['a', 'b']", nil, []any{[][]string{{"a", "b"}}, []any{[]any{"a", "b"}}, [][2]string{{"a", "b"}}, []*[]myString{{"a", "b"}}}},
	{"select (1, 'x')", nil, []any{[]struct {
		First  int64  `edgedb:"0"`
		Second string `edgedb:"1"`
	}{{1, "x"}}, []any{[]any{int64(1), "x"}}, []struct {
		N int
		S *string
	}{{1, ptr("x")}}, [][]any{{int64(1), "x"}}, [][]string{{"1", "x"}}, [][2]string{{"1", "x"}}, []duet.Record{record("0", int64(1), "1", "x")}}},
	{"select (a := 1, b := 'x')", nil, []any{[]struct {
		A int64
		B string
	}{{1, "x"}}, []any{record("a", int64(1), "b", "x")}, []map[string]any{{"a": int64(1), "b": "x"}}, []duet.Record{record("a", int64(1), "b", "x")}}},
	{"select {n := 1, s := <str>{}}", nil, []any{[]struct {
		N int64
		S *string
	}{{1, nil}}, []duet.Record{record("n", int64(1), "s", nil)}, []map[string]any{{"n": int64(1), "s": nil}}, [][]any{{int64(1), nil}}, []struct {
		N edgedb.OptionalInt64
		S edgedb.OptionalStr
	}{{N: edgedb.NewOptionalInt64(1)}}}},
	{"select range(1, 10)", nil, []any{[]edgedb.RangeInt64{edgedb.NewRangeInt64(edgedb.NewOptionalInt64(1), edgedb.NewOptionalInt64(10), true, false)},
		[]any{edgedb.NewRangeInt64(edgedb.NewOptionalInt64(1), edgedb.NewOptionalInt64(10), true, false)},
		[]struct {
			Lower, Upper *int
			IncUpper     bool
		}{{ptr(1), ptr(10), false}},
		[]duet.Record{record("lower", int64(1), "upper", int64(10), "inc_lower", true, "inc_upper", false, "empty", false)}}},
	{"select multirange([range(1, 3), range(7, 9)])", nil, []any{[][]edgedb.RangeInt64{{
		edgedb.NewRangeInt64(edgedb.NewOptionalInt64(1), edgedb.NewOptionalInt64(3), true, false),
		edgedb.NewRangeInt64(edgedb.NewOptionalInt64(7), edgedb.NewOptionalInt64(9), true, false),
	}}}},
	{"select Color.Green", nil, []any{[]string{"Green"}, []any{"Green"}, []myString{"Green"}}},
	{"select <str>{}", nil, []any{[]string{}, []any{}}},
	{"select Account { id, name, note, color, tags } order by .name", nil, []any{
		[]struct {
			ID    [16]byte `duet:"-"`
			Key   string   `duet:"id"`
			Name  string
			Note  *string
			Color duet.Optional[myString]
			Tags  []string
		}{
			{Key: "a5ccf0ec-e55e-11f1-8db4-8f00a03388da", Name: "ada", Color: duet.Some[myString]("Red"), Tags: []string{"x", "y"}},
			{Key: "a5e329ca-e55e-11f1-8db4-63535b68d71e", Name: "bob", Tags: []string{}},
		},
		[]duet.Record{
			record("id", "a5ccf0ec-e55e-11f1-8db4-8f00a03388da", "name", "ada", "note", nil, "color", "Red", "tags", []any{"x", "y"}),
			record("id", "a5e329ca-e55e-11f1-8db4-63535b68d71e", "name", "bob", "note", nil, "color", nil, "tags", []any{}),
		},
	}},
	{"select Transfer { amount, src: { name } }", nil, []any{
		[]struct {
			Amount int64
			Src    struct{ Name string }
		}{{5, struct{ Name string }{"ada"}}, {5, struct{ Name string }{"ada"}}},
		[]duet.Record{record("amount", int64(5), "src", record("name", "ada")), record("amount", int64(5), "src", record("name", "ada"))},
		[]*struct {
			Src    *struct{ Name *string }
			Amount uint8
		}{{&struct{ Name *string }{ptr("ada")}, 5}, {&struct{ Name *string }{ptr("ada")}, 5}},
		[]struct {
			Amount int64
			Src    map[string]any
		}{{5, map[string]any{"name": "ada"}}, {5, map[string]any{"name": "ada"}}},
	}},
	{"select (<int64>$0 + 1, <str>$1 ++ '!', not <bool>$2)", []any{41, "hi", true}, []any{[][]any{{int64(42), "hi!", false}}}},
	{"select (<datetime>$0, <uuid>$1, <bytes>$2)", []any{aTime, [16]byte{1, 2, 3}, []byte{0, 1}}, []any{[]struct {
		T time.Time
		U [16]byte
		B []byte
	}{{aTime, [16]byte{1, 2, 3}, []byte{0, 1}}}}},
	{"select array_unpack(<array<int64>>$0)", []any{[]int64{3, 2, 1}}, []any{[]int64{3, 2, 1}}},
}

func TestRecordedValues(t *testing.T) {
	server := startReplay(t, nil)
	client := server.connect(t)
	for _, tt := range recordedValues {
		t.Run(tt.cmd, func(t *testing.T) {
			shared := decode.NewCache()
			for _, want := range tt.want {
				typ := reflect.TypeOf(want)
				for name, c := range map[string]*decode.Cache{"alone": decode.NewCache(), "shared": shared} {
					for round := range 3 { // unknown, learned, known
						out := reflect.New(typ)
						if err := query(t, c, client, tt.cmd, out.Interface(), tt.args...); err != nil {
							t.Fatalf("%v, %s, round %d: %v", typ, name, round, err)
						}
						same(t, fmt.Sprintf("%v, %s, round %d", typ, name, round), out.Elem().Interface(), want)
					}
				}
			}
		})
	}
}

// Every recorded Query decodes, and into an any what its JSON says.
func TestAllRecordedQueries(t *testing.T) {
	server := startReplay(t, nil)
	client := server.connect(t)
	tested := 0
	for _, c := range recorded(t, "values") {
		if c.Call != "Query" || c.Error != "" {
			continue
		}
		tested++
		cache := decode.NewCache()
		args := recordedArgs[c.Name]
		wrapped, err := decode.Args(false, nil, args)
		if m, ok := append(args, nil)[0].(map[string]any); ok {
			wrapped, err = decode.Args(true, []string{"name", "balance", "note"}, []any{m})
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			res, err := cache.Fetch(context.Background(), client, decode.Request{Cmd: c.EdgeQL, Args: wrapped})
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			var rows []duet.Record
			if err := res.Query(&rows, false); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			if len(rows) == 0 && c.Name != "empty set" {
				t.Errorf("%s: no rows", c.Name)
			}
		}
	}
	if tested < 30 {
		t.Errorf("only %d cases were found", tested)
	}
}

var recordedArgs = map[string][]any{
	"insert":                       {"ada", 100},
	"insert named":                 {map[string]any{"name": "bob", "balance": 100, "note": nil}},
	"arguments int64 str bool":     {41, "hi", true},
	"argument datetime uuid bytes": {aTime, [16]byte{1, 2, 3}, []byte{0, 1}},
	"argument array":               {[]int64{3, 2, 1}},
	"update":                       {"ada", 5},
}
