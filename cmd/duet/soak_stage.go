package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/faultproxy"
	"github.com/duetdb/duet/internal/pgtest"
)

const (
	soakClients = 3
	soakPool    = 12 // connections of each client: fewer than those who want one
)

// soakStage is the server, the proxy before it, and the clients.
type soakStage struct {
	opt    soakOptions
	shop   shop
	pg     *pgtest.Server
	edgedb *edgedbtest.Server // nil: the backend is PostgreSQL
	direct duet.Client        // to EdgeDB, without the proxy
	proxy  *faultproxy.Proxy
	start  time.Time

	clients  []soakClient
	injector *injector
	calls    atomic.Int64
	resolved resolvedCounts
	planted  plantedCuts // of the injector's goroutine, as is struck
	struck   int64

	mu         sync.Mutex
	restarts   []window
	restarted  map[string]int64 // by mode
	restartErr error            // the server did not come back
}

// clock is the time since the soak's start.
func (st *soakStage) clock() time.Duration { return time.Since(st.start) }

// newStage starts servers and the proxy, and fills the tables.
func newStage(ctx context.Context, s streams, opt soakOptions) (st *soakStage, err error) {
	st = &soakStage{opt: opt, start: time.Now(), restarted: map[string]int64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	st.pg, err = pgtest.Start(ctx, pgtest.Config{Log: s.err, Settings: map[string]string{
		// It is stopped as in a crash, too, and must not lose what it has committed.
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
	}})
	if errors.Is(err, pgtest.ErrNoPostgres) {
		return st, fmt.Errorf("%w\ninstall PostgreSQL", err)
	}
	if err != nil {
		return st, err
	}
	target := fmt.Sprintf("127.0.0.1:%d", st.pg.Port)
	if opt.backend == "edgedb" {
		if st.edgedb, err = edgedbtest.Start(ctx, edgedbtest.Config{Postgres: st.pg}); err != nil {
			return st, err
		}
		if st.direct, err = connect(ctx, st.edgedb.DSN(), clientOptions{maxConns: 2}); err != nil {
			return st, err
		}
		target = st.edgedb.Addr()
		st.shop = &edgeShop{server: st.pg, client: st.direct, accounts: opt.accounts}
	} else {
		st.shop = &postgresShop{server: st.pg, accounts: opt.accounts}
	}
	if st.proxy, err = faultproxy.Start(faultproxy.Config{Network: "tcp", Address: target, Raw: st.edgedb != nil, Seed: opt.seed}); err != nil {
		return st, err
	}
	if err := st.initTokens(ctx); err != nil {
		return st, fmt.Errorf("making the commit tokens' table: %w", err)
	}
	return st, st.shop.fill(ctx)
}

// server names what is soaked.
func (st *soakStage) server() string {
	if st.edgedb != nil {
		return "EdgeDB, a test server that speaks its protocol over PostgreSQL " + st.pg.Version
	}
	return "PostgreSQL " + st.pg.Version
}

// dsn is the server's, by way of the proxy.
func (st *soakStage) dsn() (string, error) {
	text := st.pg.DSN()
	if st.edgedb != nil {
		text = st.edgedb.DSN()
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the server's DSN cannot be read")
	}
	u.Host = st.proxy.Addr()
	if st.edgedb == nil {
		q := u.Query()
		q.Set("application_name", soakLabel)
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

// open makes the clients under test.
func (st *soakStage) open(ctx context.Context) error {
	dsn, err := st.dsn()
	if err != nil {
		return err
	}
	st.start = time.Now()
	hooks := duet.Hooks{CommitResolved: st.resolved.add}
	for range soakClients {
		w := newWitnesses(st.clock)
		client, err := backends.Connect(ctx, dsn, backends.Config{
			Postgres: postgres.Config{MaxConns: soakPool, Hooks: hooks, DialFunc: w.dial},
			EdgeDB:   edgedb.Config{MaxConns: soakPool, Hooks: hooks, WaitUntilAvailable: 2 * time.Second},
		})
		if err != nil {
			for _, c := range st.clients {
				err = closeClient(ctx, c, err)
			}
			return err
		}
		c := soakClient{Client: client}
		if st.edgedb == nil {
			c.conns = w
		}
		st.clients = append(st.clients, c)
	}
	return nil
}

// proofs are those that transfers ask for.
func (st *soakStage) proofs() []soakProof {
	if st.edgedb != nil {
		return []soakProof{proofToken, proofToken, proofToken, proofNone}
	}
	return []soakProof{proofID, proofID, proofID, proofToken, proofToken, proofToken, proofToken, proofNone}
}

// work lets all goroutines work, and injects faults, for the soak's duration.
func (st *soakStage) work(ctx context.Context, s streams) *ledgerBook {
	st.injector = &injector{
		plan: newSoakPlan(st.opt.seed, st.opt.every, st.edgedb != nil), proxy: st.proxy, clock: st.clock, others: map[string]int64{},
	}
	var pages []*page
	var workers sync.WaitGroup
	quit := make(chan struct{})
	for i := range st.opt.goroutines {
		w := &soakWorker{
			number: i, workers: st.opt.goroutines, shop: st.shop, clients: st.clients,
			accounts: st.opt.accounts, proofs: st.proofs(),
			rng: rand.New(rand.NewPCG(st.opt.seed, uint64(i))), page: newPage(), clock: st.clock, calls: &st.calls,
		}
		pages = append(pages, w.page)
		workers.Go(func() { w.run(ctx, quit) })
	}
	p := st.progress(s)
	faulty, calm := context.WithTimeout(ctx, st.opt.duration)
	var harm sync.WaitGroup
	harm.Go(func() { st.inject(faulty) })
	if st.edgedb == nil {
		harm.Go(func() { st.restart(faulty) })
	}
	<-faulty.Done()
	calm()
	harm.Wait()
	close(quit)
	workers.Wait() // each call has a ctx that ends
	p.stop()
	return bind(pages)
}

func (st *soakStage) progress(s streams) *progress {
	out := s.err
	if st.opt.json {
		out = io.Discard
	}
	p := &progress{out: out, inPlace: isTerminal(out), quit: make(chan struct{}), done: make(chan struct{})}
	p.line = func() string {
		return fmt.Sprintf("  %s of %s, %s calls", st.clock().Round(time.Second), st.opt.duration, grouped(st.calls.Load()))
	}
	every := 30 * time.Second
	if p.inPlace {
		every = 200 * time.Millisecond
	}
	go p.run(every)
	return p
}

// baseline is what there was before the clients were.
type soakBaseline struct{ goroutines int }

func (st *soakStage) baseline() soakBaseline { return soakBaseline{runtime.NumGoroutine()} }

// settle waits until the clients are calm, and sees that they work again.
func (st *soakStage) settle(ctx context.Context, p *page) {
	for i, c := range st.clients {
		last := "nothing was tried"
		ok, _ := until(ctx, 30*time.Second, func() (bool, error) {
			s := c.Pool().Stat()
			if s.InUse+s.Connecting+s.Closing+s.Waiting > 0 {
				last = fmt.Sprintf("%d connections in use, %d in the making, %d being closed, %d calls wait",
					s.InUse, s.Connecting, s.Closing, s.Waiting)
				return false, nil
			}
			one, stop := context.WithTimeout(ctx, 5*time.Second)
			defer stop()
			if err := c.Ping(one); err != nil {
				last = err.Error()
				return false, nil
			}
			return true, nil
		})
		if !ok && ctx.Err() == nil {
			p.offend(offenceNeverSettled, fmt.Sprintf("client %d, 30 s after the last fault: %s", i+1, last))
		}
	}
}

// leave closes the clients and sees that nothing of them is left.
func (st *soakStage) leave(ctx context.Context, p *page, before soakBaseline) {
	for i, c := range st.clients {
		if err := closeClient(ctx, c, nil); err != nil {
			p.offend(offenceNeverSettled, fmt.Sprintf("closing client %d: %v", i+1, err))
		}
	}
	st.socketsClosed(ctx, p)
	st.clients = nil
	var left int64
	gone, err := until(ctx, 30*time.Second, func() (bool, error) {
		var err error
		left, err = st.sessions(ctx)
		return left == 0, err
	})
	if err != nil || !gone && ctx.Err() == nil {
		p.offend(offenceNeverSettled, fmt.Sprintf("%d sessions are left at the server: %v", left, err))
	}
	if st.proxy != nil {
		st.proxy.Cut() // what the proxy and the server alone still hold
	}
	calm, _ := until(ctx, 15*time.Second, func() (bool, error) { return runtime.NumGoroutine() <= before.goroutines, nil })
	if !calm && ctx.Err() == nil {
		p.offend(offenceNeverSettled, fmt.Sprintf("%d goroutines are left, %d were there before:\n%s", runtime.NumGoroutine(), before.goroutines, goroutines()))
	}
}

// socketsClosed looks for sockets that a closed client has left open.
func (st *soakStage) socketsClosed(ctx context.Context, p *page) {
	for i, c := range st.clients {
		if c.conns == nil {
			continue
		}
		shut, _ := until(ctx, 15*time.Second, func() (bool, error) { return c.conns.count() == 0, nil })
		if !shut && ctx.Err() == nil {
			p.offend(offenceNeverSettled, fmt.Sprintf("client %d is closed, and has left %d sockets open", i+1, c.conns.count()))
		}
	}
}

// goroutines says, in a line for each, where goroutines are and who made them.
func goroutines() string {
	buf := make([]byte, 1<<20)
	var lines []string
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		frames := strings.Split(stack, "\n")
		var names []string
		for i := 1; i < len(frames); i += 2 {
			names = append(names, strings.TrimPrefix(frames[i], "github.com/duetdb/duet/"))
		}
		lines = append(lines, strings.Join(names, " < "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// close stops everything.
func (st *soakStage) close() error {
	var err error
	for _, c := range st.clients {
		err = closeClient(context.Background(), c, err)
	}
	if st.direct != nil {
		err = closeClient(context.Background(), st.direct, err)
	}
	if st.proxy != nil {
		err = errors.Join(err, st.proxy.Close())
	}
	if st.edgedb != nil {
		err = errors.Join(err, st.edgedb.Close())
	}
	if st.pg != nil {
		err = errors.Join(err, st.pg.Close())
	}
	return err
}
