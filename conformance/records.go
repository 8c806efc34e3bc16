package conformance

import (
	"context"
	"encoding/json"

	"github.com/duetdb/duet"
)

func recordScenarios() []Scenario {
	return []Scenario{
		{ID: "records/map", Promise: "A row becomes a map[string]any.", Run: mapRows},
		{ID: "records/slice", Promise: "A row becomes a []any, in the order of the columns.", Run: sliceRows},
		{ID: "records/record", Promise: "A row becomes a Record, by name and by index.", Run: recordRows},
		{ID: "records/missing", Promise: "A missing value is nil in a map, a []any and a Record.", Run: missingInRecords},
		{ID: "records/any", Promise: "A scalar becomes an any of Go's own type.", Run: anyScalars},
		{ID: "records/json-column", Promise: "A json value becomes bytes or a json.RawMessage, as the server has it.", Run: jsonColumn},
	}
}

func mapRows(ctx context.Context, t *T) {
	want(t, "the row", one[map[string]any](ctx, t, t.Client(), "two_columns"), map[string]any{"n": int64(1), "s": "x"})
	rows := all[map[string]any](ctx, t, t.Client(), "objects", int64(3))
	want(t, "the rows", rows, []map[string]any{{"i": int64(0), "s": "0"}, {"i": int64(1), "s": "1"}, {"i": int64(2), "s": "2"}})
}

func sliceRows(ctx context.Context, t *T) {
	want(t, "the row", one[[]any](ctx, t, t.Client(), "two_columns"), []any{int64(1), "x"})
	want(t, "the rows", all[[]any](ctx, t, t.Client(), "objects", int64(2)), [][]any{{int64(0), "0"}, {int64(1), "1"}})
}

func recordRows(ctx context.Context, t *T) {
	r := one[duet.Record](ctx, t, t.Client(), "two_columns")
	want(t, "Len", r.Len(), 2)
	want(t, "Name(0)", r.Name(0), "n")
	want(t, "At(1)", r.At(1), any("x"))
	if v, ok := r.Get("s"); !ok || v != "x" {
		t.Errorf("Get(s) = %v, %t, want x, true", v, ok)
	}
	if _, ok := r.Get("nosuch"); ok {
		t.Errorf("Get finds a column that is not there")
	}
	data, err := json.Marshal(r)
	if err != nil || string(data) != `{"n":1,"s":"x"}` {
		t.Errorf("as JSON the record is %s with error %v", data, err)
	}
	rows := all[duet.Record](ctx, t, t.Client(), "objects", int64(3))
	if len(rows) != 3 || rows[0].At(0) != any(int64(0)) || rows[2].At(1) != any("2") {
		t.Errorf("the records are %v", rows)
	}
}

func missingInRecords(ctx context.Context, t *T) {
	c := t.Client()
	want(t, "the map", one[map[string]any](ctx, t, c, "missing_value"), map[string]any{"n": int64(1), "s": nil})
	want(t, "the slice", one[[]any](ctx, t, c, "missing_value"), []any{int64(1), nil})
	if v, ok := one[duet.Record](ctx, t, c, "missing_value").Get("s"); !ok || v != nil {
		t.Errorf("Get(s) = %v, %t, want nil, true", v, ok)
	}
}

func anyScalars(ctx context.Context, t *T) {
	c := t.Client()
	for name, v := range map[string]any{
		"echo_int64": int64(7), "echo_str": "x", "echo_bool": true, "echo_float64": 1.25, "echo_bytes": []byte{0, 1},
		"echo_int32": int32(7), "echo_int16": int16(7), "echo_float32": float32(1.25),
	} {
		want(t, name, one[any](ctx, t, c, name, v), v)
	}
}

func jsonColumn(ctx context.Context, t *T) {
	const text = `{"a": [1, null], "b": 12345678901234567890.5}`
	c := t.Client()
	for _, arg := range []any{[]byte(text), json.RawMessage(text)} {
		wantJSON(t, "bytes", parseJSON(t, "bytes", one[[]byte](ctx, t, c, "echo_json", arg)), text)
	}
	wantJSON(t, "RawMessage", parseJSON(t, "RawMessage", one[json.RawMessage](ctx, t, c, "echo_json", []byte(text))), text)
}
