package backends_test

import (
	"database/sql"
	"encoding/json"
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

// Types of a user's own.
type (
	ownInt    int64
	ownUint8  uint8
	ownFloat  float32
	ownString string
	ownBool   bool
	ownBytes  []byte
	ownUUID   [16]byte
	ownTime   time.Time
	ownStrs   []string
	ownInts   []ownInt
	ownMap    map[string]any
	ownList   []any
	ownWait   time.Duration
	ownRaw    json.RawMessage
	selfEmbed struct{ sql.NullString }
)

// upper unmarshals itself from a text.
type upper struct{ Text string }

func (u *upper) UnmarshalText(text []byte) error {
	if len(text) > 1000 {
		return fmt.Errorf("%d bytes are too many", len(text))
	}
	u.Text = strings.ToUpper(string(text))
	return nil
}

// textInt is an integer with a text of its own.
type textInt int64

func (n *textInt) UnmarshalText(text []byte) error {
	*n = textInt(len(text))
	return nil
}

// seen is a sql.Scanner that keeps what it was given.
type seen struct{ Given any }

func (s *seen) Scan(v any) error {
	s.Given = v
	return nil
}

// picky is a sql.Scanner that takes nothing.
type picky struct{}

func (*picky) Scan(any) error { return fmt.Errorf("picky takes nothing") }

// point is a struct for JSON.
type point struct {
	A int64
	B string
}

// tagged is one for encoding/json.
type tagged struct {
	A int64 `json:"a"`
	B any   `json:"b"`
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// destinations are the types that every value is read into.
var destinations = []reflect.Type{
	typeOf[int](), typeOf[int8](), typeOf[int16](), typeOf[int32](), typeOf[int64](),
	typeOf[uint](), typeOf[uint8](), typeOf[uint16](), typeOf[uint32](), typeOf[uint64](), typeOf[uintptr](),
	typeOf[float32](), typeOf[float64](), typeOf[complex128](),
	typeOf[string](), typeOf[bool](), typeOf[[]byte](), typeOf[[]uint16](), typeOf[[3]byte](), typeOf[[16]byte](), typeOf[[4]int64](),
	typeOf[ownInt](), typeOf[ownUint8](), typeOf[ownFloat](), typeOf[ownString](), typeOf[ownBool](), typeOf[ownBytes](), typeOf[ownUUID](),
	typeOf[ownTime](), typeOf[ownStrs](), typeOf[ownInts](), typeOf[ownMap](), typeOf[ownList](), typeOf[ownWait](), typeOf[ownRaw](),
	typeOf[time.Time](), typeOf[time.Duration](), typeOf[*time.Time](), typeOf[time.Month](),
	typeOf[big.Int](), typeOf[*big.Int](), typeOf[big.Rat](), typeOf[*big.Rat](), typeOf[big.Float](), typeOf[*big.Float](),
	typeOf[netip.Addr](), typeOf[netip.Prefix](), typeOf[*netip.Addr](), typeOf[net.IP](), typeOf[net.IPNet](),
	typeOf[any](), typeOf[fmt.Stringer](), typeOf[map[string]any](), typeOf[map[string]string](), typeOf[map[int]any](), typeOf[[]any](),
	typeOf[duet.Record](),
	typeOf[*int64](), typeOf[**int64](), typeOf[*string](), typeOf[***string](), typeOf[*any](), typeOf[*[]byte](), typeOf[*bool](),
	typeOf[*duet.Record](), typeOf[*map[string]any](),
	typeOf[duet.Optional[int64]](), typeOf[duet.Optional[int8]](), typeOf[duet.Optional[string]](), typeOf[duet.Optional[bool]](),
	typeOf[duet.Optional[time.Time]](),
	typeOf[duet.Optional[*string]](), typeOf[*duet.Optional[string]](), typeOf[duet.Optional[duet.Optional[string]]](),
	typeOf[duet.Optional[[]int64]](),
	typeOf[duet.Optional[any]](), typeOf[duet.Optional[big.Int]](),
	typeOf[sql.NullString](), typeOf[sql.NullInt64](), typeOf[sql.NullInt32](), typeOf[sql.NullInt16](), typeOf[sql.NullByte](),
	typeOf[sql.NullFloat64](), typeOf[sql.NullBool](),
	typeOf[sql.NullTime](), typeOf[sql.Null[string]](), typeOf[sql.Null[int64]](), typeOf[*sql.NullString](), typeOf[sql.RawBytes](),
	typeOf[seen](), typeOf[*seen](), typeOf[picky](), typeOf[upper](), typeOf[*upper](), typeOf[textInt](),
	typeOf[duet.Optional[upper]](), typeOf[duet.Optional[seen]](),
	typeOf[json.RawMessage](), typeOf[json.Number](), typeOf[*json.RawMessage](),
	typeOf[[]int64](), typeOf[[]int](), typeOf[[]int8](), typeOf[[]uint64](), typeOf[[]float64](), typeOf[[]string](), typeOf[[]*int64](),
	typeOf[[][]int64](),
	typeOf[[]duet.Optional[string]](), typeOf[[]ownString](), typeOf[[3]int64](), typeOf[[0]int64](), typeOf[[2]string](),
	typeOf[*[]int64](),
	typeOf[struct{}](), typeOf[point](), typeOf[tagged](), typeOf[*point](), typeOf[[]point](), typeOf[selfEmbed](),
	typeOf[func()](), typeOf[chan int](), typeOf[error](),
}

// values are what every scalar is asked for.
var values = []struct {
	statement string
	values    []any
}{
	{"echo_bool", []any{true, false}},
	{"echo_int16", []any{int16(0), int16(-1), int16(300), int16(math.MinInt16)}},
	{"echo_int32", []any{int32(7), int32(70000), int32(math.MinInt32), int32(math.MaxInt32)}},
	{"echo_int64", []any{int64(0), int64(200), int64(1 << 40), int64(1<<53 + 1), int64(math.MinInt64), int64(math.MaxInt64)}},
	{"echo_float32", []any{float32(1.5), float32(1e20), float32(0.1), float32(math.Inf(1)), float32(math.NaN()), float32(1e6), float32(3)}},
	{"echo_float64", []any{1.5, 0.1, 1e300, 1e-300, 1e15, 1e14, 123456789.0, 0.0001, 0.00001, math.Inf(-1), math.NaN(), math.Copysign(0, -1), float64(1 << 60)}},
	{"echo_str", []any{"", "x", "12", "-3.5", "true", "grüße", "2020-01-02", "10.0.0.1", "10.0.0.0/8", "abc", "sixteen bytes ok", `{"a": 1}`,
		"b9545c35-1fe7-485f-a6ea-f8ead251abd3", "NaN", "[1, 2]"}},
	{"echo_bytes", []any{[]byte{}, []byte("abc"), []byte{0, 255, 1}, []byte("sixteen bytes ok"), []byte(`{"a": 1}`)}},
	{"echo_uuid", []any{[16]byte{}, [16]byte{0xb9, 0x54, 0x5c, 0x35, 15: 0xd3}}},
	{"echo_datetime", []any{time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(2000, 1, 1, 0, 0, 0, 100000000, time.UTC)}},
	{"echo_local_datetime", []any{time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}},
	{"echo_local_date", []any{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}},
	{"echo_local_time", []any{time.Duration(0), 23*time.Hour + 59*time.Minute + 59*time.Second + 999999*time.Microsecond, 3*time.Hour + 500*time.Millisecond}},
	{"echo_duration", []any{time.Duration(0), time.Second, -time.Hour - time.Microsecond, 100 * time.Hour, 90 * time.Minute}},
	{"echo_json", []any{json.RawMessage(`{"a": 1, "b": "x"}`), json.RawMessage(`[1, 2.50, 3]`), json.RawMessage(`"text"`), json.RawMessage(`null`), json.RawMessage(`12`),
		json.RawMessage(`-1.5`), json.RawMessage(`true`), json.RawMessage(`"2026-11-21T10:20:30Z"`), json.RawMessage(`{}`),
		json.RawMessage(`[]`), json.RawMessage(`["a", null]`)}},
	{"echo_bigint", []any{big.NewInt(0), big.NewInt(-5), big.NewInt(70000), new(big.Int).Lsh(big.NewInt(1), 100), new(big.Int).SetUint64(math.MaxUint64)}},
	{"echo_decimal", []any{"0", "-1.50", "12345678901234567890.0123456789"}},
	{"echo_ints", []any{[]int64{}, []int64{1, 2, 300}, []int64{-1}}},
	{"echo_strs", []any{[]string{}, []string{"a", "b"}, []string{"", "12", "NULL"}}},
}

// constants are read into every type as well: statements without arguments.
var constants = []string{"bools", "bigints", "decimal", "color", "jsons", "int_arrays", "missing_value", "two_columns", "nothing", "aggregate", "accounts", "float64s"}

// into reads a command's rows into t in every way that there is.
func into(p *pair, t *testing.T, cell, statement string, typ reflect.Type, args ...any) {
	t.Helper()
	p.compare(t, "QueryOne "+cell, func(c duet.Client) (any, error) {
		out := reflect.New(typ)
		err := c.QueryOne(p.ctx, textOf(t, c, statement), out.Interface(), args...)
		return out.Elem().Interface(), err
	})
	p.compare(t, "Query "+cell, func(c duet.Client) (any, error) {
		out := reflect.New(reflect.SliceOf(typ))
		err := c.Query(p.ctx, textOf(t, c, statement), out.Interface(), args...)
		return out.Elem().Interface(), err
	})
	p.compare(t, "Rows "+cell, func(c duet.Client) (any, error) {
		rows, err := c.Rows(p.ctx, textOf(t, c, statement), args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		list := reflect.MakeSlice(reflect.SliceOf(typ), 0, 0)
		for rows.Next() {
			out := reflect.New(typ)
			if err := rows.Decode(out.Interface()); err != nil {
				return nil, err
			}
			list = reflect.Append(list, out.Elem())
		}
		return list.Interface(), rows.Err()
	})
	p.compare(t, "Scan "+cell, func(c duet.Client) (any, error) {
		rows, err := c.Rows(p.ctx, textOf(t, c, statement), args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		list := []any{}
		for rows.Next() {
			dest := make([]any, len(rows.Columns()))
			for i := range dest {
				dest[i] = reflect.New(typ).Interface()
			}
			if err := rows.Scan(dest...); err != nil {
				return nil, err
			}
			list = append(list, dest)
		}
		return list, rows.Err()
	})
}

func TestParityOfDestinations(t *testing.T) {
	p := openPair(t)
	for _, v := range values {
		for _, value := range v.values {
			for _, typ := range destinations {
				into(p, t, fmt.Sprintf("%s %s into %v", v.statement, label(value), typ), v.statement, typ, value)
			}
		}
	}
	for _, statement := range constants {
		for _, typ := range destinations {
			into(p, t, fmt.Sprintf("%s into %v", statement, typ), statement, typ)
		}
	}
}

// label names a value in a cell.
func label(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return shorten(fmt.Sprintf("%v", v))
}
