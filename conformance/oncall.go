package conformance

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// rota is a ward whose doctors go off call where they see another one on call,
// and come back: the invariant, that somebody is on call, is kept by each
// transaction alone, and broken by two at once where write skew is possible. An
// account is a doctor, and its balance is 1 while on call.
type rota struct {
	doctors, goroutines int
	lasts               time.Duration

	commits, conflicts, deserted atomic.Int64
}

// onCall is short: the long run is a test's.
func onCall(ctx context.Context, t *T) {
	r := &rota{doctors: 3, goroutines: 16, lasts: 700 * time.Millisecond}
	r.run(ctx, t)
}

func (r *rota) run(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: r.goroutines, Hooks: duet.Hooks{Retry: func(_ context.Context, info duet.RetryInfo) {
		if info.Class == retry.Conflict {
			r.conflicts.Add(1)
		}
	}}})
	names := make([]string, r.doctors)
	for i := range names {
		names[i] = fmt.Sprintf("doctor %d", i)
	}
	accounts(ctx, t, 1, names...)
	patient := c.With(duet.Options{Retry: &retry.Policy{Conflict: retry.Rule{MaxAttempts: -1, Max: 50 * time.Millisecond}}})
	read, own, set := t.Text("sum_of_balances"), t.Text("balance"), t.Text("set_balance")
	m := newMeeting()
	end := time.Now().Add(r.lasts)
	parallel(t, r.goroutines, func(g int) error {
		name := names[g%len(names)]
		for round := 0; round == 0 || time.Now().Before(end); round++ {
			var sum int64
			err := patient.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				mine, err := duet.QueryOne[int64](ctx, tx, own, name)
				if err == nil {
					sum, err = duet.QueryOne[int64](ctx, tx, read)
				}
				if err != nil {
					return err
				}
				if g < 2 && round == 0 { // two of them at least have read before either writes
					m.arrive(g)
					if err := m.wait(ctx, g); err != nil {
						return err
					}
				}
				switch {
				case mine == 1 && sum > 1:
					_, err = tx.Execute(ctx, set, name, int64(0))
				case mine == 0:
					_, err = tx.Execute(ctx, set, name, int64(1))
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			r.commits.Add(1)
			if sum < 1 {
				r.deserted.Add(1)
			}
		}
		return nil
	})
	if n := r.deserted.Load(); n > 0 {
		t.Errorf("%d of %d committed transactions saw nobody on call", n, r.commits.Load())
	}
	if sum := one[int64](ctx, t, t.Client(), "sum_of_balances"); sum < 1 {
		t.Errorf("nobody is on call in the end")
	}
	if r.conflicts.Load() == 0 {
		t.Errorf("%d transactions committed without a single conflict: they never met", r.commits.Load())
	}
}
