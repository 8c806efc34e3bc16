package decode_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/duetdb/duet/backends/edgedb/decode"
)

// Misfits are errors that name row, column and field, and what they found out is of
// use to the next.
func TestMisfits(t *testing.T) {
	person := object(required("name", scalarOf("str")), optional("note", scalarOf("str")))
	deep := object(required("list", arrayOf(scalarOf("int64"))), multi("people", person), required("one", person))
	row := fieldsOf(listOf(int64Of(1), int64Of(300)), listOf(fieldsOf(bytesOf("a"), bytesOf("n")), fieldsOf(bytesOf("b"), nil)), fieldsOf(bytesOf("c"), nil))
	good := fieldsOf(listOf(int64Of(1)), listOf(), fieldsOf(bytesOf("c"), bytesOf("d")))
	server := startReplay(t, makeReplies(
		statement{cmd: "deep", typ: deep, rows: [][]byte{good, row}},
		statement{cmd: "deep json", typ: object(optional("x", person), required("list", arrayOf(scalarOf("int64"))), multi("people", person), required("one", person)),
			json: `[{"x": null, "list": [1], "people": [], "one": {"name": "c", "note": "d"}},
				{"x": null, "list": [1, 300], "people": [{"name": "a", "note": "n"}, {"name": "b", "note": null}], "one": {"name": "c", "note": null}}]`},
	))
	client := server.connect(t)
	type p struct {
		Name string
		Note *string
	}
	type bare struct{ Name, Note string }
	type short struct{ Name string }
	type long struct {
		Name  string
		Note  *string
		Extra int
	}
	tests := []struct {
		name string
		out  any
		want []string
	}{
		{"overflow", &[]struct {
			List   []int8
			People []p
			One    p
		}{}, []string{`row 2, column "list", element 2: 300 does not fit int8`}},
		{"missing in a list", &[]struct {
			List   []int
			People []bare
			One    p
		}{}, []string{`row 2, column "people", element 2, field "note": NULL into string`}},
		{"missing below", &[]struct {
			List   []int
			People []p
			One    bare
		}{}, []string{`row 2, column "one", field "note": NULL into string`}},
		{"wrong type", &[]struct {
			List   []int
			People []p
			One    struct {
				Name bool
				Note *string
			}
		}{}, []string{`column "one", field "name": `, "into bool"}},
		{"field without a column", &[]struct {
			List   []int
			People []p
			One    p
			Other  string
		}{}, []string{`field "Other" (other) of`, "has no column", "people"}},
		{"column without a field", &[]struct {
			List []int
			One  p
		}{}, []string{`column "people" has no field in`, "list, one"}},
		{"below, field without a column", &[]struct {
			List   []int
			People []long
			One    p
		}{}, []string{`column "people"`, `field "Extra" (extra) of decode_test.long has no column`}},
		{"below, column without a field", &[]struct {
			List   []int
			People []p
			One    short
		}{}, []string{`column "one"`, `column "note" has no field in decode_test.short`}},
		{"an object into a scalar", &[]string{}, []string{"string takes one column"}},
		{"an object into a number", &[]struct {
			List   []int
			People []p
			One    int
		}{}, []string{`column "one": `, "into int"}},
		{"a list into a number", &[]struct {
			List   int
			People []p
			One    p
		}{}, []string{`column "list": `, "into int"}},
	}
	for _, cmd := range []string{"deep", "deep json"} {
		for _, tt := range tests {
			t.Run(cmd+"/"+tt.name, func(t *testing.T) {
				c := decode.NewCache()
				out := tt.out
				if cmd == "deep json" && strings.HasPrefix(reflect.TypeOf(out).String(), "*[]struct") {
					out = withColumn(out)
				}
				for range 3 {
					err := query(t, c, client, cmd, out)
					var failure *decode.DecodeError
					if !errors.As(err, &failure) {
						t.Fatalf("got %v", err)
					}
					for _, want := range tt.want {
						want = jsonWords(cmd, want)
						if !strings.Contains(err.Error(), want) {
							t.Errorf("got %q, want %q", err, want)
						}
					}
				}
				var fits []struct {
					X      *p `duet:"x"`
					List   []int64
					People []p
					One    p
				}
				if cmd == "deep" {
					return
				}
				if err := query(t, c, client, cmd, &fits); err != nil || len(fits) != 2 || *fits[1].People[0].Note != "n" {
					t.Errorf("%v, %v", fits, err)
				}
			})
		}
	}
}

// withColumn adds the column x of the JSON twin to the struct.
func withColumn(out any) any {
	row := reflect.TypeOf(out).Elem().Elem()
	list := []reflect.StructField{{Name: "X", Type: reflect.TypeFor[*struct {
		Name string
		Note *string
	}]()}}
	for i := range row.NumField() {
		list = append(list, row.Field(i))
	}
	return reflect.New(reflect.SliceOf(reflect.StructOf(list))).Interface()
}

// jsonWords are what an error says where the row came as JSON.
func jsonWords(cmd, want string) string {
	if cmd == "deep json" && want == "list, one" {
		return "x, list, one"
	}
	return want
}

func TestLax(t *testing.T) {
	server := startReplay(t, makeReplies(
		statement{cmd: "lax", typ: object(required("a", scalarOf("int64")), required("b", scalarOf("json")), required("c", object(required("d", scalarOf("str")), required("e", scalarOf("str"))))),
			rows: [][]byte{fieldsOf(int64Of(1), bytesOf("\x01{}"), fieldsOf(bytesOf("d"), bytesOf("e")))}},
	))
	client := server.connect(t)
	c := decode.NewCache()
	for range 3 {
		var rows []struct {
			A int
			C struct{ E string }
		}
		res, err := c.Fetch(context.Background(), client, decode.Request{Cmd: "lax", Row: reflect.TypeOf(rows).Elem(), Lax: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Query(&rows, true); err != nil || len(rows) != 1 || rows[0].A != 1 || rows[0].C.E != "e" {
			t.Errorf("%v, %v", rows, err)
		}
		if err := res.Query(&rows, false); err == nil {
			t.Error("the strict reading takes columns without a field")
		}
		var more []struct{ A, Missing int }
		if err := res.Query(&more, true); err == nil || !strings.Contains(err.Error(), "Missing") {
			t.Errorf("got %v", err)
		}
	}
}
