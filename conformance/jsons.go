package conformance

import (
	"bytes"
	"context"
	"math"
	"strings"

	"github.com/duetdb/duet"
)

func jsonScenarios() []Scenario {
	return []Scenario{
		{ID: "json/empty", Promise: "QueryJSON gives [] where there is no row.", Run: jsonEmpty},
		{ID: "json/objects", Promise: "A row is an object with the columns in order, and the rows are in order.", Run: jsonObjects},
		{ID: "json/one", Promise: "QueryOneJSON gives the element without the array.", Run: jsonSingle},
		{ID: "json/scalars", Promise: "Plain values are plain in JSON, numbers exact to the last digit.", Run: jsonScalars},
		{ID: "json/no-numbers", Promise: "Infinities and NaN are strings in JSON.", Run: jsonNoNumbers},
		{ID: "json/text", Promise: "Text is escaped so that any decoder gives it back.", Run: jsonText},
		{ID: "json/bytes", Promise: "Bytes are base64 in JSON.", Run: jsonBytes},
		{ID: "json/times", Promise: "A moment is RFC 3339 in JSON.", Run: jsonTimes},
		{ID: "json/embedded", Promise: "JSON is embedded as it is.", Run: jsonEmbedded},
		{ID: "json/missing", Promise: "A missing value is null in JSON.", Run: jsonMissing},
		{ID: "json/arrays", Promise: "Arrays are arrays in JSON.", Run: jsonArrays},
		{ID: "json/nested", Promise: "Shapes are nested objects in JSON.", Run: jsonNested},
		{ID: "json/many", Promise: "Ten thousand rows are one array in JSON.", Run: jsonMany},
	}
}

func jsonEmpty(ctx context.Context, t *T) {
	wantJSON(t, "nothing", jsonAll(ctx, t, t.Client(), "nothing"), "[]")
	wantJSON(t, "no object", jsonAll(ctx, t, t.Client(), "objects", int64(0)), "[]")
	wantJSON(t, "no account", jsonAll(ctx, t, t.Client(), "accounts"), "[]")
}

func jsonObjects(ctx context.Context, t *T) {
	wantJSON(t, "objects", jsonAll(ctx, t, t.Client(), "objects", int64(3)), `[{"i": 0, "s": "0"}, {"i": 1, "s": "1"}, {"i": 2, "s": "2"}]`)
	var out []byte
	if err := t.Client().QueryJSON(ctx, t.Text("two_columns"), &out); err != nil {
		t.Fatalf("two_columns: %v", err)
	}
	if n, s := bytes.Index(out, []byte(`"n"`)), bytes.Index(out, []byte(`"s"`)); n < 0 || s < n {
		t.Errorf("%s does not have n before s", out)
	}
	accounts(ctx, t, 5, "bob", "ada")
	wantJSON(t, "accounts", jsonAll(ctx, t, t.Client(), "accounts"), `[{"name": "ada", "balance": 5}, {"name": "bob", "balance": 5}]`)
	wantJSON(t, "account_names", jsonAll(ctx, t, t.Client(), "account_names"), `["ada", "bob"]`)
}

func jsonSingle(ctx context.Context, t *T) {
	wantJSON(t, "one", jsonOne(ctx, t, t.Client(), "one"), "1")
	wantJSON(t, "two_columns", jsonOne(ctx, t, t.Client(), "two_columns"), `{"n": 1, "s": "x"}`)
	accounts(ctx, t, 5, "ada")
	wantJSON(t, "insert_returning", jsonOne(ctx, t, t.Client(), "insert_returning", "fay"), `{"name": "fay", "balance": 1, "note": null}`)
	wantJSON(t, "account_name", jsonOne(ctx, t, t.Client(), "account_name", "ada"), `{"name": "ada"}`)
}

func jsonScalars(ctx context.Context, t *T) {
	c := t.Client()
	wantJSON(t, "bools", jsonAll(ctx, t, c, "bools"), "[true, false]")
	wantJSON(t, "int16s", jsonAll(ctx, t, c, "int16s"), "[-32768, 32767]")
	wantJSON(t, "int32s", jsonAll(ctx, t, c, "int32s"), "[-2147483648, 2147483647]")
	wantJSON(t, "int64s", jsonAll(ctx, t, c, "int64s"), "[-9223372036854775808, 9223372036854775807]")
	wantJSON(t, "bigints", jsonAll(ctx, t, c, "bigints"), "[-123456789012345678901234567890, 0]")
	wantJSON(t, "decimal", jsonAll(ctx, t, c, "decimal"), "[12345678901234567890.0123456789]")
	wantJSON(t, "uuid", jsonAll(ctx, t, c, "uuid"), `["b9545c35-1fe7-485f-a6ea-f8ead251abd3"]`)
	wantJSON(t, "color", jsonAll(ctx, t, c, "color"), `["Green"]`)
	wantJSON(t, "strs", jsonAll(ctx, t, c, "strs"), `["", "grüße", "a\nb"]`)
	wantJSON(t, "echo_float64", jsonOne(ctx, t, c, "echo_float64", 1.25), "1.25")
	wantJSON(t, "echo_float32", jsonOne(ctx, t, c, "echo_float32", float32(1.25)), "1.25")
	wantJSON(t, "three_args", jsonAll(ctx, t, c, "three_args", int64(41), "hi", true), `[[42, "hi!", false]]`)
}

func jsonNoNumbers(ctx context.Context, t *T) {
	wantJSON(t, "float64s", jsonAll(ctx, t, t.Client(), "float64s"), `[1.5, "Infinity", "NaN"]`)
	wantJSON(t, "-Inf", jsonOne(ctx, t, t.Client(), "echo_float64", math.Inf(-1)), `"-Infinity"`)
}

func jsonText(ctx context.Context, t *T) {
	for _, text := range []string{`"\/`, "\x01\x1f\x7f", "a\u2028b\u2029", "<&>", "🎻", strings.Repeat(`"`, 1000)} {
		want(t, "the text", jsonOne(ctx, t, t.Client(), "echo_str", text), any(text))
	}
}

func jsonBytes(ctx context.Context, t *T) {
	wantJSON(t, "bytes", jsonAll(ctx, t, t.Client(), "bytes"), `["AAH/"]`)
	wantJSON(t, "no bytes", jsonOne(ctx, t, t.Client(), "echo_bytes", []byte{}), `""`)
}

func jsonTimes(ctx context.Context, t *T) {
	got := jsonOne(ctx, t, t.Client(), "datetime")
	moment, err := parseMoment(got)
	if err != nil || moment.UnixMicro() != 1795256430456789 {
		t.Errorf("datetime is %v in JSON (error %v), want RFC 3339 of 2026-11-21 10:20:30.456789 UTC", got, err)
	}
}

func jsonEmbedded(ctx context.Context, t *T) {
	wantJSON(t, "jsons", jsonAll(ctx, t, t.Client(), "jsons"), `[{"a": 1, "b": "x"}, null]`)
	const text = `{"a": [1, null, {"b": 1.50}], "big": 123456789012345678901234567890}`
	wantJSON(t, "echo_json", jsonOne(ctx, t, t.Client(), "echo_json", []byte(text)), text)
}

func jsonMissing(ctx context.Context, t *T) {
	wantJSON(t, "missing_value", jsonAll(ctx, t, t.Client(), "missing_value"), `[{"n": 1, "s": null}]`)
}

func jsonArrays(ctx context.Context, t *T) {
	wantJSON(t, "int_arrays", jsonAll(ctx, t, t.Client(), "int_arrays"), "[[1, 2, 3], []]")
	wantJSON(t, "echo_strs", jsonOne(ctx, t, t.Client(), "echo_strs", []string{"a", `"`}), `["a", "\""]`)
}

func jsonNested(ctx context.Context, t *T) {
	accounts(ctx, t, 100, "ada", "bob")
	exec(ctx, t, t.Client(), "transfer", "ada", "bob", int64(3))
	wantJSON(t, "transfers", jsonAll(ctx, t, t.Client(), "transfers"), `[{"amount": 3, "src": {"name": "ada"}, "dst": {"name": "bob", "note": null}}]`)
	wantJSON(t, "sent", jsonAll(ctx, t, t.Client(), "sent"), `[{"name": "ada", "sent": [{"amount": 3}]}]`)
}

func jsonMany(ctx context.Context, t *T) {
	var out []byte
	var q duet.Querier = t.Client()
	if err := q.QueryJSON(ctx, t.Text("numbers"), &out, int64(10000)); err != nil {
		t.Fatalf("numbers: %v", err)
	}
	values, ok := parseJSON(t, "numbers", out).([]any)
	if !ok || len(values) != 10000 {
		t.Fatalf("%d values, want 10000", len(values))
	}
	for i, v := range values {
		if n, err := v.(interface{ Int64() (int64, error) }).Int64(); err != nil || n != int64(i) {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}
