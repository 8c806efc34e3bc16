package conformance_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// The outage that is meant lasts 30 seconds, and meets 20 transactions in each of
// them. The test offers as many in less time: bursts and earnings of the retry
// budget count calls, and what it gains by time alone is added to what is measured.
// go test -run TestOutage ./conformance -outage 30s has it in full length.
const (
	outageMeant = 30 * time.Second
	outageCalls = 600
	extraLoad   = 0.2
)

var outageLasts = flag.Duration("outage", 3*time.Second, "how long TestOutage's outages last")

// gate stands before a server, and can be shut.
type gate struct {
	target   string
	addr     string
	accepted atomic.Int64

	mu       sync.Mutex
	listener net.Listener // nil while it refuses
	cutting  bool         // takes connections, and ends them at once
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

func newGate(t *testing.T, target string) *gate {
	g := &gate{target: target, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	g.listen(t)
	t.Cleanup(func() { g.shut(false); g.wg.Wait() })
	return g
}

func (g *gate) listen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener, g.addr, g.cutting = listener, listener.Addr().String(), false
	g.wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			g.accepted.Add(1)
			g.wg.Go(func() { g.forward(nc) })
		}
	})
}

// open lets everybody in again.
func (g *gate) open(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	refuses := g.listener == nil
	g.cutting = false
	g.mu.Unlock()
	if refuses {
		g.listen(t)
	}
}

// shut ends all connections, and from now on new ones too, or refuses them.
func (g *gate) shut(cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cutting = true
	if !cut && g.listener != nil {
		g.listener.Close()
		g.listener = nil
	}
	for nc := range g.conns {
		nc.Close()
	}
}

func (g *gate) enter(nc net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cutting {
		return false
	}
	g.conns[nc] = true
	return true
}

func (g *gate) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !g.enter(client) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(server, client); server.Close() })
	wg.Go(func() { _, _ = io.Copy(client, server); client.Close() })
	wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, client)
}

// outage is one client with the gate that it connects through, and what it did.
type outage struct {
	gate     *gate
	client   duet.Client
	add      string
	attempts atomic.Int64 // of transactions
	dials    atomic.Int64
}

func (o *outage) hooks() duet.Hooks {
	return duet.Hooks{
		Tx: func(context.Context, duet.TxInfo) (context.Context, func(error)) {
			o.attempts.Add(1)
			return nil, nil
		},
		Connect: func(context.Context, duet.ConnectInfo) { o.dials.Add(1) },
	}
}

// through gives the URI with the gate's address, and the gate.
func (o *outage) through(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	o.gate = newGate(t, u.Host)
	u.Host = o.gate.addr
	return u.String()
}

func outageOnPostgres(t *testing.T) *outage {
	o := &outage{}
	var err error
	o.client, err = postgres.Connect(t.Context(), o.through(t, pgtest.Shared(t).NewDatabase(t)), postgres.Config{MaxConns: 4, Hooks: o.hooks()})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func outageOnEdgeDB(t *testing.T) *outage {
	o := &outage{}
	var err error
	o.client, err = edgedb.Connect(t.Context(), o.through(t, edgedbtest.Shared(t).NewBranch(t)), edgedb.Config{
		MaxConns: 4, Hooks: o.hooks(), WaitUntilAvailable: -1, // otherwise it goes on connecting by itself
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// call makes one transaction.
func (o *outage) call(ctx context.Context) error {
	return o.client.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, o.add, "ada", int64(1))
		return err
	})
}

// offer makes calls at an even pace, whatever becomes of them, and gives how many
// succeeded, how many failed otherwise than by an unavailable server, and one of those.
func (o *outage) offer(ctx context.Context, n int, over time.Duration) (wait func() (good, odd int64, example error)) {
	var good, odd atomic.Int64
	var example atomic.Pointer[error]
	var wg sync.WaitGroup
	tick := time.NewTicker(over / time.Duration(n))
	defer tick.Stop()
	for range n {
		wg.Go(func() {
			switch err := o.call(ctx); {
			case err == nil:
				good.Add(1)
			case !errors.Is(err, duet.ErrUnavailable):
				odd.Add(1)
				example.Store(&err)
			}
		})
		<-tick.C
	}
	return func() (int64, int64, error) {
		wg.Wait()
		if err := example.Load(); err != nil {
			return good.Load(), odd.Load(), *err
		}
		return good.Load(), 0, nil
	}
}

// TestOutage holds that retries add little to the load of a server that is away,
// and that the client is back at once when the server is.
func TestOutage(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *outage{"postgres": outageOnPostgres, "edgedb": outageOnEdgeDB} {
		for _, cut := range []bool{true, false} {
			how := map[bool]string{true: "cuts", false: "refuses"}[cut]
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel() // it waits most of the time
				o := start(t)
				defer func() {
					if err := o.client.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}()
				o.setUp(t)
				o.run(t, cut)
			})
		}
	}
}

// setUp makes what the calls need.
func (o *outage) setUp(t *testing.T) {
	t.Helper()
	dialect := o.client.Backend().Dialect
	o.add = queries.Get("add_to_balance").Text(dialect)
	for _, name := range []string{"setup_color", "setup_account"} {
		if _, err := o.client.Execute(t.Context(), queries.Get(name).Text(dialect)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := o.client.Execute(t.Context(), queries.Get("insert_account").Text(dialect), "ada", int64(0)); err != nil {
		t.Fatal(err)
	}
}

func (o *outage) run(t *testing.T, cut bool) {
	ctx, lasts := t.Context(), *outageLasts
	total, odd, err := o.offer(ctx, 40, 200*time.Millisecond)()
	if total != 40 {
		t.Fatalf("before the outage %d of 40 calls succeeded, %d failed oddly (%v)", total, odd, err)
	}
	o.gate.shut(cut)
	o.attempts.Store(0)
	o.dials.Store(0)
	o.gate.accepted.Store(0)
	wait := o.offer(ctx, outageCalls, lasts)
	attempts, dials, accepted := o.attempts.Load(), o.dials.Load(), o.gate.accepted.Load()
	o.gate.open(t)

	// The server is back: whoever comes now does not pay for what was.
	back, begin := int64(0), time.Now()
	for range 20 {
		if err := o.call(ctx); err != nil {
			t.Errorf("after the outage: %v", err)
		} else {
			back++
		}
	}
	took := time.Since(begin)
	if took > 4*time.Second {
		t.Errorf("the first 20 calls after the outage took %v", took)
	}
	late, odd, err := wait()
	if odd > 0 {
		t.Errorf("%d calls failed otherwise than by an unavailable server: %v", odd, err)
	}
	refill := 10.0 / 100 * (outageMeant - lasts).Seconds() // a hundredth of the burst each second
	retries := float64(attempts-outageCalls) + refill
	connects := float64(dials-outageCalls) + refill
	t.Logf("%d calls in %v: %d attempts, %d attempts to connect (%d reached the server's door); as in %v: %.1f%% more attempts, %.1f%% more connecting; "+
		"%d calls that still waited succeeded afterwards, and 20 new ones took %v", outageCalls, lasts, attempts, dials, accepted, outageMeant,
		100*retries/outageCalls, 100*connects/outageCalls, late, took.Round(time.Millisecond))
	if retries >= extraLoad*outageCalls || connects >= extraLoad*outageCalls {
		t.Errorf("retries add %.1f%% attempts and %.1f%% connecting, want less than %.0f%%", 100*retries/outageCalls, 100*connects/outageCalls, 100*extraLoad)
	}
	if attempts <= outageCalls {
		t.Errorf("%d attempts of %d calls: nothing was retried", attempts, outageCalls)
	}
	var balance int64
	text := queries.Get("balance").Text(o.client.Backend().Dialect)
	if err := o.client.QueryOne(ctx, text, &balance, "ada"); err != nil || balance != total+back+late {
		t.Errorf("ada's balance is %d (%v), but %d calls succeeded", balance, err, total+back+late)
	}
}
