package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"
)

// Close ends whatever goes on: TestMain would see a goroutine that is left.
func TestCloseWithConnectionsOpen(t *testing.T) {
	to := newTarget(t)
	for _, r := range []Rule{
		{From: Client, Do: Stall}, {From: Server, Do: Stall}, {From: Server, Do: Delay, For: time.Hour}, {From: Client, Do: CutClient},
		{From: Client, Do: HalfClose}, {From: Client, Do: Split, For: time.Hour}, {From: Server, Type: '?'},
	} {
		for _, latency := range []time.Duration{0, time.Hour} {
			before := goleak.IgnoreCurrent()
			p := start(t, to, Config{})
			c := login(t, p, to)
			idle := login(t, p, to)
			p.SetLatency(latency, 0)
			planted := p.Add(r)
			c.send(&pgproto3.Query{String: "SELECT 1"})
			if latency == 0 && r.Type == 0 {
				wait(t, planted)
			}
			silent := dial(t, p.Addr())
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			goleak.VerifyNone(t, before)
			for _, c := range []*client{c, idle, silent} {
				if _, err := c.atEnd(t); err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Error(err)
				}
			}
			if _, err := net.Dial("tcp", p.Addr()); err == nil {
				t.Error("it still listens")
			}
			p.Cut()
			p.Clear()
			p.Add(Rule{})
			p.SetTarget("", "")
		}
	}
}

func TestCutOfAll(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	var all []*client
	for range 5 {
		all = append(all, login(t, p, to))
	}
	dial(t, p.Addr()) // has not begun, and does not count
	eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.conns) == 6
	})
	if n, opened := p.Open(), p.Opened(); n != 5 || opened != 5 {
		t.Errorf("%d are open, of %d", n, opened)
	}
	if n := p.Cut(); n != 5 {
		t.Errorf("cut %d", n)
	}
	if n := p.Open(); n != 0 {
		t.Errorf("%d are open", n)
	}
	for _, c := range all {
		if b, err := c.atEnd(t); len(b) > 0 || err != nil {
			t.Errorf("heard %q, %v", b, err)
		}
		to.gone(t, c.pid)
		// It is no half-close: who writes on is told.
		eventually(t, func() bool {
			_, err := c.Write([]byte("x"))
			return err != nil
		})
	}
	login(t, p, to).run(t, "SELECT 1")
}

func TestEndsArePassedOn(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	to.query(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	b, err := c.atEnd(t)
	if err != nil || !strings.Contains(string(b), "57P01") {
		t.Errorf("heard %q, %v", b, err)
	}
	eventually(t, func() bool { return p.Open() == 0 })

	c = login(t, p, to)
	reset(c.TCPConn)
	to.gone(t, c.pid)
	eventually(t, func() bool { return p.Open() == 0 })

	c = login(t, p, to) // a client that ends only its own half hears the answers out
	c.send(extended("SELECT pg_sleep(0.05), 'heard'")...)
	_ = c.CloseWrite()
	if b, err := c.atEnd(t); err != nil || !strings.Contains(string(b), "heard") {
		t.Errorf("heard %q, %v", b, err)
	}
	eventually(t, func() bool { return p.Open() == 0 })
}

func TestTargetChangesAndMayBeAway(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	p.SetTarget("tcp", l.Addr().String())
	c.run(t, "SELECT 1")
	away := dial(t, p.Addr())
	if b, err := away.atEnd(t); len(b) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("heard %q, %v", b, err)
	}
	p.SetTarget("tcp", to.address)
	login(t, p, to).run(t, "SELECT 1")
}

// heap is how much memory is in use, at most, while f runs.
func heap(f func()) uint64 {
	var most uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var m runtime.MemStats
		for {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most
}

// A row of 100 MB and a million rows go through a memory that stays flat, with the
// rules looking on.
func TestBigResults(t *testing.T) {
	to := newTarget(t)
	for _, latency := range []time.Duration{0, time.Millisecond} {
		p := start(t, to, Config{Latency: latency})
		p.Add(Rule{From: Server, Type: 'D', Skip: 1 << 30})
		p.Add(Rule{From: Server, Text: "nothing"})
		for _, tt := range []struct {
			sql  string
			size int64
		}{
			{"SELECT repeat('x', 100000000)", 100_000_000},
			{"SELECT i FROM generate_series(1, 1000000) i", 16_000_000},
		} {
			c := login(t, p, to)
			var n int64
			idle := heap(func() {})
			most := heap(func() {
				c.send(&pgproto3.Query{String: tt.sql}, &pgproto3.Terminate{})
				var err error
				if n, err = io.Copy(io.Discard, c.TCPConn); err != nil {
					t.Error(err)
				}
			})
			if n < tt.size {
				t.Errorf("%s: %d bytes", tt.sql, n)
			}
			if limit := idle + 4<<20; latency == 0 && most > limit || most > limit+2*outboxSize {
				t.Errorf("%s: %d MB of memory, before it %d MB", tt.sql, most>>20, idle>>20)
			}
			// Inside counts: the cut is in the middle of the row.
			if tt.size < 100_000_000 {
				continue
			}
			p.Add(Rule{From: Server, Type: 'D', At: Inside})
			c = login(t, p, to)
			c.send(&pgproto3.Query{String: tt.sql})
			b, err := c.atEnd(t)
			if got := len(b); err != nil || got < 50_000_000 || got > 50_000_100 {
				t.Errorf("%d bytes came, %v", got, err)
			}
		}
	}
}

// A receiver that does not read holds the sender up, and nothing grows.
func TestSlowReceiver(t *testing.T) {
	to := newTarget(t)
	for _, latency := range []time.Duration{0, time.Millisecond} {
		p := start(t, to, Config{Latency: latency})
		c := login(t, p, to)
		idle := heap(func() {})
		most := heap(func() {
			c.send(&pgproto3.Query{String: "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"})
			waiting := fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND pid = %d", c.pid)
			held := 0
			eventually(t, func() bool {
				held = (held + 1) * len(to.query(t, waiting+" HAVING count(*) > 0")) // in a row
				return held == 20
			})
		})
		if limit := idle + 4<<20; latency == 0 && most > limit || most > limit+2*outboxSize {
			t.Errorf("%d MB of memory, before it %d MB", most>>20, idle>>20)
		}
		_ = c.Close()
		eventually(t, func() bool { return p.Open() == 0 })
	}
}

// Many connections, rules that come and go, and cuts at the same time: for the
// race detector, and for what does not end.
func TestManyAtOnce(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{Seed: 1})
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered, broken := 0, 0
	deadline := time.Now().Add(time.Second)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				nc, err := net.Dial("tcp", p.Addr())
				if err != nil {
					t.Error(err)
					return
				}
				_ = nc.SetDeadline(time.Now().Add(patience))
				c := &client{TCPConn: nc.(*net.TCPConn), fe: pgproto3.NewFrontend(nc, nc)}
				err = c.startup(to)
				for range 20 {
					if err != nil {
						break
					}
					c.send(extended("SELECT 1")...)
					_, err = c.replies()
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a connection hung")
				}
				_ = nc.Close()
				mu.Lock()
				if err == nil {
					answered++
				} else {
					broken++
				}
				mu.Unlock()
			}
		})
	}
	for i := 0; time.Now().Before(deadline); i++ {
		planted := p.Add(Rule{
			Name: Action(i % 8).String(), From: Side(i / 8 % 2), At: Point(i / 16 % 3), Chance: 0.5, Do: Action(i % 8), For: time.Millisecond, Reset: i%3 == 0,
		})
		p.SetLatency(time.Duration(i/100%2)*time.Millisecond, time.Millisecond/2)
		time.Sleep(time.Millisecond)
		switch i % 50 {
		case 7:
			p.Clear()
		case 27:
			p.Cut()
		default:
			planted.Remove()
		}
		p.Fired()
		p.Open()
	}
	p.Clear()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		wg.Wait()
	}()
	eventually(t, func() bool {
		p.Cut() // those whose messages were swallowed wait for ever
		select {
		case <-finished:
			return true
		default:
			return false
		}
	})
	login(t, p, to).run(t, "SELECT 1") // nothing of it is left
	t.Logf("%d connections were answered, %d broken; fired: %v", answered, broken, p.Fired())
	eventually(t, func() bool { return p.Open() == 1 })
}
