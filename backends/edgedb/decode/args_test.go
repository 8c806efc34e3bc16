package decode_test

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
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

type (
	valuer   struct{ v any }
	texter   struct{ n int }
	jsoner   struct{ n int }
	stringer struct{ text string }
	ownInt   struct{}
	ownDec   struct{ digits string }
)

func (v valuer) Value() (driver.Value, error) {
	if err, ok := v.v.(error); ok {
		return nil, err
	}
	return v.v, nil
}
func (t texter) MarshalText() ([]byte, error)           { return fmt.Append(nil, "t", t.n), nil }
func (j jsoner) MarshalJSON() ([]byte, error)           { return fmt.Appendf(nil, `{"n":%d}`, j.n), nil }
func (s stringer) String() string                       { return s.text }
func (ownInt) MarshalEdgeDBInt64() ([]byte, error)      { return int64Of(99), nil }
func (d *ownDec) UnmarshalEdgeDBDecimal(b []byte) error { d.digits = fmt.Sprintf("%x", b); return nil }
func (d *ownDec) SetMissing(missing bool)               { d.digits = fmt.Sprint("missing ", missing) }

// number is a decimal or bigint on the wire.
func number(weight int16, sign uint16, places uint16, digits ...uint16) []byte {
	b := []byte{0, byte(len(digits)), byte(uint16(weight) >> 8), byte(weight), byte(sign >> 8), byte(sign), byte(places >> 8), byte(places)}
	for _, d := range digits {
		b = append(b, byte(d>>8), byte(d))
	}
	return b
}

func duration(micros int64, days, months int32) []byte {
	return append(append(int64Of(micros), int32Of(days)...), int32Of(months)...)
}

// argTests are what arguments become, by declared type.
var argTests = []struct {
	typ    string
	wire   []byte
	values []any
}{
	{"int16", []byte{0x80, 0}, []any{-32768, int16(-32768), int64(-32768), -32768.0, "-32768", ptr(-32768), duet.Some(-32768), myInt(-32768), big.NewInt(-32768),
		sql.NullInt64{Int64: -32768, Valid: true}, valuer{int64(-32768)}, edgedb.NewOptionalInt16(-32768), edgedb.NewOptionalInt64(-32768)}},
	{"int32", int32Of(7), []any{7, int32(7), uint8(7), uint64(7), float32(7), "7"}},
	{"int64", int64Of(math.MaxInt64), []any{math.MaxInt64, int64(math.MaxInt64), uint64(math.MaxInt64), "9223372036854775807", *big.NewInt(math.MaxInt64), json.Number("9223372036854775807")}},
	{"int64", int64Of(99), []any{ownInt{}}},
	{"float32", []byte{0x3f, 0xc0, 0, 0}, []any{1.5, float32(1.5), "1.5", edgedb.NewOptionalFloat32(1.5)}},
	{"float64", []byte{0x40, 0x1c, 0, 0, 0, 0, 0, 0}, []any{7, 7.0, int8(7), uint(7), "7"}},
	{"bool", []byte{1}, []any{true, ptr(true), "true", duet.Some(true), edgedb.NewOptionalBool(true)}},
	{"str", []byte("t1"), []any{"t1", myString("t1"), []byte("t1"), texter{1}, &texter{1}, ptr("t1"), edgedb.NewOptionalStr("t1"), sql.NullString{String: "t1", Valid: true},
		valuer{"t1"}, valuer{valuer{"t1"}}, ptr(ptr("t1"))}},
	{"str", []byte("10.0.0.1"), []any{netip.MustParseAddr("10.0.0.1")}},
	{"str", []byte{}, []any{"", []byte{}}},
	{"str", []byte("2026-11-21T10:20:30.456789Z"), []any{aTime, &aTime}},
	{"int64", int64Of(1_000_000_000), []any{time.Second}},
	{"bytes", []byte{0, 255}, []any{[]byte{0, 255}, myBytes{0, 255}, [2]byte{0, 255}, edgedb.NewOptionalBytes([]byte{0, 255})}},
	{"uuid", aUUID[:], []any{aUUID, edgedb.UUID(aUUID), "b9545c35-1fe7-485f-a6ea-f8ead251abd3", aUUID[:], ptr(aUUID), edgedb.NewOptionalUUID(aUUID), valuer{"b9545c35-1fe7-485f-a6ea-f8ead251abd3"}}},
	{"json", []byte("\x01{\"n\":1}"), []any{`{"n":1}`, []byte(`{"n":1}`), json.RawMessage(`{"n":1}`), map[string]int{"n": 1}, struct {
		N int `json:"n"`
	}{1}, jsoner{1}, &jsoner{1}}},
	{"json", []byte("\x01[1,2]"), []any{[]int{1, 2}, [2]int{1, 2}, []any{1, 2}, "[1,2]"}},
	{"json", []byte("\x01[]"), []any{[]string{}}},
	{"json", []byte("\x011.5"), []any{1.5}},
	{"json", []byte("\x01true"), []any{true}},
	{"datetime", int64Of(1_500_000), []any{time.Unix(946684801, 500_000_999), time.Unix(946684801, 500_000_000).In(time.FixedZone("", 3600)), "2000-01-01T00:00:01.5Z",
		"2000-01-01T01:00:01.5+01:00", edgedb.NewOptionalDateTime(time.Unix(946684801, 500_000_000))}},
	{"datetime", int64Of(-1), []any{time.Unix(946684799, 999_999_000)}},
	{"local_datetime", int64Of(1_000_000), []any{time.Date(2000, 1, 1, 0, 0, 1, 0, time.FixedZone("", -7*3600)), edgedb.NewLocalDateTime(2000, 1, 1, 0, 0, 1, 0), "2000-01-01T00:00:01",
		edgedb.NewOptionalLocalDateTime(edgedb.NewLocalDateTime(2000, 1, 1, 0, 0, 1, 0))}},
	{"local_date", int32Of(-1), []any{time.Date(1999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7*3600)), edgedb.NewLocalDate(1999, 12, 31), "1999-12-31"}},
	{"local_date", int32Of(-730119), []any{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}},
	{"local_time", int64Of(3_600_000_001), []any{time.Hour + time.Microsecond, time.Date(2020, 2, 3, 1, 0, 0, 1999, time.Local), edgedb.NewLocalTime(1, 0, 0, 1), "01:00:00.000001"}},
	{"duration", duration(-1_500_000, 0, 0), []any{-1500 * time.Millisecond, edgedb.Duration(-1_500_000), "PT-1.5S", "-1.5s", edgedb.NewOptionalDuration(-1_500_000)}},
	{"relative_duration", duration(3_000_000, 2, 13), []any{edgedb.NewRelativeDuration(13, 2, 3_000_000), "P1Y1M2DT3S"}},
	{"relative_duration", duration(3_000_000, 0, 0), []any{3 * time.Second}},
	{"date_duration", duration(0, 2, -1), []any{edgedb.NewDateDuration(-1, 2), "P-1M2D"}},
	{"date_duration", duration(0, 2, 0), []any{48 * time.Hour}},
	{"memory", int64Of(5120), []any{5120, edgedb.Memory(5120), "5KiB", edgedb.NewOptionalMemory(5120)}},
	{"bigint", number(1, 0x4000, 0, 1, 2), []any{-10002, big.NewInt(-10002), "-10002", -10002.0, edgedb.NewOptionalBigInt(big.NewInt(-10002)), "-10002.00", "-1.0002e4"}},
	{"bigint", number(0, 0, 0), []any{0, "0", new(big.Int), "-0"}},
	{"bigint", number(10, 0, 0, 1), []any{mustInt("1" + strings.Repeat("0", 40)), "1e40"}},
	{"decimal", number(0, 0, 3, 1, 1230), []any{"1.123", big.NewRat(1123, 1000), 1.123, json.Number("1.123"), stringer{"1.123"}, "+1.123", "1123e-3"}},
	{"decimal", number(-1, 0, 1, 1000), []any{0.1, float32(0.1), "0.1", ".1"}},
	{"decimal", number(-2, 0x4000, 5, 1000), []any{"-0.00001"}},
	{"decimal", number(0, 0, 0, 5), []any{5, uint(5), big.NewInt(5), big.NewFloat(5), "5."}},
	{"decimal", number(0, 0, 2), []any{"0.00", "-0.00"}},
	{"decimal", number(4, 0, 10, 1234, 5678, 9012, 3456, 7890, 123, 4567, 8900), []any{"12345678901234567890.0123456789"}},
}

// sentArguments runs a command with arguments of the declared types and gives what
// came to the server.
func sentArguments(t *testing.T, server *replayServer, client *edgedb.Client, cmd string, args ...any) ([]byte, error) {
	t.Helper()
	wrapped, err := decode.Args(false, nil, args)
	if err != nil {
		return nil, err
	}
	executes := server.executes.Load()
	_, err = decode.NewCache().Fetch(context.Background(), client, decode.Request{Cmd: cmd, Args: wrapped})
	if err != nil {
		if server.executes.Load() != executes {
			t.Errorf("an error, and the command ran: %v", err)
		}
		return nil, err
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	return server.arguments[4:], nil
}

// argServer serves a command for each declared type: its name takes one required
// argument, "optional NAME" one that may be missing, "array NAME" an array.
func argServer(t *testing.T) (*replayServer, *edgedb.Client) {
	t.Helper()
	var list []statement
	result := scalarOf("int64")
	for name := range scalarIDs {
		typ := scalarOf(name)
		list = append(list, statement{cmd: name, typ: result, args: object(required("0", typ))},
			statement{cmd: "optional " + name, typ: result, args: object(optional("0", typ))},
			statement{cmd: "array " + name, typ: result, args: object(required("0", arrayOf(typ)))},
			statement{cmd: "optional array " + name, typ: result, args: object(optional("0", arrayOf(typ)))},
			statement{cmd: "range " + name, typ: result, args: object(optional("0", rangeOf(typ)))})
	}
	list = append(list, statement{cmd: "named", typ: result, args: object(required("name", scalarOf("str")), optional("age", scalarOf("int64")))},
		statement{cmd: "multirange", typ: result, args: object(required("0", multirangeOf(scalarOf("int64"))))})
	server := startReplay(t, makeReplies(list...))
	return server, server.connect(t)
}

func TestArguments(t *testing.T) {
	server, client := argServer(t)
	for _, tt := range argTests {
		for _, v := range tt.values {
			name := fmt.Sprintf("%T as %s", v, tt.typ)
			for _, prefix := range []string{"", "optional "} {
				got, err := sentArguments(t, server, client, prefix+tt.typ, v)
				if want := fieldsOf(tt.wire); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s%s (%v): sent % x, want % x, error %v", prefix, name, v, got, want, err)
				}
			}
			if _, own := v.(ownInt); own {
				continue
			}
			for _, list := range []any{[]any{v, v}, [2]any{v, &v}} {
				got, err := sentArguments(t, server, client, "array "+tt.typ, list)
				want := fieldsOf(listOf(tt.wire, tt.wire))
				if len(got) > 24 {
					got[24] = want[24] // the flags
				}
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s in an array (%v): sent % x, want % x, error %v", name, v, got, want, err)
				}
			}
		}
	}
}

func TestMissingArguments(t *testing.T) {
	server, client := argServer(t)
	missing := []any{nil, (*string)(nil), (*int)(nil), duet.None[int64](), sql.NullString{}, sql.Null[int]{}, valuer{nil}, edgedb.OptionalStr{}, edgedb.OptionalInt64{},
		[]byte(nil), []int(nil), map[string]int(nil), (**int)(nil), netip.Addr{}, (*valuer)(nil)}
	for name := range scalarIDs {
		if name == "vector" {
			continue
		}
		for _, v := range missing {
			for _, prefix := range []string{"optional ", "optional array "} {
				got, err := sentArguments(t, server, client, prefix+name, v)
				if err != nil || !bytes.Equal(got, fieldsOf(nil)) {
					t.Errorf("%T as %s%s: sent % x, %v", v, prefix, name, got, err)
				}
			}
			for _, prefix := range []string{"", "array "} {
				_, err := sentArguments(t, server, client, prefix+name, v)
				if text, ok := decode.ArgumentError(err); !ok || text != "argument $0: NULL for a parameter that is required" {
					t.Errorf("%T as %s%s: %q, %v, from %v", v, prefix, name, text, ok, err)
				}
			}
		}
	}
}

func TestRangeArguments(t *testing.T) {
	server, client := argServer(t)
	r := edgedb.NewRangeInt64(edgedb.NewOptionalInt64(1), edgedb.NewOptionalInt64(10), true, false)
	for _, v := range []any{r, &r, edgedb.NewOptionalRangeInt64(r)} {
		if _, err := sentArguments(t, server, client, "range int64", v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
	if _, err := sentArguments(t, server, client, "multirange", []edgedb.RangeInt64{r, r}); err != nil {
		t.Error(err)
	}
	if got, err := sentArguments(t, server, client, "range int64", edgedb.OptionalRangeInt64{}); err != nil || !bytes.Equal(got, fieldsOf(nil)) {
		t.Errorf("a missing range: % x, %v", got, err)
	}
	for _, v := range []any{nil, 1, "x"} {
		_, err := sentArguments(t, server, client, "range int64", v)
		if text, ok := decode.ArgumentError(err); !ok || !strings.HasPrefix(text, "argument $0: the value cannot be sent where edgedb-go wants an edgedb.Range") {
			t.Errorf("%v: %q, from %v", v, text, err)
		}
	}
}

// Errors name the argument and never its value.
func TestArgumentErrors(t *testing.T) {
	server, client := argServer(t)
	const secret = "s3cret"
	tests := []struct {
		typ  string
		v    any
		want string
	}{
		{"int16", 32768, "$0: the value does not fit int16"},
		{"int16", math.NaN(), "$0: the value does not fit int16"},
		{"int32", uint64(math.MaxUint64), "$0: the value does not fit int32"},
		{"int64", uint64(math.MaxUint64), "$0: the value does not fit int64"},
		{"int64", 1.5, "$0: the value does not fit int64"},
		{"int64", secret, "$0: the text is not a number"},
		{"int64", true, "$0: a Go bool cannot be sent as int64"},
		{"int64", "1.0", "$0: the text is not a number"},
		{"int64", time.Now(), "$0: a Go time.Time cannot be sent as int64"},
		{"decimal", netip.MustParseAddr("10.0.0.1"), "$0: a Go netip.Addr cannot be sent as decimal"},
		{"int64", []int{1}, "$0: a Go []int cannot be sent as int64"},
		{"int64", struct{}{}, "$0: a Go struct {} cannot be sent as int64"},
		{"float32", 1e300, "$0: the value does not fit float32"},
		{"float32", 1e-300, "$0: the value does not fit float32"},
		{"float64", secret, "$0: the text is not a float64"},
		{"bool", 1, "$0: a Go int cannot be sent as bool"},
		{"bool", secret, "$0: the text is neither true nor false"},
		{"str", 1, "$0: a Go int cannot be sent as str"},
		{"str", secret + "\x00", "$0: text cannot contain NUL"},
		{"str", secret + "\xff", "$0: text is not valid UTF-8"},
		{"json", []byte(secret + "\xff"), "$0: text is not valid UTF-8"},
		{"bytes", secret + "\x00", "$0: text cannot contain NUL"},
		{"bool", duet.Some(1), "$0: a Go duet.Optional[int] cannot be sent as bool"},
		{"bytes", 1, "$0: a Go int cannot be sent as bytes"},
		{"uuid", secret, "$0: the text is not a uuid"},
		{"uuid", []byte(secret), "$0: the text is not a uuid"},
		{"json", math.Inf(1), "$0: encoding a float64 as JSON"},
		{"json", make(chan int), "$0: encoding a chan int as JSON"},
		{"datetime", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "$0: the year does not fit datetime"},
		{"datetime", time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), "$0: the year does not fit datetime"},
		{"datetime", time.Unix(math.MaxInt64/2, 0), "$0: the year does not fit datetime"},
		{"datetime", secret, "$0: the text is not a date or time"},
		{"datetime", edgedb.NewLocalDate(2000, 1, 1), "$0: a Go edgedbtypes.LocalDate cannot be sent as datetime"},
		{"local_date", time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), "$0: the year does not fit cal::local_date"},
		{"local_time", 24 * time.Hour, "$0: the duration does not fit cal::local_time"},
		{"local_time", -time.Second, "$0: the duration does not fit cal::local_time"},
		{"duration", secret, "$0: the text is not an ISO 8601 duration"},
		{"duration", "P1D", "$0: the duration has parts that duration does not have"},
		{"duration", edgedb.NewRelativeDuration(1, 0, 0), "$0: the duration has parts that duration does not have"},
		{"date_duration", time.Second, "$0: the duration has parts that cal::date_duration does not have"},
		{"relative_duration", "P99999999999D", "$0: the duration is out of range"},
		{"bigint", 1.5, "$0: the number is not an integer"},
		{"bigint", secret, "$0: the text is not a number"},
		{"bigint", "1e200000", "$0: the number has more digits than fit"},
		{"decimal", math.NaN(), "$0: NaN and infinity have no decimal form"},
		{"decimal", big.NewRat(1, 3), "$0: the fraction has no finite decimal form"},
		{"decimal", new(big.Float).SetInf(true), "$0: an infinite number has no decimal form"},
		{"decimal", "1e-20000", "$0: the number has more digits than fit"},
		{"memory", secret, "$0: the text is not a number"},
		{"array int64", 5, "$0: a Go int cannot be sent as array<int64>"},
		{"array int64", secret, "$0: a Go string cannot be sent as array<int64>"},
		{"array int16", []int{1, 99999}, "$0, element 2: the value does not fit int16"},
		{"array int64", []any{1, nil}, "$0: NULL for a parameter"},
		{"array str", []*string{ptr("x"), nil}, "$0, element 2: NULL for a parameter"},
		{"array str", [][]string{{secret}}, "$0, element 1: a Go []string cannot be sent as str"},
	}
	for _, tt := range tests {
		_, err := sentArguments(t, server, client, tt.typ, tt.v)
		text, ok := decode.ArgumentError(err)
		want := strings.TrimPrefix(tt.want, "$0: NULL")
		if !ok || !strings.Contains(text, want) || !strings.HasPrefix(text, "argument $0") {
			t.Errorf("%T as %s: %q, %v, from %v", tt.v, tt.typ, text, ok, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%T as %s: the error shows the value: %v", tt.v, tt.typ, err)
		}
	}
	for _, args := range [][]any{{}, {1, 2}} {
		_, err := sentArguments(t, server, client, "int64", args...)
		if text, ok := decode.ArgumentError(err); !ok || text != fmt.Sprintf("the command wants 1 arguments and got %d", len(args)) {
			t.Errorf("%d arguments: %q, from %v", len(args), text, err)
		}
	}
	_, err := sentArguments(t, server, client, "named", 1)
	if text, ok := decode.ArgumentError(err); !ok || !strings.Contains(text, "parameters are named") {
		t.Errorf("got %q, from %v", text, err)
	}
	if _, err := sentArguments(t, server, client, "str", valuer{errors.New("boom")}); err == nil || !strings.Contains(err.Error(), "argument $0: the Value method of decode_test.valuer: boom") {
		t.Errorf("got %v", err)
	}
	type loop *loop
	var l loop
	l = &l
	if _, err := sentArguments(t, server, client, "str", l); err == nil || !strings.Contains(err.Error(), "pointers or Valuers") {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{nil, errors.New("x"), context.Canceled} {
		if text, ok := decode.ArgumentError(err); ok {
			t.Errorf("%v is taken for an argument's: %q", err, text)
		}
	}
	if _, err := sentArguments(t, server, client, "no such command", 1); err == nil {
		t.Error("an unknown command runs")
	} else if _, ok := decode.ArgumentError(err); ok {
		t.Errorf("%v is taken for an argument's", err)
	}
}

func TestNamedArguments(t *testing.T) {
	server, client := argServer(t)
	type embedded struct{ Age *int64 }
	names := []string{"name", "age"}
	want := fieldsOf(bytesOf("ada"), int64Of(36))
	for _, v := range []any{
		duet.Named{"name": "ada", "age": 36}, map[string]any{"name": "ada", "age": 36}, map[myString]any{"name": "ada", "age": "36"},
		struct {
			Name  string
			Age   int
			Other bool
		}{"ada", 36, true},
		&struct {
			N string `duet:"name"`
			embedded
		}{"ada", embedded{ptr[int64](36)}},
	} {
		args, err := decode.Args(true, names, []any{v})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode.NewCache().Fetch(context.Background(), client, decode.Request{Cmd: "named", Args: args}); err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		if got := server.arguments[4:]; !bytes.Equal(got, want) {
			t.Errorf("%T: sent % x, want % x", v, got, want)
		}
	}
	for text, args := range map[string][]any{
		"no value for the parameter $age":                            {duet.Named{"name": "ada"}},
		"the text has no parameter $other, $x":                       {map[string]any{"name": "ada", "age": 1, "x": 1, "other": 2}},
		"exactly one argument":                                       {},
		"exactly one argument, a map, duet.Named or struct; there a": {1, 2},
		"int is not a map with string keys, nor a struct":            {1},
		"has no field for the parameter $age":                        {struct{ Name string }{"x"}},
		"argument $name: the Value method":                           {duet.Named{"name": valuer{errors.New("x")}, "age": 1}},
	} {
		if _, err := decode.Args(true, names, args); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	args, _ := decode.Args(true, names, []any{duet.Named{"name": nil, "age": 1}})
	_, err := decode.NewCache().Fetch(context.Background(), client, decode.Request{Cmd: "named", Args: args})
	if text, ok := decode.ArgumentError(err); !ok || text != "argument $name: NULL for a parameter that is required" {
		t.Errorf("%q, from %v", text, err)
	}
	args, _ = decode.Args(true, names, []any{duet.Named{"name": "x", "age": "y"}})
	_, err = decode.NewCache().Fetch(context.Background(), client, decode.Request{Cmd: "named", Args: args})
	if text, ok := decode.ArgumentError(err); !ok || text != "argument $age: the text is not a number" {
		t.Errorf("%q, from %v", text, err)
	}
}
