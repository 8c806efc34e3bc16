package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/duetdb/duet"
)

// jsonValue is a column's value as QueryJSON would write it: numerics are
// numbers, times RFC 3339, and what JSON has no number for is a string. Intervals
// alone differ: they are as PostgreSQL spells them, not as ISO 8601 does.
func jsonValue(columnType string, v any) any {
	switch v := v.(type) {
	case []any:
		element := strings.TrimPrefix(strings.TrimSuffix(columnType, "[]"), "_")
		values := make([]any, len(v))
		for i := range v {
			values[i] = jsonValue(element, v[i])
		}
		return values
	case duet.Record:
		names, values := make([]string, v.Len()), make([]any, v.Len())
		for i := range names {
			names[i], values[i] = v.Name(i), jsonValue("", v.At(i))
		}
		return duet.NewRecord(names, values)
	case string:
		if columnType == "numeric" && json.Valid([]byte(v)) {
			return json.Number(v)
		}
	case netip.Prefix:
		if columnType == "inet" && v.IsSingleIP() {
			return v.Addr()
		}
	case float32:
		return jsonFloat(float64(v), v)
	case float64:
		return jsonFloat(v, v)
	case time.Duration: // a time of day
		return time.Time{}.Add(v).Format("15:04:05.999999")
	case time.Time:
		switch columnType {
		case "date":
			return v.Format(time.DateOnly)
		case "timestamp":
			return v.Format("2006-01-02T15:04:05.999999")
		default:
			return v.Format("2006-01-02T15:04:05.999999Z07:00")
		}
	}
	return v
}

func jsonFloat(f float64, v any) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return v
	}
}

// measured is how many rows decide how wide a table's columns are. Rows after
// them are written as they come, so that a table of any length is flat in memory.
const measured = 1000

// writeTable writes rows as PostgreSQL spells their values.
func writeTable(out *bufio.Writer, rows duet.Rows) error {
	columns := rows.Columns()
	header, right := make([]string, len(columns)), make([]bool, len(columns))
	for i, c := range columns {
		header[i], right[i] = printable(c.Name), isNumber(c.Type)
	}
	t := newTable(out, header...)
	t.right = right
	var head [][]string
	n := 0
	for rows.Next() {
		cells, err := rowCells(rows, columns)
		if err != nil {
			return err
		}
		n++
		switch {
		case n < measured:
			head = append(head, cells)
			continue
		case n == measured:
			if err := t.write(append(head, cells)); err != nil {
				return err
			}
			head = nil
		default:
			t.row(cells)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(columns) == 0 {
		_, err := fmt.Fprintln(out, rows.Result().Status)
		return err
	}
	if n < measured {
		if err := t.write(head); err != nil {
			return err
		}
	}
	return footer(t, n)
}

func footer(t *table, n int) error {
	rows := "rows"
	if n == 1 {
		rows = "row"
	}
	fmt.Fprintf(t.out, "(%s %s)\n", grouped(int64(n)), rows)
	return t.out.Flush()
}

// rowCells reads the current row as text. NULL is an empty cell.
func rowCells(rows duet.Rows, columns []duet.Column) ([]string, error) {
	texts, binaries, dest := make([]*string, len(columns)), make([][]byte, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		if c.Type == "bytea" {
			dest[i] = &binaries[i]
			continue
		}
		dest[i] = &texts[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	cells := make([]string, len(columns))
	for i := range cells {
		switch {
		case texts[i] != nil:
			cells[i] = printable(*texts[i])
		case binaries[i] != nil:
			cells[i] = `\x` + hex.EncodeToString(binaries[i])
		}
	}
	return cells, nil
}

func isNumber(columnType string) bool {
	switch columnType {
	case "int2", "int4", "int8", "float4", "float8", "numeric", "oid", "money", "xid", "xid8", "cid":
		return true
	default:
		return false
	}
}

// grouped writes n with a comma after each three digits.
func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return grouped(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
