package codec_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// literals are compared with the server's to_jsonb. Where want is not empty it
// is what is written on purpose instead.
var literals = []struct{ sql, want string }{
	{"true", ""}, {"false", ""}, {"null::int4", ""}, {"(-32768)::int2", ""}, {"(-2147483648)::int4", ""}, {"9223372036854775807", ""}, {"(-9223372036854775808)::int8", ""},
	{"0.1::float8", ""}, {"1e-7::float8", ""}, {"1e21::float8", ""}, {"1.7976931348623157e308::float8", ""}, {"5e-324::float8", ""}, {"0.1::float4", ""}, {"3.4028235e38::float4", ""}, {"1e-45::float4", ""}, {"123456.789::float4", ""}, {"'-0'::float8", ""},
	{"'NaN'::float8", ""}, {"'Infinity'::float8", ""}, {"'-Infinity'::float4", ""},
	{"0::numeric", ""}, {"0.00::numeric", ""}, {"1.50::numeric", ""}, {"-1.50::numeric", ""}, {"10000::numeric", ""}, {"100000000::numeric", ""}, {"0.0001::numeric", ""}, {"0.00001::numeric", ""}, {"1234567890123456789.987654321000", ""}, {"99999999.9999", ""}, {"1e100::numeric", ""}, {"1e-100::numeric", ""}, {"12345::numeric(20,10)", ""}, {"'NaN'::numeric", ""}, {"'Infinity'::numeric", ""}, {"'-Infinity'::numeric", ""},
	{"'plain'::text", ""}, {"''::text", ""}, {`E'q" b\\ n\n t\t c\x01 \x7f \x1f'::text`, ""}, {"'häß 𝄞 \u2028'::text", ""}, {"'x'::varchar", ""}, {"'x'::char(3)", ""}, {"'x'::name", ""}, {`'x'::"char"`, ""}, {`''::"char"`, ""}, {`(-56)::"char"`, `"\\310"`}, {"'<a>&amp;</a>'::xml", ""},
	{`'\x00ff10'::bytea`, `"AP8Q"`}, {`''::bytea`, `""`},
	{"'00112233-4455-6677-8899-aabbccddeeff'::uuid", ""},
	{"'2020-01-02'::date", ""}, {"'0044-03-15 BC'::date", ""}, {"'12345-01-01'::date", ""}, {"'infinity'::date", ""}, {"'-infinity'::date", ""}, {"'4713-01-01 BC'::date", ""}, {"'5874897-12-31'::date", ""}, {"'0001-01-01'::date", ""},
	{"'15:04:05.6789'::time", ""}, {"'24:00'::time", ""}, {"'00:00:00.000001'::time", ""}, {"'15:04:05+02'::timetz", ""},
	{"'2020-01-02 03:04:05.678'::timestamp", ""}, {"'2020-01-02'::timestamp", ""}, {"'1969-12-31 23:59:59.999999'::timestamp", ""}, {"'0044-03-15 12:00 BC'::timestamp", ""}, {"'294276-12-31 23:59:59.999999'::timestamp", ""}, {"'4714-11-24 BC'::timestamp", ""}, {"'infinity'::timestamp", ""},
	{"'2020-01-02 03:04:05.678+01'::timestamptz", `"2020-01-02T02:04:05.678Z"`}, {"'0044-03-15 12:00Z BC'::timestamptz", `"0044-03-15T12:00:00Z BC"`}, {"'-infinity'::timestamptz", ""},
	{"'1 year 2 months 3 days 4:05:06.7'::interval", ""}, {"'-1 year -2 months 3 days -4:05:06.7'::interval", ""}, {"'0'::interval", ""}, {"'1 month'::interval", ""}, {"'-0.5 seconds'::interval", ""}, {"'1 hour -1 second'::interval", ""}, {"'-1 month +1 day'::interval", ""}, {"'178000000 years'::interval", ""},
	{`'{"a": [1, "x"], "b": null}'::json`, ""}, {`'{"a": [1, 2.50], "b": null}'::jsonb`, ""}, {`'"s"'::jsonb`, ""}, {`' [1] '::json`, ""}, {"'null'::jsonb", ""},
	{"'10.0.0.1'::inet", ""}, {"'10.0.0.1/8'::inet", ""}, {"'10.0.0.0/8'::cidr", ""}, {"'10.0.0.1/32'::cidr", ""}, {"'fe80::1'::inet", ""}, {"'::1'::inet", ""}, {"'::'::inet", ""}, {"'::1.2.3.4'::inet", ""}, {"'::ffff:1.2.3.4'::inet", ""}, {"'2001:db8:0:1:0:0:0:1/64'::inet", ""}, {"'1:0:2:3:4:5:6:7'::inet", ""},
	{"'08:00:2b:01:02:03'::macaddr", ""}, {"'08:00:2b:01:02:03:04:05'::macaddr8", ""}, {"42::oid", "42"}, {"'42'::xid", "42"}, {"'18446744073709551615'::xid8", "18446744073709551615"}, {"'pg_class'::regclass", ""}, {"'1.5'::money", ""},
	{"'{}'::int4[]", ""}, {"'{1,NULL,3}'::int4[]", ""}, {"'{{1,2},{3,4},{5,6}}'::int4[]", ""}, {"'{{{1,2}},{{3,4}}}'::int8[]", ""}, {"'[0:1]={1,2}'::int4[]", ""}, {`'{"a\"","",NULL,"NULL"}'::text[]`, ""}, {"'{1.50,NaN}'::numeric[]", ""}, {"'{2020-01-01,infinity}'::date[]", ""}, {`array['{"a":1}'::jsonb, null]`, ""}, {"'{t,f}'::bool[]", ""}, {"'{1.5,Infinity}'::float8[]", ""}, {`array['\x01'::bytea]`, `["AQ=="]`}, {"array['(1,1)'::point, '(0,0)']", ""},
	{"'[1,5)'::int4range", ""}, {"'(,5)'::int8range", ""}, {"'empty'::int4range", ""}, {"'[1.50,2]'::numrange", ""}, {"'[2020-01-01,2020-02-01]'::daterange", ""}, {"'[2020-01-01 00:00,2020-02-01 03:04:05.5]'::tsrange", ""}, {"'[2020-01-01 00:00+00,)'::tstzrange", ""}, {"'{[1,2),[5,9)}'::int4multirange", ""}, {"'{}'::nummultirange", ""}, {"array['[1,2)'::int4range, 'empty']", ""},
	{"'(1,2)'::point", ""}, {"'[(1,2),(3,4)]'::lseg", ""}, {"'((0,0),(1,1))'::box", ""}, {"'<(1,2),3>'::circle", ""}, {"'101'::bit(3)", ""}, {"'10'::varbit", ""}, {"'(0,1)'::tid", ""}, {"'a:1 b:2A'::tsvector", ""}, {"'a & b'::tsquery", ""}, {"'$.a'::jsonpath", ""},
	{"row(1, 'a b', null, '', 'q\"')", `"(1,\"a b\",,\"\",\"q\"\"\")"`}, {"row(row(1,'x y'), array['a','b c'], true, '2020-01-01'::timestamptz)", `"(\"(1,\"\"x y\"\")\",\"{a,\"\"b c\"\"}\",t,\"2020-01-01 00:00:00+00\")"`},
}

func TestJSONAgreesWithTheServer(t *testing.T) {
	s := connect(t)
	for _, test := range literals {
		t.Run(test.sql, func(t *testing.T) {
			got := s.json(t, "select "+test.sql+" as v")
			want := `{"v":` + test.want + "}"
			if test.want == "" {
				want = `{"v":` + s.text(t, "select coalesce(to_jsonb("+test.sql+"), 'null')::text") + "}"
			}
			if strings.HasSuffix(test.sql, "::json") || strings.HasSuffix(test.sql, "::jsonb") {
				want = want[len(`{"v":`) : len(want)-1] // the only column is embedded
			}
			if diff := cmp.Diff(parsed(t, want), parsed(t, got)); diff != "" {
				t.Errorf("got %s, the server %s\n%s", got, want, diff)
			}
		})
	}
}

// json runs a statement with the formats of its encoder and gives its only row.
func (s *server) json(t *testing.T, sql string) string {
	t.Helper()
	_, cols := s.describe(t, sql)
	e, err := s.types.JSON(cols)
	if err != nil {
		t.Fatal(err)
	}
	rows, failure := s.rows(t, bind0, e.Formats())
	if failure != nil || len(rows) != 1 {
		t.Fatalf("%s: %d rows, %v", sql, len(rows), failure)
	}
	out, err := e.AppendRow(nil, rows[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// text gives the only value of a statement as text.
func (s *server) text(t *testing.T, sql string) string {
	t.Helper()
	s.describe(t, sql)
	rows, failure := s.rows(t, bind0, nil)
	if failure != nil || len(rows) != 1 {
		t.Fatalf("%s: %d rows, %v", sql, len(rows), failure)
	}
	return string(rows[0][6 : 6+binary.BigEndian.Uint32(rows[0][2:])])
}

// parsed reads JSON so that numbers compare by value and by the zeros that they
// end with.
func parsed(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	return canonical(v)
}

func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return v.String()
		}
		zeros := 0
		if _, places, ok := strings.Cut(v.String(), "."); ok {
			zeros = len(places) - len(strings.TrimRight(places, "0"))
		}
		return fmt.Sprintf("%s and %d zeros", r.RatString(), zeros)
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = canonical(v[k])
		}
	}
	return v
}

func TestJSONRows(t *testing.T) {
	s := connect(t)
	for _, test := range []struct{ sql, want string }{
		{`select 1 as a, null::text as "b""\", 'x' as a`, `{"a":1,"b\"\\":null,"a":"x"}`},
		{"select", "{}"},
		{"select 1", "1"}, {"select null", "null"}, {"select 'a'", `"a"`}, {"select array[1,2]", `{"array":[1,2]}`}, {"select 1, 2", `{"?column?":1,"?column?":2}`},
		{`select '{"a": 1}'::json as v`, `{"a": 1}`}, {`select '{"a": 1}'::jsonb`, `{"a": 1}`}, {"select null::jsonb as v", "null"},
		{`select '[1]'::json as v, '[2]'::jsonb as w`, `{"v":[1],"w":[2]}`},
	} {
		t.Run(test.sql, func(t *testing.T) {
			if got := s.json(t, test.sql); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// The catalogue has the types that nobody thinks of.
func TestJSONOfTheCatalogue(t *testing.T) {
	s := connect(t)
	for _, table := range []string{"pg_type", "pg_class", "pg_proc", "pg_settings", "pg_statistic", "pg_stats", "pg_attribute", "pg_database", "pg_index", "pg_stat_activity"} {
		t.Run(table, func(t *testing.T) {
			_, cols := s.describe(t, "select * from "+table+" limit 500")
			e, err := s.types.JSON(cols)
			if err != nil {
				t.Fatal(err)
			}
			rows, failure := s.rows(t, bind0, e.Formats())
			if failure != nil {
				t.Fatal(failure.Message)
			}
			for i, row := range rows {
				out, err := e.AppendRow(nil, row, i+1)
				if err != nil {
					t.Fatal(err)
				}
				if !json.Valid(out) {
					t.Fatalf("row %d: not JSON: %s", i+1, out)
				}
			}
		})
	}
}
