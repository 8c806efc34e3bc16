package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duetdb/duet/conformance"
)

// counts are how many scenarios ended how.
type counts map[conformance.Status]int

// String is what fits into a cell: "14 ok, 1 skipped".
func (c counts) String() string {
	var parts []string
	for _, s := range []struct {
		status conformance.Status
		word   string
	}{{conformance.Passed, "ok"}, {conformance.Skipped, "skipped"}, {conformance.Failed, "FAILED"}} {
		if n := c[s.status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	return strings.Join(parts, ", ")
}

// writeReports writes a table with a row for each subject and a column for each
// backend, and below it what was skipped or failed.
func writeReports(s streams, reports []conformance.Report) error {
	header := []string{"subject"}
	totals := []string{"all"}
	var subjects []string
	bySubject := make([]map[string]counts, len(reports))
	for i, report := range reports {
		header = append(header, strings.TrimSpace(report.Backend+" "+report.Server))
		bySubject[i] = map[string]counts{}
		total := counts{}
		for _, r := range report.Scenarios {
			subject, _, _ := strings.Cut(r.ID, "/")
			if !slices.Contains(subjects, subject) {
				subjects = append(subjects, subject)
			}
			if bySubject[i][subject] == nil {
				bySubject[i][subject] = counts{}
			}
			bySubject[i][subject][r.Status]++
			total[r.Status]++
		}
		totals = append(totals, total.String())
	}
	var rows [][]string
	for _, subject := range subjects {
		row := []string{subject}
		for i := range reports {
			row = append(row, bySubject[i][subject].String())
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(s.out)
	if err := newTable(s.out, header...).write(append(rows, totals)); err != nil {
		return err
	}
	for _, report := range reports {
		writeReasons(s, report)
	}
	return nil
}

// writeReasons writes what was skipped on a backend, by reason, and what failed.
func writeReasons(s streams, report conformance.Report) {
	skipped := map[string][]string{}
	for _, r := range report.Scenarios {
		switch r.Status {
		case conformance.Skipped:
			skipped[r.Reason] = append(skipped[r.Reason], r.ID)
		case conformance.Failed:
			fmt.Fprintf(s.out, "failed on %s: %s\n", report.Backend, r.ID)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(s.out, "skipped on %s, %s:\n  %s\n", report.Backend, reason, strings.Join(skipped[reason], " "))
	}
}
