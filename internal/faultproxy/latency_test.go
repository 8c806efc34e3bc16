package faultproxy

import (
	"bytes"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestLatency(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	const latency = 30 * time.Millisecond
	took := func() time.Duration {
		before := time.Now()
		c.run(t, "SELECT 1")
		return time.Since(before)
	}
	p.SetLatency(latency, 0)
	for range 3 {
		if d := took(); d < 2*latency {
			t.Errorf("a round trip took %s", d)
		}
	}
	p.SetLatency(latency, latency/2)
	var sizes []time.Duration
	for range 8 {
		d := took()
		if sizes = append(sizes, d); d < latency {
			t.Errorf("a round trip took %s", d)
		}
	}
	p.SetLatency(0, 0)
	took()
	fast := time.Hour
	for range 10 {
		fast = min(fast, took())
	}
	if fast >= latency {
		t.Errorf("without latency, a round trip took %s", fast)
	}
	t.Logf("with jitter: %v; at last: %s", sizes, fast)
}

// Latency holds up nothing but the first answer, and changes no byte.
func TestLatencyKeepsThroughputAndOrder(t *testing.T) {
	p := startAt(t, Config{Network: "tcp", Address: newEcho(t), Raw: true, Latency: 50 * time.Millisecond, Jitter: 40 * time.Millisecond})
	c := dial(t, p.Addr())
	sent := make([]byte, 20<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	before := time.Now()
	go func() {
		_, _ = c.Write(sent)
		_ = c.CloseWrite()
	}()
	got, err := c.atEnd(t)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came of %d, %v", len(got), len(sent), err)
	}
	// Piece by piece, 320 times 64 KiB would take half a minute.
	if took := time.Since(before); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

// benchmarks are what a proxy costs in several states; nil is none.
var benchmarks = []struct {
	name  string
	setup func(*Proxy)
}{
	{"direct", nil},
	{"no rules", func(*Proxy) {}},
	{"ten rules", func(p *Proxy) {
		for range 5 {
			p.Add(Rule{From: Client, Type: 'E', Text: "COMMIT PREPARED"})
			p.Add(Rule{From: Server, Type: 'C', Text: "COMMIT PREPARED"})
		}
	}},
	{"latency 1ms", func(p *Proxy) { p.SetLatency(time.Millisecond, 0) }},
	{"latency 1ms±200us", func(p *Proxy) { p.SetLatency(time.Millisecond, 200*time.Microsecond) }},
	{"latency 500us", func(p *Proxy) { p.SetLatency(500*time.Microsecond, 0) }},
}

func benchmark(b *testing.B, run func(b *testing.B, c *client)) {
	to := newTarget(b)
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			address := to.address
			if bm.setup != nil {
				p := start(b, to, Config{})
				bm.setup(p)
				address = p.Addr()
			}
			c := dial(b, address)
			_ = c.SetDeadline(time.Time{})
			if err := c.startup(to); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			run(b, c)
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	query := encode(extended("SELECT 1")...)
	benchmark(b, func(b *testing.B, c *client) {
		answer := make([]byte, 1000)
		for b.Loop() {
			if _, err := c.Write(query); err != nil {
				b.Fatal(err)
			}
			for {
				n, err := c.Read(answer)
				if err != nil {
					b.Fatal(err)
				}
				if n >= 6 && answer[n-6] == 'Z' {
					break
				}
			}
		}
	})
}

func BenchmarkThroughput(b *testing.B) {
	for _, tt := range []struct {
		name, sql string
	}{
		{"rows of 30 bytes", "SELECT i, 'some text' FROM generate_series(1, 1000000) i"},
		{"rows of 1 MB", "SELECT repeat('x', 1000000) FROM generate_series(1, 100) i"},
	} {
		query := encode(&pgproto3.Query{String: tt.sql})
		b.Run(tt.name, func(b *testing.B) {
			benchmark(b, func(b *testing.B, c *client) {
				buf := make([]byte, 256<<10)
				total := int64(0)
				for b.Loop() {
					if _, err := c.Write(query); err != nil {
						b.Fatal(err)
					}
					for {
						n, err := c.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						total += int64(n)
						if n >= 6 && bytes.Equal(buf[n-6:n], []byte("Z\x00\x00\x00\x05I")) {
							break
						}
					}
				}
				b.SetBytes(total / int64(b.N))
			})
		})
	}
}
