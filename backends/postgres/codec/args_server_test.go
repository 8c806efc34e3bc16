package codec_test

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// server runs statements through the extended protocol.
type server struct {
	fe    *pgproto3.Frontend
	types *codec.Types
}

func connect(t *testing.T) *server {
	t.Helper()
	c, err := pgtest.Dial(t.Context(), pgtest.Shared(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Exec(t.Context(), "set timezone to 'UTC'; set intervalstyle to 'iso_8601'; set lc_monetary to 'C'"); err != nil {
		t.Fatal(err)
	}
	return &server{fe: c.Frontend(), types: codec.NewTypes()}
}

// ready reads up to ReadyForQuery.
func (s *server) ready(t *testing.T, each func(pgproto3.BackendMessage)) *pgproto3.ErrorResponse {
	t.Helper()
	if err := s.fe.Flush(); err != nil {
		t.Fatal(err)
	}
	var failure *pgproto3.ErrorResponse
	for {
		msg, err := s.fe.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch msg := msg.(type) {
		case *pgproto3.ErrorResponse:
			failure = &pgproto3.ErrorResponse{Code: msg.Code, Message: msg.Message}
		case *pgproto3.ReadyForQuery:
			return failure
		default:
			each(msg)
		}
	}
}

// describe prepares the unnamed statement.
func (s *server) describe(t *testing.T, sql string) (params []uint32, cols []codec.Column) {
	t.Helper()
	s.fe.Send(&pgproto3.Parse{Query: sql})
	s.fe.Send(&pgproto3.Describe{ObjectType: 'S'})
	s.fe.Send(&pgproto3.Sync{})
	failure := s.ready(t, func(msg pgproto3.BackendMessage) {
		switch msg := msg.(type) {
		case *pgproto3.ParameterDescription:
			params = append(params, msg.ParameterOIDs...)
		case *pgproto3.RowDescription:
			for _, f := range msg.Fields {
				cols = append(cols, codec.Column{Name: string(f.Name), OID: f.DataTypeOID, TypeMod: f.TypeModifier})
			}
		}
	})
	if failure != nil {
		t.Fatalf("%s: %s", sql, failure.Message)
	}
	return params, cols
}

// rows runs the unnamed statement and gives the bodies of its DataRows.
func (s *server) rows(t *testing.T, args []byte, formats []int16) ([][]byte, *pgproto3.ErrorResponse) {
	t.Helper()
	argFormats, values := splitArgs(t, args)
	s.fe.Send(&pgproto3.Bind{ParameterFormatCodes: argFormats, Parameters: values, ResultFormatCodes: formats})
	s.fe.Send(&pgproto3.Execute{})
	s.fe.Send(&pgproto3.Sync{})
	var rows [][]byte
	failure := s.ready(t, func(msg pgproto3.BackendMessage) {
		if row, ok := msg.(*pgproto3.DataRow); ok {
			rows = append(rows, dataRow(row.Values...))
		}
	})
	return rows, failure
}

// splitArgs takes the parameter part of a Bind apart; NULL is nil.
func splitArgs(t testing.TB, b []byte) (formats []int16, values [][]byte) {
	t.Helper()
	take := func(n int) []byte {
		if len(b) < n {
			t.Fatalf("the parameters end too early")
		}
		part := b[:n]
		b = b[n:]
		return part
	}
	for range binary.BigEndian.Uint16(take(2)) {
		formats = append(formats, int16(binary.BigEndian.Uint16(take(2))))
	}
	for range binary.BigEndian.Uint16(take(2)) {
		n := int32(binary.BigEndian.Uint32(take(4)))
		if n == -1 {
			values = append(values, nil)
			continue
		}
		values = append(values, append([]byte{}, take(int(n))...))
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes after the parameters", len(b))
	}
	return formats, values
}

var bind0 = []byte{0, 0, 0, 0}

func ptrTo[T any](v T) *T { return &v }

type (
	named    int16
	namedTxt string
	rank     int
	hash     [32]byte
	uid      [16]byte
	point    struct{ X, Y int }
	clock    time.Time
)

func (l rank) MarshalText() ([]byte, error) { return []byte([]string{"low", "high"}[l]), nil }

// arguments are read back as the server's text; "<null>" is NULL.
var arguments = []struct {
	typ  string
	arg  any
	want string
}{
	{"bool", true, "true"},
	{"int2", int8(-5), "-5"}, {"int2", named(7), "7"}, {"int4", uint16(65535), "65535"}, {"int8", uint64(math.MaxInt64), "9223372036854775807"},
	{"int8", 2.0, "2"}, {"int4", big.NewInt(-12), "-12"}, {"oid", uint32(math.MaxUint32), "4294967295"}, {"xid8", uint64(math.MaxUint64), "18446744073709551615"},
	{"regclass", uint32(1259), "pg_class"}, {"regclass", "pg_class", "pg_class"},
	{"float8", 0.1, "0.1"}, {"float8", math.NaN(), "NaN"}, {"float8", math.Inf(-1), "-Infinity"}, {"float4", float32(0.1), "0.1"}, {"float8", 3, "3"},
	{"numeric", 0, "0"}, {"numeric", 10000, "10000"}, {"numeric", -123456789, "-123456789"}, {"numeric", uint64(math.MaxUint64), "18446744073709551615"},
	{"numeric", 0.1, "0.1"}, {"numeric", float32(0.1), "0.1"}, {"numeric", 1e-10, "0.0000000001"}, {"numeric", 1e21, "1000000000000000000000"},
	{"numeric", math.NaN(), "NaN"}, {"numeric", math.Inf(1), "Infinity"}, {"numeric", "12.50", "12.50"},
	{"numeric", new(big.Int).Exp(big.NewInt(10), big.NewInt(40), nil), "10000000000000000000000000000000000000000"},
	{"numeric", big.NewRat(1, 8), "0.125"}, {"numeric", big.NewFloat(-2.5), "-2.5"}, {"numeric", *big.NewInt(4), "4"},
	{"numeric", pgtype.Numeric{Int: big.NewInt(15), Exp: -1, Valid: true}, "1.5"},
	{"text", "häl\"lo\\", "häl\"lo\\"}, {"varchar", namedTxt("n"), "n"}, {"name", "abc", "abc"}, {"text", []byte("b"), "b"}, {"text", "", ""},
	{"text", rank(1), "high"}, {"int4", rank(1), "1"}, {"text", ptrTo(ptrTo("pp")), "pp"},
	{"bytea", []byte{0, 255}, `\x00ff`}, {"bytea", hash{1}, `\x01` + "00000000000000000000000000000000000000000000000000000000000000"}, {"bytea", []byte{}, `\x`},
	{"uuid", [16]byte{15: 1}, "00000000-0000-0000-0000-000000000001"}, {"uuid", uid{15: 2}, "00000000-0000-0000-0000-000000000002"},
	{"uuid", "00000000-0000-0000-0000-0000000000aF", "00000000-0000-0000-0000-0000000000af"}, {"uuid", "{00000000000000000000000000000003}", "00000000-0000-0000-0000-000000000003"},
	{"date", time.Date(2020, 2, 29, 23, 0, 0, 0, time.FixedZone("", -8*3600)), "2020-02-29"}, {"date", "2020-01-01", "2020-01-01"},
	{"date", time.Date(-43, 3, 15, 0, 0, 0, 0, time.UTC), "0044-03-15 BC"}, {"date", clock(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), "0001-01-01"},
	{"time", time.Date(2020, 1, 1, 15, 4, 5, 678901999, time.UTC), "15:04:05.678901"}, {"time", 90 * time.Second, "00:01:30"}, {"time", 24 * time.Hour, "24:00:00"},
	{"timetz", time.Date(2020, 1, 1, 15, 4, 5, 0, time.FixedZone("", 5*3600+1800)), "15:04:05+05:30"},
	{"timestamp", time.Date(2020, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)), "2020-01-02 03:04:05.000006"},
	{"timestamptz", time.Date(2020, 1, 2, 3, 4, 5, 999, time.FixedZone("", 3600)), "2020-01-02 02:04:05+00"}, {"timestamptz", "infinity", "infinity"},
	{"timestamptz", time.Date(1999, 12, 31, 23, 59, 59, 999999999, time.UTC), "1999-12-31 23:59:59.999999+00"},
	{"interval", 90*time.Minute + time.Microsecond, "PT1H30M0.000001S"}, {"interval", "1 month -1 day", "P1M-1D"}, {"interval", pgtype.Interval{Months: 1, Valid: true}, "P1M"},
	{"json", `{"a": 1}`, `{"a": 1}`}, {"jsonb", `{"a":1}`, `{"a": 1}`}, {"jsonb", json.RawMessage(`[1]`), `[1]`}, {"jsonb", point{1, 2}, `{"X": 1, "Y": 2}`},
	{"jsonb", []int{1, 2}, `[1, 2]`}, {"jsonb", map[string]any{"a": nil}, `{"a": null}`}, {"jsonb", 1, "1"}, {"json", true, "true"}, {"jsonb", &point{3, 4}, `{"X": 3, "Y": 4}`},
	{"json", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), `"2020-01-02T03:04:05Z"`}, {"jsonb", rank(0), `"low"`},
	{"inet", netip.MustParseAddr("10.0.0.1"), "10.0.0.1/32"}, {"inet", netip.MustParsePrefix("10.0.0.1/8"), "10.0.0.1/8"}, {"cidr", netip.MustParsePrefix("10.0.0.0/8"), "10.0.0.0/8"},
	{"inet", net.ParseIP("10.0.0.2"), "10.0.0.2/32"}, {"inet", net.ParseIP("fe80::1"), "fe80::1/128"}, {"inet", "1.2.3.4", "1.2.3.4/32"},
	{"cidr", net.IPNet{IP: net.IPv4(10, 0, 0, 0), Mask: net.CIDRMask(8, 32)}, "10.0.0.0/8"}, {"macaddr", net.HardwareAddr{1, 2, 3, 4, 5, 6}, "01:02:03:04:05:06"},
	{"int4[]", []int{1, 2}, "{1,2}"}, {"int4[]", []int{}, "{}"}, {"int4[]", []int(nil), "<null>"}, {"int4[]", [][]int{{1, 2}, {3, 4}}, "{{1,2},{3,4}}"}, {"int4[]", [][]int{{}, {}}, "{}"},
	{"int4[]", []*int{ptrTo(1), nil}, "{1,NULL}"}, {"int4[]", []duet.Optional[int]{duet.Some(1), duet.None[int]()}, "{1,NULL}"}, {"int4[]", []any{1, nil, int8(3)}, "{1,NULL,3}"},
	{"int4[]", [2]uint8{1, 2}, "{1,2}"}, {"int4[]", "{5}", "{5}"}, {"int2[]", []named{1}, "{1}"}, {"text[]", []string{"a,b", `"`, "", "NULL"}, `{"a,b","\"","","NULL"}`},
	{"text[]", []namedTxt{"x"}, "{x}"}, {"date[]", []string{"2020-01-01"}, "{2020-01-01}"}, {"date[]", []any{"2020-01-01", time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), nil}, "{2020-01-01,2021-01-01,NULL}"},
	{"numeric[]", []float64{0.5, 1}, "{0.5,1}"}, {"numeric[]", []string{"1.50"}, "{1.50}"}, {"numeric[]", []*big.Int{big.NewInt(1)}, "{1}"}, {"uuid[]", []string{"00000000-0000-0000-0000-0000000000af"}, "{00000000-0000-0000-0000-0000000000af}"},
	{"bytea[]", [][]byte{{1}, nil}, `{"\\x01",NULL}`}, {"timestamptz[]", []time.Time{time.Unix(0, 0)}, `{"1970-01-01 00:00:00+00"}`}, {"jsonb[]", []any{`{"a":1}`, point{1, 2}}, `{"{\"a\": 1}","{\"X\": 1, \"Y\": 2}"}`},
	{"jsonb[]", [][]int{{1}, {2, 3}}, `{[1],"[2, 3]"}`}, {"bool[]", []bool{true, false}, "{t,f}"}, {"inet[]", []netip.Addr{netip.MustParseAddr("::1")}, "{::1}"}, {"box[]", []string{"(1,1),(0,0)"}, "{(1,1),(0,0)}"},
	{"int4", (*int)(nil), "<null>"}, {"int4", duet.Some(5), "5"}, {"int4", duet.None[int](), "<null>"}, {"int4", ptrTo(duet.None[int]()), "<null>"}, {"text", sql.NullString{}, "<null>"}, {"text", &sql.NullString{String: "s", Valid: true}, "s"},
	{"int8", sql.Null[int64]{V: 4, Valid: true}, "4"}, {"int8", (*sql.NullInt64)(nil), "<null>"}, {"jsonb", duet.None[point](), "<null>"}, {"jsonb", map[string]int(nil), "<null>"},
	{"int4range", "[1,5)", "[1,5)"}, {"int4range", pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true}, Upper: pgtype.Int4{Int32: 5, Valid: true}, LowerType: 'i', UpperType: 'e', Valid: true}, "[1,5)"},
	{"point", pgtype.Point{P: pgtype.Vec2{X: 1, Y: 2}, Valid: true}, "(1,2)"}, {"bit varying", "101", "101"}, {"xml", "<a/>", "<a/>"}, {"money", "1.5", "$1.50"}, {"tsvector", "a b", "'a' 'b'"},
	{"mood", "happy", "happy"}, {"mood", namedTxt("sad"), "sad"}, {"mood[]", []string{"sad", "happy"}, "{sad,happy}"}, {"mood[]", [][]namedTxt{{"sad"}}, "{{sad}}"}, {"mood[]", []string{}, "{}"},
	{"float4[]", []float32{1.5}, "{1.5}"}, {"int2[]", []int16{1}, "{1}"}, {"int4[]", []int32{1}, "{1}"}, {"int8[]", []int64{1}, "{1}"}, {"float8[]", []int{1}, "{1}"}, {"uuid[]", [][16]byte{{15: 1}}, "{00000000-0000-0000-0000-000000000001}"},
	{"numeric", new(big.Float).SetInf(true), "-Infinity"}, {"numeric", big.NewFloat(0.1), "0.1"}, {"macaddr8", net.HardwareAddr{1, 2, 3, 4, 5, 6, 7, 8}, "01:02:03:04:05:06:07:08"}, {"macaddr8", net.HardwareAddr{1, 2, 3, 4, 5, 6}, "01:02:03:ff:fe:04:05:06"},
	{"xid", 5, "5"}, {"inet", netip.Addr{}, "<null>"}, {"inet", netip.Prefix{}, "<null>"}, {"inet", net.IP(nil), "<null>"}, {"inet", &net.IPNet{IP: net.ParseIP("fe80::"), Mask: net.CIDRMask(64, 128)}, "fe80::/64"},
	{"int4range", pgtype.Range[pgtype.Int4]{}, "<null>"}, {"bit varying", pgtype.Bits{Bytes: []byte{0x80}, Len: 1, Valid: true}, "1"}, {"float4", uint64(math.MaxUint64), "1.8446744e+19"}, {"float8", uint64(math.MaxUint64), "1.8446744073709552e+19"},
	{"small", 5, "5"}, {"small[]", []int{1, 2}, "{1,2}"}, {"pair", "(1,x)", "(1,x)"}, {"text", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), "2020-01-02T03:04:05Z"},
}

func TestArgumentsReachTheServer(t *testing.T) {
	s := connect(t)
	setup(t, s, "create type mood as enum ('sad', 'happy')", "create domain small as int4 check (value < 10)", "create type pair as (a int4, b text)")
	for _, test := range arguments {
		t.Run(test.typ, func(t *testing.T) {
			params, _ := s.describe(t, "select $1::"+test.typ+"::text")
			args, err := s.types.AppendArgs(nil, params, []any{test.arg})
			if err != nil {
				t.Fatalf("%T: %v", test.arg, err)
			}
			rows, failure := s.rows(t, args, nil)
			if failure != nil {
				t.Fatalf("%T: the server says %s", test.arg, failure.Message)
			}
			got := "<null>"
			if n := int32(binary.BigEndian.Uint32(rows[0][2:])); n >= 0 {
				got = string(rows[0][6:])
			}
			if got != test.want {
				t.Errorf("%T: got %s, want %s", test.arg, got, test.want)
			}
		})
	}
}

func setup(t *testing.T, s *server, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		s.describe(t, sql)
		if _, failure := s.rows(t, bind0, nil); failure != nil {
			t.Fatalf("%s: %s", sql, failure.Message)
		}
	}
}
