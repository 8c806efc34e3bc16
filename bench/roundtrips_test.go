package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/duetdb/duet/internal/pgtest"
)

// listener passes one connection after the other on to a server, and counts how
// often the client speaks after the server has, and how much it says.
type listener struct {
	net.Listener
	mu    sync.Mutex
	heard bool // the server was the last to speak
	turns int
	bytes int
}

func listen(t *testing.T, to Target) *listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{Listener: inner}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(to.Network, to.Address)
			if err != nil {
				t.Error(err)
				client.Close()
				return
			}
			running.Go(func() { l.pass(server, client, true) })
			running.Go(func() { l.pass(client, server, false) })
		}
	})
	return l
}

// pass copies until either end is closed, and closes both.
func (l *listener) pass(to io.WriteCloser, from io.ReadCloser, client bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 8192)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		l.mu.Lock()
		if client {
			l.bytes += n
			if l.heard {
				l.turns++
			}
		}
		l.heard = !client
		l.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (l *listener) counted() (turns, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns, l.bytes
}

// TestRoundTrips holds the drivers to what README.md says of their transactions,
// and duet's to that they do what they are named for.
func TestRoundTrips(t *testing.T) {
	s, err := openServer(t.Context(), options{dsn: pgtest.Shared(t).NewDatabase(t), scale: Scale{Accounts: 1, Events: 1}})
	if err != nil {
		t.Fatal(err)
	}
	w := deposits()[0]
	b, err := openBooks(t.Context(), s.target, w) // makes the table of tokens
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	want := map[string]int{"null": 3, "duet": 3, "duet-no-id": 3, tokenDriver: 3, "pgx": 4, "pgx-tuned": 2, "lib/pq": 4}
	sent := map[string]int{}
	for _, d := range allDrivers() {
		t.Run(d.Name(), func(t *testing.T) {
			l := listen(t, s.target)
			target := s.target
			target.Network, target.Address = "tcp", l.Addr().String()
			target.DSN = fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable",
				l.Addr().(*net.TCPAddr).Port, target.Params["user"], target.Params["database"])
			r, err := d.Open(t.Context(), target, w)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 { // until all statements are prepared
				if _, err := r.Verify(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
			turns, bytes := l.counted()
			const slice = 20
			if _, err := r.Measure(t.Context(), Slice{Duration: 1 << 40, MaxOps: slice}); err != nil {
				t.Fatal(err)
			}
			turnsAfter, bytesAfter := l.counted()
			if got := float64(turnsAfter-turns) / slice; got != float64(want[d.Name()]) {
				t.Errorf("%g round trips, want %d", got, want[d.Name()])
			}
			sent[d.Name()] = (bytesAfter - bytes) / slice
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("bytes of a transaction: %v", sent)
	if plain := sent["duet-no-id"]; sent["duet"] <= plain || sent[tokenDriver] <= plain {
		t.Errorf("neither an id nor a token can be in so few bytes: %v", sent)
	}
}
