package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// ten are the bytes that the tests send.
const ten = "0123456789"

func TestRawCutsAtBytes(t *testing.T) {
	echo := newEcho(t)
	for _, latency := range []time.Duration{0, time.Millisecond} {
		for bytes := range int64(11) {
			for _, rst := range []bool{false, true} {
				if rst && bytes == 0 {
					continue // dialling itself may fail then
				}
				p := startAt(t, Config{Network: "tcp", Address: echo, Raw: true, Latency: latency})
				planted := p.Add(Rule{From: Server, Bytes: bytes, Reset: rst})
				c := dial(t, p.Addr())
				_, _ = io.WriteString(c, ten)
				got, err := c.atEnd(t)
				if string(got) != ten[:bytes] || rst != errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("cut at %d: heard %q, %v", bytes, got, err)
				}
				if planted.Fired() != 1 || p.Opened() != 1 || p.Open() != 0 {
					t.Errorf("fired %d, opened %d, open %d", planted.Fired(), p.Opened(), p.Open())
				}
			}
		}
	}
}

func TestRawActions(t *testing.T) {
	echo := newEcho(t)
	send := func(r Rule) (string, *Proxy, *client) {
		p := startAt(t, Config{Network: "tcp", Address: echo, Raw: true})
		p.Add(r)
		c := dial(t, p.Addr())
		_, _ = io.WriteString(c, ten)
		_ = c.CloseWrite()
		got, err := c.atEnd(t)
		if err != nil {
			t.Error(err)
		}
		return string(got), p, c
	}
	for _, tt := range []struct {
		name string
		rule Rule
		want string
	}{
		{"half-close", Rule{From: Client, Bytes: 3, Do: HalfClose}, ten[:3]},
		{"cut client", Rule{From: Client, Bytes: 3, Do: CutClient, For: time.Millisecond}, "-"},
		{"cut client at the server's", Rule{From: Server, Bytes: 3, Do: CutClient, For: time.Millisecond}, ten[:3]},
		{"swallow", Rule{From: Client, Bytes: 3, Do: Swallow, N: 2}, "01256789"},
		{"swallow all", Rule{From: Client, Bytes: 3, Do: Swallow}, "012"},
		{"split", Rule{From: Server, Bytes: 3, Do: Split}, ten},
		{"split some", Rule{From: Server, Do: Split, Pieces: 3, N: 5}, ten},
		{"delay", Rule{From: Server, Bytes: 5, Do: Delay, For: 10 * time.Millisecond}, ten},
		{"stall", Rule{From: Client, Bytes: 5, Do: Stall, For: 10 * time.Millisecond}, ten},
		{"beyond the end", Rule{From: Client, Bytes: 11}, ten},
	} {
		got, p, _ := send(tt.rule)
		if got != tt.want && tt.want != "-" {
			t.Errorf("%s: heard %q, want %q", tt.name, got, tt.want)
		}
		if n := p.Fired()[""]; (n == 1) == (tt.name == "beyond the end") {
			t.Errorf("%s: fired %d times", tt.name, n)
		}
	}
	got, _, _ := send(Rule{From: Client, Bytes: 3, Do: Corrupt})
	if len(got) != 10 || got[3] == ten[3] || got[:3]+got[4:] != ten[:3]+ten[4:] {
		t.Errorf("corrupt: heard %q", got)
	}
}

func TestRawCutsByTime(t *testing.T) {
	p := startAt(t, Config{Network: "tcp", Address: newEcho(t), Raw: true})
	exchange := func(c *client) {
		t.Helper()
		b := make([]byte, len(ten))
		if _, err := io.WriteString(c, ten); err != nil {
			t.Fatal(err)
		}
		if _, err := readFull(c, b); err != nil || string(b) != ten {
			t.Fatalf("heard %q, %v", b, err)
		}
	}
	// It is idle then: time passes without bytes.
	const age = 100 * time.Millisecond
	before := time.Now()
	first := p.Add(Rule{From: Server, Age: age})
	far := p.Add(Rule{From: Client, Age: time.Hour})
	c := dial(t, p.Addr())
	exchange(c)
	if b, err := c.atEnd(t); len(b) > 0 || err != nil {
		t.Errorf("heard %q, %v", b, err)
	}
	if took := time.Since(before); took < age || first.Fired() != 1 {
		t.Errorf("it took %s, fired %d times", took, first.Fired())
	}
	// A rule that is added later strikes an open connection.
	c = dial(t, p.Addr())
	exchange(c)
	for _, r := range []Rule{{From: Server, Bytes: 25}, {From: Server, Age: time.Nanosecond}} {
		exchange(c)
		planted := p.Add(r)
		want := ""
		if r.Bytes > 0 {
			_, _ = io.WriteString(c, ten)
			want = ten[:5]
		}
		wait(t, planted)
		if b, err := c.atEnd(t); err != nil || string(b) != want {
			t.Errorf("heard %q, %v; want %q", b, err, want)
		}
		c = dial(t, p.Addr())
		exchange(c)
	}
	// And one that it has long met, at once; rules that are woken for nothing do no
	// harm.
	exchange(c)
	for range 50 {
		p.Add(Rule{From: Client, Bytes: 1 << 40})
		p.Add(Rule{From: Server, Age: time.Hour})
	}
	exchange(c)
	wait(t, p.Add(Rule{From: Client, Bytes: 1}))
	if _, err := c.atEnd(t); err != nil {
		t.Error(err)
	}
	if far.Fired() != 0 {
		t.Error("an hour has passed")
	}
}

// The counters of a rule run over the connections.
func TestRawCounting(t *testing.T) {
	p := startAt(t, Config{Network: "tcp", Address: newEcho(t), Raw: true})
	p.Add(Rule{From: Client, Bytes: 5, Skip: 1, Every: 2, Times: 2})
	var cut []int
	for i := range 8 {
		c := dial(t, p.Addr())
		_, _ = io.WriteString(c, ten)
		if n, _ := readFull(c, make([]byte, 10)); n < 10 {
			cut = append(cut, i)
		}
		_ = c.Close()
	}
	if !slices.Equal(cut, []int{2, 4}) {
		t.Errorf("cut connections %v", cut)
	}
}

func TestRawPassesAll(t *testing.T) {
	p := startAt(t, Config{Network: "tcp", Address: newEcho(t), Raw: true})
	c := dial(t, p.Addr())
	sent := bytes.Repeat([]byte(ten), 300_000)
	go func() {
		_, _ = c.Write(sent)
		_ = c.CloseWrite()
	}()
	if got, err := c.atEnd(t); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came of %d, %v", len(got), len(sent), err)
	}
}

// What was let through arrives although its receiver reads late, and nobody reads
// what it said itself.
func TestWhatPassedArrives(t *testing.T) {
	heard := make(chan int64, 1)
	server := newServer(t, func(c net.Conn) {
		_, _ = c.Write(bytes.Repeat([]byte("x"), 64<<10))
		var n int64
		for {
			k, err := io.CopyN(io.Discard, c, 64<<10)
			if n += k; err != nil {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		heard <- n
	})
	const passes = 5 << 20
	for range 10 {
		p := startAt(t, Config{Network: "tcp", Address: server, Raw: true})
		p.Add(Rule{From: Client, Bytes: passes})
		p.Add(Rule{From: Server, Do: Stall})
		c := dial(t, p.Addr())
		_, _ = c.Write(make([]byte, 2*passes))
		if got := <-heard; got != passes {
			t.Fatalf("%d bytes came", got)
		}
		_ = c.Close()
	}
}

// A client that was half-closed, and goes on to send, is not woken up by a rule.
func TestRawRulesAfterAHalfClose(t *testing.T) {
	ended, speak := make(chan struct{}), make(chan struct{})
	server := newServer(t, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		close(ended)
		<-speak
		_, _ = io.WriteString(c, "late")
	})
	p := startAt(t, Config{Network: "tcp", Address: server, Raw: true})
	p.Add(Rule{From: Client, Bytes: 5, Do: HalfClose})
	c := dial(t, p.Addr())
	_, _ = io.WriteString(c, ten)
	<-ended
	for range 20 {
		p.Add(Rule{From: Client, Bytes: 5})
		time.Sleep(time.Millisecond)
		_, _ = io.WriteString(c, ten)
	}
	close(speak)
	if b, err := c.atEnd(t); string(b) != "late" || err != nil {
		t.Errorf("heard %q, %v", b, err)
	}
	if n := p.Fired()[""]; n != 1 {
		t.Errorf("fired %d times", n)
	}
}
