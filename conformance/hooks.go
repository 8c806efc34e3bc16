package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

func hookScenarios() []Scenario {
	return []Scenario{
		{ID: "hooks/query", Promise: "Hooks.Query is called before each command, and its function once it has ended.", Run: queryHook},
		{ID: "hooks/query-ctx", Promise: "A command runs under the ctx that Hooks.Query returns.", Run: queryHookCtx},
		{ID: "hooks/tx", Promise: "Hooks.Tx is called before each attempt, and its function once the attempt has ended.", Run: txHook},
		{ID: "hooks/connect", Promise: "Hooks.Connect is called after each connection was made.", Run: connectHook},
		{ID: "hooks/pool-wait", Promise: "Hooks.PoolWait is called after a call had to wait for a connection.", Run: poolWaitHook},
	}
}

// queryLog collects what Hooks.Query is told.
type queryLog struct {
	mu    sync.Mutex
	infos []duet.QueryInfo
	ends  []duet.QueryEnd
}

func (l *queryLog) query(_ context.Context, q duet.QueryInfo) (context.Context, func(duet.QueryEnd)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.infos = append(l.infos, q)
	return nil, func(end duet.QueryEnd) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ends = append(l.ends, end)
	}
}

// take gives what was logged since the last take.
func (l *queryLog) take() ([]duet.QueryInfo, []duet.QueryEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	infos, ends := l.infos, l.ends
	l.infos, l.ends = nil, nil
	return infos, ends
}

func (l *queryLog) ended() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ends)
}

func queryHook(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	log := &queryLog{}
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Query: log.query}}).With(duet.Options{Name: "billing"})
	info := func(name string, args int, inTx bool) duet.QueryInfo {
		return duet.QueryInfo{Backend: t.Backend().Name, Name: "billing", Command: t.Text(name), Args: args, InTx: inTx}
	}
	check := func(what string, want1 duet.QueryInfo, target error) {
		infos, ends := log.take()
		if len(infos) != 1 || len(ends) != 1 {
			t.Errorf("%s: %d calls began and %d ended, want one", what, len(infos), len(ends))
			return
		}
		want(t, what+": the info", infos[0], want1)
		wantErr(t, what+": the end", ends[0].Err, target)
		if ends[0].Took <= 0 {
			t.Errorf("%s took %v", what, ends[0].Took)
		}
	}
	log.take()
	one[int64](ctx, t, c, "two")
	check("QueryOne", info("two", 0, false), nil)
	exec(ctx, t, c, "add_to_balance", "ada", int64(1))
	check("Execute", info("add_to_balance", 2, false), nil)
	_, _ = c.Execute(ctx, t.Text("unique_violation"))
	check("a failure", info("unique_violation", 0, false), duet.ErrUniqueViolation)
	_, _ = duet.QueryOne[int64](ctx, c, t.Text("nothing"))
	check("no data", info("nothing", 0, false), duet.ErrNoData)
	jsonAll(ctx, t, c, "objects", int64(3))
	check("QueryJSON", info("objects", 1, false), nil)
	for range duet.Stream[int64](ctx, c, t.Text("numbers"), int64(5)) {
		if log.ended() != 0 && t.Backend().Can(duet.Streaming) {
			t.Errorf("the end of Rows was told before its last row")
		}
	}
	check("Stream", info("numbers", 1, false), nil)
	_ = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		log.take()
		one[int64](ctx, t, tx, "two")
		check("in a transaction", info("two", 0, true), nil)
		return nil
	})
}

func queryHookCtx(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, Hooks: duet.Hooks{
		Query: func(ctx context.Context, q duet.QueryInfo) (context.Context, func(duet.QueryEnd)) {
			if q.Name != "short" {
				return nil, nil
			}
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			return ctx, func(duet.QueryEnd) { cancel() }
		},
	}})
	stops(t, "a statement under the hook's ctx", func() {
		_, err := c.With(duet.Options{Name: "short"}).Execute(ctx, t.Text("slow"), slowly(t))
		wantErr(t, "Execute", err, context.DeadlineExceeded)
	})
	usable(ctx, t, c, "without the hook's ctx")
}

func txHook(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	var infos []duet.TxInfo
	var ends []error
	c := t.Connect(ctx, ConnectOptions{Hooks: duet.Hooks{Tx: func(_ context.Context, info duet.TxInfo) (context.Context, func(error)) {
		infos = append(infos, info)
		return nil, func(err error) { ends = append(ends, err) }
	}}}).With(duet.Options{Name: "billing"})
	attempts := 0
	err := c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		if attempts++; attempts == 1 {
			return conflicting(ctx, inner, t, tx)
		}
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
	wantErr(t, "RawTx", c.RawTx(ctx, func(context.Context, duet.Tx) error { return errMine }), errMine)
	info := duet.TxInfo{Backend: t.Backend().Name, Name: "billing", Attempt: 1}
	second := info
	second.Attempt = 2
	want(t, "what began", infos, []duet.TxInfo{info, second, info})
	if len(ends) != 3 {
		t.Fatalf("%d attempts ended, want 3", len(ends))
	}
	wantErr(t, "the first attempt", ends[0], duet.ErrSerialization)
	wantErr(t, "the second attempt", ends[1], nil)
	wantErr(t, "RawTx's attempt", ends[2], errMine)
}

func connectHook(ctx context.Context, t *T) {
	var mu sync.Mutex
	var seen []duet.ConnectInfo
	c := t.Connect(ctx, ConnectOptions{MaxConns: 2, Hooks: duet.Hooks{Connect: func(_ context.Context, info duet.ConnectInfo) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, info)
	}}})
	usable(ctx, t, c, "the client")
	a, b := acquire(ctx, t, c), acquire(ctx, t, c)
	a.Release()
	b.Release()
	mu.Lock()
	defer mu.Unlock()
	want(t, "the connections told of", int64(len(seen)), c.Pool().Stat().Connects)
	for _, info := range seen {
		if info.Host == "" || info.Took <= 0 || info.Err != nil {
			t.Errorf("a connection is told of as %+v", info)
		}
	}
}

func poolWaitHook(ctx context.Context, t *T) {
	var mu sync.Mutex
	var seen []duet.PoolWaitInfo
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, Hooks: duet.Hooks{PoolWait: func(_ context.Context, info duet.PoolWaitInfo) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, info)
	}}})
	conn := acquire(ctx, t, c)
	view, text := c.With(duet.Options{Name: "billing"}), t.Text("two")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := view.Execute(ctx, text); err != nil {
			t.Errorf("a call that had to wait: %v", err)
		}
	})
	if !eventually(func() bool { return c.Pool().Stat().Waiting == 1 }) {
		t.Errorf("the call does not wait")
	}
	conn.Release()
	wg.Wait()
	conn = acquire(ctx, t, c)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := view.Execute(short, text)
	wantErr(t, "a call that waited in vain", err, context.DeadlineExceeded)
	conn.Release()
	mu.Lock()
	defer mu.Unlock()
	billing := 0
	for _, info := range seen {
		if info.Name != "billing" {
			continue
		}
		if billing++; info.Waited <= 0 || (info.Err != nil) != (billing == 2) {
			t.Errorf("wait %d is told of as %+v", billing, info)
		}
	}
	want(t, "the waits told of", billing, 2)
}
