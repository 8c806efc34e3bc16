package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

// Many goroutines do everything at once on few connections; the counter tells
// whether what was reported is what happened.
func TestStress(t *testing.T) {
	for _, size := range []int32{1, 3} {
		t.Run(itoa(int(size)), func(t *testing.T) {
			dsn := newDatabase(t)
			c := openDSN(t, dsn, postgres.Config{MaxConns: size, StatementCacheSize: 4})
			newCounter(t, c)
			var committed, unknown atomic.Int64
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			defer stop()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					for ctx.Err() == nil {
						act(t, ctx, c, &committed, &unknown)
					}
				})
			}
			wg.Wait()
			allReturned(t, c)
			n := int64(count(t, c))
			if low, high := committed.Load(), committed.Load()+unknown.Load(); n < low || n > high {
				t.Errorf("n is %d, want between %d and %d", n, low, high)
			}
			if got := value[string](t, c, mySetting); got != "none" {
				t.Errorf("my.x is %q", got)
			}
			t.Logf("%d increments, %d in doubt, %+v", committed.Load(), unknown.Load(), c.Pool().Stat())
		})
	}
}

// act does one random thing and judges its error.
func act(t *testing.T, ctx context.Context, c duet.Client, committed, unknown *atomic.Int64) {
	if rand.IntN(3) == 0 { // some are in a hurry
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(rand.IntN(4000))*time.Microsecond)
		defer stop()
	}
	counts := true
	var err error
	switch rand.IntN(9) {
	case 0:
		_, err = c.Execute(ctx, increment)
	case 1:
		var n int
		err = c.QueryOne(ctx, "update t set n = n + $by where id = 1 returning n", &n, duet.Named{"by": 1})
	case 2:
		err = c.RetryingTx(ctx, plusQuietly)
	case 3:
		err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, increment+" and 1/(n-n) > 0")
				return err
			})
			return tx.Nested(ctx, plusQuietly)
		})
	case 4:
		err = readRows(c.Rows(ctx, increment+" returning n"))
	case 5:
		counts = false
		var rows duet.Rows
		if rows, err = c.Rows(ctx, "select generate_series(1, 100000)"); err == nil {
			rows.Next()
			err = rows.Close()
		}
	case 6:
		counts = false
		var s string
		err = c.With(settings("my.x", "s")).QueryOne(ctx, mySetting, &s)
		if err == nil && s != "s" {
			t.Errorf("my.x is %q", s)
		}
	case 7:
		counts = false
		var conn duet.Conn
		if conn, err = c.Acquire(ctx); err == nil {
			_, err = conn.Execute(ctx, "set my.x = 'leak'")
			conn.Release()
		}
	case 8:
		counts = false
		var s string
		err = c.QueryOne(ctx, mySetting, &s)
		if err == nil && s != "none" {
			t.Errorf("my.x is %q: it has leaked", s)
		}
	}
	e, _ := errors.AsType[*duet.Error](err)
	switch {
	case err == nil && counts:
		committed.Add(1)
	case err == nil:
	case errors.Is(err, duet.ErrCommitUnknown), e != nil && e.Outcome == duet.OutcomeUnknown:
		unknown.Add(1)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, duet.ErrSerialization):
	default:
		t.Errorf("%v", err)
	}
}

// The server is restarted under transfers: no money is made or lost, and no
// error is of a kind that is not allowed.
func TestTransfersUnderRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it restarts servers")
	}
	s := startServer(t, pgtest.Config{Settings: map[string]string{"fsync": "on", "synchronous_commit": "on"}})
	c := openDSN(t, s.DSN(), postgres.Config{MaxConns: 6})
	run(t, c, "create table a (id int primary key, n int not null); insert into a select i, 1000 from generate_series(1, 20) i; create table done (id int primary key)")
	var wg sync.WaitGroup
	var known, lost, failed atomic.Int64
	var next atomic.Int32
	stop := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := next.Add(1)
				err := c.RetryingTx(t.Context(), transfer(id))
				switch {
				case err == nil:
					known.Add(1)
				case errors.Is(err, duet.ErrCommitUnknown):
					lost.Add(1)
				case errors.Is(err, duet.ErrUnavailable), errors.Is(err, duet.ErrSerialization), errors.Is(err, duet.ErrDeadlock):
					failed.Add(1)
				default:
					t.Errorf("%v", err)
				}
			}
		})
	}
	for _, mode := range []string{"fast", "immediate", "fast"} {
		time.Sleep(400 * time.Millisecond) // time to work, not to be right
		must(t, s.Restart(testContext(t), mode))
	}
	time.Sleep(400 * time.Millisecond)
	close(stop)
	wg.Wait()
	allReturned(t, c)
	if sum := value[int](t, c, "select sum(n)::int from a"); sum != 20000 {
		t.Errorf("the sum is %d, want 20000", sum)
	}
	n := value[int64](t, c, "select count(*) from done")
	if n < known.Load() || n > known.Load()+lost.Load() {
		t.Errorf("%d transfers are in the table; %d were reported, %d in doubt", n, known.Load(), lost.Load())
	}
	t.Logf("%d committed, %d in doubt, %d given up; %d in the table", known.Load(), lost.Load(), failed.Load(), n)
}

func transfer(id int32) func(context.Context, duet.Tx) error {
	from, to := rand.IntN(20)+1, rand.IntN(20)+1
	return func(ctx context.Context, tx duet.Tx) error {
		if _, err := tx.Execute(ctx, "update a set n = n - 1 where id = $1", from); err != nil {
			return err
		}
		if _, err := tx.Execute(ctx, "update a set n = n + 1 where id = $1", to); err != nil {
			return err
		}
		_, err := tx.Execute(ctx, "insert into done values ($1)", id)
		return err
	}
}
