package decode_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/edgedb/edgedb-go"
)

func fetch(t testing.TB, c *decode.Cache, ex edgedb.Executor, req decode.Request) *decode.Result {
	t.Helper()
	res, err := c.Fetch(context.Background(), ex, req)
	if err != nil {
		t.Fatalf("%s: %v", req.Cmd, err)
	}
	return res
}

func resultReplies() map[replyKey]reply {
	two := object(required("n", scalarOf("int64")), optional("s", scalarOf("str")))
	wide := made{tag: 1}
	var values [][]byte
	for i := range 300 {
		wide.fields = append(wide.fields, required(fmt.Sprintf("c%d", i), scalarOf("int64")))
		values = append(values, int64Of(int64(i)))
	}
	var many [][]byte
	for i := range 1000 {
		many = append(many, fieldsOf(int64Of(int64(i)), bytesOf(fmt.Sprint("name ", i))))
	}
	return makeReplies(
		statement{cmd: "two", typ: two, rows: [][]byte{fieldsOf(int64Of(1), bytesOf("x")), fieldsOf(int64Of(2), nil)}, json: `[{"n": 1}]`},
		statement{cmd: "one", one: true, typ: two, rows: [][]byte{fieldsOf(int64Of(1), bytesOf("x"))}, json: `{"n": 1, "s": "x"}`},
		statement{cmd: "none", one: true, typ: two, json: `[]`},
		statement{cmd: "scalar", one: true, typ: scalarOf("int64"), rows: [][]byte{int64Of(7)}},
		statement{cmd: "tuples", typ: tuple(element(scalarOf("int64")), element(scalarOf("str"))), rows: [][]byte{fieldsOf(int64Of(1), bytesOf("x"))}},
		statement{cmd: "json rows", typ: object(optional("l", two), required("n", scalarOf("int64"))), json: `[{"l": {"n": 1, "s": null}, "n": 5}, {"l": null, "n": 6}]`},
		statement{cmd: "no json rows", typ: object(optional("l", two), required("n", scalarOf("int64"))), json: `[]`},
		statement{cmd: "json one", one: true, typ: object(optional("l", two)), json: `{"l": null}`},
		statement{cmd: "wide", typ: wide, rows: [][]byte{fieldsOf(values...)}},
		statement{cmd: "many", typ: two, rows: many},
		statement{cmd: "strange names", typ: object(required("a.b", object(required("", scalarOf("int64")), required(" to be \"`\n", scalarOf("str")))), required("@p", scalarOf("bool")), required("a", arrayOf(scalarOf("str")))),
			rows: [][]byte{fieldsOf(fieldsOf(int64Of(1), bytesOf("x")), []byte{1}, listOf())}},
	)
}

func TestResult(t *testing.T) {
	server := startReplay(t, resultReplies())
	client := server.connect(t)
	c := decode.NewCache()
	for range 3 {
		res := fetch(t, c, client, decode.Request{Cmd: "two"})
		same(t, "Len", res.Len(), 2)
		same(t, "Columns", res.Columns(), []duet.Column{{Name: "n", Type: "int64"}, {Name: "s", Type: "str"}})
		var n int8
		var s *string
		if err := res.ScanRow(0, &n, &s); err != nil || n != 1 || *s != "x" {
			t.Errorf("%d, %v, %v", n, s, err)
		}
		if err := res.ScanRow(1, &n, &s); err != nil || n != 2 || s != nil {
			t.Errorf("%d, %v, %v", n, s, err)
		}
		if err := res.ScanRow(1, nil, nil); err != nil {
			t.Error(err)
		}
		var text string
		if err := res.ScanRow(1, nil, &text); err == nil || err.Error() != `row 2, column "s": NULL into string` {
			t.Errorf("got %v", err)
		}
		if err := res.ScanRow(0, &n); err == nil || !strings.Contains(err.Error(), "1 destinations for 2 columns") {
			t.Errorf("got %v", err)
		}
		for _, bad := range []any{1, (*int)(nil), "x"} {
			if err := res.ScanRow(0, bad, nil); err == nil {
				t.Errorf("scans into %v", bad)
			}
		}
		type row struct {
			N int
			S duet.Optional[string]
		}
		r := row{9, duet.Some("old")}
		if err := res.DecodeRow(1, &r, false); err != nil || r != (row{N: 2}) {
			t.Errorf("%v, %v", r, err)
		}
		for _, i := range []int{-1, 2} {
			if err := res.DecodeRow(i, &r, false); err == nil {
				t.Errorf("there is a row %d", i)
			}
			if err := res.ScanRow(i, nil, nil); err == nil {
				t.Errorf("there is a row %d", i)
			}
		}
		if err := res.QueryOne(&r, false); !errors.Is(err, duet.ErrCardinality) || r != (row{}) {
			t.Errorf("%v, %v", r, err)
		}
		var p **row
		if err := res.DecodeRow(0, &p, false); err != nil || (**p).N != 1 {
			t.Errorf("%v, %v", p, err)
		}
	}
	for cmd, want := range map[string][]duet.Column{
		"scalar": {{Type: "int64"}}, "tuples": {{Name: "0", Type: "int64"}, {Name: "1", Type: "str"}}, "none": {{Name: "n", Type: "int64"}, {Name: "s", Type: "str"}},
		"json rows": {{Name: "l", Type: "json"}, {Name: "n", Type: "json"}},
	} {
		for range 2 {
			same(t, cmd, fetch(t, c, client, decode.Request{Cmd: cmd}).Columns(), want)
		}
	}
	var n int
	if err := fetch(t, c, client, decode.Request{Cmd: "scalar"}).ScanRow(0, &n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
	var s string
	if err := fetch(t, c, client, decode.Request{Cmd: "tuples"}).ScanRow(0, &n, &s); err != nil || n != 1 || s != "x" {
		t.Errorf("%d, %q, %v", n, s, err)
	}
	var l map[string]any
	if err := fetch(t, c, client, decode.Request{Cmd: "json rows"}).ScanRow(0, &l, &n); err != nil || n != 5 || l["n"] != int64(1) {
		t.Errorf("%d, %v, %v", n, l, err)
	}
	rows := []int{1}
	if err := query(t, c, client, "no json rows", &rows); err != nil || rows == nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestQueryOne(t *testing.T) {
	server := startReplay(t, resultReplies())
	client := server.connect(t)
	c := decode.NewCache()
	type row struct {
		N int
		S string
	}
	for range 3 {
		r := row{9, "old"}
		if err := fetch(t, c, client, decode.Request{Cmd: "one", One: true, Row: reflect.TypeOf(r)}).QueryOne(&r, false); err != nil || r != (row{1, "x"}) {
			t.Errorf("%v, %v", r, err)
		}
		res := fetch(t, c, client, decode.Request{Cmd: "none", One: true, Row: reflect.TypeOf(r)})
		if err := res.QueryOne(&r, false); !errors.Is(err, duet.ErrNoData) || r != (row{}) || res.Len() != 0 {
			t.Errorf("%v, %v", r, err)
		}
		var n int
		if err := fetch(t, c, client, decode.Request{Cmd: "scalar", One: true, Row: reflect.TypeOf(n)}).QueryOne(&n, false); err != nil || n != 7 {
			t.Errorf("%v, %v", n, err)
		}
		var l []any
		if err := fetch(t, c, client, decode.Request{Cmd: "json one", One: true}).QueryOne(&l, false); err != nil || len(l) != 1 || l[0] != nil {
			t.Errorf("%v, %v", l, err)
		}
	}
	text, found, err := c.FetchJSON(context.Background(), client, decode.Request{Cmd: "one", One: true})
	if err != nil || !found || string(text) != `{"n": 1, "s": "x"}` {
		t.Errorf("%s, %v, %v", text, found, err)
	}
	if text, found, err := c.FetchJSON(context.Background(), client, decode.Request{Cmd: "none"}); err != nil || !found || string(text) != "[]" {
		t.Errorf("%s, %v, %v", text, found, err)
	}
	if _, _, err := c.FetchJSON(context.Background(), client, decode.Request{Cmd: "unknown"}); err == nil {
		t.Error("an unknown command gives JSON")
	}
}

func TestDestinations(t *testing.T) {
	for _, bad := range []any{nil, 1, []int{}, (*[]int)(nil), new(int), func() {}} {
		if _, err := decode.RowsTarget(bad); err == nil {
			t.Errorf("%T is a slice's address", bad)
		}
	}
	for _, bad := range []any{nil, 1, (*int)(nil), func() {}} {
		if _, err := decode.RowTarget(bad); err == nil {
			t.Errorf("%T is an address", bad)
		}
	}
	rows := []int{1}
	decode.ResetRows(&rows)
	if rows == nil || len(rows) != 0 || cap(rows) != 0 {
		t.Errorf("reset to %#v", rows)
	}
	server := startReplay(t, resultReplies())
	res := fetch(t, decode.NewCache(), server.connect(t), decode.Request{Cmd: "one"})
	for _, bad := range []any{nil, 1, new(int), (*[]int)(nil)} {
		if err := res.Query(bad, false); err == nil {
			t.Errorf("queries into %T", bad)
		}
	}
	for _, bad := range []any{nil, 1, (*int)(nil), make(chan int)} {
		if err := res.QueryOne(bad, false); err == nil {
			t.Errorf("queries into %T", bad)
		}
	}
}

func TestWideAndStrange(t *testing.T) {
	server := startReplay(t, resultReplies())
	client := server.connect(t)
	c := decode.NewCache()
	for range 2 {
		var r []duet.Record
		if err := query(t, c, client, "wide", &r); err != nil || r[0].Len() != 300 || r[0].At(299) != any(int64(299)) || r[0].Name(7) != "c7" {
			t.Errorf("%v, %v", r, err)
		}
		var strange []duet.Record
		if err := query(t, c, client, "strange names", &strange); err != nil {
			t.Fatal(err)
		}
		same(t, "strange", strange, []duet.Record{record("a.b", record("", int64(1), " to be \"`\n", "x"), "@p", true, "a", []any{})})
	}
	if n := server.executes.Load(); n != 4 {
		t.Errorf("%d executions, want 4", n)
	}
}

// A statement's shape may change: what is known is then found out again, and
// nothing runs twice.
func TestSchemaChange(t *testing.T) {
	shapes := []struct {
		typ  made
		row  []byte
		json string
		want any
	}{
		{object(required("a", scalarOf("int64"))), fieldsOf(int64Of(1)), "", record("a", int64(1))},
		{object(required("a", scalarOf("str"))), fieldsOf(bytesOf("x")), "", record("a", "x")},
		{object(required("a", scalarOf("str")), required("b", scalarOf("bool"))), fieldsOf(bytesOf("x"), []byte{1}), "", record("a", "x", "b", true)},
		{object(multi("a", scalarOf("str")), required("b", object(required("c", scalarOf("int16"))))), fieldsOf(listOf(bytesOf("x")), fieldsOf([]byte{0, 1})), "",
			record("a", []any{"x"}, "b", record("c", int16(1)))},
		{object(required("a", object(required("x", scalarOf("str")))), required("b", tuple(element(scalarOf("str"))))), fieldsOf(fieldsOf(bytesOf("y")), fieldsOf(bytesOf("z"))), "",
			record("a", record("x", "y"), "b", []any{"z"})},
		{object(required("a", tuple(element(scalarOf("str")))), required("b", arrayOf(scalarOf("int64")))), fieldsOf(fieldsOf(bytesOf("z")), listOf(int64Of(1))), "",
			record("a", []any{"z"}, "b", []any{int64(1)})},
		{object(optional("a", object(required("x", scalarOf("str"))))), nil, `[{"a": null}]`, record("a", nil)},
	}
	replies := map[replyKey]reply{}
	for i, s := range shapes {
		for k, r := range makeReplies(statement{cmd: fmt.Sprint("shape ", i), typ: s.typ, rows: [][]byte{s.row}, json: s.json}) {
			replies[k] = r
		}
	}
	for i := range shapes {
		for j := range shapes {
			server := startReplay(t, replies)
			c := decode.NewCache()
			server.replies[replyKey{'b', "x"}], server.replies[replyKey{'j', "x"}] = replies[replyKey{'b', fmt.Sprint("shape ", i)}], replies[replyKey{'j', fmt.Sprint("shape ", i)}]
			if i == len(shapes)-1 && i != j {
				continue // a result that is read as JSON stays so
			}
			for range 2 {
				var rows []duet.Record
				if err := query(t, c, server.connect(t), "x", &rows); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
			other := startReplay(t, replies)
			other.replies[replyKey{'b', "x"}], other.replies[replyKey{'j', "x"}] = replies[replyKey{'b', fmt.Sprint("shape ", j)}], replies[replyKey{'j', fmt.Sprint("shape ", j)}]
			var rows []duet.Record
			if err := query(t, c, other.connect(t), "x", &rows); err != nil {
				t.Errorf("from shape %d to %d: %v", i, j, err)
				continue
			}
			if s := shapes[j]; j != 1 && j != 0 || i < 2 {
				same(t, fmt.Sprintf("from shape %d to %d", i, j), rows[0], s.want)
			}
			if n := other.executes.Load(); n != 1 {
				t.Errorf("from shape %d to %d: %d executions", i, j, n)
			}
		}
	}
}

// What may write is not run again when its result has changed, but the next call
// works.
func TestSchemaChangeOfWrites(t *testing.T) {
	const cmd = "select (INSERT X) { a }"
	before := startReplay(t, makeReplies(statement{cmd: cmd, typ: object(required("a", scalarOf("int64"))), rows: [][]byte{fieldsOf(int64Of(1))}}))
	after := startReplay(t, makeReplies(statement{cmd: cmd, typ: object(required("a", scalarOf("str"))), rows: [][]byte{fieldsOf(bytesOf("x"))}}))
	old, changed := before.connect(t), after.connect(t)
	c := decode.NewCache()
	var rows []struct{ A string }
	for range 2 {
		if err := query(t, c, old, cmd, &rows); err != nil || rows[0].A != "1" {
			t.Fatalf("%v, %v", rows, err)
		}
	}
	err := query(t, c, changed, cmd, &rows)
	if !errors.Is(err, decode.ErrChanged) || after.executes.Load() != 0 {
		t.Errorf("got %v after %d executions", err, after.executes.Load())
	}
	if err := query(t, c, changed, cmd, &rows); err != nil || rows[0].A != "x" || after.executes.Load() != 1 {
		t.Errorf("%v, %v, %d executions", rows, err, after.executes.Load())
	}
}

func TestCache(t *testing.T) {
	server := startReplay(t, resultReplies())
	client := server.connect(t)
	c := decode.NewCache()
	fetch(t, c, client, decode.Request{Cmd: "one"})
	fetch(t, c, client, decode.Request{Cmd: "one", Scope: "a"})
	fetch(t, c, client, decode.Request{Cmd: "two"})
	same(t, "statements", c.Statements(), 3)
	c.Forget("one")
	same(t, "statements", c.Statements(), 1)
	stop := errors.New("stop")
	asked := 0
	_, err := c.Fetch(context.Background(), client, decode.Request{Cmd: "one", Proceed: func() error {
		if asked++; asked == 2 {
			return stop
		}
		return nil
	}})
	executes := server.executes.Load()
	if !errors.Is(err, stop) || executes != 3 {
		t.Errorf("%v, %d executions", err, executes)
	}
	if _, _, err := c.FetchJSON(context.Background(), client, decode.Request{Cmd: "one", Proceed: func() error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Fetch(context.Background(), client, decode.Request{Cmd: "unknown"}); err == nil {
		t.Error("an unknown command runs")
	}
	for i := range decode.MostStatements + 5 {
		fetch(t, c, client, decode.Request{Cmd: "scalar", Scope: fmt.Sprint(i)})
	}
	if n := c.Statements(); n > decode.MostStatements || n == 0 {
		t.Errorf("%d statements", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	server := startReplay(t, resultReplies())
	c := decode.NewCache()
	var wg sync.WaitGroup
	for i := range 8 {
		client := server.connect(t)
		wg.Go(func() {
			for round := range 30 {
				var rows []struct {
					N int
					S string
				}
				if err := query(t, c, client, "many", &rows); err != nil || len(rows) != 1000 || rows[999].S != "name 999" {
					t.Errorf("%d rows, %v", len(rows), err)
				}
				var records []duet.Record
				if err := query(t, c, client, "two", &records); err != nil || len(records) != 2 {
					t.Errorf("%v, %v", records, err)
				}
				var pairs []struct {
					N int16
					S *string
				}
				if err := query(t, c, client, "two", &pairs); err != nil || *pairs[0].S != "x" {
					t.Errorf("%v, %v", pairs, err)
				}
				var links []struct {
					L *struct {
						N int
						S *string
					}
					N int
				}
				if err := query(t, c, client, "json rows", &links); err != nil || links[0].L.N != 1 {
					t.Errorf("%v, %v", links, err)
				}
				if (i+round)%10 == 0 {
					c.Forget("two")
				}
			}
		})
	}
	wg.Wait()
}
