package main

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// histogram counts durations in buckets of less than 1 % width: 128 for each
// doubling. It has a fixed size and allocates nothing.
type histogram struct {
	counts [(64 - subBits) << subBits]uint32
	total  uint64
}

const subBits = 7

func (h *histogram) reset() { *h = histogram{} }

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// merge adds what other counted.
func (h *histogram) merge(other *histogram) {
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.total += other.total
}

// bucket is v itself for small v; above, the exponent and the subBits bits that
// follow the leading one.
func bucket(v uint64) int {
	exp := bits.Len64(v) - subBits - 1
	if exp <= 0 {
		return int(v)
	}
	return exp<<subBits + int(v>>exp)
}

// lowest is the smallest value of a bucket.
func lowest(b int) uint64 {
	exp := b>>subBits - 1
	if exp <= 0 {
		return uint64(b)
	}
	return uint64(b-exp<<subBits) << exp
}

// quantile gives the middle of the bucket that holds the q-th of all durations,
// 0 where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for b, n := range h.counts {
		seen += uint64(n)
		if seen > rank || (n > 0 && seen == h.total) {
			return time.Duration((lowest(b) + lowest(b+1)) / 2)
		}
	}
	return 0
}

// Spread is the middle and the ends of a figure over the rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	return Spread{Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

// medianBounds give an interval that holds the median of what values are samples
// of in 95 of 100 cases or more. It assumes nothing of how they are distributed:
// whether one is above the median is the toss of a coin (the interval of the sign
// test). Below six values it is all of them.
func medianBounds(values []float64) (low, high float64) {
	n := len(values)
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(values))
	outside := 0 // how many values are left out at either end
	chance := math.Pow(0.5, float64(n))
	for tail := chance; tail <= 0.025; tail += chance {
		outside++
		chance *= float64(n-outside+1) / float64(outside)
	}
	outside = max(outside-1, 0)
	return sorted[outside], sorted[n-1-outside]
}

// median of values, which it leaves as they are; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
