// Package faultproxy is a TCP proxy that sits before a PostgreSQL server,
// understands the messages of its protocol, and does harm at named points: it
// cuts, stalls, delays, splits, swallows and corrupts.
//
//	p, err := faultproxy.Start(faultproxy.Config{Network: "tcp", Address: server})
//	lost := p.Add(faultproxy.Rule{From: faultproxy.Server, Type: 'C', Text: "COMMIT", Do: faultproxy.Cut})
//
// cuts before the answer to the first COMMIT: the server has committed, and the
// client never hears it. With From: Client, Type: 'E' (or 'Q') the server never
// saw that COMMIT.
//
// A message is held back until the rules have seen it, and messages that came in
// one segment are treated one by one. Of a long message only the beginning is
// held; the rest streams.
//
// TLS is passed through: after the server's consent a connection's messages are
// not seen any more, and rules by Bytes and Age alone apply. In raw mode, which
// serves for other protocols, they do so from the beginning.
//
// What a proxy draws at random (chances, jitters, sizes, places) comes from
// generators that are seeded with Config.Seed and the connection's number, one
// for each direction: the same traffic gets the same faults.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout bounds how long the proxy tries to reach its target.
const dialTimeout = 10 * time.Second

// Config says what a proxy stands before.
type Config struct {
	// Network and Address are the target's, as net.Dial takes them: "tcp" and
	// host:port, or "unix" and the socket's path.
	Network, Address string
	// Raw is for targets that do not speak PostgreSQL's protocol, or that speak
	// it under TLS: no messages are seen.
	Raw bool
	// Seed decides what the proxy draws at random.
	Seed uint64
	// Latency is how long each byte is under way, in each direction, and Jitter
	// by how much less or more, evenly distributed. Bytes arrive in order, and
	// what is under way at the same time does not wait for each other; no more
	// than 16 MiB are. Connecting costs no latency. See SetLatency.
	Latency, Jitter time.Duration
	// Watch is told of each message before it passes, except in raw mode and
	// under TLS. It is called from several goroutines, for each direction of a
	// connection in order, and holds the message up. Nil: nobody is told.
	Watch func(Message)
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	cfg      Config
	listener net.Listener
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	wg       sync.WaitGroup

	latency, jitter atomic.Int64
	rules           atomic.Pointer[ruleSet]
	opened          atomic.Int64
	numbered        atomic.Int64
	cancels         atomic.Int64

	mu              sync.Mutex // of all below, and of changes of rules
	network, target string
	conns           map[*conn]struct{}
	counts          map[string]*atomic.Int64
	closed          bool
}

// ruleSet are the rules of a moment, by the side whose messages they are about,
// in the order in which they were added.
type ruleSet [2][]*Planted

// Start listens on a free port of 127.0.0.1. The target is dialled for each
// connection; it need not be there yet.
func Start(cfg Config) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultproxy: listening: %w", err)
	}
	p := &Proxy{
		cfg: cfg, listener: l, network: cfg.Network, target: cfg.Address,
		conns: map[*conn]struct{}{}, counts: map[string]*atomic.Int64{},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.rules.Store(&ruleSet{})
	p.SetLatency(cfg.Latency, cfg.Jitter)
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is the proxy's own address, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close stops listening, cuts all connections and waits for all goroutines. It is
// idempotent.
func (p *Proxy) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	var err error
	if first {
		p.stop()
		err = p.listener.Close()
		p.Clear()
		p.Cut()
	}
	p.wg.Wait()
	return err
}

// SetTarget changes what later connections go to. Open ones stay where they are.
func (p *Proxy) SetTarget(network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.target = network, address
}

// SetLatency changes Config.Latency and Config.Jitter, for what is read from now
// on, on open connections too.
func (p *Proxy) SetLatency(latency, jitter time.Duration) {
	p.latency.Store(int64(latency))
	p.jitter.Store(int64(jitter))
}

// Cut closes all connections, and says how many of those that Open counts.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	all := make([]*conn, 0, len(p.conns))
	n := 0
	for c := range p.conns {
		all = append(all, c)
		if c.counted {
			n++
		}
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.cut(false) })
	}
	wg.Wait()
	return n
}

// Open is how many connections are open now: of clients that sent a startup
// packet (or began with TLS; in raw mode, that connected) and were not closed.
// Cancel requests are not among them.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for c := range p.conns {
		if c.counted {
			n++
		}
	}
	return n
}

// Opened is how many connections there have ever been, counted as Open does. A
// cancel request that is sent under TLS cannot be told from a connection.
func (p *Proxy) Opened() int64 { return p.opened.Load() }

// Add plants a rule. It holds for open connections too, from the next message of
// each. Several rules may strike one message: in the order of their points in it,
// then of their adding.
func (p *Proxy) Add(r Rule) *Planted {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.counts[r.Name]
	if count == nil {
		count = new(atomic.Int64)
		p.counts[r.Name] = count
	}
	planted := &Planted{rule: r, proxy: p, count: count, struck: make(chan struct{}), gone: make(chan struct{})}
	side := r.From & 1
	old := p.rules.Load()
	rules := *old
	rules[side] = append(slices.Clip(old[side]), planted)
	p.rules.Store(&rules)
	for c := range p.conns {
		c.pipe(side).wake()
	}
	return planted
}

// forget takes a rule out of the set.
func (p *Proxy) forget(planted *Planted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	side := planted.rule.From & 1
	old := p.rules.Load()
	rules := *old
	rules[side] = slices.DeleteFunc(slices.Clone(old[side]), func(q *Planted) bool { return q == planted })
	p.rules.Store(&rules)
}

// Clear removes all rules, as Planted.Remove does. What has fired stays counted.
func (p *Proxy) Clear() {
	rules := p.rules.Load()
	for _, planted := range slices.Concat(rules[0], rules[1]) {
		planted.Remove()
	}
}

// Fired is how often rules have fired, by their names; removed ones are among
// them, and those that have not fired.
func (p *Proxy) Fired() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	fired := make(map[string]int64, len(p.counts))
	for name, n := range p.counts {
		fired[name] = n.Load()
	}
	return fired
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the client is gone again
			select {
			case <-p.ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		var number int64
		if p.cfg.Raw { // else the first packet says whether it is a cancel request
			number = p.numbered.Add(1)
		}
		p.wg.Go(func() { p.serve(client, number) })
	}
}

// serve runs one connection to its end. Where the target does not answer, the
// client gets a RST.
func (p *Proxy) serve(client net.Conn, number int64) {
	p.mu.Lock()
	network, target := p.network, p.target
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	server, err := d.DialContext(ctx, network, target)
	if err != nil {
		reset(client)
		return
	}
	c := newConn(p, client, server)
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if number != 0 {
		c.identify.Do(func() { c.number.Store(number) })
		c.count()
	}
	if closed {
		_ = client.Close()
		_ = server.Close()
		return
	}
	c.run()
}
