package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
)

// TestCancelAtEveryEvent ends ctx before the 1st, 2nd, … read or write of a
// flight, until one gets through. The session must be clean afterwards.
func TestCancelAtEveryEvent(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		for what, text := range map[string]string{
			"one row":   "SELECT 'row 1'",
			"many rows": "SELECT 'row ' || i FROM generate_series(1, 20000) i",
			"an error":  "SELECT 1 / (500 - i) FROM generate_series(1, 1000) i",
			"a sleep":   "SELECT 'row 1' FROM pg_sleep(0.02)",
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				for at := 0; ; at++ {
					if at > 300 {
						t.Fatal("more than 300 events")
					}
					if cancelAtEvent(t, server, mode, text, at) {
						return
					}
				}
			})
		}
	}
}

// cancelAtEvent says whether the flight had fewer events.
func cancelAtEvent(t *testing.T, server *pgtest.Server, mode wire.TLSMode, text string, at int) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	events, running := 0, false
	cfg := configFor(server, "trust_user")
	cfg.TLS = mode
	tap(cfg, func() {
		mu.Lock()
		defer mu.Unlock()
		if running {
			if events == at {
				cancel()
			}
			events++
		}
	}, func(*tappedConn) {})
	c := open(t, cfg)
	defer c.Close(context.Background())
	mu.Lock()
	running = true
	mu.Unlock()
	began := time.Now()
	a, err := exchange(ctx, c, flightOf(doWhole(text)))
	took := time.Since(began)
	mu.Lock()
	running = false
	over := events <= at
	mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
	case over && err != nil && serverCode(err) != "22012":
		t.Fatalf("event %d: %v", at, err)
	case err == nil && !(len(a.rows) == 20000 || len(a.rows) == 1 && a.rows[0] == "row 1"):
		t.Errorf("event %d: %d rows", at, len(a.rows))
	}
	if took > 5*time.Second {
		t.Errorf("event %d: it took %v", at, took)
	}
	for i := range 3 {
		want := fmt.Sprint("next ", i)
		if got, err := value(bounded(t), c, "SELECT $1::text", want); err != nil || got != want {
			t.Fatalf("event %d: then %q, %v", at, got, err)
		}
	}
	return over
}

// TestCancelReachesServer: the caller is back at once, and the server stops.
func TestCancelReachesServer(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		for _, sent := range []string{"extended", "simple"} {
			t.Run(name+"/"+sent, func(t *testing.T) {
				cfg := configFor(server, "trust_user")
				cfg.TLS = mode
				c := open(t, cfg)
				f := flightOf(doWhole("SELECT pg_sleep(60)"))
				if sent == "simple" {
					f = flightOf(doQuery("SELECT pg_sleep(60); SELECT 1"))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err := exchange(ctx, c, f)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Errorf("the caller was back after %v", took)
				}
				eventually(t, "the server no longer sleeps", func() bool {
					return *admin(t, server, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")[0][0] == "0"
				})
				checkUsable(t, c)
				if got, err := value(bounded(t), c, "SELECT pg_backend_pid()::text"); err != nil || got != fmt.Sprint(c.PID()) {
					t.Errorf("the session is another one: %q, %v", got, err)
				}
			})
		}
	}
}

// TestCancelInQueue: who waits for its turn and leaves does not disturb the
// others, and is not the reason for a CancelRequest while another's flight runs.
func TestCancelInQueue(t *testing.T) {
	checkLeaks(t)
	cancels := make(chan struct{}, 10)
	release := make(chan struct{})
	b := &backend{onCancel: func(net.Conn) { cancels <- struct{}{} }, script: func(p *peer) {
		for i := 0; p.await(); i++ {
			if i == 0 {
				<-release
			}
			p.send(wholeAnswer(fmt.Sprint("answer ", i)))
		}
	}}
	c := open(t, b.start(t))
	first, third := flightOf(doWhole("first")), flightOf(doWhole("third"))
	second := flightOf(doWhole("second"))
	ctx, cancel := context.WithCancel(t.Context())
	if err := errors.Join(c.Send(bounded(t), first), c.Send(ctx, second), c.Send(bounded(t), third)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := read(second); !errors.Is(err, context.Canceled) {
		t.Errorf("the one that left: %v", err)
	}
	select {
	case <-cancels:
		t.Error("the server was asked to cancel another's flight")
	case <-time.After(30 * time.Millisecond):
	}
	close(release)
	for i, f := range []*wire.Flight{first, nil, third} {
		if f == nil {
			continue
		}
		if a, err := read(f); err != nil || !slices.Equal(a.rows, []string{fmt.Sprint("answer ", i)}) {
			t.Errorf("flight %d: got %q, %v", i, a.rows, err)
		}
	}
}

// TestCancelHoldsWrites: from the CancelRequest until both its connection and
// the flight have ended, nothing is written.
func TestCancelHoldsWrites(t *testing.T) {
	checkLeaks(t)
	const quiet = 50 * time.Millisecond
	asked, endCancel := make(chan struct{}), make(chan struct{})
	problems := make(chan string, 10)
	b := &backend{
		onCancel: func(net.Conn) { close(asked); <-endCancel },
		script: func(p *peer) {
			p.await()
			<-asked
			if !p.quietFor(quiet) {
				problems <- "something was written before the flight had ended"
			}
			p.send(canceled, ready)
			if !p.quietFor(quiet) {
				problems <- "something was written before the cancelling had ended"
			}
			close(endCancel)
			for p.await() {
				p.send(wholeAnswer("v"))
			}
		},
	}
	c := open(t, b.start(t))
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	<-asked
	if err := c.SendLazy(flightOf(doWhole("lazy"))); err != nil {
		t.Error(err)
	}
	checkValue(t, c, "v")
	checkValue(t, c, "v")
	select {
	case problem := <-problems:
		t.Error(problem)
	default:
	}
}

// TestCancelUnanswered: the server answers the flight, and keeps the connection
// that asked to cancel. The signal may come at any time: the connection is
// closed.
func TestCancelUnanswered(t *testing.T) {
	checkLeaks(t)
	stop := make(chan struct{})
	for name, answers := range map[string]bool{"the flight is answered": true, "nothing is": false} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{})
			b := &backend{
				onCancel: func(net.Conn) { close(asked); <-stop },
				script: func(p *peer) {
					p.await()
					<-asked
					if answers {
						p.send(canceled, ready)
					}
					for p.await() {
						p.send(wholeAnswer("v"))
					}
				},
			}
			cfg := b.start(t)
			t.Cleanup(func() {
				select {
				case <-stop:
				default:
					close(stop)
				}
			})
			cfg.CancelTimeout = 150 * time.Millisecond
			c := open(t, cfg)
			f := flightOf(doWhole("x"))
			if err := c.Send(bounded(t), f); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			f.Abandon()
			<-asked
			behind := flightOf(doWhole("INSERT"))
			if err := c.Send(bounded(t), behind); err != nil {
				t.Fatal(err)
			}
			_, err := read(behind)
			checkDead(t, c, err)
			if !behind.Unsent() {
				t.Error("the flight behind was sent")
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
		stop = make(chan struct{})
	}
}

// TestCancelWithoutKey: a server that gave no key is not asked; the answers are
// awaited.
func TestCancelWithoutKey(t *testing.T) {
	checkLeaks(t)
	conn := newFakeConn(nil)
	answers := [][]byte{cat(authOk, ready), wholeAnswer("v"), wholeAnswer("w")}
	conn.answer = func([]byte) (out []byte) {
		if len(answers) > 0 {
			out, answers = answers[0], answers[1:]
		}
		return out
	}
	cfg := fakeConfig(conn)
	dials := 0
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) { dials++; return conn, nil }
	c := open(t, cfg)
	f := flightOf(doWhole("x"))
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	checkValue(t, c, "w")
	if dials != 1 {
		t.Errorf("%d connections were made", dials)
	}
}

// TestDeadlineIsCleared: an interrupt that races with the end of its flight
// never leaves its deadline to the next one.
func TestDeadlineIsCleared(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		for p.await() {
			p.send(wholeAnswer("v"))
		}
	}}
	c := open(t, b.start(t))
	left := 0
	for i := range 1500 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i%150)*time.Microsecond, cancel)
		_, err := exchange(ctx, c, flightOf(doWhole("x")))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err != nil {
			left++
		}
		checkValue(t, c, "v")
		cancel()
	}
	t.Logf("%d of 1500 were interrupted", left)
}

func TestSendWithDeadCtx(t *testing.T) {
	c, conn := runningFake(t, wholeAnswer("v"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := flightOf(doWhole("x"))
	if err := c.Send(ctx, f); !errors.Is(err, context.Canceled) || !f.Unsent() {
		t.Errorf("got %v, unsent %t", err, f.Unsent())
	}
	if conn.isClosed() || c.Busy() {
		t.Error("it was not left alone")
	}
	checkValue(t, c, "v")
}
