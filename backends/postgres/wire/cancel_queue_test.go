package wire_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// TestCancelBehindLazy: while the server still runs a lazy flight, it is not
// asked to cancel what is behind: the signal would hit the lazy one.
func TestCancelBehindLazy(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		t.Run(name, func(t *testing.T) {
			cfg := configFor(server, "trust_user")
			cfg.TLS = mode
			c := open(t, cfg)
			if err := c.SendLazy(flightOf(doCommand("SELECT pg_sleep(0.1)"), doCommand("SET application_name = 'reset'"), doSync)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			began := time.Now()
			if _, err := exchange(ctx, c, flightOf(doWhole("SELECT pg_sleep(60)"))); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if got, err := value(bounded(t), c, "SELECT current_setting('application_name')"); err != nil || got != "reset" {
				t.Errorf("the lazy flight was hit: %q, %v", got, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the flight behind was not cancelled: %v", took)
			}
		})
	}
}

// TestCancelSparesNeighbours: a flight that must not be cancelled is not hit by
// what is meant for the one before it, once it has been written.
func TestCancelSparesNeighbours(t *testing.T) {
	checkLeaks(t)
	asked, release := make(chan struct{}, 10), make(chan struct{})
	b := &backend{onCancel: func(net.Conn) { asked <- struct{}{} }, script: func(p *peer) {
		p.await()
		p.await()
		<-release
		p.send(wholeAnswer("first"), wholeAnswer("second"))
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	first, second := flightOf(doWhole("SELECT")), flightOf(doWhole("CALL"))
	second.NoCancel = true
	if err := errors.Join(c.Send(bounded(t), first), c.Send(bounded(t), second)); err != nil {
		t.Fatal(err)
	}
	first.Abandon()
	select {
	case <-asked:
		t.Error("the server was asked to cancel, and a flight that must not be cancelled was behind")
	case <-time.After(20 * wire.CancelGrace):
	}
	close(release)
	if a, err := read(second); err != nil || !slices.Equal(a.rows, []string{"second"}) || second.Disturbed() {
		t.Errorf("got %q, %v, disturbed %t", a.rows, err, second.Disturbed())
	}
	checkValue(t, c, "v")
}

// TestCancelDisturbs: a neighbour that had been written when the server was asked
// to cancel can tell, one that was sent later cannot be hit.
func TestCancelDisturbs(t *testing.T) {
	checkLeaks(t)
	asked := make(chan struct{})
	b := &backend{onCancel: func(net.Conn) { close(asked) }, script: func(p *peer) {
		p.await()
		p.await()
		<-asked
		p.send(wholeAnswer("first"), canceled, ready) // the signal came late
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	first, second, third := flightOf(doWhole("a")), flightOf(doWhole("b")), flightOf(doWhole("c"))
	if err := errors.Join(c.Send(bounded(t), first), c.Send(bounded(t), second)); err != nil {
		t.Fatal(err)
	}
	first.Abandon()
	<-asked
	if err := c.Send(bounded(t), third); err != nil {
		t.Fatal(err)
	}
	if a, err := read(second); err != nil || serverCode(a.server) != "57014" || !second.Disturbed() {
		t.Errorf("the neighbour: %v, %v, disturbed %t", a.server, err, second.Disturbed())
	}
	if a, err := read(third); err != nil || !slices.Equal(a.rows, []string{"v"}) || third.Disturbed() {
		t.Errorf("the one behind: %q, %v, disturbed %t", a.rows, err, third.Disturbed())
	}
}

// TestCancelReset: a reset after the CancelRequest was sent does not tell whether
// the signal is yet to come. The connection is not used again.
func TestCancelReset(t *testing.T) {
	checkLeaks(t)
	asked := make(chan struct{})
	b := &backend{
		onCancel: func(nc net.Conn) { _ = nc.(*net.TCPConn).SetLinger(0); _ = nc.Close(); close(asked) },
		script: func(p *peer) {
			p.await()
			<-asked
			p.send(wholeAnswer("x"))
			for p.await() {
				p.send(canceled, ready) // the signal came late
			}
		},
	}
	c := open(t, b.start(t))
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	a, err := exchange(bounded(t), c, flightOf(doWhole("INSERT")))
	if serverCode(a.server) == "57014" {
		t.Fatal("a later statement was hit")
	}
	checkDead(t, c, err)
}

// lingeringWrites hands everything over; a Write while it lingers does not return
// before it is let go.
type lingeringWrites struct {
	net.Conn
	lingers atomic.Bool
	within  chan struct{}
	release chan struct{}
}

func (c *lingeringWrites) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.lingers.Swap(false) {
		close(c.within)
		<-c.release
	}
	return n, err
}

// TestCancelUnwritten: a flight that is abandoned while it waits behind another's
// write is written nevertheless, and then cancelled.
func TestCancelUnwritten(t *testing.T) {
	checkLeaks(t)
	asked := make(chan struct{}, 10)
	b := &backend{onCancel: func(net.Conn) { asked <- struct{}{} }, script: func(p *peer) {
		p.await()
		p.send(wholeAnswer("lazy"))
		p.await()
		<-asked
		p.send(canceled, ready)
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	cfg := b.start(t)
	conn := &lingeringWrites{within: make(chan struct{}), release: make(chan struct{})}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		if conn.Conn != nil {
			return nc, err
		}
		conn.Conn = nc
		return conn, err
	}
	c := open(t, cfg)
	conn.lingers.Store(true)
	sent := make(chan error, 1)
	go func() { sent <- c.SendLazy(flightOf(doWhole("lazy"))) }()
	<-conn.within
	f := flightOf(doWhole("x"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Send(ctx, f); err != nil {
		t.Fatal(err)
	}
	if _, err := read(f); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	time.Sleep(10 * time.Millisecond) // the cancelling begins
	close(conn.release)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	checkValue(t, c, "v")
}

// TestCancelCannotDial: where the CancelRequest cannot be sent, no signal can
// come, and the connection goes on once the flight has ended by itself.
func TestCancelCannotDial(t *testing.T) {
	checkLeaks(t)
	c := secondDial(t, time.Minute, func(context.Context) (net.Conn, error) { return nil, errors.New("no route") })
	f := flightOf(doWhole("SELECT pg_sleep(0.1)"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	checkUsable(t, c)
}

// TestCancelAgain: a server that is between two messages when the signal comes
// drops it. It is asked again.
func TestCancelAgain(t *testing.T) {
	checkLeaks(t)
	asked := make(chan struct{}, 10)
	b := &backend{onCancel: func(net.Conn) { asked <- struct{}{} }, script: func(p *peer) {
		p.await()
		<-asked
		<-asked
		p.send(canceled, ready)
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	checkValue(t, c, "v")
}

// TestCancelDialHangs: CancelTimeout holds even where the dialer does not honour
// its ctx.
func TestCancelDialHangs(t *testing.T) {
	checkLeaks(t)
	stop := make(chan struct{})
	defer close(stop)
	c := secondDial(t, 100*time.Millisecond, func(context.Context) (net.Conn, error) { <-stop; return nil, errors.New("stopped") })
	f := flightOf(doWhole("SELECT pg_sleep(0.05)"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	idle := make(chan struct{})
	c.WhenIdle(func() { close(idle) })
	select {
	case <-idle:
	case <-time.After(5 * time.Second):
		t.Error("the connection is busy for as long as the dialer hangs")
	}
	if c.Err() == nil {
		t.Error("the connection goes on, and a signal may come yet")
	}
}

// secondDial connects to the shared server; dial makes the streams after the
// first.
func secondDial(t *testing.T, timeout time.Duration, dial func(context.Context) (net.Conn, error)) *wire.Conn {
	t.Helper()
	cfg := sharedConfig(t)
	cfg.CancelTimeout = timeout
	first := true
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if first {
			first = false
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return dial(ctx)
	}
	return open(t, cfg)
}

// TestCancelDisturbsWhatWaits: a flight that was held back while the server was
// asked to cancel may be hit by a signal that comes late, too.
func TestCancelDisturbsWhatWaits(t *testing.T) {
	checkLeaks(t)
	asked, queued := make(chan struct{}), make(chan struct{})
	b := &backend{onCancel: func(net.Conn) { close(asked); <-queued }, script: func(p *peer) {
		p.await()
		<-asked
		p.send(wholeAnswer("first"))
		p.await()
		p.send(canceled, ready)
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	first, second := flightOf(doWhole("a")), flightOf(doWhole("b"))
	if err := c.Send(bounded(t), first); err != nil {
		t.Fatal(err)
	}
	first.Abandon()
	<-asked
	if err := c.Send(bounded(t), second); err != nil {
		t.Fatal(err)
	}
	close(queued)
	if a, err := read(second); err != nil || serverCode(a.server) != "57014" || !second.Disturbed() {
		t.Errorf("%v, %v, disturbed %t", a.server, err, second.Disturbed())
	}
	checkValue(t, c, "v")
}
