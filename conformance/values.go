package conformance

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"strings"

	"github.com/duetdb/duet"
)

func valueScenarios() []Scenario {
	return []Scenario{
		{ID: "values/bool", Promise: "A bool goes both ways.", Run: echo("echo_bool", true, false)},
		{ID: "values/int16", Promise: "An int16 goes both ways, to its extremes.", Run: echo[int16]("echo_int16", 0, -1, math.MinInt16, math.MaxInt16)},
		{ID: "values/int32", Promise: "An int32 goes both ways, to its extremes.", Run: echo[int32]("echo_int32", 0, -1, math.MinInt32, math.MaxInt32)},
		{ID: "values/int64", Promise: "An int64 goes both ways, to its extremes.", Run: echo[int64]("echo_int64", 0, -1, math.MinInt64, math.MaxInt64)},
		{ID: "values/constants", Promise: "Values that the server makes arrive exactly.", Run: constants},
		{ID: "values/float32", Promise: "A float32 goes both ways, infinities included.",
			Run: echo[float32]("echo_float32", 0, -1.25, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1)), float32(math.Inf(-1)))},
		{ID: "values/float64", Promise: "A float64 goes both ways, infinities included.",
			Run: echo("echo_float64", 0, -1.25, 0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1))},
		{ID: "values/nan", Promise: "NaN and negative zero go both ways.", Run: notANumber},
		{ID: "values/text", Promise: "A text goes both ways, whatever characters it has.",
			Run: echo("echo_str", "", " ", "grüße, 世界 🎻", "a\nb\tc\r\n", `'"\ $1 :x ; -- /*`, "\u202e\u0001\uFEFF\U0010FFFF")},
		{ID: "values/bytes", Promise: "Bytes go both ways, whatever they are.", Run: bytesValues},
		{ID: "values/big-text-and-bytes", Promise: "A text and bytes of a megabyte go both ways.", Run: megabyte},
		{ID: "values/uuid", Promise: "A uuid goes both ways as [16]byte.",
			Run: echo("echo_uuid", [16]byte{}, [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, [16]byte(bytes.Repeat([]byte{255}, 16)))},
		{ID: "values/bigint", Promise: "An integer of any size goes both ways as *big.Int.", Run: bigInts},
		{ID: "values/decimal", Promise: "A decimal keeps each of its digits.", Run: decimals},
		{ID: "values/arrays", Promise: "Arrays go both ways as slices, empty ones included.", Run: arrays},
		{ID: "values/enum", Promise: "An enum's value is a text.", Run: enums},
		{ID: "values/named-types", Promise: "A Go type of one's own goes both ways as its underlying type.", Run: namedTypes},
		{ID: "values/missing", Promise: "What may be missing is a pointer or an Optional, both ways.", Run: missingValues},
		{ID: "values/missing-into-plain", Promise: "NULL into anything else is an error that names the column.", Run: missingIntoPlain},
	}
}

// echo sends values and reads them back.
func echo[V any](name string, values ...V) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		for _, v := range values {
			want(t, name, one[V](ctx, t, t.Client(), name, v), v)
		}
	}
}

func constants(ctx context.Context, t *T) {
	c := t.Client()
	want(t, "bools", all[bool](ctx, t, c, "bools"), []bool{true, false})
	want(t, "int16s", all[int16](ctx, t, c, "int16s"), []int16{math.MinInt16, math.MaxInt16})
	want(t, "int32s", all[int32](ctx, t, c, "int32s"), []int32{math.MinInt32, math.MaxInt32})
	want(t, "int64s", all[int64](ctx, t, c, "int64s"), []int64{math.MinInt64, math.MaxInt64})
	want(t, "strs", all[string](ctx, t, c, "strs"), []string{"", "grüße", "a\nb"})
	want(t, "bytes", one[[]byte](ctx, t, c, "bytes"), []byte{0, 1, 255})
	want(t, "int_arrays", all[[]int64](ctx, t, c, "int_arrays"), [][]int64{{1, 2, 3}, {}})
	want(t, "uuid", one[[16]byte](ctx, t, c, "uuid"),
		[16]byte{0xb9, 0x54, 0x5c, 0x35, 0x1f, 0xe7, 0x48, 0x5f, 0xa6, 0xea, 0xf8, 0xea, 0xd2, 0x51, 0xab, 0xd3})
	floats := all[float64](ctx, t, c, "float64s")
	if len(floats) != 3 || floats[0] != 1.5 || !math.IsInf(floats[1], 1) || !math.IsNaN(floats[2]) {
		t.Errorf("float64s is %v, want [1.5 +Inf NaN]", floats)
	}
}

func notANumber(ctx context.Context, t *T) {
	if v := one[float64](ctx, t, t.Client(), "echo_float64", math.NaN()); !math.IsNaN(v) {
		t.Errorf("NaN came back as %v", v)
	}
	if v := one[float32](ctx, t, t.Client(), "echo_float32", float32(math.NaN())); v == v {
		t.Errorf("a float32 NaN came back as %v", v)
	}
	if v := one[float64](ctx, t, t.Client(), "echo_float64", math.Copysign(0, -1)); v != 0 || !math.Signbit(v) {
		t.Errorf("negative zero came back as %v", v)
	}
}

func bytesValues(ctx context.Context, t *T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, v := range [][]byte{{}, {0}, every, bytes.Repeat([]byte{0}, 1000)} {
		got := one[[]byte](ctx, t, t.Client(), "echo_bytes", v)
		want(t, "echo_bytes", got, v)
	}
}

func megabyte(ctx context.Context, t *T) {
	text := strings.Repeat("0123456789abcdéf", 1<<16)
	if got := one[string](ctx, t, t.Client(), "echo_str", text); got != text {
		t.Errorf("a text of %d bytes came back with %d bytes, and differs", len(text), len(got))
	}
	if got := one[[]byte](ctx, t, t.Client(), "echo_bytes", []byte(text)); !bytes.Equal(got, []byte(text)) {
		t.Errorf("%d bytes came back as %d bytes, and differ", len(text), len(got))
	}
	if got := one[string](ctx, t, t.Client(), "xs"); got != strings.Repeat("x", 100000) {
		t.Errorf("100000 x are %d bytes, and differ", len(got))
	}
}

func bigInts(ctx context.Context, t *T) {
	for _, text := range []string{"0", "-5", "9223372036854775808", "-123456789012345678901234567890", "1" + strings.Repeat("0", 40)} {
		v, _ := new(big.Int).SetString(text, 10)
		if got := one[*big.Int](ctx, t, t.Client(), "echo_bigint", v); got == nil || got.Cmp(v) != 0 {
			t.Errorf("%s came back as %v", text, got)
		}
	}
	values := all[*big.Int](ctx, t, t.Client(), "bigints")
	if len(values) != 2 || values[0].String() != "-123456789012345678901234567890" || values[1].Sign() != 0 {
		t.Errorf("bigints is %v", values)
	}
}

func decimals(ctx context.Context, t *T) {
	const digits = "12345678901234567890.0123456789"
	want(t, "a decimal", one[string](ctx, t, t.Client(), "echo_decimal", digits), digits)
	want(t, "a decimal", one[string](ctx, t, t.Client(), "echo_decimal", "0.10"), "0.10")
	wantJSON(t, "a decimal", jsonAll(ctx, t, t.Client(), "decimal"), "["+digits+"]")
}

func arrays(ctx context.Context, t *T) {
	for _, v := range [][]int64{{}, {7}, {3, 2, 1}, {math.MinInt64, 0, math.MaxInt64}} {
		want(t, "echo_ints", one[[]int64](ctx, t, t.Client(), "echo_ints", v), v)
	}
	for _, v := range [][]string{{}, {""}, {"a", "b"}, {`"`, `{}`, `,`, `\`, "NULL", "grüße"}} {
		want(t, "echo_strs", one[[]string](ctx, t, t.Client(), "echo_strs", v), v)
	}
	long := make([]int64, 10000)
	for i := range long {
		long[i] = int64(i)
	}
	want(t, "10000 ints", one[[]int64](ctx, t, t.Client(), "echo_ints", long), long)
}

func enums(ctx context.Context, t *T) {
	want(t, "color", one[string](ctx, t, t.Client(), "color"), "Green")
	type color string
	want(t, "color", one[color](ctx, t, t.Client(), "color"), color("Green"))
}

func namedTypes(ctx context.Context, t *T) {
	type cents int64
	type label string
	type blob []byte
	type flag bool
	echo("echo_int64", cents(-5), cents(math.MaxInt64))(ctx, t)
	echo("echo_str", label("x"))(ctx, t)
	echo("echo_bytes", blob{0, 1})(ctx, t)
	echo("echo_bool", flag(true))(ctx, t)
}

func missingValues(ctx context.Context, t *T) {
	c := t.Client()
	text := "n"
	exec(ctx, t, c, "insert_with_note", "ada", int64(1), duet.Some("x"))
	exec(ctx, t, c, "insert_with_note", "bob", int64(1), duet.None[string]())
	exec(ctx, t, c, "insert_with_note", "carol", int64(1), &text)
	exec(ctx, t, c, "insert_with_note", "dora", int64(1), (*string)(nil))
	exec(ctx, t, c, "insert_with_note", "eve", int64(1), nil)
	type byOptional struct{ Note duet.Optional[string] }
	type byPointer struct{ Note *string }
	lax := c.With(duet.Options{Columns: duet.ColumnsLax})
	for name, note := range map[string]string{"ada": "x", "bob": "", "carol": "n", "dora": "", "eve": ""} {
		got := one[byOptional](ctx, t, lax, "account", name)
		want(t, name+"'s note", got.Note, duet.Optional[string]{Value: note, Valid: note != ""})
		p := one[byPointer](ctx, t, lax, "account", name)
		if (p.Note != nil) != (note != "") || p.Note != nil && *p.Note != note {
			t.Errorf("%s's note is %v by pointer, want %q", name, p.Note, note)
		}
	}
}

func missingIntoPlain(ctx context.Context, t *T) {
	type row struct {
		N int64
		S string
	}
	_, err := duet.QueryAll[row](ctx, t.Client(), t.Text("missing_value"))
	wantErr(t, "NULL into a string", err, duet.ErrInvalidResult)
	if err != nil && !strings.Contains(err.Error(), `"s"`) {
		t.Errorf("the error %q does not name the column \"s\"", err)
	}
	type good struct {
		N int64
		S *string
	}
	want(t, "the row", one[good](ctx, t, t.Client(), "missing_value"), good{N: 1})
}
