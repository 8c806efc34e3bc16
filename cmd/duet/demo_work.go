package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
	"golang.org/x/sync/errgroup"
)

// hotAccounts are those that everybody wants, and hotShare says which transfers
// are between them: one in hotShare.
const (
	hotAccounts = 4
	hotShare    = 10
	mostAmount  = 100
)

// work is the demo's transfers, and what became of them.
type work struct {
	bank    ledger
	opt     demoOptions
	tally   *tally
	started atomic.Int64 // transfers that were begun
	done    atomic.Int64 // transfers that were committed
	refused atomic.Int64 // those of done without funds

	accepted  []bool // by id; whoever makes a transfer writes its element
	took      time.Duration
	latencies []time.Duration // sorted after run
}

func newWork(b ledger, opt demoOptions, tally *tally) *work {
	return &work{bank: b, opt: opt, tally: tally, accepted: make([]bool, opt.transfers+1)}
}

// transfer is the one with that id, the same in every run.
func (w *work) transfer(id int64) transfer {
	r := rand.New(rand.NewPCG(uint64(id), 0))
	among := w.opt.accounts
	if id%hotShare == 0 {
		among = min(hotAccounts, among)
	}
	payer := r.IntN(among)
	payee := (payer + 1 + r.IntN(among-1)) % among
	return transfer{id: id, payer: payer + 1, payee: payee + 1, amount: 1 + r.Int64N(mostAmount)}
}

// run makes all transfers. The first that fails for good ends it.
func (w *work) run(ctx context.Context, s streams) error {
	start := time.Now()
	p := startProgress(s.out, w.opt.plain, func() string { return w.progress(time.Since(start)) })
	group, ctx := errgroup.WithContext(ctx)
	perWorker := make([][]time.Duration, w.opt.workers)
	for i := range perWorker {
		group.Go(func() error { return w.worker(ctx, &perWorker[i]) })
	}
	err := group.Wait()
	w.took = time.Since(start)
	p.stop()
	w.latencies = slices.Concat(perWorker...)
	slices.Sort(w.latencies)
	return err
}

func (w *work) worker(ctx context.Context, latencies *[]time.Duration) error {
	for {
		id := w.started.Add(1)
		if id > int64(w.opt.transfers) {
			return nil
		}
		start := time.Now()
		accepted, err := w.bank.apply(ctx, w.transfer(id))
		if err != nil {
			return fmt.Errorf("transfer %d: %w", id, err)
		}
		*latencies = append(*latencies, time.Since(start))
		w.accepted[id] = accepted
		w.done.Add(1)
		if !accepted {
			w.refused.Add(1)
		}
	}
}

func (w *work) progress(took time.Duration) string {
	done := w.done.Load()
	return fmt.Sprintf("  %-10s  %7s  %3d %%  %7s a second  %7s retries", w.opt.title, grouped(done), 100*done/int64(w.opt.transfers),
		grouped(int64(float64(done)/max(took.Seconds(), 1e-3))), grouped(w.tally.retries()))
}

// tally counts attempts and retries, as the client's hooks tell of them.
type tally struct {
	attempts atomic.Int64
	most     atomic.Int64 // attempts of one transaction

	mu    sync.Mutex
	class map[retry.Class]map[string]int64 // by error code
}

func (t *tally) hooks() duet.Hooks {
	return duet.Hooks{
		Tx: func(_ context.Context, tx duet.TxInfo) (context.Context, func(error)) {
			t.attempts.Add(1)
			for n := int64(tx.Attempt); ; {
				most := t.most.Load()
				if n <= most || t.most.CompareAndSwap(most, n) {
					return nil, nil
				}
			}
		},
		Retry: func(_ context.Context, r duet.RetryInfo) { t.add(r.Class, errorCode(r.Err)) },
	}
}

func (t *tally) add(class retry.Class, code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.class == nil {
		t.class = map[retry.Class]map[string]int64{}
	}
	if t.class[class] == nil {
		t.class[class] = map[string]int64{}
	}
	t.class[class][code]++
}

func (t *tally) retries() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var n int64
	for _, codes := range t.class {
		for _, count := range codes {
			n += count
		}
	}
	return n
}

// byCode are one class's retries, by error code.
func (t *tally) byCode(class retry.Class) map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.class[class])
}
