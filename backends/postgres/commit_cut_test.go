package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// watched is a proxy whose last messages are known by name.
type watched struct {
	*faultproxy.Proxy
	mu   sync.Mutex
	seen [2][]string
}

func watch(t *testing.T, dsn string) *watched {
	t.Helper()
	network, address := serverOf(t, dsn)
	w := &watched{}
	p, err := faultproxy.Start(faultproxy.Config{Network: network, Address: address, Seed: 1, Watch: func(m faultproxy.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		name := m.String()
		if i := strings.Index(name, "SELECT pg_catalog.pg_current_xact_id"); i > 0 {
			name = name[:i] + `the look"`
		}
		w.seen[m.From] = append(w.seen[m.From], name)
	}})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	w.Proxy = p
	return w
}

// forget begins a new list of messages.
func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = [2][]string{}
}

// nth is the name of a message since forget.
func (w *watched) nth(side faultproxy.Side, i int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i < len(w.seen[side]) {
		return w.seen[side][i]
	}
	return "?"
}

var pointNames = map[faultproxy.Point]string{faultproxy.Before: "before", faultproxy.Inside: "inside", faultproxy.After: "after"}

// TestCutAtEachMessage cuts the connection before, inside and after each message
// of a transaction in turn, in both directions, and holds what the caller is told
// against the table. It prints the table.
func TestCutAtEachMessage(t *testing.T) {
	for _, mode := range []struct {
		name string
		opt  duet.Options
	}{{"id", duet.Options{}}, {"token", duet.Options{ExactlyOnce: duet.On}}} {
		for _, kind := range txKinds[:3] {
			t.Run(mode.name+"/"+kind.name, func(t *testing.T) {
				dsn := newDatabase(t)
				w := watch(t, dsn)
				c := openDSN(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, Options: mode.opt, DialFunc: dialTo(w.Addr())})
				run(t, c, postgres.CommitTokenSchema)
				newCounter(t, c)
				o := observe(t, dsn)
				cut := cutter{t: t, w: w, c: c, o: o, retries: kind.name == "RetryingTx", attempt: func(fn func(context.Context, duet.Tx) error) error {
					return kind.run(c, testContext(t), fn)
				}}
				for _, side := range []faultproxy.Side{faultproxy.Client, faultproxy.Server} {
					for i := 0; cut.at(side, i); i++ {
					}
				}
				t.Logf("\n%s", cut.table.String())
				if cut.rows < 60 {
					t.Errorf("only %d cuts: the transaction has more messages", cut.rows)
				}
				allReturned(t, c)
			})
		}
	}
}

// serverOf is where a DSN leads to.
func serverOf(t testing.TB, dsn string) (network, address string) {
	t.Helper()
	c, err := postgres.Connect(t.Context(), dsn, postgres.Config{DialFunc: func(ctx context.Context, n, a string) (net.Conn, error) {
		network, address = n, a
		return new(net.Dialer).DialContext(ctx, n, a)
	}})
	must(t, err)
	must(t, c.Close(t.Context()))
	return network, address
}

// dialTo leads every connection to one address.
func dialTo(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
}

type cutter struct {
	t       *testing.T
	w       *watched
	c       duet.Client
	o       observer
	retries bool
	attempt func(func(context.Context, duet.Tx) error) error
	table   strings.Builder
	rows    int
}

// at cuts at the ith message of a side, in three places. It says false where the
// transaction has no such message.
func (c *cutter) at(side faultproxy.Side, i int) bool {
	for _, point := range []faultproxy.Point{faultproxy.Before, faultproxy.Inside, faultproxy.After} {
		twoAlive(c.t, c.c)
		for range 20 { // each earns a part of a retry
			must(c.t, c.c.RetryingTx(c.t.Context(), func(context.Context, duet.Tx) error { return nil }))
		}
		before := c.o.one("select n from t where id = 1")
		c.w.forget()
		planted := c.w.Add(faultproxy.Rule{From: side, Skip: i, At: point, Do: faultproxy.Cut})
		attempts := 0
		err := c.attempt(func(ctx context.Context, tx duet.Tx) error {
			attempts++
			if _, err := tx.Execute(ctx, increment); err != nil {
				return err
			}
			var n int
			return tx.QueryOne(ctx, "select n from t where id = 1", &n)
		})
		struck := planted.Fired() == 1
		planted.Remove()
		if !struck {
			return false
		}
		c.judge(pointNames[point]+" "+c.w.nth(side, i), attempts, err, before)
	}
	return true
}

// twoAlive waits until two of the pool's connections answer.
func twoAlive(t testing.TB, c duet.Client) {
	t.Helper()
	eventually(t, "two connections are there", func() bool { return c.Pool().Stat().Idle >= 2 })
	var conns [2]duet.Conn
	for i := range conns {
		var err error
		eventually(t, "a connection answers", func() bool {
			if conns[i], err = c.Acquire(testContext(t)); err != nil {
				return false
			}
			if _, err = conns[i].Execute(testContext(t), "select 1"); err != nil {
				conns[i].Release()
			}
			return err == nil
		})
	}
	for _, conn := range conns {
		conn.Release()
	}
	eventually(t, "they are idle again", func() bool { return c.Pool().Stat().Idle >= 2 })
}

// judge holds what was told against what is there.
func (c *cutter) judge(where string, attempts int, err error, before string) {
	applied := c.o.one("select n - " + before + " from t where id = 1")
	told := "committed"
	switch {
	case errors.Is(err, duet.ErrCommitUnknown):
		told = "unknown"
	case err != nil:
		told = "not applied"
	}
	c.rows++
	fmt.Fprintf(&c.table, "%-60s attempts %d, told %s, applied %s\n", where, attempts, told, applied)
	truth := map[string]string{"committed": "1", "not applied": "0"}[told]
	if truth != applied {
		c.t.Errorf("%s: told %s (%v), applied %s times", where, told, err, applied)
	}
	if c.retries && err != nil {
		c.t.Errorf("%s: RetryingTx failed: %v", where, err)
	}
}
