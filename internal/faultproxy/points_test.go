package faultproxy

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// transaction logs in, begins, inserts 1, and leaves COMMIT to the test.
func transaction(t *testing.T, p *Proxy, to target) *client {
	t.Helper()
	c := login(t, p, to)
	c.run(t, "BEGIN")
	c.run(t, "INSERT INTO done VALUES (1)")
	return c
}

// commitAnswer is what a server answers to the simple query COMMIT.
var commitAnswer = "C\x00\x00\x00\x0bCOMMIT\x00Z\x00\x00\x00\x05I"

// cutPoints are what a cut of either kind means at each point around a COMMIT.
var cutPoints = []struct {
	from      Side
	typ       byte
	at        Point
	n         int64
	committed string
	hears     string // -: whether the server was quicker is open
}{
	{Client, 'Q', Before, 0, "0", ""},
	{Client, 'Q', Inside, 0, "0", ""},
	{Client, 'Q', Inside, 11, "0", ""}, // all but the last byte
	{Client, 'Q', Inside, 99, "1", "-"},
	{Client, 'Q', After, 0, "1", "-"},
	{Server, 'C', Before, 0, "1", commitAnswer[:0]},
	{Server, 'C', Inside, 1, "1", commitAnswer[:1]},
	{Server, 'C', Inside, 0, "1", commitAnswer[:8]},
	{Server, 'C', After, 0, "1", commitAnswer[:12]},
	{Server, 'Z', Before, 0, "1", commitAnswer[:12]},
	{Server, 'Z', Inside, 5, "1", commitAnswer[:17]},
	{Server, 'Z', After, 0, "1", commitAnswer},
}

func TestCutAtEachPoint(t *testing.T) {
	to := newTarget(t)
	for _, do := range []Action{Cut, CutClient} {
		for _, rst := range []bool{false, true} {
			for _, latency := range []time.Duration{0, time.Millisecond} {
				for _, point := range cutPoints {
					name := fmt.Sprintf("%s/rst=%t/%s/%s/%s-%d-%d", do, rst, latency, point.from, TypeName(point.from, point.typ), point.at, point.n)
					t.Run(name, func(t *testing.T) {
						to.query(t, "TRUNCATE done")
						p := start(t, to, Config{Latency: latency})
						c := transaction(t, p, to)
						planted := p.Add(Rule{
							Name: "cut", From: point.from, Type: point.typ, At: point.at, N: point.n, Do: do, Reset: rst, For: time.Millisecond,
						})
						c.send(&pgproto3.Query{String: "commit"})
						got, err := c.atEnd(t)
						if rst != errors.Is(err, syscall.ECONNRESET) {
							t.Errorf("the end is %v", err)
						}
						if point.hears != "-" && string(got) != point.hears {
							t.Errorf("the client heard %q, want %q", got, point.hears)
						}
						if planted.Fired() != 1 || p.Open() != 0 {
							t.Errorf("fired %d times; %d connections are open", planted.Fired(), p.Open())
						}
						wait(t, planted)
						to.gone(t, c.pid)
						if n := to.query(t, "SELECT count(*) FROM done"); n != point.committed {
							t.Errorf("committed %s, want %s", n, point.committed)
						}
					})
				}
			}
		}
	}
}

// Messages of one segment are treated one by one, and all that passed before a cut
// arrives.
func TestCutWithinAPipeline(t *testing.T) {
	to := newTarget(t)
	pipeline := slices.Concat(extended("BEGIN")[:4], extended("INSERT INTO done VALUES (1)")[:4], extended("COMMIT"))
	command := []string{"ParseComplete", "BindComplete", "NoData"}
	whole := slices.Concat(
		command, []string{"CommandComplete BEGIN"}, command, []string{"CommandComplete INSERT 0 1"},
		command, []string{"CommandComplete COMMIT", "ReadyForQuery I"})
	for i := range whole {
		for _, at := range []Point{Before, After} {
			to.query(t, "TRUNCATE done")
			p := start(t, to, Config{})
			c := login(t, p, to)
			p.Add(Rule{From: Server, Skip: i, At: at})
			c.send(pipeline...)
			got, err := c.replies()
			want := whole[:i+int(at)/2]
			if len(want) == len(whole) {
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			} else if err == nil || !slices.Equal(got, want) {
				t.Errorf("%d, point %d: heard %q and %v, want %q", i, at, got, err, want)
			}
			to.gone(t, c.pid)
			if n := to.query(t, "SELECT count(*) FROM done"); n != "1" {
				t.Errorf("%d: the server had it all, and %s rows are there", i, n)
			}
		}
	}
	// In the other direction: COMMIT takes effect at its Execute.
	for i := range pipeline {
		to.query(t, "TRUNCATE done")
		p := start(t, to, Config{})
		c := login(t, p, to)
		p.Add(Rule{From: Client, Skip: i})
		c.send(pipeline...)
		if got, err := c.replies(); err == nil {
			t.Errorf("%d: heard %q", i, got)
		}
		to.gone(t, c.pid)
		want := "0"
		if i == len(pipeline)-1 {
			want = "1"
		}
		if n := to.query(t, "SELECT count(*) FROM done"); n != want {
			t.Errorf("%s cut before message %d of the client: %s rows, want %s", "a pipeline", i, n, want)
		}
	}
}

func TestHalfClose(t *testing.T) {
	to := newTarget(t)
	for _, latency := range []time.Duration{0, time.Millisecond} {
		for _, tt := range []struct {
			rule  Rule
			hears string
			n     string
		}{
			{Rule{From: Client, Type: 'Q', At: Before}, "", "0"},
			{Rule{From: Client, Type: 'Q', At: Inside}, "", "0"},
			{Rule{From: Client, Type: 'Q', At: After}, commitAnswer, "1"},
			{Rule{From: Server, Type: 'C', At: Before}, commitAnswer, "1"},
			{Rule{From: Server, Type: 'C', At: Inside}, commitAnswer, "1"},
			{Rule{From: Server, Type: 'Z', At: After}, commitAnswer, "1"},
		} {
			to.query(t, "TRUNCATE done")
			p := start(t, to, Config{Latency: latency})
			c := transaction(t, p, to)
			tt.rule.Do = HalfClose
			planted := p.Add(tt.rule)
			c.send(&pgproto3.Query{String: "commit"})
			got, err := c.atEnd(t)
			// Where half a message came, the server may complain before it ends.
			if err != nil || tt.rule.At != Inside && string(got) != tt.hears {
				t.Errorf("%+v: heard %q, %v; want %q", tt.rule, got, err, tt.hears)
			}
			wait(t, planted)
			to.gone(t, c.pid)
			if n := to.query(t, "SELECT count(*) FROM done"); n != tt.n {
				t.Errorf("%+v: %s rows, want %s", tt.rule, n, tt.n)
			}
		}
	}
}

// A client that is cut off alone leaves a server that knows nothing of it.
func TestCutClientKeepsTheServer(t *testing.T) {
	to := newTarget(t)
	for _, tt := range []struct {
		rule  Rule
		state string
	}{
		{Rule{From: Client, Type: 'Q'}, "idle in transaction"},
		{Rule{From: Server, Type: 'C'}, "idle"},
	} {
		p := start(t, to, Config{})
		c := transaction(t, p, to)
		tt.rule.Do = CutClient
		planted := p.Add(tt.rule)
		c.send(&pgproto3.Query{String: "COMMIT"})
		if got, err := c.atEnd(t); err != nil || len(got) > 0 {
			t.Errorf("heard %q, %v", got, err)
		}
		_ = c.Close()
		state := fmt.Sprintf("SELECT state FROM pg_stat_activity WHERE pid = %d", c.pid)
		eventually(t, func() bool { return to.query(t, state) != "active" })
		for range 5 { // a server that was let go would end within these
			if got := to.query(t, state); got != tt.state {
				t.Errorf("the server is %q, want %q", got, tt.state)
			}
		}
		if p.Open() != 0 || p.Opened() != 1 {
			t.Errorf("open %d, opened %d", p.Open(), p.Opened())
		}
		planted.Remove()
		to.gone(t, c.pid)
	}
}

// Several rules strike one message in the order of their points.
func TestRulesOfOneMessage(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	c := transaction(t, p, to)
	p.Add(Rule{Name: "2", From: Server, Type: 'C', At: After})
	p.Add(Rule{Name: "1", From: Server, Type: 'C', At: Inside, N: 5, Do: Corrupt})
	p.Add(Rule{Name: "0", From: Server, Type: 'C', Do: Split})
	p.Add(Rule{Name: "3", From: Server, Type: 'C', At: After, Do: HalfClose}) // comes too late
	c.send(&pgproto3.Query{String: "COMMIT"})
	got, err := c.atEnd(t)
	if err != nil || len(got) != 12 || got[5] == commitAnswer[5] || string(got[6:]) != commitAnswer[6:12] {
		t.Errorf("heard %q, %v", got, err)
	}
	if fired := p.Fired(); fired["0"] != 1 || fired["1"] != 1 || fired["2"] != 1 || fired["3"] != 0 {
		t.Errorf("fired %v", fired)
	}
}
