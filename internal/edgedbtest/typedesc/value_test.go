package typedesc

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func std(name string) *Type { return &Type{Name: name} }

func one(name string, t *Type) Field { return Field{Name: name, Type: t, Cardinality: ExactlyOne} }

func tuple(types ...*Type) *Type {
	made := &Type{Kind: Tuple}
	for _, e := range types {
		made.Fields = append(made.Fields, one("", e))
	}
	return made
}

var (
	colorType  = &Type{Kind: Enum, Name: enumName, Labels: []string{"Red", "Green", "Blue"}}
	int64Array = &Type{Kind: Array, Elem: std("std::int64")}
	strArray   = &Type{Kind: Array, Elem: std("std::str")}
)

// TestRecordedDataAsJSON reads what a real server sent in binary, and compares
// it with what it sent of the same text as JSON.
func TestRecordedDataAsJSON(t *testing.T) {
	t.Parallel()
	all := exchanges(t, recordings(t, "values.json"))
	compared := 0
	for _, e := range all {
		if e.format != 'b' {
			continue
		}
		i := slices.IndexFunc(all, func(o exchange) bool { return o.format == 'j' && o.source == asJSON(e.source) })
		if i < 0 || strings.Contains(e.source, "insert") {
			continue
		}
		made := typeOf(t, parseDescriptors(t, e.Output, 2))
		list := [][]byte{}
		for _, d := range e.data {
			text, err := made.appendJSON(nil, d)
			if err != nil {
				t.Errorf("%s: %v", e.source, err)
			}
			list = append(list, text)
		}
		got := slices.Concat([]byte("["), bytes.Join(list, []byte(",")), []byte("]"))
		if !sameJSON(t, got, all[i].data[0]) {
			t.Errorf("%s: %s, want %s", e.source, got, all[i].data[0])
		}
		compared++
	}
	if compared < 30 {
		t.Errorf("only %d cases were compared", compared)
	}
}

// sqlRows are the rows that PostgreSQL gives for cases of values.json, as its
// send functions write them; json columns as json_build_object and to_json do.
var sqlRows = map[string]struct {
	typ  *Type
	oid  uint32
	rows []string // hex, or text for oid 25, 114 and enumerations
}{
	"bool":              {std("std::bool"), 16, []string{"01", "00"}},
	"int16":             {std("std::int16"), 21, []string{"8000", "7fff"}},
	"int32":             {std("std::int32"), 23, []string{"80000000", "7fffffff"}},
	"int64":             {std("std::int64"), 20, []string{"8000000000000000", "7fffffffffffffff"}},
	"float32":           {std("std::float32"), 700, []string{"3fc00000"}},
	"float64":           {std("std::float64"), 701, []string{"3ff8000000000000", "7ff0000000000000", "7ff8000000000000"}},
	"str":               {std("std::str"), 25, []string{"", "grüße", "a\nb"}},
	"bytes":             {std("std::bytes"), 17, []string{"0001ff"}},
	"uuid":              {std("std::uuid"), 2950, []string{"b9545c351fe7485fa6eaf8ead251abd3"}},
	"datetime":          {std("std::datetime"), 1184, []string{"000303c57a998fd5"}},
	"local_datetime":    {std("cal::local_datetime"), 1114, []string{"000303c57a998fd5"}},
	"local_date":        {std("cal::local_date"), 1082, []string{"0000265d"}},
	"local_time":        {std("cal::local_time"), 1083, []string{"00000008ab1bafd5"}},
	"duration":          {std("std::duration"), 1186, []string{"0000000002b7cd000000000000000000"}},
	"relative_duration": {std("cal::relative_duration"), 1186, []string{"00000000002dc6c00000000200000001"}},
	"date_duration":     {std("cal::date_duration"), 1186, []string{"00000000000000000000000200000001"}},
	"json":              {std("std::json"), 114, []string{`{"a": 1, "b": "x"}`, `null`}},
	"bigint":            {std("std::bigint"), 1700, []string{"0008000740000000000c0d801ed204d2162e23340d801ed2", "0000000000000000"}},
	"memory":            {std("cfg::memory"), 20, []string{"0000000000001400"}},
	"array": {int64Array, 1016, []string{
		"0000000100000000000000140000000300000001000000080000000000000001000000080000000000000002000000080000000000000003",
		"000000000000000000000014"}},
	"array of str": {strArray, 1009, []string{"000000010000000000000019000000020000000100000001610000000162"}},
	"tuple":        {tuple(std("std::int64"), std("std::str")), 2249, []string{"0000000200000014000000080000000000000001000000190000000178"}},
	"named tuple": {&Type{Kind: NamedTuple, Fields: []Field{one("a", std("std::int64")), one("b", std("std::str"))}}, 2249,
		[]string{"0000000200000014000000080000000000000001000000190000000178"}},
	"range": {&Type{Kind: Range, Elem: std("std::int64")}, 3926, []string{"0200000008000000000000000100000008000000000000000a"}},
	"multirange": {&Type{Kind: Multirange, Elem: std("std::int64")}, 4536, []string{
		"0000000200000019020000000800000000000000010000000800000000000000030000001902000000080000000000000007000000080000000000000009"}},
	"enum":      {colorType, 16999, []string{"Green"}},
	"empty set": {std("std::str"), 25, nil},
	"arguments int64 str bool": {tuple(std("std::int64"), std("std::str"), std("std::bool")), 114, []string{
		`[42, "hi!", false]`}},
	"argument array": {std("std::int64"), 20, []string{"0000000000000003", "0000000000000002", "0000000000000001"}},
}

// jsonRows are the same values as JSON within json_build_array.
var jsonRows = map[string][]string{
	"bool": {"true", "false"}, "int16": {"-32768", "32767"}, "int32": {"-2147483648", "2147483647"},
	"int64":   {"-9223372036854775808", "9223372036854775807"},
	"float32": {"1.5"}, "float64": {"1.5", `"Infinity"`, `"NaN"`}, "str": {`""`, `"grüße"`, `"a\nb"`}, "bytes": {`"\\x0001ff"`},
	"uuid":     {`"b9545c35-1fe7-485f-a6ea-f8ead251abd3"`},
	"datetime": {`"2026-11-21T10:20:30.456789+00:00"`}, "local_datetime": {`"2026-11-21T10:20:30.456789"`},
	"local_date": {`"2026-11-21"`}, "local_time": {`"10:20:30.456789"`}, "duration": {`"00:00:45.6"`},
	"relative_duration": {`"1 mon 2 days 00:00:03"`}, "date_duration": {`"1 mon 2 days"`},
	"json":   {`{"a": 1, "b": "x"}`, `null`},
	"bigint": {"-123456789012345678901234567890", "0"}, "memory": {"5120"}, "array": {"[1,2,3]", "[]"}, "array of str": {`["a","b"]`},
	"tuple": {`[1, "x"]`}, "named tuple": {`{"a": 1, "b": "x"}`}, "enum": {`"Green"`},
	"range": {`{"lower": 1, "upper": 10, "inc_lower": true, "inc_upper": false}`},
	"multirange": {`[{"lower": 1, "upper": 3, "inc_lower": true, "inc_upper": false},` +
		`{"lower": 7, "upper": 9, "inc_lower": true, "inc_upper": false}]`},
}

// TestSQLRowsAgainstRecordings makes EdgeDB's bytes and JSON of PostgreSQL's
// rows, and compares with what a real server sent, byte for byte.
func TestSQLRowsAgainstRecordings(t *testing.T) {
	t.Parallel()
	all := exchanges(t, recordings(t, "values.json"))
	for name, c := range sqlRows {
		var rows [][]Column
		for _, text := range c.rows {
			data := []byte(text)
			if c.oid != 25 && c.oid != 114 && c.oid < oidFirstUser {
				data = unhex(t, text)
			}
			rows = append(rows, []Column{{Name: "?column?", OID: c.oid, Data: data}})
		}
		e := all[slices.IndexFunc(all, func(e exchange) bool { return e.source == "values.json: "+name })]
		j := all[slices.IndexFunc(all, func(e exchange) bool { return e.source == "values.json: "+asJSON(name) })]
		if len(rows) != len(e.data) {
			t.Fatalf("%s: %d rows, recorded %d", name, len(rows), len(e.data))
		}
		for i, row := range rows {
			got, ok, err := EncodeRow(c.typ, row)
			if err != nil || !ok || !bytes.Equal(got, e.data[i]) {
				t.Errorf("%s: % x, %t, %v, want % x", name, got, ok, err, e.data[i])
			}
		}
		got, err := EncodeJSONSet(c.typ, rows)
		if err != nil || !sameJSON(t, got, j.data[0]) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, j.data[0])
		}
		for i, text := range jsonRows[name] {
			got, err := c.typ.fromJSON([]byte(text))
			if err != nil || !bytes.Equal(got, e.data[i]) {
				t.Errorf("%s from %s: % x, %v, want % x", name, text, got, err, e.data[i])
			}
		}
	}
}

// TestObjectsAgainstRecordings makes the recorded objects of rows and of nested
// JSON.
func TestObjectsAgainstRecordings(t *testing.T) {
	t.Parallel()
	ada := unhex(t, "a5ccf0ece55e11f18db48f00a03388da")
	shape := &Type{Kind: Object, Name: "default::Account", Fields: []Field{
		one("id", std("std::uuid")), one("name", std("std::str")), {Name: "note", Type: std("std::str"), Cardinality: AtMostOne},
		{Name: "color", Type: colorType, Cardinality: AtMostOne}, {Name: "tags", Type: std("std::str"), Cardinality: Many}}}
	name := &Type{Kind: Object, Name: "default::Account", Fields: []Field{one("name", std("std::str"))}}
	transfer := &Type{Kind: Object, Name: "default::Transfer", Fields: []Field{
		one("amount", std("std::int64")), {Name: "src", Type: name, Cardinality: ExactlyOne, Link: true}}}
	free := &Type{Kind: Object, Fields: []Field{one("n", std("std::int64")), {Name: "s", Type: std("std::str"), Cardinality: AtMostOne}}}
	five := Column{Name: "amount", OID: 20, Data: unhex(t, "0000000000000005")}
	cases := []struct {
		source string
		typ    *Type
		row    []Column
	}{
		{"shape", shape, []Column{{"id", 2950, ada}, {"name", 25, []byte("ada")}, {"note", 25, nil}, {"color", 16999, []byte("Red")},
			{"tags", 1009, unhex(t, "000000010000000000000019000000020000000100000001780000000179")}}},
		// The columns' order does not matter, and a set may be JSON.
		{"shape", shape, []Column{{"tags", 114, []byte(`["x","y"]`)}, {"name", 25, []byte("ada")}, {"note", 25, nil},
			{"color", 16999, []byte("Red")}, {"id", 2950, ada}}},
		{"nested shape", transfer, []Column{five, {"src", 114, []byte(`{"name" : "ada"}`)}}},
		{"nested shape", transfer, []Column{five, {"src", 3802, []byte("\x01{\"name\" : \"ada\"}")}}},
		{"nested shape", transfer, []Column{five, {"src", 2249, unhex(t, "000000010000001900000003616461")}}},
		{"free object", free, []Column{{"n", 20, unhex(t, "0000000000000001")}, {"s", 25, nil}}},
	}
	all := exchanges(t, recordings(t, "values.json"))
	for _, c := range cases {
		e := all[slices.IndexFunc(all, func(e exchange) bool { return e.source == "values.json: "+c.source })]
		got, ok, err := EncodeRow(c.typ, c.row)
		want := bytes.Clone(e.data[0])
		if i := bytes.Index(want, []byte("\x00\x00\x6e\x8a")); i >= 0 {
			copy(want[i:], []byte{0, 0, 0, 0}) // what the enumeration is in that server's PostgreSQL
		}
		if err != nil || !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: % x, %v, want % x", c.source, got, err, want)
		}
	}
}

// TestWhatRowsCannotBe gives rows that do not have the declared shape.
func TestWhatRowsCannotBe(t *testing.T) {
	t.Parallel()
	object := &Type{Kind: Object, Fields: []Field{one("a", std("std::int64"))}}
	set := &Type{Kind: Object, Fields: []Field{{Name: "a", Type: std("std::str"), Cardinality: Many}}}
	eight := make([]byte, 8)
	cases := map[string]struct {
		typ  *Type
		row  []Column
		code uint32
		says string
	}{
		"another type":      {std("std::int64"), []Column{{OID: 23, Data: eight[:4]}}, CodeInternal, "is no std::int64"},
		"another length":    {std("std::int64"), []Column{{OID: 20, Data: eight[:7]}}, CodeInternal, "is no std::int64"},
		"two columns":       {std("std::int64"), []Column{{}, {}}, CodeInternal, "a row of 2 columns"},
		"a NULL in a field": {object, []Column{{Name: "a", OID: 20}}, CodeInternal, "is required"},
		"another name":      {object, []Column{{Name: "b", OID: 20, Data: eight}}, CodeInternal, `no column "a"`},
		"a field too many":  {object, []Column{{Name: "a", OID: 20, Data: eight}, {Name: "b"}}, CodeInternal, "a row of 2 columns"},
		"a label too many":  {colorType, []Column{{OID: 16999, Data: []byte("Pink")}}, CodeInternal, "is no default::Color"},
		"a NULL in an array": {int64Array, []Column{{OID: 1016, Data: unhex(t, "0000000100000001000000140000000100000001ffffffff")}},
			CodeInternal, "a NULL"},
		"a null in a set":     {set, []Column{{Name: "a", OID: 114, Data: []byte(`["x", null]`)}}, CodeInternal, "a null"},
		"an object for a set": {set, []Column{{Name: "a", OID: 114, Data: []byte(`{}`)}}, CodeInternal, "is no array"},
		"a short tuple":       {tuple(std("std::int64"), std("std::str")), []Column{{OID: 114, Data: []byte(`[1]`)}}, CodeInternal, "is no tuple<"},
		"a long record": {tuple(std("std::int64")), []Column{{OID: 2249, Data: unhex(t, "0000000200000014000000080000000000000007"+"0000001400000000")}},
			CodeInternal, "a record of 2 fields"},
		"a matrix": {int64Array, []Column{{OID: 1016, Data: unhex(t, "000000020000000000000014")}}, CodeInternal, "2 dimensions"},
		"infinity": {std("std::datetime"), []Column{{OID: 1184, Data: unhex(t, "7fffffffffffffff")}}, CodeInvalidValue, "out of range"},
		"a day as duration": {std("std::duration"), []Column{{OID: 1186, Data: unhex(t, "00000000000000000000000100000000")}},
			CodeInvalidValue, "out of range"},
		"a fraction": {std("std::bigint"), []Column{{OID: 1700, Data: unhex(t, "000200000000000300011388")}}, CodeInvalidValue, "out of range"},
		"NaN":        {std("std::decimal"), []Column{{OID: 1700, Data: unhex(t, "00000000c0000000")}}, CodeInvalidValue, "out of range"},
	}
	for name, c := range cases {
		_, ok, err := EncodeRow(c.typ, c.row)
		e, is := err.(*Error)
		if ok || !is || e.Code != c.code || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
	if _, ok, err := EncodeRow(std("std::int64"), []Column{{OID: 20}}); ok || err != nil {
		t.Errorf("NULL is the empty set, not %t, %v", ok, err)
	}
	if got, err := EncodeJSONSet(std("std::int64"), [][]Column{{{OID: 20}}, {{OID: 20, Data: eight}}}); string(got) != "[0]" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// TestSetOfArrays: each array in a set has an envelope, as the section "Sets
// and array<>" of the page "Data wire formats" has it.
func TestSetOfArrays(t *testing.T) {
	t.Parallel()
	f := Field{Name: "a", Type: strArray, Cardinality: Many}
	got, err := f.fromJSON([]byte(`[["x"], []]`))
	want := "00000001" + "00000000" + "000008c9" + "00000002" + "00000001" + // a set of two
		"00000025" + "00000001" + "000003f1" + // an envelope of one element
		"00000019" + "00000001" + "00000000" + "00000019" + "00000001" + "00000001" + "00000001" + "78" +
		"00000018" + "00000001" + "000003f1" +
		"0000000c" + "00000000" + "00000000" + "00000019"
	if err != nil || !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("% x, %v", got, err)
	}
	if text, err := f.toJSON(nil, got); err != nil || string(text) != `[["x"], []]` {
		t.Errorf("%s, %v", text, err)
	}
}
