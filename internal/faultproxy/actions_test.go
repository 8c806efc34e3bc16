package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

// quiet fails where anything comes for a while: what a stall holds back would have
// come at once.
func quiet(t *testing.T, c *client) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var b [1]byte
	if n, err := c.Read(b[:]); n != 0 || !timeout(err) {
		t.Errorf("read %q, %v; want nothing", b[:n], err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
}

func TestStall(t *testing.T) {
	to := newTarget(t)
	release := map[string]func(*Proxy, *Planted){
		"clear":  func(p *Proxy, _ *Planted) { p.Clear() },
		"remove": func(_ *Proxy, planted *Planted) { planted.Remove() },
	}
	for how, free := range release {
		for _, latency := range []time.Duration{0, time.Millisecond} {
			for _, tt := range []struct {
				rule  Rule
				hears int // of commitAnswer, while it is stalled
			}{
				{Rule{From: Client, Type: 'Q', At: Before}, 0},
				{Rule{From: Client, Type: 'Q', At: Inside}, 0},
				{Rule{From: Client, Type: 'Q', At: After}, len(commitAnswer)},
				{Rule{From: Server, Type: 'C', At: Before}, 0},
				{Rule{From: Server, Type: 'C', At: Inside}, 8},
				{Rule{From: Server, Type: 'C', At: After}, 12},
				{Rule{From: Server, Type: 'Z', At: After}, len(commitAnswer)},
			} {
				to.query(t, "TRUNCATE done")
				p := start(t, to, Config{Latency: latency})
				c := transaction(t, p, to)
				tt.rule.Do = Stall
				planted := p.Add(tt.rule)
				c.send(&pgproto3.Query{String: "commit"})
				wait(t, planted)
				got := make([]byte, len(commitAnswer))
				if _, err := readFull(c, got[:tt.hears]); err != nil {
					t.Fatalf("%s: %+v: %v", how, tt.rule, err)
				}
				quiet(t, c)
				free(p, planted)
				if _, err := readFull(c, got[tt.hears:]); err != nil || string(got) != commitAnswer {
					t.Fatalf("%s: %+v: heard %q, %v", how, tt.rule, got, err)
				}
				c.run(t, "SELECT 1") // it goes on
				if n := to.query(t, "SELECT count(*) FROM done"); n != "1" {
					t.Errorf("%s rows", n)
				}
			}
		}
	}
}

func readFull(c *client, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = c.Read(b[n:])
		n += k
	}
	return n, err
}

func TestStallEndsByItself(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	p.Add(Rule{From: Server, Do: Stall, For: 20 * time.Millisecond})
	before := time.Now()
	c.run(t, "SELECT 1")
	if took := time.Since(before); took < 20*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}

// Whoever gives a stalled connection up is not kept, and neither is a server.
func TestStalledConnectionsEnd(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	stalled := p.Add(Rule{From: Server, Do: Stall})
	c.send(&pgproto3.Query{String: "SELECT 1"})
	wait(t, stalled)
	_ = c.Close()
	eventually(t, func() bool { return p.Open() == 0 })
	to.gone(t, c.pid)

	p.Clear()
	c = login(t, p, to)
	stalled = p.Add(Rule{From: Client, Do: Stall})
	c.send(&pgproto3.Query{String: "SELECT 1"})
	wait(t, stalled)
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections", n)
	}
	if _, err := c.atEnd(t); err != nil {
		t.Error(err)
	}
	to.gone(t, c.pid)
}

// Delays do not add up, and keep the order.
func TestDelay(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	const delay = 150 * time.Millisecond
	for _, tt := range []struct {
		rule  Rule
		first string // what comes undelayed
	}{
		{Rule{From: Server, Type: 'C', At: Before}, ""},
		{Rule{From: Server, Type: 'C', At: Inside}, commitAnswer[:8]},
		{Rule{From: Server, Type: 'C', At: After}, commitAnswer[:12]},
	} {
		c.run(t, "BEGIN")
		tt.rule.Do, tt.rule.For = Delay, delay
		p.Add(tt.rule)
		before := time.Now()
		c.send(&pgproto3.Query{String: "COMMIT"})
		var got []byte
		for first := true; len(got) < len(commitAnswer); first = false {
			b := make([]byte, 100)
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, b[:n]...); first && tt.first != "" && string(got) != tt.first {
				t.Errorf("%+v: at first came %q, want %q", tt.rule, got, tt.first)
			}
		}
		if took := time.Since(before); took < delay {
			t.Errorf("%+v: it took %s", tt.rule, took)
		}
		if string(got) != commitAnswer {
			t.Errorf("%+v: heard %q", tt.rule, got)
		}
	}
	p.Add(Rule{From: Client, Times: -1, Do: Delay, For: delay})
	before := time.Now()
	many := make([]pgproto3.FrontendMessage, 100)
	for i := range many {
		many[i] = &pgproto3.Sync{}
	}
	c.send(many...)
	for range many {
		if _, err := c.replies(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(before); took < delay || took > 50*delay {
		t.Errorf("100 messages took %s", took)
	}
}

// session runs commands of each kind and gives all that came.
func session(t *testing.T, p *Proxy, to target) []string {
	t.Helper()
	c := login(t, p, to)
	var all []string
	for _, batch := range [][]pgproto3.FrontendMessage{
		{&pgproto3.Query{String: "BEGIN; CREATE TEMP TABLE x (n int, s text); INSERT INTO x SELECT i, repeat('x', i) FROM generate_series(1, 40) i"}},
		extended("SELECT * FROM x"),
		{&pgproto3.Parse{Name: "s", Query: "SELECT count(*) FROM x"}, &pgproto3.Sync{}},
		{&pgproto3.Bind{PreparedStatement: "s"}, &pgproto3.Execute{}, &pgproto3.Sync{}},
		extended("SELECT * FROM nothing"),
		{&pgproto3.Query{String: "ROLLBACK"}},
	} {
		c.send(batch...)
		got, err := c.replies()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	return all
}

func TestSplitChangesNothing(t *testing.T) {
	to := newTarget(t)
	want := session(t, start(t, to, Config{}), to)
	if len(want) < 50 {
		t.Fatalf("only %q", want)
	}
	for _, latency := range []time.Duration{0, time.Millisecond} {
		for _, pieces := range []int{0, 2, 7} {
			for _, at := range []Point{Before, Inside} {
				p := start(t, to, Config{Latency: latency})
				p.Add(Rule{Name: "split", From: Client, Times: -1, Do: Split, At: at, Pieces: pieces})
				p.Add(Rule{Name: "split", From: Server, Times: -1, Do: Split, At: at, Pieces: pieces})
				if diff := cmp.Diff(want, session(t, p, to)); diff != "" {
					t.Errorf("%s, %d: %s", latency, pieces, diff)
				}
				if n := p.Fired()["split"]; n < 50 {
					t.Errorf("split %d messages", n)
				}
			}
		}
	}
	// With pauses, each piece comes alone.
	p := start(t, to, Config{})
	c := login(t, p, to)
	p.Add(Rule{From: Server, Times: -1, Do: Split, For: 5 * time.Millisecond})
	c.send(&pgproto3.Sync{})
	reads := 0
	for got := 0; got < 6; reads++ {
		b := make([]byte, 10)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if reads < 2 {
		t.Error("all six bytes came together")
	}
}

func TestSwallow(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	c.run(t, "BEGIN")
	p.Add(Rule{From: Client, Type: 'Q', Text: "insert", Do: Swallow})
	p.Add(Rule{From: Server, Type: 'C', Text: "COMMIT", Do: Swallow})
	p.Add(Rule{From: Server, Type: 'E', Text: "42P01", Do: Swallow, At: After})
	c.send(&pgproto3.Query{String: "\n INSERT INTO done VALUES (1)"}, &pgproto3.Query{String: "COMMIT"}, &pgproto3.Query{String: "SELECT * FROM nothing"})
	var all []string
	for range 2 {
		got, err := c.replies()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	if want := []string{"ReadyForQuery I", "ReadyForQuery I"}; !slices.Equal(all, want) {
		t.Errorf("heard %q, want %q", all, want)
	}
	if n := to.query(t, "SELECT count(*) FROM done"); n != "0" {
		t.Errorf("%s rows", n)
	}
	// Inside, the message's end is dropped: the receiver takes the next one for it.
	c.run(t, "BEGIN")
	p.Add(Rule{From: Server, Type: 'C', Text: "COMMIT", At: Inside, N: 5, Do: Swallow})
	c.send(&pgproto3.Query{String: "COMMIT"})
	want := commitAnswer[:5] + commitAnswer[12:]
	b := make([]byte, len(want))
	if _, err := readFull(c, b); err != nil || string(b) != want {
		t.Errorf("heard %q, %v; want %q", b, err, want)
	}
}

func TestCorrupt(t *testing.T) {
	to := newTarget(t)
	places := map[int]bool{}
	for seed := range uint64(20) {
		for _, n := range []int64{0, 2, 9} {
			p := start(t, to, Config{Seed: seed})
			c := login(t, p, to)
			c.run(t, "BEGIN")
			r := Rule{From: Server, Type: 'C', Do: Corrupt}
			if n > 0 {
				r.At, r.N = Inside, n
			}
			p.Add(r)
			c.send(&pgproto3.Query{String: "COMMIT"})
			b := make([]byte, len(commitAnswer))
			if _, err := readFull(c, b); err != nil {
				t.Fatal(err)
			}
			var changed []int
			for i := range b {
				if b[i] != commitAnswer[i] {
					changed = append(changed, i)
				}
			}
			switch {
			case len(changed) != 1, changed[0] < 1, changed[0] > 11, n == 0 && changed[0] < 5, n > 0 && changed[0] != int(n):
				t.Errorf("N=%d: heard %q", n, b)
			case n == 0:
				places[changed[0]] = true
			}
		}
	}
	if len(places) < 3 {
		t.Errorf("20 seeds changed bytes %v", places)
	}
	// Without a body, the type.
	p := start(t, to, Config{})
	c := login(t, p, to)
	p.Add(Rule{From: Client, Type: 'S', Do: Corrupt})
	c.send(&pgproto3.Sync{})
	b, _ := c.atEnd(t)
	if !bytes.Contains(b, []byte("invalid frontend message type")) {
		t.Errorf("heard %q", b)
	}
}

func TestCounting(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := login(t, p, to)
	fires := func(r Rule) (at []int) {
		r.From, r.Type, r.Text, r.Do, r.Name = Client, 'Q', "select", Split, "count"
		planted := p.Add(r)
		defer planted.Remove()
		for i := range 20 {
			before := planted.Fired()
			c.run(t, " SELECT 1")
			c.run(t, "SET application_name = 'x'")
			if planted.Fired() != before {
				at = append(at, i)
			}
		}
		return at
	}
	for _, tt := range []struct {
		rule Rule
		want []int
	}{
		{Rule{}, []int{0}},
		{Rule{Skip: 3}, []int{3}},
		{Rule{Times: 3}, []int{0, 1, 2}},
		{Rule{Every: 7, Times: -1}, []int{6, 13}},
		{Rule{Every: 7, Skip: 2, Times: 9}, []int{8, 15}},
		{Rule{Every: 5, Times: 1}, []int{4}},
		{Rule{Chance: 1, Skip: 18, Times: -1}, []int{18, 19}},
	} {
		if got := fires(tt.rule); !slices.Equal(got, tt.want) {
			t.Errorf("%+v fired at %v, want %v", tt.rule, got, tt.want)
		}
	}
	if got, want := p.Fired(), int64(1+1+3+2+2+1+2); got["count"] != want || len(got) != 1 {
		t.Errorf("fired %v, want %d", got, want)
	}
	never := p.Add(Rule{Name: "never", From: Server, Type: '?'})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := never.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.Clear()
	if err := never.Wait(t.Context()); !errors.Is(err, errRemoved) {
		t.Error(err)
	}
	if n, ok := p.Fired()["never"]; n != 0 || !ok {
		t.Error(p.Fired())
	}
}
