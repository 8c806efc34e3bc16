package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// table writes rows in aligned columns. Columns get as wide as the rows that are
// known when the first is written; a longer cell later moves its row's rest.
type table struct {
	out    *bufio.Writer
	header []string // nil: none
	right  []bool   // the columns whose cells stand at the right; may be short
	indent string
	gap    string

	widths []int
}

func newTable(out io.Writer, header ...string) *table {
	return &table{out: bufio.NewWriter(out), header: header, gap: "  "}
}

// measure makes room for rows that are to come.
func (t *table) measure(rows [][]string) {
	t.fit(t.header)
	for _, row := range rows {
		t.fit(row)
	}
}

func (t *table) fit(row []string) {
	for i, cell := range row {
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
	}
}

// begin writes the header and a rule below it.
func (t *table) begin() {
	if t.header == nil {
		return
	}
	t.row(t.header)
	rule := make([]string, len(t.header))
	for i := range rule {
		rule[i] = strings.Repeat("-", t.widths[i])
	}
	t.row(rule)
}

// row writes one row. A bufio.Writer keeps its error for Flush.
func (t *table) row(cells []string) {
	var b strings.Builder
	b.WriteString(t.indent)
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(t.gap)
		}
		pad := ""
		if i < len(t.widths) {
			pad = strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(cell)))
		}
		if i < len(t.right) && t.right[i] {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	_, _ = t.out.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// write writes a whole table.
func (t *table) write(rows [][]string) error {
	t.measure(rows)
	t.begin()
	for _, row := range rows {
		t.row(row)
	}
	return t.out.Flush()
}

// printable is s with what would confuse a terminal escaped.
func printable(s string) string {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			quoted := strconv.Quote(s)
			return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
		}
	}
	return s
}
