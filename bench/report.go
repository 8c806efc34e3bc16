package main

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Report is what --json writes. Its fields are added to, not changed.
type Report struct {
	Environment Environment      `json:"environment"`
	Workloads   []WorkloadReport `json:"workloads"`
}

// Environment is what the figures depend on.
type Environment struct {
	Started    time.Time         `json:"started"`
	Go         string            `json:"go"`
	OS         string            `json:"os"`
	Arch       string            `json:"arch"`
	CPU        string            `json:"cpu,omitempty"`
	CPUs       int               `json:"cpus"`
	GoMaxProcs int               `json:"gomaxprocs"`
	Modules    map[string]string `json:"modules"`
	Server     string            `json:"server"`
	Source     string            `json:"server_source"`
	Network    string            `json:"network"`
	Isolation  string            `json:"isolation"`
	// Durability are the server's settings that say what a commit waits for.
	Durability map[string]string `json:"durability"`
	Rounds     int               `json:"rounds"`
	SliceMS    float64           `json:"slice_ms"`
	Scale      Scale             `json:"scale"`
}

// WorkloadReport is one table.
type WorkloadReport struct {
	Name      string         `json:"name"`
	Title     string         `json:"title"`
	Statement string         `json:"statement"`
	Unit      string         `json:"unit"` // what is counted: "op" or "row"
	Rows      int64          `json:"rows"` // in one operation's result
	Rounds    int            `json:"rounds"`
	Drivers   []DriverReport `json:"drivers"`
	// Workers is the number of goroutines, and of connections.
	Workers int `json:"workers"`
	// Isolation is the level that each transaction names; empty without any.
	Isolation   string       `json:"isolation,omitempty"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// DriverReport is one row of a table: medians over the rounds. The figures per
// unit count the client's process alone; latencies are those of operations.
type DriverReport struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Rate is in units per second.
	Rate Spread `json:"rate"`
	// Ratio is the rate over the null client's in the same round; nil where the
	// null client did not run.
	Ratio *Spread `json:"ratio"`
	// P50Ratio is the null client's median latency over this one's, in the same
	// round. Other load on the machine disturbs it less than it does Ratio.
	P50Ratio *Spread `json:"p50_ratio"`
	P50US    float64 `json:"p50_us"`
	P99US    float64 `json:"p99_us"`
	Allocs   float64 `json:"allocs_per_unit"`
	Bytes    float64 `json:"bytes_per_unit"`
	CPUUS    float64 `json:"cpu_us_per_unit"`
	// PeakHeap and PeakRSS are the largest growth in bytes of a streamed
	// operation, over all rounds.
	PeakHeap uint64 `json:"peak_heap_bytes,omitempty"`
	PeakRSS  uint64 `json:"peak_rss_bytes,omitempty"`
	// Rates and Ratios are those of the rounds, in their order.
	Rates  []float64 `json:"rates"`
	Ratios []float64 `json:"ratios,omitempty"`
}

func newEnvironment(o options, s *server) Environment {
	e := Environment{
		Started: time.Now().UTC().Truncate(time.Second),
		Go:      runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: cpuModel(), CPUs: runtime.NumCPU(), GoMaxProcs: runtime.GOMAXPROCS(0),
		Modules: map[string]string{},
		Server:  s.version, Source: s.source, Network: s.target.Network, Isolation: o.isolation, Durability: s.durability,
		Rounds: o.rounds, SliceMS: float64(o.slice) / float64(time.Millisecond), Scale: o.scale,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			switch m.Path {
			case "github.com/jackc/pgx/v5", "github.com/lib/pq":
				e.Modules[m.Path] = m.Version
			}
		}
	}
	return e
}

func newWorkloadReport(w Workload, field []*contender, rows int64) WorkloadReport {
	report := WorkloadReport{Name: w.Name, Title: w.Title, Statement: w.statement(), Unit: w.Unit(), Rows: rows,
		Workers: w.workers(), Isolation: w.Isolation, Comparisons: compare(w, field)}
	perOp := 1.0 // units in an operation
	if w.Whole {
		perOp = float64(max(rows, 1))
	}
	var base []Sample
	for _, c := range field {
		if c.driver.Name() == baseDriver {
			base = c.samples
		}
		report.Rounds = len(c.samples)
	}
	for _, c := range field {
		report.Drivers = append(report.Drivers, newDriverReport(c, base, perOp))
	}
	return report
}

func newDriverReport(c *contender, base []Sample, perOp float64) DriverReport {
	d := DriverReport{Name: c.driver.Name(), Title: c.driver.Title()}
	var p50, p99, p50Ratios, allocs, bytes, cpu []float64
	for i, s := range c.samples {
		units := float64(s.Ops) * perOp
		d.Rates = append(d.Rates, units/s.Elapsed.Seconds())
		if base != nil {
			b := base[i]
			d.Ratios = append(d.Ratios, d.Rates[i]/(float64(b.Ops)*perOp/b.Elapsed.Seconds()))
			p50Ratios = append(p50Ratios, float64(b.P50)/float64(max(s.P50, 1)))
		}
		p50 = append(p50, microseconds(s.P50))
		p99 = append(p99, microseconds(s.P99))
		allocs = append(allocs, float64(s.Allocs)/units)
		bytes = append(bytes, float64(s.Bytes)/units)
		cpu = append(cpu, microseconds(s.CPU)/units)
		d.PeakHeap, d.PeakRSS = max(d.PeakHeap, s.PeakHeap), max(d.PeakRSS, s.PeakRSS)
	}
	d.Rate = spread(d.Rates)
	if base != nil {
		ratio, p50Ratio := spread(d.Ratios), spread(p50Ratios)
		d.Ratio, d.P50Ratio = &ratio, &p50Ratio
	}
	d.P50US, d.P99US = median(p50), median(p99)
	d.Allocs, d.Bytes, d.CPUUS = median(allocs), median(bytes), median(cpu)
	return d
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
