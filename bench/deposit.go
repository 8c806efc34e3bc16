package main

import (
	"context"
	"fmt"
)

// purses is the number of rows of duet_bench.purse: few enough for each page to
// have been written, and so been logged in full, when the measuring begins; many
// enough for a page not to fill up while some transaction keeps it from being
// pruned, as one does that waits for a processor.
const purses = 128_000

// deposits are the workloads of transactions: each reads one row by its key and
// writes it with one more in it. No two workers share a row, so that nobody has
// to wait or to try again.
func deposits() []Workload {
	var all []Workload
	for _, workers := range []int{1, 8} {
		for _, level := range []struct{ name, isolation string }{
			{"tx_serializable", "serializable"}, {"tx_read_committed", "read committed"},
		} {
			w := Workload{
				Name: level.name, Title: "a transaction of a select and an update, " + level.isolation,
				SQL:         "select balance from duet_bench.purse where id = $1",
				Update:      "update duet_bench.purse set balance = $2 where id = $1",
				Shape:       ShapeDeposit,
				Isolation:   level.isolation,
				Keys:        purses,
				Workers:     workers,
				Cancellable: true,
			}
			if workers > 1 {
				w.Name = fmt.Sprintf("%s_%d", w.Name, workers)
				w.Title += fmt.Sprintf(", %d goroutines with as many connections", workers)
			}
			all = append(all, w)
		}
	}
	return all
}

// depositor is a client that can run a deposit.
type depositor interface {
	// Deposit runs one transaction that adds 1 to the purse. It holds that the
	// update met one row.
	Deposit(ctx context.Context, worker int, id int64) error
	Setting(ctx context.Context, name string) (string, error)
	Close(ctx context.Context) error
}

// newDeposits makes a Runner of d. What it wrote, the books tell.
func newDeposits(w Workload, d depositor) *local {
	l := &local{w: w, run: d.Deposit, setting: d.Setting, close: d.Close}
	l.verify = func(ctx context.Context, _ int64) (Digest, error) {
		for worker := range w.workers() {
			first, span := w.keysOf(worker)
			for _, key := range []int64{first, first + span - 1} {
				if err := d.Deposit(ctx, worker, key); err != nil {
					return Digest{}, err
				}
			}
		}
		return Digest{Rows: 1, Counted: true}, nil
	}
	return l
}

// oneRow judges how many rows an update met.
func oneRow(n int64, err error) error {
	if err == nil && n != 1 {
		return fmt.Errorf("the update met %d rows", n)
	}
	return err
}
