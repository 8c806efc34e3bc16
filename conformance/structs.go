package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/duetdb/duet"
)

func structScenarios() []Scenario {
	return []Scenario{
		{ID: "structs/fields", Promise: "A struct's fields are matched to columns by the snake_case of their names.", Run: structFields},
		{ID: "structs/tags", Promise: "The tag duet comes before edgedb, and edgedb before db; duet:\"-\" leaves a field out.", Run: structTags},
		{ID: "structs/embedded", Promise: "The fields of an embedded struct are the struct's own.", Run: structEmbedded},
		{ID: "structs/column-without-field", Promise: "A column without a field is an error that names it.", Run: columnWithoutField},
		{ID: "structs/field-without-column", Promise: "A field without a column is an error that names it, with lax columns too.", Run: fieldWithoutColumn},
		{ID: "structs/lax-columns", Promise: "With Options.Columns lax, a column without a field is ignored.", Run: laxColumns},
		{ID: "structs/wrong-type", Promise: "A value that does not fit its field is an error that names row and column.", Run: wrongFieldType},
		{ID: "structs/overflow", Promise: "A number that does not fit its destination is an error, never another number.", Run: overflow},
		{ID: "structs/nested", Promise: "Nested structs and slices take shapes.", Run: nestedShapes},
		{ID: "structs/pointers", Promise: "Rows may be pointers to structs, and a destination may hold a nil pointer.", Run: pointerRows},
		{ID: "structs/reset-slice", Promise: "A slice is reset at the start of each call: it never mixes two results.", Run: resetSlice},
		{ID: "structs/reset-fields", Promise: "A struct is reset at the start of each call: a missing value does not leave the last one.", Run: resetFields},
		{ID: "structs/empty-result", Promise: "A result without rows leaves an empty, non-nil slice.", Run: emptyResult},
		{ID: "structs/bad-destination", Promise: "A destination that is not a pointer, or a nil one, is ErrInvalidArgument or ErrInvalidResult, never a panic.", Run: badDestination},
		{ID: "structs/safe-after-error", Promise: "After an error a destination can be used again.", Run: safeAfterError},
	}
}

func structFields(ctx context.Context, t *T) {
	type account struct {
		ID      [16]byte
		Name    string
		Balance int64
		Note    *string
		Color   duet.Optional[string]
		Tags    []string
	}
	exec(ctx, t, t.Client(), "insert_red", "ada", int64(7))
	exec(ctx, t, t.Client(), "insert_account", "bob", int64(8))
	got := one[account](ctx, t, t.Client(), "account", "ada")
	if got.ID == ([16]byte{}) {
		t.Errorf("ada's id is zero")
	}
	got.ID = [16]byte{}
	want(t, "ada", got, account{Name: "ada", Balance: 7, Color: duet.Some("Red"), Tags: []string{"x", "y"}})
	got = one[account](ctx, t, t.Client(), "account", "bob")
	got.ID = [16]byte{}
	want(t, "bob", got, account{Name: "bob", Balance: 8, Tags: []string{}})
}

func structTags(ctx context.Context, t *T) {
	type byDuet struct {
		A int64  `duet:"n" edgedb:"s" db:"s"`
		B string `edgedb:"s" db:"n"`
		C string `duet:"-"`
	}
	want(t, "the row", one[byDuet](ctx, t, t.Client(), "two_columns"), byDuet{A: 1, B: "x"})
	type byDB struct {
		A int64  `db:"n"`
		B string `db:"s"`
	}
	want(t, "the row", one[byDB](ctx, t, t.Client(), "two_columns"), byDB{A: 1, B: "x"})
}

func structEmbedded(ctx context.Context, t *T) {
	type Inner struct{ S string }
	type outer struct {
		N int64
		Inner
	}
	want(t, "the row", one[outer](ctx, t, t.Client(), "two_columns"), outer{N: 1, Inner: Inner{S: "x"}})
}

// wantNames holds that an error mentions names.
func wantNames(t *T, what string, err error, names ...string) {
	for _, name := range names {
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error %q does not name %s", what, err, name)
		}
	}
}

func columnWithoutField(ctx context.Context, t *T) {
	type row struct{ N int64 }
	_, err := duet.QueryOne[row](ctx, t.Client(), t.Text("two_columns"))
	wantErr(t, "a column without a field", err, duet.ErrInvalidResult)
	wantNames(t, "a column without a field", err, `"s"`, "row")
	_, err = duet.QueryAll[row](ctx, t.Client(), t.Text("two_columns"))
	wantErr(t, "a column without a field, Query", err, duet.ErrInvalidResult)
	usable(ctx, t, t.Client(), "after the error")
}

func fieldWithoutColumn(ctx context.Context, t *T) {
	type row struct {
		N            int64
		S            string
		MissingField bool
	}
	for _, q := range []duet.Querier{t.Client(), t.Client().With(duet.Options{Columns: duet.ColumnsLax})} {
		_, err := duet.QueryOne[row](ctx, q, t.Text("two_columns"))
		wantErr(t, "a field without a column", err, duet.ErrInvalidResult)
		wantNames(t, "a field without a column", err, "MissingField", "missing_field")
	}
}

func laxColumns(ctx context.Context, t *T) {
	type row struct{ S string }
	lax := t.Client().With(duet.Options{Columns: duet.ColumnsLax})
	want(t, "the row", one[row](ctx, t, lax, "two_columns"), row{S: "x"})
	strict := lax.With(duet.Options{Columns: duet.ColumnsStrict})
	_, err := duet.QueryOne[row](ctx, strict, t.Text("two_columns"))
	wantErr(t, "strict again", err, duet.ErrInvalidResult)
}

func wrongFieldType(ctx context.Context, t *T) {
	type row struct {
		N bool
		S string
	}
	_, err := duet.QueryAll[row](ctx, t.Client(), t.Text("two_columns"))
	wantErr(t, "an int64 into a bool", err, duet.ErrInvalidResult)
	wantNames(t, "an int64 into a bool", err, `"n"`)
	_, err = duet.QueryOne[int64](ctx, t.Client(), t.Text("echo_str"), "x")
	wantErr(t, "a text into an int64", err, duet.ErrInvalidResult)
	_, err = duet.QueryOne[int64](ctx, t.Client(), t.Text("two_columns"))
	wantErr(t, "two columns into a scalar", err, duet.ErrInvalidResult)
}

func overflow(ctx context.Context, t *T) {
	c := t.Client()
	_, err := duet.QueryOne[int32](ctx, c, t.Text("echo_int64"), int64(1)<<31)
	wantErr(t, "2^31 into an int32", err, duet.ErrInvalidResult)
	_, err = duet.QueryOne[uint8](ctx, c, t.Text("echo_int64"), int64(256))
	wantErr(t, "256 into a uint8", err, duet.ErrInvalidResult)
	_, err = duet.QueryOne[uint64](ctx, c, t.Text("echo_int64"), int64(-1))
	wantErr(t, "-1 into a uint64", err, duet.ErrInvalidResult)
	want(t, "255 into a uint8", one[uint8](ctx, t, c, "echo_int64", int64(255)), uint8(255))
	want(t, "-7 into an int", one[int](ctx, t, c, "echo_int64", int64(-7)), -7)
}

// party is one side of a transfer.
type party struct {
	Name string  `json:"name"`
	Note *string `json:"note"`
}

func nestedShapes(ctx context.Context, t *T) {
	type side struct {
		Name string `json:"name"`
	}
	type transfer struct {
		Amount int64
		Src    side
		Dst    party
	}
	accounts(ctx, t, 100, "ada", "bob")
	exec(ctx, t, t.Client(), "transfer", "ada", "bob", int64(30))
	exec(ctx, t, t.Client(), "transfer", "bob", "ada", int64(40))
	want(t, "the transfers", all[transfer](ctx, t, t.Client(), "transfers"), []transfer{
		{Amount: 30, Src: side{"ada"}, Dst: party{Name: "bob"}}, {Amount: 40, Src: side{"bob"}, Dst: party{Name: "ada"}},
	})
	type sent struct {
		Amount int64 `json:"amount"`
	}
	type sender struct {
		Name string
		Sent []sent
	}
	want(t, "what was sent", all[sender](ctx, t, t.Client(), "sent"), []sender{{Name: "ada", Sent: []sent{{30}}}})
}

type object struct {
	I int64
	S string
}

func objects(n int) []object {
	rows := make([]object, n)
	for i := range rows {
		rows[i] = object{I: int64(i), S: fmt.Sprint(i)}
	}
	return rows
}

func pointerRows(ctx context.Context, t *T) {
	rows := all[*object](ctx, t, t.Client(), "objects", int64(3))
	if len(rows) != 3 {
		t.Fatalf("%d rows, want 3", len(rows))
	}
	for i, row := range rows {
		want(t, "a row", row, &object{I: int64(i), S: fmt.Sprint(i)})
	}
	type pair struct {
		N int64
		S string
	}
	var p *pair
	if err := t.Client().QueryOne(ctx, t.Text("two_columns"), &p); err != nil {
		t.Fatalf("two_columns into a pointer: %v", err)
	}
	want(t, "the row", p, &pair{N: 1, S: "x"})
}

func resetSlice(ctx context.Context, t *T) {
	var rows []object
	for _, n := range []int64{5, 2, 0, 3} {
		if err := t.Client().Query(ctx, t.Text("objects"), &rows, n); err != nil {
			t.Fatalf("objects: %v", err)
		}
		want(t, fmt.Sprintf("the result of %d rows", n), rows, objects(int(n)))
	}
	out := []byte("[1, 2, 3]")
	if err := t.Client().QueryJSON(ctx, t.Text("nothing"), &out); err != nil {
		t.Fatalf("nothing: %v", err)
	}
	wantJSON(t, "nothing", parseJSON(t, "nothing", out), "[]")
}

func resetFields(ctx context.Context, t *T) {
	type row struct {
		N int64
		S duet.Optional[string]
	}
	v := row{N: 9, S: duet.Some("old")}
	if err := t.Client().QueryOne(ctx, t.Text("missing_value"), &v); err != nil {
		t.Fatalf("missing_value: %v", err)
	}
	want(t, "the row", v, row{N: 1})
	text := "old"
	p := struct {
		N int64
		S *string
	}{S: &text}
	if err := t.Client().QueryOne(ctx, t.Text("missing_value"), &p); err != nil {
		t.Fatalf("missing_value: %v", err)
	}
	if p.S != nil || text != "old" {
		t.Errorf("S is %v and what it pointed to is %q: want nil, and the old text untouched", p.S, text)
	}
	m := map[string]any{"old": 1}
	if err := t.Client().QueryOne(ctx, t.Text("two_columns"), &m); err != nil {
		t.Fatalf("two_columns: %v", err)
	}
	want(t, "the map", m, map[string]any{"n": int64(1), "s": "x"})
}

func emptyResult(ctx context.Context, t *T) {
	rows := []int64{1, 2}
	if err := t.Client().Query(ctx, t.Text("nothing"), &rows); err != nil {
		t.Fatalf("nothing: %v", err)
	}
	if rows == nil || len(rows) != 0 {
		t.Errorf("the slice is %#v, want an empty one that is not nil", rows)
	}
	if got := all[object](ctx, t, t.Client(), "objects", int64(0)); got == nil || len(got) != 0 {
		t.Errorf("the slice is %#v, want an empty one that is not nil", got)
	}
}

func badDestination(ctx context.Context, t *T) {
	c := t.Client()
	var nilSlice *[]int64
	var nilInt *int64
	var number int64
	for name, out := range map[string]any{"nil": nil, "a slice": []int64{}, "a nil pointer": nilSlice, "a pointer to a scalar": &number, "a func": func() {}} {
		wantMisuse(t, "Query into "+name, c.Query(ctx, t.Text("one"), out))
	}
	for name, out := range map[string]any{"nil": nil, "an int64": int64(1), "a nil pointer": nilInt, "a channel": make(chan int)} {
		wantMisuse(t, "QueryOne into "+name, c.QueryOne(ctx, t.Text("one"), out))
	}
	wantMisuse(t, "QueryJSON into nil", c.QueryJSON(ctx, t.Text("one"), nil))
	wantMisuse(t, "QueryOneJSON into nil", c.QueryOneJSON(ctx, t.Text("one"), nil))
	usable(ctx, t, c, "after bad destinations")
}

// wantMisuse holds that a call that makes no sense says so.
func wantMisuse(t *T, what string, err error) {
	if !errors.Is(err, duet.ErrInvalidArgument) && !errors.Is(err, duet.ErrInvalidResult) {
		t.Errorf("%s: the error is %v, want ErrInvalidArgument or ErrInvalidResult", what, err)
	}
}

func safeAfterError(ctx context.Context, t *T) {
	var rows []object
	if err := t.Client().Query(ctx, t.Text("two_columns"), &rows); err == nil {
		t.Errorf("columns n and s went into %T", rows)
	}
	for _, row := range rows[:cap(rows)] {
		_ = fmt.Sprint(row)
	}
	if err := t.Client().Query(ctx, t.Text("objects"), &rows, int64(2)); err != nil {
		t.Fatalf("objects: %v", err)
	}
	want(t, "the rows", rows, objects(2))
	if _, err := json.Marshal(rows); err != nil {
		t.Errorf("marshalling the rows: %v", err)
	}
}
