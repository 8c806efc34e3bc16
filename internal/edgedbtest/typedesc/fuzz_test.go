package typedesc

import (
	"encoding/json"
	"testing"
)

// fuzzTypes are types of each kind, with the column's type in PostgreSQL.
func fuzzTypes() []Column {
	return []Column{{OID: oidText}, {OID: oidJSON}, {OID: oidJSONB}, {OID: oidRecord}, {OID: 1016}, {OID: 3926}, {OID: 4536}, {OID: 1700},
		{OID: 1186}, {OID: 1184}, {OID: 1082}, {OID: 16999}}
}

func fuzzed() *Type {
	object := &Type{Kind: Object, Fields: []Field{one("a", std("std::int64")), {Name: "b", Type: strArray, Cardinality: Many},
		{Name: "c", Type: tuple(colorType, std("cal::relative_duration")), Cardinality: AtMostOne}}}
	return object
}

// FuzzEncodeRow: no bytes in a column make it panic; what it takes is written
// as valid JSON, and what it refuses has a code.
func FuzzEncodeRow(f *testing.F) {
	types := []*Type{std("std::str"), std("std::json"), std("std::decimal"), std("std::bigint"), std("std::datetime"), std("cal::local_date"),
		std("std::duration"), std("cal::relative_duration"), std("std::float64"), std("std::bytes"), std("std::uuid"), std("cfg::memory"), colorType,
		int64Array, strArray, tuple(std("std::int64"), std("std::str")), fuzzed(),
		{Kind: Range, Elem: std("std::int64")}, {Kind: Multirange, Elem: std("std::int64")}}
	for _, c := range sqlRows {
		for _, text := range c.rows {
			f.Add([]byte(text))
			if c.oid != oidText && c.oid != oidJSON && c.oid < oidFirstUser {
				f.Add(unhex(f, text))
			}
		}
	}
	for _, rows := range jsonRows {
		for _, text := range rows {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(`{"a": 1, "b": [["x"], []], "c": ["Red", "1 day"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, made := range types {
			for _, c := range fuzzTypes() {
				c.Name, c.Data = "v", data
				encoded, ok, err := EncodeRow(wrap(made), []Column{c})
				if err != nil {
					if _, is := err.(*Error); !is || ok {
						t.Fatal(err)
					}
					continue
				}
				// PostgreSQL would not send json that is none.
				if c.OID == oidJSON && !json.Valid(data) || c.OID == oidJSONB && !json.Valid(data[1:]) {
					continue
				}
				text, err := wrap(made).appendJSON(nil, encoded)
				if err != nil || !json.Valid(text) {
					t.Fatalf("%s of %d: %v, %.300q", made.displayName(), c.OID, err, text)
				}
			}
		}
	})
}

// FuzzAppendJSON: no bytes in place of EdgeDB's make it panic or write what is
// no JSON: arguments that are tuples come this way.
func FuzzAppendJSON(f *testing.F) {
	for _, e := range exchanges(f, recordings(f, "values.json")) {
		for _, d := range e.data {
			f.Add(d)
		}
	}
	types := []*Type{fuzzed(), tuple(std("std::json"), std("cal::local_time")), {Kind: Multirange, Elem: std("std::decimal")}, strArray}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, made := range types {
			text, err := made.appendJSON(nil, data)
			if err == nil && !json.Valid(text) {
				t.Fatalf("%s: %.300q", made.displayName(), text)
			}
		}
	})
}
