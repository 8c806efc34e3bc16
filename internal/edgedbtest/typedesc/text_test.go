package typedesc

import (
	"strings"
	"testing"
)

func TestIntervals(t *testing.T) {
	t.Parallel()
	// What PostgreSQL writes with IntervalStyle postgres and iso_8601.
	for text, want := range map[string]struct {
		v   interval
		iso string
	}{
		"00:00:45.6":                     {interval{micros: 45_600_000}, "PT45.6S"},
		"1 mon 2 days 00:00:03":          {interval{micros: 3 * second, days: 2, months: 1}, "P1M2DT3S"},
		"-1 years +3 days -00:00:01.5":   {interval{micros: -1_500_000, days: 3, months: -12}, "P-1Y3DT-1.5S"},
		"1 year 2 mons -25:01:02.000001": {interval{micros: -(25*hour + minute + 2*second + 1), months: 14}, "P1Y2MT-25H-1M-2.000001S"},
		"1 day":                          {interval{days: 1}, "P1D"},
		"00:00:00":                       {interval{}, "PT0S"},
	} {
		for _, form := range []string{text, want.iso} {
			if got, err := parseInterval(form); err != nil || got != want.v {
				t.Errorf("%s: %+v, %v", form, got, err)
			}
		}
		if got := want.v.text("PT0S"); got != want.iso {
			t.Errorf("%s: %s, want %s", text, got, want.iso)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1", "P1H", "PT1D", "P1.5D", "1", "1 week",
		"x days", "00:00:00 1 day", "1:2:3:4", "1:-2", "PT1.1234567S"} {
		if v, err := parseInterval(text); err == nil {
			t.Errorf("%q is %+v", text, v)
		}
	}
}

func TestNumerics(t *testing.T) {
	t.Parallel()
	// What PostgreSQL's numeric_send gives.
	for text, want := range map[string]string{
		"0":                                "0000000000000000",
		"12345678901234567890.0123456789":  "000800040000000a04d2162e23340d801ed2007b11d722c4",
		"0.00001":                          "0001fffe0000000503e8",
		"-1000000000000000000000000000000": "00010007400000000064",
		"100000000":                        "00010002000000000001",
		"1.500":                            "000200000000000300011388",
	} {
		if got, err := parseNumeric(text); err != nil || string(got) != string(unhex(t, want)) {
			t.Errorf("%s: % x, %v", text, got, err)
		}
		if got, err := numericText(unhex(t, want)); err != nil || got != text {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"1e3": "1000", "1.5E+2": "150", "12e-3": "0.012", "-1.25e-1": "-0.125", "-0": "0", "0e9": "0", "1e0": "1"} {
		data, err := parseNumeric(text)
		if got, _ := numericText(data); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "NaN", "1e", "1e999999", "1e-999999", "1e131072", "10e131071", "1e-65536", ".5", "1x", "--1", "1.5.5"} {
		if got, err := parseNumeric(text); err == nil {
			t.Errorf("%q: % x", text, got)
		}
	}
	for _, text := range []string{"1e131071", "1e-65535"} { // as large and as small as there is
		data, err := parseNumeric(text)
		got, err2 := numericText(data)
		if err != nil || err2 != nil || strings.Count(got, "1") != 1 || len(got) < 65535 {
			t.Errorf("%s: %d bytes, %v, %v", text, len(got), err, err2)
		}
	}
	for _, data := range []string{"", "00", "0001000000000000", "00000000c0000000", "0001000000000000ffff", "000000000000000000"} {
		if got, err := numericText(unhex(t, data)); err == nil {
			t.Errorf("%s: %s", data, got)
		}
	}
}

// TestJSONTexts says how EdgeDB writes what the recordings do not have.
func TestJSONTexts(t *testing.T) {
	t.Parallel()
	number := std("std::int64")
	optional := &Type{Kind: Object, Fields: []Field{{Name: "a", Type: int64Array, Cardinality: Many},
		{Name: "b", Type: number, Cardinality: AtMostOne},
		{Name: "c", Type: std("std::json"), Cardinality: AtMostOne}}}
	cases := []struct {
		typ      *Type
		in, want string
	}{
		{std("std::datetime"), `"0001-01-01T00:00:00+00:00"`, `"0001-01-01T00:00:00+00:00"`},
		{std("std::datetime"), `"9999-12-31T23:59:59.999999+00:00"`, `"9999-12-31T23:59:59.999999+00:00"`},
		{std("std::datetime"), `"2026-11-21T12:20:30.5+02:00"`, `"2026-11-21T10:20:30.5+00:00"`},
		{std("cal::local_datetime"), `"1999-12-31T23:59:59"`, `"1999-12-31T23:59:59"`},
		{std("cal::local_date"), `"1969-07-20"`, `"1969-07-20"`},
		{std("cal::local_time"), `"24:00:00"`, `"24:00:00"`},
		{std("cal::local_time"), `"00:00:00.000001"`, `"00:00:00.000001"`},
		{std("cal::date_duration"), `"00:00:00"`, `"P0D"`},
		{std("std::duration"), `"00:00:00"`, `"PT0S"`},
		{std("std::float64"), `"-Infinity"`, `"-Infinity"`},
		{std("std::float32"), `16777216`, `1.6777216e+07`},
		{std("std::decimal"), `1.500`, `1.500`},
		{std("std::bytes"), `"\\x"`, `""`},
		{std("std::str"), `"<&>\u0001"`, `"<&>\u0001"`},
		{std("cfg::memory"), `0`, `"0B"`},
		{std("cfg::memory"), `"1536KiB"`, `"1536KiB"`},
		{std("cfg::memory"), `1125899906842624`, `"1PiB"`},
		{&Type{Kind: Range, Elem: number}, `{"empty": true}`, `{"empty": true}`},
		{&Type{Kind: Range, Elem: number}, `{"lower": null, "upper": 5, "inc_lower": false, "inc_upper": false}`,
			`{"lower": null, "upper": 5, "inc_lower": false, "inc_upper": false}`},
		{tuple(), `[]`, `[]`},
		{optional, `{"a": [[1], [], [2, 3]], "c": null}`, `{"a": [[1], [], [2, 3]], "b": null, "c": null}`},
		{optional, `{"b": 7, "c": [null]}`, `{"a": [], "b": 7, "c": [null]}`},
	}
	for _, c := range cases {
		data, err := c.typ.fromJSON([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %s: %v", c.typ.displayName(), c.in, err)
			continue
		}
		if got, err := c.typ.appendJSON(nil, data); err != nil || string(got) != c.want && !sameJSON(t, got, []byte(c.want)) {
			t.Errorf("%s: %s is %s, %v, want %s", c.typ.displayName(), c.in, got, err, c.want)
		}
	}
	if got := appendQuoted(nil, "<&>"); string(got) != `"<&>"` {
		t.Errorf("%s: a browser is not at the other end", got)
	}
}

// TestJSONThatIsNoValue: what does not have the declared type is refused, and
// the error shows little of a long value.
func TestJSONThatIsNoValue(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string][]string{
		"std::int16": {`32768`, `1.0`, `1e2`, `"1"`, `true`, `{}`}, "std::int64": {`9223372036854775808`}, "std::bool": {`0`, `"true"`, `null`},
		"std::float32": {`1e39`, `"x"`, `true`}, "std::bigint": {`1.5`, `"NaN"`}, "std::decimal": {`"NaN"`, `null`},
		"std::str": {`1`, `[]`}, "std::bytes": {`"0001"`, `"\\x0"`, `"\\xzz"`},
		"std::uuid":     {`"b9545c351fe7485fa6eaf8ead251abd3"`, `"b9545c35-1fe7-485f-a6ea-f8ead251abdx"`},
		"std::datetime": {`"infinity"`, `"2026-11-21T10:20:30"`, `"0044-03-15T00:00:00+00:00 BC"`}, "cal::local_date": {`"2026-02-30"`, `"infinity"`},
		"cal::local_time": {`"1"`, `"-01:00:00"`, `"24:00:01"`}, "std::duration": {`"1 mon"`, `"1 day"`}, "cal::date_duration": {`"00:00:01"`},
		"cfg::memory": {`"1XiB"`, `-1`, `"9000000000PiB"`},
	} {
		for _, text := range bad {
			if got, err := std(name).fromJSON([]byte(text)); err == nil {
				t.Errorf("%s is the %s % x", text, name, got)
			}
		}
	}
	_, err := std("std::int64").fromJSON([]byte(`"` + strings.Repeat("x", 10000) + `"`))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}
