package faultproxy

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// faultsOf are the numbers of the messages that a proxy of a seed changed on three
// connections, and what it made of them.
func faultsOf(t *testing.T, seed uint64, latency bool) [3]string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := Config{Network: "tcp", Address: l.Addr().String(), Seed: seed}
	if latency {
		cfg.Latency, cfg.Jitter = 1, 1
	}
	p := startAt(t, cfg)
	p.Add(Rule{From: Client, Type: 'Q', Chance: 0.2, Times: -1, Do: Corrupt})
	p.Add(Rule{From: Client, Type: 'Q', Chance: 0.1, Times: -1, Do: Swallow})
	p.Add(Rule{From: Client, Chance: 0.5, Times: -1, Do: Split, Pieces: 3})
	var all [3]string
	for i := range all {
		c := dial(t, p.Addr())
		messages := []pgproto3.FrontendMessage{&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30}}
		for i := range 50 {
			messages = append(messages, &pgproto3.Query{String: fmt.Sprintf("command %d", i)})
		}
		c.send(messages...)
		_ = c.CloseWrite()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(server)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = fmt.Sprintf("%q\n", b)
		_ = server.Close()
	}
	return all
}

func TestSeedDecides(t *testing.T) {
	seen := map[string]uint64{} // of which connection
	for seed := range uint64(8) {
		got := faultsOf(t, seed, false)
		if again := faultsOf(t, seed, seed%2 == 0); again != got {
			t.Errorf("seed %d gives\n%sand\n%s", seed, got, again)
		}
		for i, conn := range got {
			if other, ok := seen[conn]; ok {
				t.Errorf("connection %d of seed %d and one of seed %d suffer the same", i, seed, other)
			}
			seen[conn] = seed
		}
	}
}
