package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/duetdb/duet"
)

func largeScenarios() []Scenario {
	return []Scenario{
		{ID: "large/rows", Promise: "A result of 100,000 rows arrives whole and in order.", Run: manyRows},
		{ID: "large/value", Promise: "A value of 16 MB goes both ways.", Run: hugeValue},
		{ID: "large/columns", Promise: "A row of 300 columns arrives whole.", Run: manyColumns},
		{ID: "large/insert", Promise: "Five thousand rows can be inserted and read back.", Run: manyInserted},
		{ID: "large/after-large", Promise: "After a huge result small ones work as before.", Run: smallAfterLarge},
		{ID: "large/command", Promise: "A command of a megabyte works.", Run: longCommand},
	}
}

func manyRows(ctx context.Context, t *T) {
	const n = 100000
	rows := all[int64](ctx, t, t.Client(), "numbers", int64(n))
	want(t, "the number of rows", len(rows), n)
	for i, v := range rows {
		if v != int64(i) {
			t.Fatalf("row %d is %d", i, v)
		}
	}
	for i, row := range all[object](ctx, t, t.Client(), "objects", int64(20000)) {
		if row.I != int64(i) || row.S != fmt.Sprint(i) {
			t.Fatalf("row %d is %+v", i, row)
		}
	}
}

func hugeValue(ctx context.Context, t *T) {
	const size = 16 << 20
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	if got := one[[]byte](ctx, t, t.Client(), "echo_bytes", data); !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back as %d bytes, and differ", size, len(got))
	}
	if got := one[string](ctx, t, t.Client(), "echo_str", string(data)); got != string(data) {
		t.Errorf("a text of %d bytes came back with %d bytes, and differs", size, len(got))
	}
	usable(ctx, t, t.Client(), "afterwards")
}

func manyColumns(ctx context.Context, t *T) {
	row := one[map[string]any](ctx, t, t.Client(), "wide")
	want(t, "the number of columns", len(row), 300)
	for i := range 300 {
		if row[fmt.Sprint("c", i)] != int64(i) {
			t.Errorf("column c%d is %v", i, row[fmt.Sprint("c", i)])
		}
	}
	r := one[duet.Record](ctx, t, t.Client(), "wide")
	if r.Len() != 300 || r.Name(299) != "c299" || r.At(299) != any(int64(299)) {
		t.Errorf("the record has %d fields, the last one is %s, %v", r.Len(), r.Name(299), r.At(299))
	}
}

func manyInserted(ctx context.Context, t *T) {
	const n = 5000
	err := t.Client().RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "insert_many", int64(n))
		return nil
	})
	if err != nil {
		t.Fatalf("inserting: %v", err)
	}
	type row struct {
		N, Total int64
		Top      *int64
	}
	got := one[row](ctx, t, t.Client(), "aggregate")
	if got.N != n || got.Total != n*(n-1)/2 || got.Top == nil || *got.Top != n-1 {
		t.Errorf("the aggregate is %+v", got)
	}
	type account struct {
		Name    string
		Balance int64
	}
	for _, row := range all[account](ctx, t, t.Client(), "accounts") {
		if row.Name != fmt.Sprint("n", row.Balance) {
			t.Fatalf("a row is %+v", row)
		}
	}
	want(t, "those like n49%", one[int64](ctx, t, t.Client(), "count_like", "n49%"), int64(111))
	type name struct{ Name string }
	want(t, "those like N4999", all[name](ctx, t, t.Client(), "names_like", "N4999"), []name{{"n4999"}})
	want(t, "a page", all[name](ctx, t, t.Client(), "page_of_names"), []name{{"n1"}, {"n10"}, {"n100"}})
}

func smallAfterLarge(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for range 3 {
		if got := one[string](ctx, t, c, "echo_str", strings.Repeat("y", 4<<20)); len(got) != 4<<20 {
			t.Errorf("4 MB came back as %d bytes", len(got))
		}
		for i := range 50 {
			want(t, "a small value", one[int64](ctx, t, c, "echo_int64", int64(i)), int64(i))
		}
	}
}

func longCommand(ctx context.Context, t *T) {
	text := t.Text("two") + strings.Repeat(" ", 1<<20)
	for range 2 {
		n, err := duet.QueryOne[int64](ctx, t.Client(), text)
		if n != 2 || err != nil {
			t.Errorf("a command of %d bytes: %d, %v", len(text), n, err)
		}
	}
}
