package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/retry"
)

// recorder takes down what the hooks tell.
type recorder struct {
	mu      sync.Mutex
	started []duet.QueryInfo
	ended   []duet.QueryEnd
	txs     []string
	retries []duet.RetryInfo
	waits   []duet.PoolWaitInfo
	dials   []duet.ConnectInfo
	notices []duet.Notice
}

type hookKey struct{}

func (r *recorder) hooks() duet.Hooks {
	with := func(f func()) { r.mu.Lock(); defer r.mu.Unlock(); f() }
	return duet.Hooks{
		Query: func(ctx context.Context, q duet.QueryInfo) (context.Context, func(duet.QueryEnd)) {
			with(func() { r.started = append(r.started, q) })
			return context.WithValue(ctx, hookKey{}, q.Command), func(e duet.QueryEnd) {
				with(func() { r.ended = append(r.ended, e) })
			}
		},
		Tx: func(ctx context.Context, x duet.TxInfo) (context.Context, func(error)) {
			with(func() { r.txs = append(r.txs, fmt.Sprintf("begin %s %d", x.Name, x.Attempt)) })
			return nil, func(err error) { with(func() { r.txs = append(r.txs, fmt.Sprintf("end %v", err == nil)) }) }
		},
		Retry:    func(_ context.Context, i duet.RetryInfo) { with(func() { r.retries = append(r.retries, i) }) },
		PoolWait: func(_ context.Context, i duet.PoolWaitInfo) { with(func() { r.waits = append(r.waits, i) }) },
		Connect:  func(_ context.Context, i duet.ConnectInfo) { with(func() { r.dials = append(r.dials, i) }) },
		Notice:   func(_ context.Context, n duet.Notice) { with(func() { r.notices = append(r.notices, n) }) },
	}
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started, r.ended, r.txs, r.retries, r.waits, r.notices = nil, nil, nil, nil, nil, nil
}

func TestQueryHook(t *testing.T) {
	var r recorder
	c := open(t, postgres.Config{MaxConns: 1, Hooks: r.hooks()}).With(duet.Options{Name: "label"})
	newCounter(t, c)
	ctx := testContext(t)
	const canary = "c4n4ry"
	for name, f := range map[string]func(q duet.Querier) error{
		"Execute":    func(q duet.Querier) error { _, err := q.Execute(ctx, "select $1::text", canary); return err },
		"script":     func(q duet.Querier) error { _, err := q.Execute(ctx, "select 1; select 2"); return err },
		"Query":      func(q duet.Querier) error { var s []string; return q.Query(ctx, "select $1::text", &s, canary) },
		"QueryOne":   func(q duet.Querier) error { var s string; return q.QueryOne(ctx, "select $1::text", &s, canary) },
		"QueryJSON":  func(q duet.Querier) error { var j []byte; return q.QueryJSON(ctx, "select $1::text", &j, canary) },
		"error":      func(q duet.Querier) error { _, err := q.Execute(ctx, "select $1::int / 0", 1); return err },
		"argument":   func(q duet.Querier) error { _, err := q.Execute(ctx, "select $1::int", make(chan int)); return err },
		"no data":    func(q duet.Querier) error { return q.QueryOne(ctx, "select 1 where false", new(int)) },
		"Rows":       func(q duet.Querier) error { return readRows(q.Rows(ctx, "select generate_series(1, 5000)")) },
		"Rows error": func(q duet.Querier) error { return readRows(q.Rows(ctx, "selec")) },
		"Rows late error": func(q duet.Querier) error {
			return readRows(q.Rows(ctx, "select 1/(5000 - i) from generate_series(1, 9999) i"))
		},
		"Rows left": func(q duet.Querier) error {
			rows, err := q.Rows(ctx, "select generate_series(1, 5000)")
			if err != nil {
				return err
			}
			return rows.Close()
		},
	} {
		check := func(t *testing.T, inTx bool, f func() error) {
			t.Helper()
			r.reset()
			err := f()
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.started) != 1 || len(r.ended) != 1 {
				t.Fatalf("%d starts, %d ends", len(r.started), len(r.ended))
			}
			q, e := r.started[0], r.ended[0]
			if q.Name != "label" || q.Backend != "postgres" || q.InTx != inTx || q.Command == "" {
				t.Errorf("%+v", q)
			}
			if (e.Err == nil) != (err == nil) || err != nil && e.Err.Error() != err.Error() || e.Took <= 0 {
				t.Errorf("the hook was told %v, the caller %v", e.Err, err)
			}
			if err == nil && name != "Rows left" && e.Result.Status == "" {
				t.Errorf("%+v", e)
			}
			if strings.Contains(fmt.Sprintf("%+v %+v", q, e), canary) {
				t.Error("a value reached the hook")
			}
		}
		t.Run(name, func(t *testing.T) {
			check(t, false, func() error { return f(c) })
			_ = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				check(t, true, func() error { return f(tx) })
				return context.Canceled
			})
			conn, err := c.Acquire(ctx)
			must(t, err)
			defer conn.Release()
			check(t, false, func() error { return f(conn) })
		})
	}
}

func readRows(rows duet.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Close()
}

func TestTxAndRetryHooks(t *testing.T) {
	var r recorder
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 2, Hooks: r.hooks()})
	newCounter(t, c)
	ctx := testContext(t)
	r.reset()
	attempts := 0
	named := c.With(duet.Options{Name: "transfer"})
	must(t, named.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if attempts++; attempts < 3 {
			run(t, tx, "do $$ begin null; end $$")
			_, err := tx.Execute(ctx, "do $$ begin raise exception 'x' using errcode = '40001'; end $$")
			return err
		}
		return nil
	}))
	want := []string{"begin transfer 1", "end false", "begin transfer 2", "end false", "begin transfer 3", "end true"}
	if !slices.Equal(r.txs, want) {
		t.Errorf("%q", r.txs)
	}
	if len(r.retries) != 2 || r.retries[1].Attempt != 2 || r.retries[0].Class != retry.Conflict || r.retries[0].Name != "transfer" {
		t.Errorf("%+v", r.retries)
	}
	for name, f := range map[string]func(){
		"panic": func() {
			defer func() { _ = recover() }()
			_ = named.RawTx(ctx, func(context.Context, duet.Tx) error { panic("boom") })
		},
		"Conn": func() {
			conn, err := named.Acquire(ctx)
			must(t, err)
			defer conn.Release()
			_ = conn.RawTx(ctx, func(context.Context, duet.Tx) error { return errors.New("boom") })
		},
	} {
		r.reset()
		f()
		if !slices.Equal(r.txs, []string{"begin transfer 1", "end false"}) {
			t.Errorf("%s: %q", name, r.txs)
		}
	}
}

func TestOtherHooks(t *testing.T) {
	var r recorder
	c := open(t, postgres.Config{MaxConns: 1, Hooks: r.hooks()})
	if len(r.dials) != 1 || r.dials[0].Err != nil || r.dials[0].Host == "" || r.dials[0].Took <= 0 {
		t.Errorf("%+v", r.dials)
	}
	run(t, c, "do $$ begin raise notice 'hello' using detail = 'd', hint = 'h'; end $$")
	if len(r.notices) != 1 || r.notices[0].Message != "hello" || r.notices[0].Detail != "d" || r.notices[0].Severity != "NOTICE" {
		t.Errorf("%+v", r.notices)
	}
	r.reset()
	held, err := c.Acquire(testContext(t))
	must(t, err)
	_, err = c.With(duet.Options{Name: "late"}).Execute(shortContext(t), "select 1")
	wantIs(t, err, context.DeadlineExceeded)
	held.Release()
	if len(r.waits) != 1 || r.waits[0].Name != "late" || r.waits[0].Err == nil {
		t.Errorf("%+v", r.waits)
	}
}
