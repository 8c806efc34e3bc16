package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// watchedCtx counts who watches it: context.AfterFunc asks it itself.
type watchedCtx struct {
	context.Context
	watchers atomic.Int32
}

func (c *watchedCtx) AfterFunc(func()) func() bool {
	c.watchers.Add(1)
	var once sync.Once
	return func() bool {
		once.Do(func() { c.watchers.Add(-1) })
		return true
	}
}

// TestWatchEnds: what watches ctx keeps the flight in memory, so that it must
// end with the flight, also where that is too large to be used again, or ends
// badly.
func TestWatchEnds(t *testing.T) {
	checkLeaks(t)
	for name, run := range map[string]func(ctx context.Context, t *testing.T){
		"small": func(ctx context.Context, t *testing.T) {
			c, _ := runningFake(t, wholeAnswer("v"))
			if _, err := exchange(ctx, c, flightOf(doWhole("x"))); err != nil {
				t.Error(err)
			}
		},
		"large": func(ctx context.Context, t *testing.T) {
			b := &backend{script: func(p *peer) {
				if p.await() {
					p.send(wholeAnswer("v"))
				}
				p.await()
			}}
			if _, err := exchange(ctx, open(t, b.start(t)), flightOf(doWhole("x", strings.Repeat("y", 300<<10)))); err != nil {
				t.Error(err)
			}
		},
		"dead": func(ctx context.Context, t *testing.T) {
			c, _ := runningFake(t, parsed)
			_, err := exchange(ctx, c, flightOf(doWhole("x")))
			checkDead(t, c, err)
		},
		"protocol": func(ctx context.Context, t *testing.T) {
			c, _ := runningFake(t, cat(ready, ready))
			_, err := exchange(ctx, c, flightOf(doWhole("x")))
			checkDead(t, c, err)
		},
		"abandoned": func(ctx context.Context, t *testing.T) {
			c, _ := runningFake(t, wholeAnswer("v"))
			f := flightOf(doWhole("x"))
			if err := c.Send(ctx, f); err != nil {
				t.Error(err)
			}
			f.Abandon()
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx := &watchedCtx{Context: parent}
			run(ctx, t)
			if n := ctx.watchers.Load(); n != 0 {
				t.Errorf("%d watches on ctx are left", n)
			}
		})
	}
}

// stuckConn hands everything over, but its Write does not return until Close.
type stuckConn struct {
	net.Conn
	stuck  atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *stuckConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.stuck.Load() {
		<-c.closed
		time.Sleep(20 * time.Millisecond) // whoever asks meanwhile must not be told a lie
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *stuckConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestUnsentDuringWrite: while a write is under way, its bytes may be with the
// server already.
func TestUnsentDuringWrite(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) { p.await() }} // takes it all, and leaves
	cfg := b.start(t)
	var conn *stuckConn
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, address)
		conn = &stuckConn{Conn: nc, closed: make(chan struct{})}
		return conn, err
	}
	c := open(t, cfg)
	conn.stuck.Store(true)
	f := flightOf(doWhole("INSERT", strings.Repeat("y", 40<<10))) // long enough for a helper
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	_, err := read(f)
	if f.Unsent() {
		t.Error("the server has all of it, and Unsent says that it has nothing")
	}
	checkDead(t, c, err)
}

// TestUnsentAbandoned: a flight that waits behind a held connection is written
// later, so that its caller must not be told that it never will be.
func TestUnsentAbandoned(t *testing.T) {
	checkLeaks(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	b := &backend{
		onCancel: func(net.Conn) { close(asked); <-answer },
		script: func(p *peer) {
			p.await()
			<-answer
			p.send(canceled, ready)
			for p.await() {
				p.send(wholeAnswer("v"))
			}
		},
	}
	c := open(t, b.start(t))
	first := flightOf(doWhole("first"))
	if err := c.Send(bounded(t), first); err != nil {
		t.Fatal(err)
	}
	first.Abandon()
	<-asked
	ctx, cancel := context.WithCancel(bounded(t))
	second := flightOf(doWhole("INSERT"))
	if err := c.Send(ctx, second); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := read(second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if second.Unsent() {
		t.Error("Unsent, and it will be written yet")
	}
	close(answer)
	checkValue(t, c, "v")
}

// checkValue runs a statement on a scripted server.
func checkValue(t *testing.T, c *wire.Conn, want string) {
	t.Helper()
	if got, err := value(bounded(t), c, "x"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// resetOnWrite fails writes as a socket does whose other side is gone.
type resetOnWrite struct {
	net.Conn
	on atomic.Bool
}

func (c *resetOnWrite) Write(p []byte) (int, error) {
	if c.on.Load() {
		return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
	}
	return c.Conn.Write(p)
}

// TestUnsentAfterCopy: what refusing a COPY writes must not count as part of
// later flights.
func TestUnsentAfterCopy(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		p.await()
		p.send(parsed, boundOk, message('G', "\x00\x00\x00"))
		p.await()
		p.send(failure, ready)
		p.await()
	}}
	cfg := b.start(t)
	conn := &resetOnWrite{}
	cfg.DialFunc = func(ctx context.Context, network, address string) (nc net.Conn, err error) {
		var d net.Dialer
		conn.Conn, err = d.DialContext(ctx, network, address)
		return conn, err
	}
	c := open(t, cfg)
	if _, err := exchange(bounded(t), c, flightOf(doCommand("COPY t FROM STDIN"), doSync)); serverCode(err) != "22012" {
		t.Fatalf("got %v", err)
	}
	conn.on.Store(true)
	f := flightOf(doWhole("x"))
	err := c.Send(bounded(t), f)
	if err == nil {
		_, err = read(f)
	}
	checkDead(t, c, err)
	if !f.Unsent() {
		t.Error("not a byte was written, and Unsent denies it")
	}
}

// TestFatalAfterError: the reason for the end is the server's, also where an
// ordinary error came just before it.
func TestFatalAfterError(t *testing.T) {
	checkLeaks(t)
	c, _ := runningFake(t, cat(parsed, noParams, failure, killed))
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	a, err := read(f)
	checkDead(t, c, err)
	if serverCode(err) != "57P01" || serverCode(a.server) != "22012" {
		t.Errorf("got %v after %v", err, a.server)
	}
}

// TestBuffersShed: one huge flight, and one huge answer, do not keep their
// memory for as long as the connection lives.
func TestBuffersShed(t *testing.T) {
	checkLeaks(t)
	huge := strings.Repeat("y", 2<<20)
	b := &backend{script: func(p *peer) {
		for p.await() {
			p.send(wholeAnswer(huge))
		}
	}}
	c := open(t, b.start(t))
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			if got, err := value(bounded(t), c, "x", huge); err != nil || got != huge {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	done.Wait()
	eventually(t, "the helper ends", func() bool { return c.WriteBuffers() <= 256<<10 })
	if n := c.ReadBuffer(); n > 256<<10 {
		t.Errorf("%d bytes are kept for reading", n)
	}
}

// TestParametersAreBounded: what a server reports is kept, so that it must be
// little.
func TestParametersAreBounded(t *testing.T) {
	checkLeaks(t)
	report := func(name, value string) []byte { return message('S', name+"\x00"+value+"\x00") }
	var many []byte
	for i := range 2000 {
		many = append(many, report(fmt.Sprint("p", i), "v")...)
	}
	for name, c := range map[string][]byte{
		"many":  many,
		"large": report("p", strings.Repeat("v", 8<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := runningFake(t, cat(c, wholeAnswer("v")))
			_, err := exchange(bounded(t), conn, flightOf(doWhole("x")))
			checkDead(t, conn, err)
			if _, ok := errors.AsType[*wire.ProtocolError](err); !ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestUnendedFlight: a flight that would wait for an answer that never comes
// is refused.
func TestUnendedFlight(t *testing.T) {
	checkLeaks(t)
	c, _ := runningFake(t, failure, wholeAnswer("v"))
	for name, f := range map[string]*wire.Flight{
		"empty":   flightOf(),
		"no sync": flightOf(doParse("", "x"), doBind(""), doExecute),
	} {
		if err := c.Send(bounded(t), f); err == nil {
			t.Errorf("%s: sent", name)
		} else if !f.Unsent() {
			t.Errorf("%s: not Unsent", name)
		}
		if c.SendLazy(f) == nil || c.SendAbandoned(f) == nil {
			t.Errorf("%s: sent without a reader", name)
		}
	}
	if c.Err() != nil {
		t.Errorf("the connection is closed: %v", c.Err())
	}
}

// TestLastReadyIsAlone: with the last ReadyForQuery the reading is handed on,
// so that nothing of the buffer may go with it.
func TestLastReadyIsAlone(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			seen := 0
			for range 200 {
				f := flightOf(doWhole("x"))
				if err := c.Send(bounded(t), f); err != nil {
					t.Error(err)
					return
				}
				for f.Step() < f.Steps() {
					kind, body, err := f.Next()
					if err != nil {
						t.Error(err)
						return
					}
					for _, b := range body { // for the race detector
						seen += int(b)
					}
					if kind == wire.Ready && len(body) > 0 {
						t.Errorf("the last Ready has the body %q", body)
					}
				}
			}
		})
	}
	done.Wait()
}

// TestEarlyAnswer: a server that answers what it has not read yet must not make
// the client send anything but what it built.
func TestEarlyAnswer(t *testing.T) {
	checkLeaks(t)
	const size = 40 << 10
	got := make(chan int64, 1)
	b := &backend{script: func(p *peer) {
		for range 50 {
			p.send(wholeAnswer("v"))
		}
		n, _ := io.Copy(io.Discard, p.rd)
		got <- n
	}}
	cfg := b.start(t)
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, address)
		return &slowWrites{nc}, err
	}
	c := open(t, cfg)
	for range 50 {
		f := flightOf(doWhole("x", strings.Repeat("y", size)))
		if err := c.Send(bounded(t), f); err != nil {
			t.Fatal(err)
		}
		if _, err := read(f); err != nil {
			t.Fatal(err)
		}
		f.Free()
	}
	_ = c.Close(bounded(t))
	<-got
}

// slowWrites takes its time between the two halves of a write.
type slowWrites struct{ net.Conn }

func (c *slowWrites) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	time.Sleep(time.Millisecond)
	m, err := c.Conn.Write(p[len(p)/2:])
	return n + m, err
}

// TestReasonAfterBrokenWrite: a server that leaves says why, and a write that
// finds it gone must not keep the reader from hearing it.
func TestReasonAfterBrokenWrite(t *testing.T) {
	checkLeaks(t)
	left := make(chan struct{})
	b := &backend{script: func(p *peer) {
		p.await()
		p.send(killed)
		close(left)
	}}
	cfg := b.start(t)
	conn := &resetOnWrite{}
	cfg.DialFunc = func(ctx context.Context, network, address string) (nc net.Conn, err error) {
		var d net.Dialer
		conn.Conn, err = d.DialContext(ctx, network, address)
		return conn, err
	}
	c := open(t, cfg)
	first := flightOf(doWhole("first"))
	if err := c.Send(bounded(t), first); err != nil {
		t.Fatal(err)
	}
	<-left
	conn.on.Store(true)
	for _, text := range []string{"finds it gone", "comes after that"} {
		f := flightOf(doWhole(text))
		_ = c.Send(bounded(t), f)
		if !f.Unsent() {
			t.Errorf("%q was sent", text)
		}
	}
	_, err := read(first)
	checkDead(t, c, err)
	if serverCode(err) != "57P01" {
		t.Errorf("got %v", err)
	}
}
