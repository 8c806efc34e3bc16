package decode_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

// scalarSamples are a value of each scalar type on the wire, and what an any gets.
var scalarSamples = []struct {
	name string
	wire []byte
	want any
	// through JSON
	json     string
	wantJSON any
}{
	{"str", []byte("x"), "x", `"x"`, "x"},
	{"bool", []byte{1}, true, "true", true},
	{"int16", []byte{0xff, 0xfe}, int16(-2), "-2", int64(-2)},
	{"int32", []byte{0xff, 0xff, 0xff, 0xfd}, int32(-3), "-3", int64(-3)},
	{"int64", int64Of(-4), int64(-4), "-4", int64(-4)},
	{"float32", []byte{0x3f, 0xc0, 0, 0}, float32(1.5), "1.5", 1.5},
	{"float64", []byte{0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, 1.5, "1.5", 1.5},
	{"bigint", []byte{0, 2, 0, 1, 0x40, 0, 0, 0, 0, 1, 0, 2}, "-10002", "-10002", int64(-10002)},
	{"decimal", []byte{0, 2, 0, 0, 0, 0, 0, 3, 0, 1, 4, 0xd2}, "1.123", "1.123", 1.123},
	{"bytes", []byte{0, 1}, []byte{0, 1}, `"AAE="`, "AAE="},
	{"uuid", aUUID[:], "b9545c35-1fe7-485f-a6ea-f8ead251abd3", `"b9545c35-1fe7-485f-a6ea-f8ead251abd3"`, "b9545c35-1fe7-485f-a6ea-f8ead251abd3"},
	{"json", []byte("\x01{\"a\":[1]}"), map[string]any{"a": []any{json.Number("1")}}, `{"a":[1]}`, record("a", []any{int64(1)})},
	{"datetime", int64Of(-1), time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), `"1999-12-31T23:59:59.999999+00:00"`, "1999-12-31T23:59:59.999999+00:00"},
	{"local_datetime", int64Of(-1), time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), `"1999-12-31T23:59:59.999999"`, "1999-12-31T23:59:59.999999"},
	{"local_date", int32Of(-1), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), `"1999-12-31"`, "1999-12-31"},
	{"local_time", int64Of(1), time.Microsecond, `"00:00:00.000001"`, "00:00:00.000001"},
	{"duration", append(int64Of(-3_600_000_001), make([]byte, 8)...), -(time.Hour + time.Microsecond), `"PT-1H-0.000001S"`, "PT-1H-0.000001S"},
	{"relative_duration", append(append(int64Of(-1), int32Of(-2)...), int32Of(14)...), "P1Y2M-2DT-0.000001S", `"P1Y2M-2DT-0.000001S"`, "P1Y2M-2DT-0.000001S"},
	{"date_duration", append(append(int64Of(0), int32Of(3)...), int32Of(-1)...), "P-1M3D", `"P-1M3D"`, "P-1M3D"},
	{"memory", int64Of(1025), int64(1025), `"1025B"`, "1025B"},
}

// Each scalar type, required, optional, missing, in a set, in an array and in a
// tuple, unknown, learned and known, in its binary form and through JSON.
func TestEveryScalarEverywhere(t *testing.T) {
	var list []statement
	for _, s := range scalarSamples {
		typ := scalarOf(s.name)
		list = append(list, statement{
			cmd: "all of " + s.name,
			typ: object(required("r", typ), optional("o", typ), optional("n", typ), multi("m", typ), required("a", arrayOf(typ)),
				required("t", tuple(element(typ), element(typ))), required("nt", namedTuple(required("x", typ))), optional("na", arrayOf(typ))),
			rows: [][]byte{fieldsOf(s.wire, s.wire, nil, listOf(s.wire, s.wire), listOf(s.wire), fieldsOf(s.wire, s.wire), fieldsOf(s.wire), nil)},
		}, statement{
			cmd:  "json of " + s.name,
			typ:  object(optional("link", object(required("r", typ))), required("r", typ), optional("n", typ), multi("m", typ)),
			json: fmt.Sprintf(`[{"link": {"r": %[1]s}, "r": %[1]s, "n": null, "m": [%[1]s]}]`, s.json),
		})
	}
	server := startReplay(t, makeReplies(list...))
	client := server.connect(t)
	for _, s := range scalarSamples {
		t.Run(s.name, func(t *testing.T) {
			v := s.want
			want := []duet.Record{record("r", v, "o", v, "n", nil, "m", []any{v, v}, "a", []any{v}, "t", []any{v, v}, "nt", record("x", v), "na", nil)}
			c := decode.NewCache()
			for range 3 {
				var rows []duet.Record
				if err := query(t, c, client, "all of "+s.name, &rows); err != nil {
					t.Fatal(err)
				}
				same(t, "binary", rows, want)
			}
			natural := reflect.TypeOf(s.want)
			if natural.Kind() != reflect.Map {
				checkNatural(t, client, "all of "+s.name, natural, s.want)
			}
			v = s.wantJSON
			for range 2 {
				var rows []duet.Record
				if err := query(t, c, client, "json of "+s.name, &rows); err != nil {
					t.Fatal(err)
				}
				same(t, "JSON", rows, []duet.Record{record("link", record("r", v), "r", v, "n", nil, "m", []any{v})})
			}
		})
	}
}

// checkNatural reads the command into a struct of the natural type.
func checkNatural(t *testing.T, client *edgedb.Client, cmd string, natural reflect.Type, want any) {
	t.Helper()
	field := func(name string, typ reflect.Type) reflect.StructField {
		return reflect.StructField{Name: name, Type: typ}
	}
	typ := reflect.StructOf([]reflect.StructField{
		field("R", natural), field("O", natural), field("N", reflect.PointerTo(natural)), field("M", reflect.SliceOf(natural)),
		field("A", reflect.SliceOf(natural)), field("T", reflect.StructOf([]reflect.StructField{field("First", natural), field("Second", reflect.PointerTo(natural))})),
		{Name: "Nt", Type: reflect.StructOf([]reflect.StructField{field("X", natural)})}, field("Na", reflect.PointerTo(reflect.SliceOf(natural))),
	})
	c := decode.NewCache()
	for range 3 {
		rows := reflect.New(reflect.SliceOf(typ))
		if err := query(t, c, client, cmd, rows.Interface()); err != nil {
			t.Fatal(err)
		}
		row := rows.Elem().Index(0)
		same(t, "R", row.Field(0).Interface(), want)
		same(t, "O", row.Field(1).Interface(), want)
		same(t, "N", row.Field(2).IsNil(), true)
		same(t, "M", row.Field(3).Index(1).Interface(), want)
		same(t, "A", row.Field(4).Index(0).Interface(), want)
		same(t, "T.First", row.Field(5).Field(0).Interface(), want)
		same(t, "T.Second", row.Field(5).Field(1).Elem().Interface(), want)
		same(t, "NT.X", row.Field(6).Field(0).Interface(), want)
		same(t, "NA", row.Field(7).IsNil(), true)
	}
}

// The usual struct costs two Parse messages on the first connection, one more when
// its types are learned, and none when it is known.
func TestRoundTrips(t *testing.T) {
	server := startReplay(t, nil)
	client := server.connect(t)
	type account struct {
		ID    [16]byte
		Name  string
		Note  *string
		Color *string
		Tags  []string
	}
	const cmd = "select Account { id, name, note, color, tags } order by .name"
	c := decode.NewCache()
	// tags is a set, which takes one more, and the type of color, which no row has,
	// another.
	for round, most := range []int64{4, 1, 0, 0} {
		parses, executes := server.parses.Load(), server.executes.Load()
		var rows []account
		if err := query(t, c, client, cmd, &rows); err != nil {
			t.Fatal(err)
		}
		if n := server.parses.Load() - parses; n != most {
			t.Errorf("round %d: %d Parse messages, want %d", round, n, most)
		}
		if n := server.executes.Load() - executes; n != 1 {
			t.Errorf("round %d: %d Execute messages", round, n)
		}
	}
	// Another connection of the client pays what any user of edgedb-go pays.
	other := server.connect(t)
	parses := server.parses.Load()
	var rows []account
	if err := query(t, c, other, cmd, &rows); err != nil {
		t.Fatal(err)
	}
	if n := server.parses.Load() - parses; n != 1 {
		t.Errorf("another connection: %d Parse messages, want 1", n)
	}
	// A scalar is run at once.
	parses = server.parses.Load()
	var numbers []int
	if err := query(t, c, other, "select range_unpack(range(1, 101))", &numbers); err != nil || len(numbers) != 100 || numbers[99] != 100 {
		t.Fatalf("%v, %v", numbers, err)
	}
	if n := server.parses.Load() - parses; n != 1 {
		t.Errorf("a scalar: %d Parse messages, want 1", n)
	}
}

func TestDecimals(t *testing.T) {
	digits := func(ds ...uint16) (b []byte) {
		for _, d := range ds {
			b = append(b, byte(d>>8), byte(d))
		}
		return b
	}
	huge := make([]byte, 8+2*3000)
	copy(huge, digits(3000, 2999, 0, 0))
	for i := 9; i < len(huge); i += 2 {
		huge[i] = 7
	}
	values := map[string][]byte{
		"0": digits(0, 0, 0, 0), "0.000": digits(0, 0, 0, 3), "-0.0001": digits(1, 0xffff, 0x4000, 4, 1),
		"12345678901234567890.0123456789": digits(8, 4, 0, 10, 1234, 5678, 9012, 3456, 7890, 123, 4567, 8900),
		"100000000":                       digits(1, 2, 0, 0, 1), "0.1000": digits(1, 0xffff, 0, 4, 1000),
		strings.TrimLeft(strings.Repeat("0007", 3000), "0"): huge,
	}
	var list []statement
	for text, wire := range values {
		list = append(list, statement{cmd: text, typ: object(required("d", scalarOf("decimal")), optional("e", scalarOf("decimal"))),
			rows: [][]byte{fieldsOf(wire, wire)}})
	}
	server := startReplay(t, makeReplies(list...))
	client := server.connect(t)
	c := decode.NewCache()
	for text := range values {
		for range 2 {
			var rows []struct {
				D string
				E *big.Rat
			}
			if err := query(t, c, client, text, &rows); err != nil {
				t.Fatal(err)
			}
			want, _ := new(big.Rat).SetString(text)
			if rows[0].D != text || rows[0].E.Cmp(want) != 0 {
				t.Errorf("got %.50s and %.50s, want %.50s", rows[0].D, rows[0].E, text)
			}
			var floats []struct {
				D float64
				E *big.Float
			}
			if err := query(t, c, client, text, &floats); (err != nil) != (len(text) > 1000) {
				t.Errorf("%.50s into floats: %v", text, err)
			}
		}
	}
}

// Commands whose result edgedb-go cannot decode are read as JSON, and run once.
func TestOptionalLinksAndUnknownTypes(t *testing.T) {
	person := object(required("name", scalarOf("str")), optional("age", scalarOf("int64")))
	server := startReplay(t, makeReplies(
		statement{cmd: "optional link", typ: object(required("n", scalarOf("int64")), optional("best", person), required("after", scalarOf("str")), multi("all", person)),
			json: `[{"n": 9223372036854775807, "best": {"name": "ada", "age": 36}, "after": "x", "all": [{"name": "bob", "age": null}]},
				{"n": -9223372036854775808, "best": null, "after": "", "all": []}]`},
		statement{cmd: "vector", typ: object(required("v", scalarOf("vector"))), json: `[{"v": [1.5, 2]}]`},
		statement{cmd: "vector row", typ: scalarOf("vector"), json: `[[1.5, 2]]`},
		statement{cmd: "optional tuple", typ: object(optional("t", tuple(element(scalarOf("int64")), element(scalarOf("str"))))), json: `[{"t": [1, "x"]}, {"t": null}]`},
		statement{cmd: "range of decimals", typ: rangeOf(scalarOf("decimal")), json: `[{"lower": 1.5, "upper": null, "inc_lower": true, "inc_upper": false}]`},
	))
	client := server.connect(t)
	c := decode.NewCache()
	type human struct {
		Name string
		Age  *int
	}
	type row struct {
		N     int64
		Best  *human
		After string
		All   []human
	}
	for range 2 {
		executes := server.executes.Load()
		var rows []row
		if err := query(t, c, client, "optional link", &rows); err != nil {
			t.Fatal(err)
		}
		same(t, "rows", rows, []row{{9223372036854775807, &human{"ada", ptr(36)}, "x", []human{{"bob", nil}}}, {-9223372036854775808, nil, "", []human{}}})
		if n := server.executes.Load() - executes; n != 1 {
			t.Errorf("%d executions", n)
		}
		var records []duet.Record
		if err := query(t, c, client, "optional link", &records); err != nil {
			t.Fatal(err)
		}
		same(t, "records", records[0], record("n", int64(9223372036854775807), "best", record("name", "ada", "age", int64(36)), "after", "x",
			"all", []any{record("name", "bob", "age", nil)}))
		var plain []struct {
			N     int64
			Best  human
			After string
			All   []human
		}
		err := query(t, c, client, "optional link", &plain)
		if err == nil || !strings.Contains(err.Error(), `row 2, column "best": NULL into decode_test.human`) {
			t.Errorf("got %v", err)
		}
	}
	type edgeHuman struct {
		edgedb.Optional
		Name string               `edgedb:"name"`
		Age  edgedb.OptionalInt64 `edgedb:"age"`
	}
	var forEdgeDB []struct {
		N     int64       `edgedb:"n"`
		Best  edgeHuman   `edgedb:"best"`
		After string      `edgedb:"after"`
		All   []edgeHuman `edgedb:"all"`
	}
	if err := query(t, c, client, "optional link", &forEdgeDB); err != nil {
		t.Fatal(err)
	}
	if forEdgeDB[0].Best.Missing() || forEdgeDB[0].Best.Name != "ada" || !forEdgeDB[1].Best.Missing() {
		t.Errorf("got %+v", forEdgeDB)
	}
	var vectors []struct{ V []float32 }
	if err := query(t, c, client, "vector", &vectors); err != nil || len(vectors) != 1 || vectors[0].V[0] != 1.5 {
		t.Errorf("%v, %v", vectors, err)
	}
	var vector [][]float64
	if err := query(t, c, client, "vector row", &vector); err != nil || len(vector) != 1 || vector[0][1] != 2 {
		t.Errorf("%v, %v", vector, err)
	}
	var tuples []struct {
		T *struct {
			N int
			S string
		}
	}
	if err := query(t, c, client, "optional tuple", &tuples); err != nil || tuples[0].T.S != "x" || tuples[1].T != nil {
		t.Errorf("%v, %v", tuples, err)
	}
	var ranges []struct {
		Lower, Upper       duet.Optional[string]
		IncLower, IncUpper bool
	}
	if err := query(t, c, client, "range of decimals", &ranges); err != nil || ranges[0].Lower.Value != "1.5" || ranges[0].Upper.Valid {
		t.Errorf("%v, %v", ranges, err)
	}
}
