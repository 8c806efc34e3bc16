package wire_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

func TestSendLazy(t *testing.T) {
	c := open(t, sharedConfig(t))
	lazy := func(text string) {
		t.Helper()
		if err := c.SendLazy(flightOf(doCommand(text), doSync)); err != nil {
			t.Fatal(err)
		}
	}
	lazy("SET application_name = 'first'")
	if c.Busy() {
		t.Error("busy with a lazy flight")
	}
	lazy("SET application_name = 'second'")
	for _, lone := range []bool{false, true} {
		f := flightOf(doWhole("SELECT current_setting('application_name')"))
		f.Lone = lone
		a, err := exchange(bounded(t), c, f)
		if err != nil || len(a.rows) != 1 || a.rows[0] != "second" {
			t.Errorf("lone %t: got %q, %v", lone, a.rows, err)
		}
		lazy("SET application_name = 'second'")
	}
	if err := c.SendLazy(flightOf(doQuery("SET application_name = 'a'; SELECT 1"), doQuery("SET application_name = 'third'"))); err != nil {
		t.Fatal(err)
	}
	if got, err := value(bounded(t), c, "SELECT current_setting('application_name')"); err != nil || got != "third" {
		t.Errorf("after scripts: %q, %v", got, err)
	}
}

func TestSendLazyError(t *testing.T) {
	for name, lone := range map[string]bool{"read": false, "looked at": true} {
		t.Run(name, func(t *testing.T) {
			c := open(t, sharedConfig(t))
			if err := c.SendLazy(flightOf(doCommand("SELECT 1/0"), doSync)); err != nil {
				t.Fatal(err)
			}
			var f *wire.Flight
			var err error
			for err == nil { // look sees it as soon as it has come
				f = flightOf(doWhole("SELECT 1"))
				f.Lone = lone
				if err = c.Send(bounded(t), f); err == nil {
					_, err = read(f)
				}
			}
			checkDead(t, c, err)
			if serverCode(err) != "22012" {
				t.Errorf("got %v", err)
			}
			if c.SendLazy(flightOf(doCommand("SELECT 1"), doSync)) == nil || c.SendAbandoned(flightOf(doCommand("SELECT 1"), doSync)) == nil {
				t.Error("a dead connection takes flights")
			}
		})
	}
}

func TestSendAbandoned(t *testing.T) {
	c := open(t, sharedConfig(t))
	if _, err := exchange(bounded(t), c, flightOf(doCommand("BEGIN"), doSync)); err != nil || c.Status() != 'T' {
		t.Fatalf("status %q, %v", c.Status(), err)
	}
	if err := c.SendAbandoned(flightOf(doCommand("ROLLBACK"), doSync)); err != nil {
		t.Fatal(err)
	}
	idle := make(chan struct{})
	c.WhenIdle(func() { close(idle) })
	<-idle
	if c.Busy() || c.Status() != 'I' {
		t.Errorf("busy %t, status %q after ROLLBACK", c.Busy(), c.Status())
	}
	if err := c.SendAbandoned(flightOf(doCommand("SELECT 1/0"), doSync)); err != nil { // ignored
		t.Fatal(err)
	}
	checkUsable(t, c)
}

// TestWhenIdle: it is called exactly once, whoever reads the last answer, and
// however that ends.
func TestWhenIdle(t *testing.T) {
	checkLeaks(t)
	type scene struct {
		c       *wire.Conn
		first   *wire.Flight
		release chan struct{} // lets the server answer
	}
	for name, run := range map[string]func(t *testing.T, s scene){
		"a caller reads the last answer": func(t *testing.T, s scene) {
			close(s.release)
			if _, err := read(s.first); err != nil {
				t.Error(err)
			}
		},
		"a caller behind an abandoned flight": func(t *testing.T, s scene) {
			s.first.Abandon()
			second := flightOf(doWhole("y"))
			if err := s.c.Send(bounded(t), second); err != nil {
				t.Error(err)
			}
			close(s.release)
			if _, err := read(second); err != nil {
				t.Error(err)
			}
		},
		"the drainer reads it": func(t *testing.T, s scene) {
			s.first.Abandon()
			close(s.release)
		},
		"closed under a reader": func(t *testing.T, s scene) {
			_ = s.c.Close(bounded(t))
			_, err := read(s.first)
			checkDead(t, s.c, err)
		},
		"closed under the drainer": func(t *testing.T, s scene) {
			s.first.Abandon()
			_ = s.c.Close(bounded(t))
		},
		"failed": func(t *testing.T, s scene) { s.c.Fail(errors.New("no trust")) },
		"abandoned after the end": func(t *testing.T, s scene) {
			s.c.Fail(errors.New("no trust"))
			s.first.Abandon()
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			b := &backend{script: func(p *peer) {
				for p.await() {
					<-release
					p.send(wholeAnswer("v"))
				}
			}}
			c := open(t, b.start(t))
			t.Cleanup(func() {
				_ = c.Close(context.Background())
				select {
				case <-release:
				default:
					close(release)
				}
			})
			f := flightOf(doWhole("x"))
			f.NoCancel = true
			if err := c.Send(bounded(t), f); err != nil {
				t.Fatal(err)
			}
			var calls atomic.Int32
			c.WhenIdle(func() {
				calls.Add(1)
				if c.Busy() {
					t.Error("it was called while the connection is busy")
				}
			})
			if calls.Load() != 0 {
				t.Error("it was called while a flight was out")
			}
			run(t, scene{c, f, release})
			eventually(t, "WhenIdle's function is called", func() bool { return calls.Load() > 0 })
			_ = c.Close(bounded(t))
			time.Sleep(5 * time.Millisecond) // for a second call, which would be wrong
			if n := calls.Load(); n != 1 {
				t.Errorf("called %d times", n)
			}
			done := false
			c.WhenIdle(func() { done = true })
			if !done {
				t.Error("not called at once on a closed connection")
			}
		})
	}
}

// TestWhenIdleCloses: the function may close the connection.
func TestWhenIdleCloses(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	if err := c.SendAbandoned(flightOf(doWhole("x"))); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	c.WhenIdle(func() { closed <- c.Close(context.Background()) })
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for itself")
	}
}

// TestCloseDuringEverything: Close may come at any time, from everywhere.
func TestCloseDuringEverything(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	cfg := b.start(t)
	for round := range 60 {
		c := open(t, cfg)
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				for {
					ctx, cancel := context.WithCancel(t.Context())
					f := flightOf(doWhole("x"))
					f.Lone = true
					if c.Send(ctx, f) != nil {
						cancel()
						return
					}
					go cancel()
					if a, err := read(f); err == nil && (len(a.rows) != 1 || a.rows[0] != "v") {
						t.Errorf("got %q", a.rows)
					}
				}
			})
		}
		done.Go(func() {
			for c.SendLazy(flightOf(doWhole("x"))) == nil && c.SendAbandoned(flightOf(doWhole("y"))) == nil {
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(time.Duration(round%7) * time.Millisecond)
		for range 2 {
			done.Go(func() {
				if err := c.Close(bounded(t)); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if err := c.Close(bounded(t)); err != nil || c.Err() == nil || c.Busy() {
			t.Fatalf("after Close: %v, %v, busy %t", err, c.Err(), c.Busy())
		}
	}
}

// TestCloseIsBounded: where the background cannot end, Close does.
func TestCloseIsBounded(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) { p.await(); p.await() }}
	cfg := b.start(t)
	dialing, stop := make(chan struct{}), make(chan struct{})
	dial := sync.OnceFunc(func() { close(dialing) })
	first := true
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if first {
			first = false
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
		dial()
		<-stop // a dialer that does not honour its ctx
		return nil, errors.New("stopped")
	}
	c := open(t, cfg)
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	<-dialing
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(stop)
	if err := c.Close(bounded(t)); err != nil {
		t.Error(err)
	}
}
