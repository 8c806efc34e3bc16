package codec_test

import (
	"database/sql"
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// fetch runs sql on the server and decodes its rows into out, a *[]T.
func (s *server) fetch(t *testing.T, sql string, out any) {
	t.Helper()
	if err := s.decode(t, sql, out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// decode is fetch with the decoder's error.
func (s *server) decode(t *testing.T, sql string, out any) error {
	t.Helper()
	_, cols := s.describe(t, sql)
	formats := make([]int16, len(cols))
	for i, c := range cols {
		formats[i] = s.types.Format(c.OID)
	}
	rows, failure := s.rows(t, bind0, formats)
	if failure != nil {
		t.Fatalf("%s: %s", sql, failure.Message)
	}
	target, err := codec.SliceTarget(out)
	if err != nil {
		return err
	}
	d, err := s.types.RowDecoder(cols, target.Elem(), false)
	if err != nil {
		return err
	}
	target.Reset()
	for i, row := range rows {
		if err := target.Append(d, row, i+1); err != nil {
			return err
		}
	}
	return nil
}

// TestTextIsTheServersText decodes expressions into strings and compares them
// with what the server makes of them.
func TestTextIsTheServersText(t *testing.T) {
	s := connect(t)
	s.describe(t, "set intervalstyle to postgres")
	if _, failure := s.rows(t, bind0, nil); failure != nil {
		t.Fatal(failure.Message)
	}
	for _, expr := range []string{
		"-7::int2", "2147483647", "-9223372036854775808", "4294967295::oid", "'123'::xid8", "pg_typeof(1)", "'pg_class'::regclass",
		"1e14::float8", "1e15::float8", "123456789012345::float8", "0.0001::float8", "0.00001::float8", "'-0'::float8", "'NaN'::float8", "'-Infinity'::float8",
		"1234567::float4", "123456::float4", "0.1::float4", "1e-40::float4", "3.4028235e38::float4",
		"0.00::numeric", "-0.0000012::numeric", "1e40::numeric", "10000.0001::numeric", "'NaN'::numeric", "123456789.987654321::numeric(30,12)", "1e-20::numeric", "10000::numeric", "0.1::numeric(5,3)",
		"'a b'::text", "''::varchar", "'a'::\"char\"", "'{\"a\":  1}'::json", "'{\"a\":  1}'::jsonb", "'<a/>'::xml",
		"'01234567-89ab-cdef-0123-456789abcdef'::uuid",
		"date '2024-02-29'", "date '0044-03-15 BC'", "date 'infinity'", "date '5874897-12-31'", "date '4713-01-01 BC'",
		"timestamp '2024-02-29 12:34:56.789'", "timestamp '-infinity'", "timestamp '0001-01-01 00:00 BC'", "timestamp '294276-12-31 23:59:59.999999'", "timestamp '1999-12-31 23:59:59.999999'",
		"timestamptz '2024-02-29 12:34:56+02'", "timestamptz 'infinity'", "timestamptz '0044-03-15 12:00+00 BC'",
		"time '24:00'", "time '01:02:03.000004'", "timetz '01:02:03+05:30'",
		"interval '1 year 2 mons -3 days 04:05:06.5'", "interval '-1 year -1 mon'", "interval '0'", "interval '1 day -00:00:01'", "interval '-1 day 2 hours'", "interval '1000 hours'", "interval '-0.000001 seconds'", "interval '13 mons'",
		"'{1,NULL,3}'::int4[]", "'{{a,\"b c\"},{NULL,\"\"}}'::text[]", "'{}'::date[]", "'{\"2020-01-01 00:00+00\"}'::timestamptz[]", "'{1 day}'::interval[]",
		"'[1,5)'::int4range", "'empty'::int8range", "'[2020-01-01,)'::daterange", "'{[1,2),[5,6)}'::int4multirange", "row(1,'a b',null)",
		"'0101'::varbit", "'(1,2.5)'::point", "'08:00:2b:01:02:03'::macaddr", "'12.5'::money",
		"'x  '::bpchar(5)", "'1.2.3.4'::inet", "'1.2.3.4/8'::inet", "'10.0.0.0/8'::cidr", "'10.0.0.1'::cidr", "'fe80::1'::inet", "'::ffff:1.2.3.4'::inet", "'2001:db8::/32'::cidr",
		"box '(3,4),(1,2)'", "circle '<(1,2),3>'", "line '{1,2,3}'", "lseg '[(1,2),(3,4)]'", "path '((1,2),(3,4))'", "path '[(1,2),(3,4)]'", "polygon '((1,2),(3,4))'",
		"'(0,1)'::tid", "'08:00:2b:01:02:03:04:05'::macaddr8", "$$'a b':1A 'c':2$$::tsvector", "B'101'", "'pg_catalog.int4'::regtype", "'{a,b}'::name[]", "'$.a'::jsonpath",
		"'{postgres=r/postgres}'::aclitem[]", "'1 2'::oidvector", "'{\"(1,2),(0,0)\"}'::box[]", "array[row(1,'x y')]", "'a & b'::tsquery",
	} {
		t.Run(expr, func(t *testing.T) {
			var got []struct{ Ours, Theirs string }
			s.fetch(t, "select "+expr+" as ours, format('%s', "+expr+") as theirs", &got)
			if len(got) != 1 || got[0].Ours != got[0].Theirs {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestDecodeFromServer(t *testing.T) {
	s := connect(t)
	type row struct {
		Flag     bool
		Small    int8
		Ids      []int64
		Grid     [][]*int
		Price    *big.Rat
		Born     time.Time
		At       time.Time
		Took     time.Duration
		Missing  sql.Null[string]
		Kinds    [2]status
		Document struct {
			UserName string
			Scores   []float64
		}
		Span pgtype.Range[pgtype.Int4]
		Raw  []byte
	}
	const text = `select true as flag, 7::int4 as small, array[1,2,3]::int4[] as ids, array[[1,null],[3,4]] as grid,
		1.25::numeric as price, date '1815-12-10' as born, timestamptz '2024-01-02 03:04:05.000006+01' as at,
		interval '1 day 1 hour' as took, null::text as missing, array['new','old'] as kinds,
		'{"user_name":"Ada","scores":[1.5,2]}'::jsonb as document, '[1,5)'::int4range as span, '\x00ff'::bytea as raw
		from generate_series(1, 3)`
	var got []row
	s.fetch(t, text, &got)
	want := row{
		Flag: true, Small: 7, Ids: []int64{1, 2, 3}, Grid: [][]*int{{p(1), nil}, {p(3), p(4)}}, Price: big.NewRat(5, 4),
		Born: time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC), At: time.Date(2024, 1, 2, 2, 4, 5, 6000, time.UTC), Took: 25 * time.Hour,
		Kinds: [2]status{"new", "old"}, Raw: []byte{0, 255},
		Span: pgtype.Range[pgtype.Int4]{
			Lower: pgtype.Int4{Int32: 1, Valid: true}, Upper: pgtype.Int4{Int32: 5, Valid: true},
			LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true,
		},
	}
	want.Document.UserName, want.Document.Scores = "Ada", []float64{1.5, 2}
	rats := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff([]row{want, want, want}, got, rats); diff != "" {
		t.Error(diff)
	}
}

// TestTextFormatArrays are of types that have no binary form.
func TestTextFormatArrays(t *testing.T) {
	s := connect(t)
	var got []struct{ ACL []string }
	s.fetch(t, "select '{postgres=r/postgres,=r/postgres}'::aclitem[] as acl", &got)
	if want := []string{"postgres=r/postgres", "=r/postgres"}; !cmp.Equal(got[0].ACL, want) {
		t.Errorf("got %q, want %q", got[0].ACL, want)
	}
}

// TestAnyFromServer pins the table in the package's documentation.
func TestAnyFromServer(t *testing.T) {
	s := connect(t)
	tests := map[string]any{
		"true": true, "1::int2": int16(1), "1": int32(1), "1::int8": int64(1), "1::oid": uint32(1), "'1'::xid8": uint64(1),
		"1.5::float4": float32(1.5), "1.5::float8": 1.5, "1.50": "1.50", "'a'::text": "a", "'a'::\"char\"": "a",
		"'\\x01'::bytea": []byte{1}, "gen_random_uuid() is null": false, "null::int4": nil,
		"date '2000-01-01'":     time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		"time '01:00'":          time.Hour,
		"interval '1 day'":      "1 day",
		"'[1, \"a\"]'::jsonb":   []any{json.Number("1"), "a"},
		"array[[1,2],[3,null]]": []any{[]any{int32(1), int32(2)}, []any{int32(3), nil}},
		"'{}'::text[]":          []any{},
		"'[1,2)'::int4range":    "[1,2)",
		"'12.5'::money":         "$12.50",
		"'1.2.3.4/8'::inet":     netip.MustParsePrefix("1.2.3.4/8"),
	}
	for expr, want := range tests {
		t.Run(expr, func(t *testing.T) {
			var got []any
			s.fetch(t, "select "+expr, &got)
			if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("got %#v, want %#v", got, want)
			}
		})
	}
}
