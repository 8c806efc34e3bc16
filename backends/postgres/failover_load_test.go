package postgres_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

const writers = 16

// The replica takes over under load, in each of the ways in which an old primary
// goes: nothing that was told as committed is missing, and writing goes on with
// the same client.
func TestPromotionUnderLoad(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fence func(ctx context.Context, a, b *pgtest.Server) error
		after func(ctx context.Context, a *pgtest.Server) error
	}{
		{"stopped", func(ctx context.Context, a, _ *pgtest.Server) error { return a.Stop(ctx, "immediate") }, nil},
		{"demoted",
			func(ctx context.Context, a, b *pgtest.Server) error {
				if err := a.Stop(ctx, "fast"); err != nil {
					return err
				}
				return a.Follow(b, "former")
			},
			func(ctx context.Context, a *pgtest.Server) error { return a.Start(ctx) }},
		{"made read-only", func(ctx context.Context, a, _ *pgtest.Server) error {
			if err := a.Configure(ctx, map[string]string{"default_transaction_read_only": "on"}); err != nil {
				return err
			}
			time.Sleep(200 * time.Millisecond) // transactions that began before end
			return nil
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) { promoteUnderLoad(t, postgres.Config{}, tt.fence, tt.after) })
	}
}

// promoteUnderLoad fences the primary of a pair under load and promotes the
// replica. after, which may be nil, is what becomes of the old primary then.
func promoteUnderLoad(t *testing.T, cfg postgres.Config, fence func(context.Context, *pgtest.Server, *pgtest.Server) error,
	after func(context.Context, *pgtest.Server) error) {
	a, b := startPair(t, true)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	before := runtime.NumGoroutine()
	cfg.MaxConns = writers
	c := openDSN(t, both("application_name=writers&target_session_attrs=read-write", a, b), cfg)
	run(t, c, "create table ledger (k bigint primary key)")
	idle(t, c, writers)
	var l ledger
	load, end := context.WithCancel(ctx)
	wait := l.write(load, c, writers)
	defer wait()
	defer end()
	l.since(t, time.Now(), writers)
	time.Sleep(500 * time.Millisecond)

	must(t, fence(ctx, a, b))
	fenced := time.Now()
	must(t, b.Promote(ctx))
	promoted := time.Now()
	first, all := l.since(t, promoted, writers)
	t.Logf("promoting took %v; after it the first writer had committed in %v, all %d in %v",
		promoted.Sub(fenced).Round(time.Millisecond), first.Round(time.Millisecond), writers, all.Round(time.Millisecond))
	if first > 15*time.Second || all > 45*time.Second {
		t.Errorf("writing went on after %v, with all writers after %v", first, all)
	}
	if after != nil {
		must(t, after(ctx, a))
	}
	time.Sleep(500 * time.Millisecond)
	end()
	wait()
	l.check(t, b)
	allReturned(t, c)
	if n := sessions(t, b, "writers"); n == "0" || c.Pool().Stat().Total > writers {
		t.Errorf("%s sessions on the new primary, %+v", n, c.Pool().Stat())
	}
	if a.PID() != 0 {
		eventually(t, "no session lingers on the old primary", func() bool { return sessions(t, a, "writers") == "0" })
	}
	must(t, c.Close(ctx))
	eventually(t, "no session is left", func() bool { return sessions(t, b, "writers") == "0" })
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// One server restarts under load, and everybody goes on.
func TestRestartUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short, and it restarts servers")
	}
	for _, mode := range []string{"fast", "immediate"} {
		t.Run(mode, func(t *testing.T) {
			s := startServer(t, pgtest.Config{Settings: durable()})
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			before := runtime.NumGoroutine()
			c := openDSN(t, s.DSN()+"&application_name=writers", postgres.Config{MaxConns: writers})
			run(t, c, "create table ledger (k bigint primary key)")
			var l ledger
			load, end := context.WithCancel(ctx)
			wait := l.write(load, c, writers)
			defer wait()
			defer end()
			for range 3 {
				l.since(t, time.Now(), writers)
				time.Sleep(300 * time.Millisecond)
				down := time.Now()
				must(t, s.Restart(ctx, mode))
				up := time.Now()
				first, all := l.since(t, up, writers)
				t.Logf("restarting took %v; after it the first writer had committed in %v, all %d in %v",
					up.Sub(down).Round(time.Millisecond), first.Round(time.Millisecond), writers, all.Round(time.Millisecond))
			}
			end()
			wait()
			l.check(t, s)
			allReturned(t, c)
			must(t, c.Close(ctx))
			eventually(t, "no session is left", func() bool { return sessions(t, s, "writers") == "0" })
			eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// RetryingTx alone carries a transaction over a restart: the caller sees nothing
// of it.
func TestRetryingTxOverARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short, and it restarts a server")
	}
	s := startServer(t, pgtest.Config{Settings: durable()})
	retries := 0
	c := openDSN(t, s.DSN(), postgres.Config{MaxConns: 2, Hooks: duet.Hooks{Retry: func(context.Context, duet.RetryInfo) { retries++ }}})
	run(t, c, "create table t (n int)")
	ctx := testContext(t)
	must(t, s.Stop(ctx, "immediate"))
	started := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond) // for attempts that fail
		started <- s.Start(ctx)
	}()
	must(t, c.RetryingTx(ctx, doing("insert into t values (1)")))
	must(t, <-started)
	if n := value[int](t, c, "select count(*) from t"); retries == 0 || n != 1 {
		t.Errorf("%d rows after %d retries", n, retries)
	}
	t.Logf("%d retries", retries)
}
