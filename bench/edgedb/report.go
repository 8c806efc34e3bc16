package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// report is what --json writes.
type report struct {
	Go         string           `json:"go"`
	CPUs       int              `json:"cpus"`
	GoMaxProcs int              `json:"gomaxprocs"`
	Server     string           `json:"server"`
	Rounds     int              `json:"rounds"`
	Workloads  []workloadReport `json:"workloads"`
}

type workloadReport struct {
	Name    string         `json:"name"`
	Title   string         `json:"title"`
	Drivers []driverReport `json:"drivers"`
}

// driverReport is one row: medians over the rounds.
type driverReport struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Rate is in queries a second; Ratio is to edgedb-go's in the same round.
	Rate  float64 `json:"rate"`
	Ratio spread  `json:"ratio"`
	// P50US is the median latency where it was measured, P50Ratio is
	// edgedb-go's over this one's in the same round.
	P50US    float64 `json:"p50_us,omitempty"`
	P50Ratio *spread `json:"p50_ratio,omitempty"`
	// SliceMS is the time of a slice.
	SliceMS float64 `json:"slice_ms"`
	// Opened is how many connections were opened in all rounds; -1 where nobody
	// counts.
	Opened int `json:"opened"`
}

// spread is a median with the extremes.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

func (s sample) rate() float64 { return float64(s.ops) / s.elapsed.Seconds() }

func newReport(o options, s *server, picked []workload, field []*contender) report {
	r := report{Go: runtime.Version(), CPUs: runtime.NumCPU(), GoMaxProcs: runtime.GOMAXPROCS(0), Server: s.title, Rounds: o.rounds}
	var base *contender
	for _, c := range field {
		if c.name == baseDriver {
			base = c
		}
	}
	for _, w := range picked {
		wr := workloadReport{Name: w.name, Title: w.title}
		for _, c := range field {
			wr.Drivers = append(wr.Drivers, newDriverReport(c, c.samples[w.name], base.samples[w.name]))
		}
		r.Workloads = append(r.Workloads, wr)
	}
	return r
}

func newDriverReport(c *contender, samples, base []sample) driverReport {
	d := driverReport{Name: c.name, Title: c.title}
	var rates, ratios, p50s, p50ratios, times []float64
	for i, s := range samples {
		rates = append(rates, s.rate())
		ratios = append(ratios, s.rate()/base[i].rate())
		times = append(times, float64(s.elapsed)/float64(time.Millisecond))
		if s.p50 > 0 {
			p50s = append(p50s, float64(s.p50)/float64(time.Microsecond))
			p50ratios = append(p50ratios, float64(base[i].p50)/float64(s.p50))
		}
		d.Opened += s.opened
		if s.opened < 0 {
			d.Opened = -1
		}
	}
	d.Rate, d.Ratio, d.SliceMS = spreadOf(rates).Median, spreadOf(ratios), spreadOf(times).Median
	if len(p50s) > 0 {
		p := spreadOf(p50ratios)
		d.P50US, d.P50Ratio = spreadOf(p50s).Median, &p
	}
	return d
}

func (r report) writeMarkdown(w io.Writer) {
	fmt.Fprintf(w, "%s, %d CPUs, GOMAXPROCS %d. Server: %s. %d rounds; medians, ratios to edgedb-go within each round (min to max).\n",
		r.Go, r.CPUs, r.GoMaxProcs, r.Server, r.Rounds)
	for _, wr := range r.Workloads {
		fmt.Fprintf(w, "\n### %s: %s\n\n| driver | queries/s | ratio | p50 µs | p50 ratio | slice ms | connections opened |\n|---|---:|---:|---:|---:|---:|---:|\n", wr.Name, wr.Title)
		for _, d := range wr.Drivers {
			p50, ratio := "", ""
			if d.P50Ratio != nil {
				p50, ratio = fmt.Sprintf("%.0f", d.P50US), fmt.Sprintf("%.2f", d.P50Ratio.Median)
			}
			opened := "not counted"
			if d.Opened >= 0 {
				opened = fmt.Sprint(d.Opened)
			}
			fmt.Fprintf(w, "| %s | %.0f | %.2f (%.2f to %.2f) | %s | %s | %.0f | %s |\n",
				d.Title, d.Rate, d.Ratio.Median, d.Ratio.Min, d.Ratio.Max, p50, ratio, d.SliceMS, opened)
		}
	}
}
