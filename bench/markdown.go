package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// writeMarkdown writes the report as tables.
func writeMarkdown(w io.Writer, r Report) error {
	var b strings.Builder
	e := r.Environment
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs", e.Go, e.OS, e.Arch, e.CPUs)
	if e.CPU != "" {
		fmt.Fprintf(&b, " (%s)", e.CPU)
	}
	fmt.Fprintf(&b, ", GOMAXPROCS %d. PostgreSQL %s (%s) on the same machine, over %s. Isolation level: %s.\n",
		e.GoMaxProcs, e.Server, e.Source, networkName(e.Network), e.Isolation)
	for _, path := range slices.Sorted(maps.Keys(e.Modules)) {
		fmt.Fprintf(&b, "%s %s. ", path, e.Modules[path])
	}
	b.WriteString(durability(e.Durability))
	fmt.Fprintf(&b, "One connection, one goroutine, where a table does not say otherwise. Medians over rounds; in a round each driver has a slice of %g ms, "+
		"and the ratio is its rate over the null client's in the same round; "+
		"the p50 ratio is the null client's median latency over the driver's. CPU is the client's process alone.\n", e.SliceMS)
	for _, t := range r.Workloads {
		writeTable(&b, t)
	}
	if len(r.Workloads) > 0 {
		b.WriteString("\nThe drivers:\n\n")
		seen := map[string]bool{}
		for _, t := range r.Workloads {
			for _, d := range t.Drivers {
				if !seen[d.Name] {
					fmt.Fprintf(&b, "- %s: %s\n", d.Name, d.Title)
				}
				seen[d.Name] = true
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTable(b *strings.Builder, t WorkloadReport) {
	what := fmt.Sprintf("%d rows in a result", t.Rows)
	if t.Isolation != "" {
		what = "`" + t.Statement + "`"
	}
	fmt.Fprintf(b, "\n### %s: %s\n\n%s, %d rounds\n\n", t.Name, t.Title, what, t.Rounds)
	streamed := t.Unit == "row"
	head := []string{"driver", t.Unit + "s/s", "ratio to null (min to max)"}
	if !streamed {
		head = append(head, "p50 µs", "p50 ratio", "p99 µs")
	}
	head = append(head, "allocs/"+t.Unit, "B/"+t.Unit, "CPU µs/"+t.Unit)
	if streamed {
		head = append(head, "peak heap MiB", "peak RSS MiB")
	}
	fmt.Fprintf(b, "| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, d := range t.Drivers {
		ratio, p50Ratio := "–", "–"
		if d.Ratio != nil {
			ratio = fmt.Sprintf("%.3f (%.3f to %.3f)", d.Ratio.Median, d.Ratio.Min, d.Ratio.Max)
			p50Ratio = fmt.Sprintf("%.3f", d.P50Ratio.Median)
		}
		cells := []string{d.Name, number(d.Rate.Median), ratio}
		if !streamed {
			cells = append(cells, number(d.P50US), p50Ratio, number(d.P99US))
		}
		cells = append(cells, number(d.Allocs), number(d.Bytes), number(d.CPUUS))
		if streamed {
			cells = append(cells, mebibytes(d.PeakHeap), mebibytes(d.PeakRSS))
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	writeComparisons(b, t)
}

// durability tells of the settings, as a sentence.
func durability(settings map[string]string) string {
	if len(settings) == 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		parts = append(parts, name+" "+settings[name])
	}
	return "Commits: " + strings.Join(parts, ", ") + ". "
}

// number gives v with about three digits.
func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }

func networkName(network string) string {
	if network == "unix" {
		return "a Unix socket"
	}
	return "TCP"
}

// cpuModel is the processor's name where the system tells it, else empty.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
