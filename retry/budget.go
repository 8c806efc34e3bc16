package retry

import "sync/atomic"

// Budget bounds how many retries of class Unavailable a whole client makes, so
// that an outage is not made worse: each operation earns a fraction of a retry,
// and each retry spends one. The zero value is a full budget with the defaults:
// a tenth of a retry for each operation, at most 10 saved. It is safe for
// concurrent use, and costs an atomic addition for each operation.
type Budget struct {
	// spent counts in hundredths of a retry, 0 is a full budget.
	spent atomic.Int64
}

const (
	retryCost    = 100            // one retry
	earned       = 10             // by one operation: a tenth of a retry
	budgetVolume = 10 * retryCost // what can be saved
)

// Earn is called for each operation, before its first attempt.
func (b *Budget) Earn() {
	if b == nil {
		return
	}
	for {
		spent := b.spent.Load()
		if spent == 0 || b.spent.CompareAndSwap(spent, max(0, spent-earned)) {
			return
		}
	}
}

// Spend takes one retry; false means that none is left.
func (b *Budget) Spend() bool {
	if b == nil {
		return true
	}
	for {
		spent := b.spent.Load()
		if spent+retryCost > budgetVolume {
			return false
		}
		if b.spent.CompareAndSwap(spent, spent+retryCost) {
			return true
		}
	}
}

// Left counts the retries that could be made now.
func (b *Budget) Left() int {
	if b == nil {
		return -1
	}
	return int((budgetVolume - b.spent.Load()) / retryCost)
}
