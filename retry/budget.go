package retry

import (
	"math"
	"sync/atomic"
	"time"
)

// Defaults of a [Budget].
const (
	// DefaultRatio is how many retries each first attempt pays for.
	DefaultRatio = 0.1
	// DefaultBurst is how many retries a full budget holds.
	DefaultBurst = 10
)

// Budget bounds the retries of class [Unavailable] of all calls that share it: a
// full one holds a burst of retries, each first attempt earns a fraction of one,
// and each retry costs one. When nothing answers, the load that retries add is
// then that fraction of the offered load, once the burst is spent. So that a
// quiet client recovers too, a budget also refills by itself, by a hundredth of
// its burst each second. With the defaults, an outage of 30 seconds sees 13
// retries and one for each ten calls: less than a fifth more from 150 calls on.
//
// The zero value is a full budget with the defaults. It is safe for concurrent
// use and must not be copied. A nil *Budget sets no bound.
type Budget struct {
	ratio, burst int64 // in thousandths; 0 is the default

	// debt is what is missing from a full budget, in thousandths of a retry. It
	// is zero as long as all is well: earning is then a read of shared memory.
	debt atomic.Int64
	// refilled is up to when time has lowered the debt, in Unix nanoseconds.
	refilled atomic.Int64
}

// unit is one retry.
const unit = 1000

// NewBudget gives a full budget that earns ratio retries for each first attempt
// and holds at most burst. Zero, negative or NaN means the default; ratio is at
// most 1, burst at least 1 and at most a million.
func NewBudget(ratio, burst float64) *Budget {
	if !(ratio > 0) {
		ratio = DefaultRatio
	}
	if !(burst > 0) {
		burst = DefaultBurst
	}
	return &Budget{
		ratio: int64(math.Ceil(min(ratio, 1) * unit)),
		burst: int64(min(max(burst, 1), 1e6) * unit),
	}
}

// Available is how many retries could be made now; without end for nil.
func (b *Budget) Available() float64 {
	if b == nil {
		return math.Inf(1)
	}
	return float64(b.full()-b.debt.Load()) / unit
}

func (b *Budget) full() int64 {
	if b.burst == 0 {
		return DefaultBurst * unit
	}
	return b.burst
}

// earn adds what a first attempt pays.
func (b *Budget) earn() {
	if b == nil || b.debt.Load() == 0 {
		return
	}
	ratio := b.ratio
	if ratio == 0 {
		ratio = int64(DefaultRatio * unit)
	}
	b.lower(ratio)
}

func (b *Budget) lower(by int64) {
	for {
		debt := b.debt.Load()
		if debt == 0 || b.debt.CompareAndSwap(debt, max(0, debt-by)) {
			return
		}
	}
}

// spend takes one retry out, or says that there is none.
func (b *Budget) spend() bool {
	if b == nil {
		return true
	}
	b.refill(time.Now().UnixNano())
	for {
		debt := b.debt.Load()
		if debt+unit > b.full() {
			return false
		}
		if b.debt.CompareAndSwap(debt, debt+unit) {
			return true
		}
	}
}

// refill lowers the debt by the whole seconds that have passed. The time counts
// from when the budget was last seen full: it cannot be saved up.
func (b *Budget) refill(now int64) {
	last := b.refilled.Load()
	if last == 0 || b.debt.Load() == 0 || now < last {
		b.refilled.CompareAndSwap(last, now)
		return
	}
	seconds := (now - last) / int64(time.Second)
	if seconds < 1 {
		return
	}
	if b.refilled.CompareAndSwap(last, last+seconds*int64(time.Second)) {
		b.lower(min(seconds, 100) * (b.full() / 100))
	}
}
