package decode_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

// What encoding/json takes is taken, with the same values, and nothing else is.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		``, `null`, ` [1, -2.5e+3 ,{"a" : "b\u00e4\n\"","a":[]} ] `, `{"":{}}`, `"\ud800"`, "\"\xff\"", `[1,]`, `{"a"}`, `tru`, `1 2`, "[\"\\\\\",\"\\\"\"]",
		`{"n":9223372036854775807,"t":"2020-01-01T00:00:00+00:00","d":"PT1S","b":"AAE="}`, strings.Repeat("[", 10001), `0e-9`, "{\"\xff\":1}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decode.JSON(text)
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if valid := json.Valid(text); (err == nil) != valid {
			t.Fatalf("%q: valid %v, error %v", text, valid, err)
		} else if !valid {
			return
		}
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, numbersAsText(want)) {
			t.Errorf("%q: got %#v, want %#v", text, got, want)
		}
		type all struct {
			N int64
			T time.Time
			D time.Duration
			B []byte
			R json.RawMessage
			F float32
			U edgedb.UUID
			L []string
			S *all
			Z edgedb.OptionalRelativeDuration
			G *edgedb.RangeInt64
			Q *big.Rat
			A any
			M map[string]any
		}
		for _, out := range []any{
			new(any), new(all), new([]all), new(string), new([]byte), new(duet.Record), new(map[string]any), new(int8), new(*big.Int), new(float64),
			new(time.Time), new(time.Duration), new(edgedb.UUID), new(edgedb.OptionalDuration), new([3]int), new(bool), new(edgedb.LocalTime), new([]any),
		} {
			_ = decode.JSONInto(text, out, true)
		}
		var v struct{ V any }
		if err := decode.JSONInto(append(append([]byte(`{"v": `), text...), '}'), &v, false); err != nil {
			t.Errorf("%q into any: %v", text, err)
		}
	})
}

func numbersAsText(v any) any {
	switch v := v.(type) {
	case json.Number:
		return string(v)
	case []any:
		for i := range v {
			v[i] = numbersAsText(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbersAsText(v[k])
		}
	}
	return v
}

// A decimal that is read is written the same, but for how its digits are grouped.
func FuzzNumericText(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 1, 0x7f, 0xff, 0x40, 0, 0, 1, 0, 1})
	f.Add([]byte{0, 2, 0xff, 0xfe, 0, 0, 0, 9, 0, 1, 0x27, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := decode.NumericText(data)
		if err != nil {
			return
		}
		again, err := decode.NumericWire(text, false)
		if err != nil {
			t.Fatalf("% x is %.100q: %v", data, text, err)
		}
		if back, err := decode.NumericText(again); err != nil || back != strings.Replace(text, "-", "", btoi(isZero(text))) {
			t.Errorf("% x is %.100q, and back %.100q, %v", data, text, back, err)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func isZero(text string) bool { return strings.Trim(text, "-0.") == "" }

// A text is a decimal exactly where it is a number for big.Rat, and keeps its value.
func FuzzNumericWire(f *testing.F) {
	for _, s := range []string{"", "0", "-1.5", "+.5", "5.", ".", "1e5", "1E-5", "00012.3400", "1e", "e1", "1_0", "0x1", "1/2", "-", "1e+3", "99999999.00010", "Inf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wire, err := decode.NumericWire(text, false)
		if len(text) > 100 || strings.ContainsAny(text, "xXoObBpP_/") {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		if err != nil {
			if ok && !strings.Contains(err.Error(), "digits") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		back, err := decode.NumericText(wire)
		if err != nil || !ok {
			t.Fatalf("%q is % x: %v, a number: %v", text, wire, err, ok)
		}
		if got, _ := new(big.Rat).SetString(back); got.Cmp(want) != 0 {
			t.Errorf("%q came back as %q", text, back)
		}
		if whole, err := decode.NumericWire(text, true); (err == nil) != want.IsInt() {
			t.Errorf("%q as an integer: % x, %v", text, whole, err)
		}
	})
}

func FuzzISODuration(f *testing.F) {
	for _, s := range []string{"", "P", "PT", "PT0S", "P1Y2M3W4DT5H6M7.000008S", "PT-1H-1M-1.5S", "PT1M1H", "P1H", "PT2562047788H54.775807S", "PT-2562047788H-54.775808S",
		"PT-9223372036854.775808S", "PT9223372036854.775808S", "PT1.5H", "P1.5D", "PT1.1234567S", "P-0D", "PT--1S", "PT+1S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		months, days, micros, err := decode.ParseISODuration(text)
		if err != nil {
			return
		}
		back := decode.ISODuration(months, days, micros)
		m, d, u, err := decode.ParseISODuration(back)
		if err != nil || m != months || d != days || u != micros {
			t.Errorf("%q is %d, %d, %d, and %q is %d, %d, %d, %v", text, months, days, micros, back, m, d, u, err)
		}
	})
}

// No bytes of a value make anything panic.
func FuzzWire(f *testing.F) {
	for i := 1; i < decode.ScalarCount; i++ {
		for _, n := range []int{0, 1, 2, 4, 8, 16} {
			f.Add(i, bytes.Repeat([]byte{0xff}, n))
			f.Add(i, make([]byte, n))
		}
	}
	f.Add(11, []byte("\x01{\"a\": 1}"))
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		if i < 0 || i >= decode.ScalarCount {
			return
		}
		for _, out := range []any{
			new(any), new(string), new([]byte), new(int8), new(uint64), new(float32), new(time.Time), new(time.Duration), new(*big.Int), new(big.Rat), new(*big.Float),
			new([16]byte), new(bool), new(json.RawMessage), new(map[string]any), new(edgedb.LocalDate), new(edgedb.OptionalStr), new(scanned), new(ownDec),
			new(struct{ A int }),
		} {
			_ = decode.CopyWire(i, data, out)
		}
	})
}

type scanned struct{ v any }

func (s *scanned) Scan(v any) error {
	s.v = v
	return nil
}
