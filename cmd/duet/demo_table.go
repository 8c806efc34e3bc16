package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// writeSides writes how it went: a column for each backend.
func writeSides(s streams, sides []*side) error {
	header := []string{"How it went"}
	right := []bool{false}
	for _, d := range sides {
		header, right = append(header, d.server()), append(right, true)
	}
	t := newTable(s.out, header...)
	t.right = right
	var rows [][]string
	row := func(name string, cell func(*side) string) {
		cells := []string{name}
		for _, d := range sides {
			cells = append(cells, cell(d))
		}
		rows = append(rows, cells)
	}
	row("transfers", func(d *side) string { return grouped(d.work.done.Load()) })
	row("  refused for lack of funds", func(d *side) string { return grouped(d.work.refused.Load()) })
	row("  a second", func(d *side) string { return grouped(int64(float64(d.work.done.Load()) / d.work.took.Seconds())) })
	for _, q := range []struct {
		name string
		q    float64
	}{{"  latency, median", 0.5}, {"  latency, p99", 0.99}, {"  latency, most", 1}} {
		row(q.name, func(d *side) string { return shortDuration(quantile(d.work.latencies, q.q)) })
	}
	row("attempts", func(d *side) string { return grouped(d.tally.attempts.Load()) })
	row("  at most, for one transfer", func(d *side) string { return grouped(d.tally.most.Load()) })
	for _, class := range []retry.Class{retry.Conflict, retry.Unavailable} {
		row(fmt.Sprintf("  retries after %v", class), func(d *side) string { return retriesOf(&d.tally, class) })
	}
	for i, m := range sides[0].ledger.mistakes() {
		name := "  " + m.kind.String()
		if i == 0 {
			rows = append(rows, []string{"codes of errors"})
		}
		row(name, func(d *side) string { return codeCell(d, m.kind) })
	}
	row("checks", func(d *side) string { return checksCell(d.checks) })
	fmt.Fprintln(s.out)
	return t.write(rows)
}

// retriesOf is a class's retries with their code, where there is one only.
func retriesOf(t *tally, class retry.Class) string {
	codes := t.byCode(class)
	var n int64
	for _, count := range codes {
		n += count
	}
	if len(codes) == 1 {
		return slices.Collect(maps.Keys(codes))[0] + ": " + grouped(n)
	}
	return grouped(n)
}

// codeCell is the server's code of a kind; what the client found out by itself
// has none.
func codeCell(d *side, kind duet.Kind) string {
	if code := d.codes[kind]; code != kind.String() {
		return code
	}
	return "(client)"
}

func checksCell(checks []check) string {
	failed := 0
	for _, c := range checks {
		if c.failure != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Sprintf("%d of %d FAILED", failed, len(checks))
	}
	return fmt.Sprintf("%d ok", len(checks))
}
