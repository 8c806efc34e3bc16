package main

import (
	"fmt"
	"strings"
)

// Comparison sets two drivers of a workload of transactions beside each other,
// within each round.
type Comparison struct {
	Driver string `json:"driver"`
	To     string `json:"to"`
	// Time is how long the driver took for an operation, with 1 for what the
	// other one took in the same round: below 1 is faster.
	Time Spread `json:"time"`
	// Low and High are between which Time's median is, at a confidence of 95 % or
	// more; with fewer than six rounds they are the ends.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// P50 is the same of the median latencies. Other load on the machine disturbs
	// it less.
	P50 Spread `json:"p50"`
	// AtMost is what Time's median should not exceed; 0 for no bound.
	AtMost float64 `json:"at_most,omitempty"`
	// Faster is the number of rounds in which Time was below 1, Within of those
	// in which it was within the bound.
	Faster int `json:"faster"`
	Within int `json:"within,omitempty"`
}

// pairs are what is compared where both run.
var pairs = [...]struct {
	driver, to string
	atMost     float64
}{
	{"duet", "pgx", 1},
	{"duet-no-id", "pgx", 0},
	{tokenDriver, "pgx", 0},
	{"duet", "pgx-tuned", 0},
	{"duet", "lib/pq", 0},
	{"duet", "duet-no-id", 0},
	{tokenDriver, "duet", 1.15},
	{tokenDriver, "duet-no-id", 1.15},
}

// compare gives the comparisons of a workload; none of one without
// transactions.
func compare(w Workload, field []*contender) []Comparison {
	if w.Shape != ShapeDeposit {
		return nil
	}
	samples := map[string][]Sample{}
	for _, c := range field {
		samples[c.driver.Name()] = c.samples
	}
	var all []Comparison
	for _, p := range pairs {
		own, other := samples[p.driver], samples[p.to]
		if len(own) == 0 || len(own) != len(other) {
			continue
		}
		c := Comparison{Driver: p.driver, To: p.to, AtMost: p.atMost}
		var times, p50s []float64
		for i := range own {
			time := perOp(own[i]) / perOp(other[i])
			times = append(times, time)
			p50s = append(p50s, float64(own[i].P50)/float64(max(other[i].P50, 1)))
			if time < 1 {
				c.Faster++
			}
			if time <= p.atMost {
				c.Within++
			}
		}
		c.Time, c.P50 = spread(times), spread(p50s)
		c.Low, c.High = medianBounds(times)
		all = append(all, c)
	}
	return all
}

// perOp is the time of an operation, in seconds; where several goroutines work,
// the time between two ends.
func perOp(s Sample) float64 { return s.Elapsed.Seconds() / float64(s.Ops) }

func writeComparisons(b *strings.Builder, t WorkloadReport) {
	if len(t.Comparisons) == 0 {
		return
	}
	b.WriteString("\n| time of … | in times of … | median (95 %) | p50 | faster in | wanted | within |\n|---|---|---:|---:|---:|---:|---|\n")
	for _, c := range t.Comparisons {
		wanted, within := "–", "–"
		if c.AtMost > 0 {
			wanted = fmt.Sprintf("≤ %.2f", c.AtMost)
			verdict := "no"
			if c.Time.Median <= c.AtMost {
				verdict = "yes"
			}
			within = fmt.Sprintf("%s, %d of %d rounds", verdict, c.Within, t.Rounds)
		}
		fmt.Fprintf(b, "| %s | %s | %.3f (%.3f to %.3f) | %.3f | %d of %d | %s | %s |\n", c.Driver, c.To,
			c.Time.Median, c.Low, c.High, c.P50.Median, c.Faster, t.Rounds, wanted, within)
	}
}
