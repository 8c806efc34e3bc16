package backends_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
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
)

// echoes are the statements that give their argument back, and the Go type that
// holds what each gives.
var echoes = []struct {
	statement string
	typ       reflect.Type
}{
	{"echo_bool", typeOf[*bool]()}, {"echo_int16", typeOf[*int16]()}, {"echo_int32", typeOf[*int32]()}, {"echo_int64", typeOf[*int64]()},
	{"echo_float32", typeOf[*float32]()}, {"echo_float64", typeOf[*float64]()}, {"echo_str", typeOf[*string]()},
	{"echo_bytes", typeOf[*[]byte]()},
	{"echo_uuid", typeOf[*string]()}, {"echo_datetime", typeOf[*time.Time]()}, {"echo_local_datetime", typeOf[*time.Time]()},
	{"echo_local_date", typeOf[*time.Time]()}, {"echo_local_time", typeOf[*time.Duration]()}, {"echo_duration", typeOf[*time.Duration]()},
	{"echo_json", typeOf[any]()}, {"echo_bigint", typeOf[*string]()}, {"echo_decimal", typeOf[*string]()},
	{"echo_ints", typeOf[*[]int64]()}, {"echo_strs", typeOf[*[]string]()},
}

// shout marshals itself as a text, pshout only by its pointer.
type (
	shout  struct{ Text string }
	pshout struct{ Text string }
	loud   int
)

func (s shout) MarshalText() ([]byte, error)   { return []byte(strings.ToUpper(s.Text)), nil }
func (s *pshout) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(s.Text)), nil }
func (n loud) MarshalText() ([]byte, error)    { return []byte(fmt.Sprintf("loud %d", int(n))), nil }

// asJSON marshals itself as JSON, valued is a driver.Valuer, mute fails at both.
type (
	asJSON struct{ Secret string }
	valued struct{ V any }
	mute   struct{}
)

func (j asJSON) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{"is": j.Secret}) }
func (v valued) Value() (driver.Value, error) { return v.V, nil }
func (mute) MarshalText() ([]byte, error)     { return nil, errors.New("it says nothing") }
func (mute) MarshalJSON() ([]byte, error)     { return nil, errors.New("it says nothing") }
func ptr[T any](v T) *T                       { return &v }
func bigInt(text string) *big.Int             { n, _ := new(big.Int).SetString(text, 10); return n }
func inZone(t time.Time, hours int) time.Time { return t.In(time.FixedZone("", hours*3600)) }
func year(y int) time.Time                    { return time.Date(y, 12, 31, 23, 59, 59, 999999999, time.UTC) }
func float(v string) *big.Float               { f, _ := new(big.Float).SetString(v); return f }
func rat(a, b int64) *big.Rat                 { return big.NewRat(a, b) }
func named16(b [16]byte) ownUUID              { return ownUUID(b) }

// moment has nanoseconds, and a clock of its own.
var moment = time.Date(2026, 11, 21, 10, 20, 30, 123456789, time.UTC)

// arguments are what is sent to each of the echoes.
var arguments = []struct {
	name  string
	value any
}{
	{"nil", nil}, {"true", true}, {"false", false}, {"ownBool", ownBool(true)}, {"*bool", ptr(true)}, {"nil *bool", (*bool)(nil)},
	{"int 0", 0}, {"int -7", -7}, {"int 70000", 70000}, {"int8", int8(-8)}, {"int16", int16(-300)}, {"int32", int32(-70000)},
	{"int64", int64(1) << 40},
	{"the least int64", int64(math.MinInt64)}, {"the largest int64", int64(math.MaxInt64)}, {"uint", uint(7)}, {"uint8", uint8(255)},
	{"uint16", uint16(65535)},
	{"uint32", uint32(math.MaxUint32)}, {"uint64", uint64(7)}, {"uint64 beyond int64", uint64(math.MaxInt64) + 1},
	{"the largest uint64", uint64(math.MaxUint64)},
	{"uintptr", uintptr(5)}, {"ownInt", ownInt(-9)}, {"ownUint8", ownUint8(200)}, {"*int64", ptr(int64(77))},
	{"**int64", ptr(ptr(int64(77)))}, {"nil *int64", (*int64)(nil)},
	{"float64 1.5", 1.5}, {"float64 3", 3.0}, {"float64 1e300", 1e300}, {"float64 1e-300", 1e-300}, {"float64 0.1", 0.1},
	{"float64 2^63", float64(1 << 63)}, {"float64 -2^63", -float64(1 << 63)},
	{"float32 0.1", float32(0.1)}, {"float32 2", float32(2)}, {"NaN", math.NaN()}, {"+Inf", math.Inf(1)}, {"-Inf", math.Inf(-1)},
	{"negative zero", math.Copysign(0, -1)}, {"ownFloat", ownFloat(2.5)},
	{"float64 3e38", 3.5e38}, {"complex", complex(1, 2)},
	{"string empty", ""}, {"string abcde", "abcde"}, {"string 12", "12"}, {"string -12", "-12"}, {"string 12.50", "12.50"},
	{"string 1e3", "1e3"}, {"string true", "true"}, {"string t", "t"},
	{"string date", "2026-11-21"}, {"string datetime", "2026-11-21T10:20:30+00:00"}, {"string local datetime", "2026-11-21T10:20:30.5"},
	{"string time", "10:20:30.5"},
	{"string duration", "PT1H"}, {"string Go duration", "1h30m"}, {"string 1 hour", "01:30:00"},
	{"string uuid", "b9545c35-1fe7-485f-a6ea-f8ead251abd3"},
	{"string uuid upper", "B9545C35-1FE7-485F-A6EA-F8EAD251ABD3"}, {"string json", `{"a": [1]}`}, {"string NUL", "secret\x00nul"},
	{"string no UTF-8", "secret\xff\xfe"},
	{"string NaN", "NaN"}, {"string inf", "Infinity"}, {"string huge", "1" + strings.Repeat("0", 400)},
	{"string 1 MB", strings.Repeat("0123456789abcdéf", 1<<16)},
	{"ownString", ownString("abcde")}, {"*string", ptr("abcde")}, {"nil *string", (*string)(nil)}, {"***string", ptr(ptr(ptr("abcde")))},
	{"bytes", []byte("abcde")}, {"bytes empty", []byte{}}, {"bytes nil", []byte(nil)}, {"bytes 16", []byte("sixteen bytes ok")},
	{"bytes json", []byte(`{"b": 2}`)}, {"bytes no UTF-8", []byte{0xff, 0xfe, 0}},
	{"bytes 12", []byte("12")}, {"bytes 1 MB", bytes.Repeat([]byte{7}, 1<<20)}, {"ownBytes", ownBytes("abcde")},
	{"ownBytes nil", ownBytes(nil)}, {"[16]byte", [16]byte{1, 2, 15: 16}}, {"ownUUID", named16([16]byte{3})},
	{"*[16]byte", &[16]byte{9}}, {"[3]byte", [3]byte{1, 2, 3}}, {"[]ownUint8", []ownUint8{1, 2}},
	{"time", moment}, {"time east", inZone(moment, 14)}, {"time west", inZone(moment, -12)}, {"time monotonic", time.Now()},
	{"time zero", time.Time{}}, {"year 1 in the east", inZone(time.Time{}, 5)},
	{"year 9999", year(9999)}, {"year 10000", year(10000)}, {"year 0", year(0)}, {"year -5", year(-5)},
	{"before 1970", time.Unix(-1, 999_999_999)}, {"before 2000", time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
	{"ownTime", ownTime(moment)}, {"*time", &moment}, {"nil *time", (*time.Time)(nil)}, {"month", time.May},
	{"duration", 90 * time.Minute}, {"duration ns", time.Duration(1_999)}, {"duration -ns", time.Duration(-1_999)},
	{"duration 500ns", time.Duration(500)}, {"duration 999ns after a second", time.Second + 999},
	{"duration 24h", 24 * time.Hour}, {"duration 25h", 25 * time.Hour}, {"duration -1h", -time.Hour},
	{"the longest duration", time.Duration(math.MaxInt64)}, {"the least duration", time.Duration(math.MinInt64)},
	{"ownWait", ownWait(time.Second)}, {"*duration", ptr(time.Minute)},
	{"*big.Int", big.NewInt(12)}, {"*big.Int negative", big.NewInt(-70000)}, {"*big.Int huge", bigInt("123456789012345678901234567890")},
	{"big.Int", *big.NewInt(5)}, {"nil *big.Int", (*big.Int)(nil)}, {"**big.Int", ptr(big.NewInt(5))},
	{"*big.Rat", rat(5, 4)}, {"*big.Rat whole", rat(6, 1)}, {"*big.Rat endless", rat(1, 3)}, {"*big.Float", float("1.25")},
	{"*big.Float whole", float("1e30")}, {"*big.Float inf", new(big.Float).SetInf(true)},
	{"netip.Addr", netip.MustParseAddr("10.0.0.1")}, {"netip.Addr zero", netip.Addr{}},
	{"netip.Prefix", netip.MustParsePrefix("10.0.0.0/8")}, {"netip.Prefix zero", netip.Prefix{}}, {"net.IP", net.IPv4(10, 0, 0, 1)},
	{"nil net.IP", net.IP(nil)},
	{"Optional string", duet.Some("abcde")}, {"Optional unset", duet.None[string]()}, {"*Optional", ptr(duet.Some(int64(5)))},
	{"*Optional unset", ptr(duet.None[int64]())}, {"Optional int", duet.Some(5)}, {"Optional *int unset", duet.Some((*int)(nil))},
	{"Optional of Optional", duet.Some(duet.Some("abcde"))}, {"Optional time", duet.Some(moment)},
	{"Optional bytes", duet.Some([]byte("abcde"))}, {"Optional slice", duet.Some([]int64{1})},
	{"sql.NullString", sql.NullString{String: "abcde", Valid: true}}, {"sql.NullString unset", sql.NullString{}},
	{"sql.NullInt64", sql.NullInt64{Int64: 6, Valid: true}}, {"sql.NullTime", sql.NullTime{Time: moment, Valid: true}},
	{"sql.Null[string]", sql.Null[string]{V: "abcde", Valid: true}}, {"sql.Null unset", sql.Null[int]{}},
	{"*sql.NullString", &sql.NullString{String: "abcde", Valid: true}}, {"sql.NullByte", sql.NullByte{Byte: 3, Valid: true}},
	{"Valuer nil", valued{nil}}, {"Valuer int", valued{int64(8)}}, {"Valuer string", valued{"abcde"}},
	{"Valuer bytes", valued{[]byte("abcde")}}, {"Valuer Valuer", valued{valued{1.5}}}, {"*Valuer", &valued{int64(8)}},
	{"TextMarshaler", shout{"abcde"}}, {"*TextMarshaler", &shout{"abcde"}}, {"TextMarshaler by pointer", &pshout{"abcde"}},
	{"no TextMarshaler", pshout{"abcde"}}, {"int with a text", loud(4)}, {"mute", mute{}},
	{"json.Marshaler", asJSON{"abcde"}}, {"*json.Marshaler", &asJSON{"abcde"}}, {"json.RawMessage", json.RawMessage(`{"r": 1}`)},
	{"json.RawMessage nil", json.RawMessage(nil)}, {"json.RawMessage bad", json.RawMessage(`{secret`)}, {"json.Number", json.Number("12")},
	{"ints", []int64{1, -2}}, {"ints empty", []int64{}}, {"ints nil", []int64(nil)}, {"[]int", []int{3, 4}}, {"[]int32", []int32{5}},
	{"ownInts", ownInts{6, 7}}, {"[2]int64", [2]int64{1, 2}}, {"[]*int64", []*int64{ptr(int64(5))}}, {"[]*int64 with nil", []*int64{nil}},
	{"[]uint64 beyond", []uint64{1, math.MaxUint64}}, {"[]float64", []float64{1, 2}}, {"[]float64 fraction", []float64{1.5}},
	{"[][]int64", [][]int64{{1}, {2}}}, {"[][]int64 ragged", [][]int64{{1}, {2, 3}}}, {"[]any ints", []any{1, int64(2)}},
	{"[]any mixed", []any{1, "abcde"}}, {"[]any nil", []any{nil}},
	{"strs", []string{"abcde", ""}}, {"strs NULL", []string{"NULL", `"`, `{}`}}, {"ownStrs", ownStrs{"abcde"}},
	{"[]ownString", []ownString{"abcde"}}, {"[]string NUL", []string{"secret\x00nul"}}, {"*[]string", &[]string{"abcde"}},
	{"nil *[]string", (*[]string)(nil)},
	{"[]Optional", []duet.Optional[int64]{duet.Some(int64(1))}}, {"[]Optional unset", []duet.Optional[int64]{{}}},
	{"[][]byte", [][]byte{[]byte("abcde")}}, {"[]time", []time.Time{moment}}, {"[]bool", []bool{true}}, {"[]shout", []shout{{"abcde"}}},
	{"map", map[string]any{"k": 1}}, {"map nil", map[string]any(nil)}, {"Named", duet.Named{"k": 1}},
	{"map[string]int", map[string]int{"b": 2, "a": 1}}, {"struct", point{1, "abcde"}}, {"*struct", &point{1, "abcde"}},
	{"nil *struct", (*point)(nil)}, {"tagged", tagged{1, "abcde"}}, {"[]struct", []point{{1, "x"}}}, {"struct{}", struct{}{}},
	{"Record", duet.NewRecord([]string{"a"}, []any{1})}, {"func", func() {}}, {"chan", make(chan int)},
	{"error", errors.New("secret error")},
}

func TestParityOfArguments(t *testing.T) {
	p := openPair(t)
	for _, echo := range echoes {
		for _, arg := range arguments {
			cell := echo.statement + " of " + arg.name
			p.compare(t, cell, func(c duet.Client) (any, error) {
				out := reflect.New(echo.typ)
				err := c.QueryOne(p.ctx, textOf(t, c, echo.statement), out.Interface(), arg.value)
				if err != nil {
					checkArgumentError(t, cell+" on "+c.Backend().Name, err, arg.value)
				}
				return out.Elem().Interface(), err
			})
		}
	}
}

// checkArgumentError holds that an error which the client gave names the argument
// and does not show it.
func checkArgumentError(t *testing.T, cell string, err error, value any) {
	t.Helper()
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		t.Errorf("%s: %v is no *duet.Error", cell, err)
		return
	}
	if e.Code != "" || e.Kind == duet.KindInvalidResult {
		return
	}
	if !errors.Is(err, duet.ErrInvalidArgument) || !strings.Contains(e.Error(), "$") {
		t.Errorf("%s: %v; want ErrInvalidArgument that names the argument", cell, err)
	}
	f, isFloat := value.(float64)
	finite := !isFloat || !math.IsNaN(f) && !math.IsInf(f, 0) // what is not may be named
	if shown := fmt.Sprint(value); finite && len(shown) > 2 && len(shown) < 1000 && strings.Contains(e.Error(), shown) && !strings.Contains(fmt.Sprintf("%T", value), shown) {
		t.Errorf("%s: %v shows the value", cell, err)
	}
	for _, secret := range []string{"abcde", "secret"} {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("%s: %v shows the value", cell, err)
		}
	}
}

// How arguments are given: too many, too few, by name.
func TestParityOfArgumentRules(t *testing.T) {
	p := openPair(t)
	type both struct{ A, B string }
	type more struct{ A, B, C string }
	type less struct{ A string }
	type hidden struct{ a, B string }
	type other map[string]string
	nothing := context.Context(nil)
	for _, tt := range []struct {
		name, statement string
		args            []any
	}{
		{"none", "echo_int64", nil}, {"two", "echo_int64", []any{int64(1), int64(2)}}, {"one too many", "one", []any{1}},
		{"two of three", "three_args", []any{int64(1), "x"}},
		{"Named for positional", "echo_int64", []any{duet.Named{"0": 1}}}, {"three", "three_args", []any{int64(1), "x", true}},
		{"in the wrong order", "three_args", []any{"x", int64(1), true}},
		{"Named", "named_a_b", []any{duet.Named{"a": "x", "b": "y"}}},
		{"superfluous", "named_a_b", []any{duet.Named{"a": "x", "b": "y", "c": "z"}}},
		{"missing", "named_a_b", []any{duet.Named{"a": "x"}}},
		{"both", "named_a_b", []any{duet.Named{"a": "x", "c": "z", "d": 1}}}, {"none by name", "named_a_b", nil},
		{"positional for names", "named_a_b", []any{"x", "y"}}, {"one value for names", "named_a_b", []any{"x"}},
		{"nil for names", "named_a_b", []any{nil}}, {"empty Named", "named_a_b", []any{duet.Named{}}},
		{"nil Named", "named_a_b", []any{duet.Named(nil)}}, {"map", "named_a_b", []any{map[string]any{"a": "x", "b": "y"}}},
		{"map of strings", "named_a_b", []any{map[string]string{"a": "x", "b": "y"}}},
		{"own map", "named_a_b", []any{other{"a": "x", "b": "y", "e": ""}}}, {"map by int", "named_a_b", []any{map[int]string{1: "x"}}},
		{"*map", "named_a_b", []any{&map[string]any{"a": "x", "b": "y"}}}, {"struct", "named_a_b", []any{both{"x", "y"}}},
		{"*struct", "named_a_b", []any{&both{"x", "y"}}}, {"nil *struct", "named_a_b", []any{(*both)(nil)}},
		{"struct with more", "named_a_b", []any{more{"x", "y", "z"}}}, {"struct with less", "named_a_b", []any{less{"x"}}},
		{"struct with a hidden field", "named_a_b", []any{hidden{"x", "y"}}},
		{"two maps", "named_a_b", []any{duet.Named{"a": "x"}, duet.Named{"b": "y"}}},
		{"a wrong type by name", "named_a_b", []any{duet.Named{"a": "x", "b": 5}}},
		{"nil by name", "named_a_b", []any{duet.Named{"a": nil, "b": "y"}}}, {"mixed", "mixed_args", []any{"x", "y"}},
		{"mixed by name", "mixed_args", []any{duet.Named{"name": "y"}}},
		{"repeated", "dollars_in_text", []any{duet.Named{"a": "x"}}}, {"optional nil", "name_if", []any{nil}},
		{"optional missing pointer", "name_if", []any{(*string)(nil)}}, {"optional unset", "name_if", []any{duet.None[string]()}},
		{"optional set", "name_if", []any{duet.Some("bob")}},
		{"a ctx", "echo_str", []any{nothing}},
	} {
		for _, how := range []string{"Query", "QueryJSON", "Execute", "Rows"} {
			p.compare(t, how+" "+tt.name, func(c duet.Client) (any, error) { return p.call(how, c, textOf(t, c, tt.statement), tt.args) })
		}
	}
}

// call runs a command for its rows as values of any type.
func (p *pair) call(how string, c duet.Client, cmd string, args []any) (any, error) {
	switch how {
	case "Query":
		var out []map[string]any
		err := c.Query(p.ctx, cmd, &out, args...)
		return out, err
	case "QueryJSON":
		var out []byte
		err := c.QueryJSON(p.ctx, cmd, &out, args...)
		return jsonOf(out), err
	case "Execute":
		_, err := c.Execute(p.ctx, cmd, args...)
		return nil, err
	default:
		rows, err := c.Rows(p.ctx, cmd, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			n++
		}
		return n, rows.Err()
	}
}

// jsonOf reads JSON as a value whose numbers are exact.
func jsonOf(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Sprintf("no JSON: %v", err)
	}
	return v
}
