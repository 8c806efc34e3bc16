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

// storm is what a great many cancellations came to.
type storm struct {
	late     lateness
	struck   atomic.Int64 // cancelled while the statement ran
	waiting  atomic.Int64 // cancelled while waiting for the pool
	finished atomic.Int64 // answered before their ctx ended
	after    atomic.Int64 // calls after one that was cancelled
}

// TestCancelStorm cancels pg_sleep a thousand times at random moments, half of
// them by cancel and half by a deadline, on a pool that is too small. Each call
// is back soon after its ctx's end, nobody else is hit, there are never more
// connections than the pool has room for, and nearly all of them survive.
func TestCancelStorm(t *testing.T) {
	const goroutines, size, wanted = 16, 4, 1000
	dsn := newDatabase(t)
	var s sockets
	c := openDSN(t, dsn, postgres.Config{MaxConns: size, DialFunc: s.dial})
	most := watchSessions(t, dsn)
	var st storm
	var wg sync.WaitGroup
	began := time.Now()
	for range goroutines {
		wg.Go(func() {
			for st.struck.Load() < wanted && !t.Failed() && time.Since(began) < 5*time.Minute {
				st.once(t, c)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	allReturned(t, c)
	open, mostOpen, sessions, cancels := s.figures()
	lost := sessions - size
	survived := 100 * (1 - float64(lost)/float64(st.struck.Load()))
	t.Logf("%d cancelled in their statement, %d while waiting, %d answered first, %d calls after them, in %v", st.struck.Load(), st.waiting.Load(), st.finished.Load(), st.after.Load(), took.Round(time.Millisecond))
	t.Logf("back after ctx's end: %v", &st.late)
	t.Logf("connections: %d made in all, at most %d at once (the server saw %d), %d now; %d CancelRequests; %.1f%% survived", sessions, mostOpen, most(), open, cancels, survived)
	if st.struck.Load() < wanted {
		t.Errorf("%d cancellations in %v, want %d", st.struck.Load(), took, wanted)
	}
	if mostOpen > size {
		t.Errorf("%d connections at once, the pool has room for %d", mostOpen, size)
	}
	if survived < 95 {
		t.Errorf("%.1f%% of the connections survived, want 95%%", survived)
	}
	if worst := st.late.at(100); worst > 2*time.Second {
		t.Errorf("a call was back %v after its ctx's end", worst)
	}
	if p99 := st.late.at(99); p99 > 50*time.Millisecond && !testing.Short() && !raceEnabled() {
		t.Errorf("of 100 calls one was back later than %v after its ctx's end, want 50ms", p99)
	}
}

// once cancels a pg_sleep at a random moment and then makes a call that nobody
// cancels.
func (st *storm) once(t *testing.T, c duet.Client) {
	delay := time.Duration(rand.Int64N(int64(30 * time.Millisecond)))
	var ended time.Time
	var ctx context.Context
	var stop context.CancelFunc
	timed := make(chan struct{})
	if rand.IntN(2) == 0 {
		ended = time.Now().Add(delay)
		ctx, stop = context.WithDeadline(context.Background(), ended)
		close(timed)
	} else {
		ctx, stop = context.WithCancel(context.Background())
		time.AfterFunc(delay, func() {
			ended = time.Now()
			close(timed)
			stop()
		})
	}
	var err error
	switch rand.IntN(3) {
	case 0: // its answer may come at the same moment
		_, err = c.Execute(ctx, "select pg_sleep($1)", rand.Float64()*0.02)
	case 1:
		var out []string
		err = c.Query(ctx, "select pg_sleep(0.025)::text from generate_series(1, 2)", &out)
	default:
		err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "select pg_sleep(0.03)")
			return err
		})
	}
	back := time.Now()
	<-timed
	defer stop()
	switch {
	case err == nil:
		st.finished.Add(1)
		return
	case !back.After(ended):
		t.Errorf("it failed before its ctx ended: %v", err)
		return
	case !errors.Is(err, ctx.Err()):
		t.Errorf("got %v, want %v", err, ctx.Err())
		return
	}
	st.late.add(back.Sub(ended))
	if errors.Is(err, duet.ErrPoolExhausted) {
		st.waiting.Add(1)
	} else {
		st.struck.Add(1)
	}
	long, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	want := rand.IntN(1 << 30)
	got, err := duet.QueryOne[int](long, c, "select $1::int from pg_sleep(0.001)", want)
	if err != nil || got != want {
		t.Errorf("the next call: %d, %v, want %d", got, err, want)
	}
	st.after.Add(1)
}

// watchSessions looks again and again how many sessions the server has, and gives
// the function that tells the most that were seen. The server's count lags behind the
// sockets': a backend notices the end of its socket later.
func watchSessions(t *testing.T, dsn string) (most func() int) {
	t.Helper()
	c, err := pgtest.Dial(testContext(t), dsn)
	must(t, err)
	stop, n := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			rows, err := c.Exec(context.Background(), "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
			if err != nil {
				t.Error(err)
				return
			}
			n = max(n, len(rows))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() int {
		close(stop)
		wg.Wait()
		_ = c.Close()
		return n
	}
}

// raceEnabled says whether the race detector is on: sync.Pool then drops some of
// what it is given.
func raceEnabled() bool {
	pool := sync.Pool{}
	for range 200 {
		pool.Put(new(int))
		if pool.Get() == nil {
			return true
		}
	}
	return false
}
