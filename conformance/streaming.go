package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

func streamingScenarios() []Scenario {
	return []Scenario{
		{ID: "streaming/rows", Promise: "Rows gives the rows one at a time, in order, once.", Run: rowsLoop},
		{ID: "streaming/columns", Promise: "Columns describes the row's columns, in order.", Run: rowsColumns},
		{ID: "streaming/scan", Promise: "Scan stores the row's columns in pointers, one for each.", Run: rowsScan},
		{ID: "streaming/decoded-stays", Promise: "What Decode stored stays valid after the next Next.", Run: rowsStay},
		{ID: "streaming/early-close", Promise: "Close ends the iteration and frees the connection.", Run: rowsEarlyClose},
		{ID: "streaming/stream", Promise: "Stream yields each row, and can be left early.", Run: streamRows},
		{ID: "streaming/error-midway", Promise: "An error in the middle of a result is Err, after the rows before it.", Run: rowsErrorMidway},
		{ID: "streaming/decode-error", Promise: "A row that does not fit is Decode's error, and the connection goes on.", Run: rowsDecodeError},
		{ID: "streaming/in-transaction", Promise: "A Tx with open Rows refuses other calls or answers them rightly; it corrupts neither.", Run: rowsInTx},
		{ID: "streaming/ctx", Promise: "ctx governs all of the iteration.", Run: rowsCtx},
		{ID: "streaming/empty", Promise: "A result without rows is no error.", Run: rowsEmpty},
		{ID: "streaming/result", Promise: "Result is valid after the last row.", Needs: []duet.Ability{duet.RowCounts}, Run: rowsResult},
		{ID: "streaming/backpressure", Promise: "A result much larger than memory should hold is read as the caller asks.",
			Needs: []duet.Ability{duet.Streaming}, Run: rowsBackpressure},
	}
}

func openRows(ctx context.Context, t *T, q duet.Querier, name string, args ...any) duet.Rows {
	rows, err := q.Rows(ctx, t.Text(name), args...)
	if err != nil {
		t.Fatalf("Rows of %s: %v", name, err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	return rows
}

func rowsLoop(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "objects", int64(1000))
	n := 0
	for rows.Next() {
		var row object
		if err := rows.Decode(&row); err != nil {
			t.Fatalf("row %d: %v", n, err)
		}
		want(t, "a row", row, object{I: int64(n), S: fmt.Sprint(n)})
		n++
	}
	want(t, "the number of rows", n, 1000)
	if err := rows.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
	if rows.Next() {
		t.Errorf("Next gives true after the end")
	}
	for range 2 {
		if err := rows.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func rowsColumns(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "two_columns")
	columns := rows.Columns()
	if len(columns) != 2 || columns[0].Name != "n" || columns[1].Name != "s" || columns[0].Type == "" || columns[1].Type == "" {
		t.Errorf("the columns are %+v, want n and s with their types", columns)
	}
}

func rowsScan(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "objects", int64(3))
	n := 0
	for ; rows.Next(); n++ {
		var i int64
		var s string
		if err := rows.Scan(&i, &s); err != nil || i != int64(n) || s != fmt.Sprint(n) {
			t.Errorf("row %d is %d, %q, with error %v", n, i, s, err)
		}
		wantMisuse(t, "Scan of too few", rows.Scan(&i))
		wantMisuse(t, "Scan into no pointer", rows.Scan(i, s))
	}
	want(t, "the number of rows", n, 3)
}

func rowsStay(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "objects", int64(2000))
	var kept []object
	var maps []map[string]any
	for rows.Next() {
		var row object
		if err := rows.Decode(&row); err != nil {
			t.Fatalf("Decode: %v", err)
		}
		var m map[string]any
		if err := rows.Decode(&m); err != nil {
			t.Fatalf("Decode into a map: %v", err)
		}
		kept, maps = append(kept, row), append(maps, m)
	}
	want(t, "the rows", kept, objects(2000))
	for i, m := range maps {
		want(t, "a map", m, map[string]any{"i": int64(i), "s": fmt.Sprint(i)})
	}
}

func rowsEarlyClose(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for i := range 5 {
		rows := openRows(ctx, t, c, "numbers", int64(100000))
		for range i {
			if !rows.Next() {
				t.Errorf("the rows end early: %v", rows.Err())
			}
		}
		if err := rows.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if rows.Next() {
			t.Errorf("Next gives true after Close")
		}
		within(t, "the next query", func() { usable(ctx, t, c, "after Close") })
	}
}

func streamRows(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	sum := int64(0)
	for v, err := range duet.Stream[int64](ctx, c, t.Text("numbers"), int64(1000)) {
		if err != nil {
			t.Fatalf("Stream: %v", err)
		}
		sum += v
	}
	want(t, "the sum", sum, int64(999*500))
	for range 3 {
		for v, err := range duet.Stream[object](ctx, c, t.Text("objects"), int64(50000)) {
			if err != nil {
				t.Fatalf("Stream: %v", err)
			}
			if v.I == 10 {
				break
			}
		}
		within(t, "the next query", func() { usable(ctx, t, c, "after break") })
	}
	for _, err := range duet.Stream[int64](ctx, c, t.Text("two_columns")) {
		wantErr(t, "two columns into an int64", err, duet.ErrInvalidResult)
	}
	usable(ctx, t, c, "after an error")
}

func rowsErrorMidway(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	n := 0
	var last error
	for v, err := range duet.Stream[int64](ctx, c, t.Text("fails_midway"), int64(1000)) {
		if last = err; err == nil {
			if n++; v != 0 && v != 1 {
				t.Errorf("row %d is %d", n, v)
			}
		}
	}
	if e := details(t, "the end", last); e.Code == "" {
		t.Errorf("the error %v is not the server's", last)
	}
	if t.Backend().Can(duet.Streaming) {
		want(t, "the rows before the error", n, 500)
	}
	usable(ctx, t, c, "after the error")
	var all []int64
	if err := c.Query(ctx, t.Text("fails_midway"), &all, int64(1000)); err == nil {
		t.Errorf("Query did not fail")
	}
	var out []byte
	if err := c.QueryJSON(ctx, t.Text("fails_midway"), &out, int64(1000)); err == nil {
		t.Errorf("QueryJSON did not fail")
	}
	usable(ctx, t, c, "after the errors")
}

func rowsDecodeError(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	rows := openRows(ctx, t, c, "objects", int64(3))
	n := 0
	for rows.Next() {
		var wrong struct{ I bool }
		wantErr(t, "Decode", rows.Decode(&wrong), duet.ErrInvalidResult)
		wantMisuse(t, "Decode into nil", rows.Decode(nil))
		n++
	}
	want(t, "the rows after failed decoding", n, 3)
	if err := rows.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	usable(ctx, t, c, "after failed decoding")
}

func rowsInTx(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	err := t.Client().RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		rows := openRows(ctx, t, tx, "objects", int64(20000))
		n := int64(0)
		for ; rows.Next(); n++ {
			var row object
			if err := rows.Decode(&row); err != nil || row.I != n {
				t.Fatalf("row %d is %+v with error %v", n, row, err)
			}
			if n%5000 != 0 {
				continue
			}
			v, err := duet.QueryOne[int64](ctx, tx, t.Text("two"))
			if err == nil && v != 2 || err != nil && !errors.Is(err, duet.ErrInvalidArgument) {
				t.Errorf("a query beside open Rows gives %d with error %v", v, err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Errorf("Err: %v", err)
		}
		want(t, "the number of rows", n, int64(20000))
		usable(ctx, t, tx, "after the rows")
		half := openRows(ctx, t, tx, "objects", int64(20000))
		half.Next()
		if err := half.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
		return nil
	})
	if err != nil {
		t.Errorf("RawTx: %v", err)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(11))
}

func rowsCtx(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	rows := openRows(ctx, t, c, "one")
	_ = rows.Close()
	n := int64(300000) // more than sockets hold
	if !t.Backend().Can(duet.Streaming) {
		n = 30000
	}
	rows = openRows(ending, t, c, "objects", n)
	for range 10 {
		if !rows.Next() {
			t.Fatalf("the rows end early: %v", rows.Err())
		}
	}
	cancel()
	within(t, "the rest", func() {
		for rows.Next() {
			continue
		}
	})
	if t.Backend().Can(duet.Streaming) {
		wantErr(t, "Err", rows.Err(), context.Canceled)
	}
	_ = rows.Close()
	within(t, "the next query", func() { usable(ctx, t, c, "after cancelled rows") })
}

func rowsEmpty(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "objects", int64(0))
	if rows.Next() || rows.Err() != nil {
		t.Errorf("there is a row, or an error: %v", rows.Err())
	}
	want(t, "the number of columns", len(rows.Columns()), 2)
	for v, err := range duet.Stream[int64](ctx, t.Client(), t.Text("nothing")) {
		t.Errorf("nothing yields %d, %v", v, err)
	}
}

func rowsResult(ctx context.Context, t *T) {
	rows := openRows(ctx, t, t.Client(), "numbers", int64(7))
	for rows.Next() {
		continue
	}
	want(t, "RowsAffected", rows.Result().RowsAffected, int64(7))
	if rows.Result().Status == "" {
		t.Errorf("the status is empty")
	}
}

func rowsBackpressure(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	rows := openRows(ctx, t, c, "objects", int64(1000000))
	within(t, "the first thousand of a million rows", func() {
		for range 1000 {
			if !rows.Next() {
				t.Fatalf("the rows end early: %v", rows.Err())
			}
		}
	})
	within(t, "Close", func() { _ = rows.Close() })
	within(t, "the next query", func() { usable(ctx, t, c, "after Close") })
}
