package wire_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

func TestCopyIsRefused(t *testing.T) {
	c := open(t, sharedConfig(t))
	if _, err := exchange(bounded(t), c, flightOf(doQuery("CREATE TEMP TABLE copied (v text); INSERT INTO copied SELECT 'row ' || i FROM generate_series(1, 5000) i"))); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		flight *wire.Flight
		code   string
	}{
		{"in, extended", flightOf(doCommand("COPY copied FROM STDIN"), doSync), "57014"},
		{"in, described", flightOf(doWhole("COPY copied FROM STDIN")), "57014"},
		{"in, simple", flightOf(doQuery("COPY copied FROM STDIN")), "57014"},
		{"in, script", flightOf(doQuery("SELECT 1; COPY copied FROM STDIN; SELECT 2")), "57014"},
		{"in, after a statement", flightOf(doCommand("SELECT 1"), doCommand("COPY copied FROM STDIN"), doSync), "57014"},
		{"in, after a group", flightOf(doCommand("SELECT 1"), doSync, doCommand("COPY copied FROM STDIN"), doSync), "57014"},
		{"out, extended", flightOf(doCommand("COPY copied TO STDOUT"), doSync), ""},
		{"out, simple", flightOf(doQuery("COPY copied TO STDOUT")), ""},
		{"out, script", flightOf(doQuery("SELECT 1; COPY copied TO STDOUT; SELECT 2")), ""},
		{"out, between", flightOf(doCommand("SELECT 1"), doCommand("COPY copied TO STDOUT"), doCommand("SELECT 2"), doSync), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := test.flight
			if err := c.Send(bounded(t), f); err != nil {
				t.Fatal(err)
			}
			a, err := read(f)
			if err != nil || serverCode(a.server) != test.code {
				t.Errorf("got %v, %v, want %q", err, a.server, test.code)
			}
			if !f.Copied {
				t.Error("Copied is not set")
			}
			if strings.ContainsAny(a.kinds, "GHWdc") {
				t.Errorf("the caller saw %q", a.kinds)
			}
			if got, err := value(bounded(t), c, "SELECT count(*) FROM copied"); err != nil || got != "5000" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		})
	}
}

// TestCopyWithMoreBehind: what was sent behind a COPY from the client is taken
// for its data. The flights behind must get their own answers or none.
func TestCopyWithMoreBehind(t *testing.T) {
	for name, copying := range map[string]func() *wire.Flight{
		"extended": func() *wire.Flight { return flightOf(doCommand("COPY copied FROM STDIN"), doSync) },
		"simple":   func() *wire.Flight { return flightOf(doQuery("COPY copied FROM STDIN")) },
		"groups": func() *wire.Flight {
			return flightOf(doCommand("COPY copied FROM STDIN"), doSync, doCommand("SELECT 'A'"), doSync, doCommand("SELECT 'B'"), doSync)
		},
		"in one group": func() *wire.Flight {
			return flightOf(doCommand("COPY copied FROM STDIN"), doCommand("SELECT 'A'"), doSync)
		},
		"scripts": func() *wire.Flight { return flightOf(doQuery("COPY copied FROM STDIN"), doQuery("SELECT 'A'")) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, sharedConfig(t))
			if _, err := exchange(bounded(t), c, flightOf(doQuery("CREATE TEMP TABLE copied (v text)"))); err != nil {
				t.Fatal(err)
			}
			if _, err := exchange(bounded(t), c, flightOf(doParse("s", "SELECT $1::text"), doSync)); err != nil {
				t.Fatal(err)
			}
			ctx := bounded(t)
			first := copying()
			if err := c.Send(ctx, first); err != nil {
				t.Fatal(err)
			}
			var behind []*wire.Flight
			names := []string{"one", "two", "three", "four"}
			for _, name := range names {
				f := flightOf(doBind("s", name), doExecute, doSync)
				if err := c.Send(ctx, f); errors.Is(err, wire.ErrClosed) {
					break // the server has given up already
				} else if err != nil {
					t.Fatal(err)
				}
				behind = append(behind, f)
			}
			if a, err := read(first); err == nil && a.server == nil {
				t.Errorf("the COPY succeeded: %+v", a)
			}
			for i, f := range behind {
				a, err := read(f)
				if err == nil && a.server == nil && (len(a.rows) != 1 || a.rows[0] != names[i]) {
					t.Errorf("flight %q got %q", names[i], a.rows)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("flight %q was never answered", names[i])
				}
			}
		})
	}
}

// TestCopyTakesTheNext: a server before 14 drops one flight behind a COPY, and
// goes on with the one after it, whose rows are not for the one that was
// dropped.
func TestCopyTakesTheNext(t *testing.T) {
	checkLeaks(t)
	b := &backend{script: func(p *peer) {
		for range 3 {
			p.await()
		}
		p.send(parsed, boundOk, message('G', "\x00\x00\x00"), failure, ready, wholeAnswer("for the third"))
		p.await()
	}}
	c := open(t, b.start(t))
	flights := []*wire.Flight{flightOf(doCommand("COPY t FROM STDIN"), doSync), flightOf(doWhole("second")), flightOf(doWhole("third"))}
	for _, f := range flights {
		if err := c.Send(bounded(t), f); err != nil {
			t.Fatal(err)
		}
	}
	_, err := read(flights[0])
	checkDead(t, c, err)
	for _, f := range flights[1:] {
		if a, err := read(f); err == nil {
			t.Errorf("got %q", a.rows)
		}
	}
}

// TestCopyAbandoned: the connection is closed, or clean in good time.
func TestCopyAbandoned(t *testing.T) {
	for name, noCancel := range map[string]bool{"cancel": false, "no cancel": true} {
		for _, text := range []string{"COPY (SELECT 1) TO STDOUT", "COPY copied FROM STDIN"} {
			t.Run(name+"/"+text, func(t *testing.T) {
				c := open(t, sharedConfig(t))
				if _, err := exchange(bounded(t), c, flightOf(doQuery("CREATE TEMP TABLE copied (v text)"))); err != nil {
					t.Fatal(err)
				}
				f := flightOf(doCommand(text), doSync)
				f.NoCancel = noCancel
				if err := c.Send(bounded(t), f); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				f.Abandon()
				eventually(t, "the connection is idle or closed", func() bool { return !c.Busy() })
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				if c.Err() == nil {
					checkUsable(t, c)
				}
			})
		}
	}
}
