package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/pgtest"
)

// durable are the settings of a server that must keep what it says it has.
func durable() map[string]string {
	return map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
}

// startPair starts a primary and a streaming replica. With waits, commits wait
// for the replica.
func startPair(t *testing.T, waits bool) (primary, replica *pgtest.Server) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short, and it starts two servers")
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var cfg pgtest.Config
	if waits {
		cfg.Settings = durable()
	}
	primary = startServer(t, cfg)
	replica, err := primary.StartReplica(ctx, pgtest.ReplicaConfig{Name: "second"})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = replica.Close() })
	if waits {
		must(t, primary.Configure(ctx, map[string]string{"synchronous_standby_names": "second"}))
		must(t, primary.AwaitReplica(ctx, "second"))
	}
	return primary, replica
}

// address is where a server listens.
func address(s *pgtest.Server) string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// both makes a DSN of servers, in this order.
func both(query string, servers ...*pgtest.Server) string {
	var at []string
	for _, s := range servers {
		at = append(at, address(s))
	}
	return hosts(nil, query, at...)
}

// askPort says which server a connection is to.
const askPort = "select inet_server_port()"

// sessions counts the sessions that clients of a name have on a server.
func sessions(t *testing.T, s *pgtest.Server, name string) string {
	t.Helper()
	return observe(t, s.DSN()).one("select count(*) from pg_stat_activity where application_name = '" + name + "'")
}

// replicated waits until the replica has all that the primary has now.
func replicated(t *testing.T, primary, replica *pgtest.Server) {
	t.Helper()
	at := observe(t, primary.DSN()).one("select pg_current_wal_insert_lsn()")
	o := observe(t, replica.DSN())
	eventually(t, "the replica has everything", func() bool {
		return o.one("select pg_last_wal_replay_lsn() >= '"+at+"'") == "t"
	})
}

// ledger is what writers were told.
type ledger struct {
	mu                         sync.Mutex
	committed, failed, unknown map[int]bool
	last                       map[int]time.Time // of each writer's last commit
	why                        map[duet.Kind]int // errors
	sample                     map[duet.Kind]error
}

// write runs writers, each of which inserts keys of its own in transactions, until ctx
// ends. The function it gives waits for them.
func (l *ledger) write(ctx context.Context, c duet.Client, writers int) (wait func()) {
	l.committed, l.failed, l.unknown = map[int]bool{}, map[int]bool{}, map[int]bool{}
	l.last, l.why, l.sample = map[int]time.Time{}, map[duet.Kind]int{}, map[duet.Kind]error{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for key := w; ctx.Err() == nil; key += writers {
				// The end of the test does not interrupt: each writer is told something.
				bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				err := c.RetryingTx(bounded, func(ctx context.Context, tx duet.Tx) error {
					if _, err := tx.Execute(ctx, "select count(*) from ledger where k = $1", key); err != nil {
						return err
					}
					_, err := tx.Execute(ctx, "insert into ledger (k) values ($1)", key)
					return err
				})
				stop()
				l.note(w, key, err)
				if err != nil {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	return wg.Wait
}

func (l *ledger) note(writer, key int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.committed[key], l.last[writer] = true, time.Now()
		return
	case duet.KindOf(err) == duet.KindCommitUnknown:
		l.unknown[key] = true
	default:
		l.failed[key] = true
	}
	l.why[duet.KindOf(err)]++
	l.sample[duet.KindOf(err)] = err
}

// since gives when, after a moment, the first and the last of the writers
// committed something for the first time that was seen; it waits for that.
func (l *ledger) since(t *testing.T, start time.Time, writers int) (first, all time.Duration) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		n := 0
		l.mu.Lock()
		for _, at := range l.last {
			if at.After(start) {
				n++
			}
		}
		l.mu.Unlock()
		now := time.Since(start)
		if n > 0 && first == 0 {
			first = now
		}
		if n == writers {
			return first, now
		}
		if time.Now().After(deadline) {
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Fatalf("%d of %d writers have gone on after a minute: %v, such as %v", n, writers, l.why, l.sample)
		}
		time.Sleep(time.Millisecond)
	}
}

// check compares the table with what was told.
func (l *ledger) check(t *testing.T, s *pgtest.Server) {
	t.Helper()
	there := map[string]bool{}
	for _, k := range observe(t, s.DSN()).do("select k from ledger") {
		there[k] = true
	}
	lost, wrong, applied := 0, 0, 0
	for k := range l.committed {
		if !there[itoa(k)] {
			lost++
		}
	}
	for k := range l.failed {
		if there[itoa(k)] {
			wrong++
		}
	}
	for k := range l.unknown {
		if there[itoa(k)] {
			applied++
		}
	}
	t.Logf("told committed %d, failed %d, unknown %d (%d of them applied); rows %d; errors %v",
		len(l.committed), len(l.failed), len(l.unknown), applied, len(there), l.why)
	if lost > 0 || wrong > 0 {
		t.Errorf("%d were told as committed and are missing, %d were told as failed and are there", lost, wrong)
	}
	if len(l.committed) == 0 || len(there) != len(l.committed)+applied {
		t.Errorf("%d rows of %d commits and %d unknown ones that were applied", len(there), len(l.committed), applied)
	}
}

// dials records the attempts to connect.
type dials struct {
	mu  sync.Mutex
	all []duet.ConnectInfo
}

func (d *dials) hooks() duet.Hooks {
	return duet.Hooks{Connect: func(_ context.Context, i duet.ConnectInfo) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all = append(d.all, i)
	}}
}

// take gives the hosts of the attempts since the last take.
func (d *dials) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var at []string
	for _, i := range d.all {
		at = append(at, i.Host)
	}
	d.all = nil
	return at
}

// idle opens n connections and leaves them idle.
func idle(t *testing.T, c duet.Client, n int) {
	t.Helper()
	var lent []duet.Conn
	for range n {
		conn, err := c.Acquire(testContext(t))
		must(t, err)
		lent = append(lent, conn)
	}
	for _, conn := range lent {
		conn.Release()
	}
	if s := c.Pool().Stat(); int(s.Idle) != n {
		t.Fatalf("%+v", s)
	}
}
