package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// TestCloseCancels: a connection that is closed from this side while the server
// works for it does not leave the server working: nobody would ever know of the
// locks that it holds.
func TestCloseCancels(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		for how, end := range map[string]func(c *wire.Conn, f *wire.Flight) error{
			"Close":            func(c *wire.Conn, _ *wire.Flight) error { return c.Close(bounded(t)) },
			"Fail":             func(c *wire.Conn, _ *wire.Flight) error { c.Fail(errors.New("enough")); return c.Close(bounded(t)) },
			"abandoned, Close": func(c *wire.Conn, f *wire.Flight) error { f.Abandon(); return c.Close(bounded(t)) },
			"abandoned, Close while asking": func(c *wire.Conn, f *wire.Flight) error {
				f.Abandon()
				time.Sleep(wire.CancelGrace + time.Millisecond)
				return c.Close(bounded(t))
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				cfg := configFor(server, "trust_user")
				cfg.TLS = mode
				c := open(t, cfg)
				f := flightOf(doWhole("SELECT pg_sleep(60)"))
				if err := c.Send(bounded(t), f); err != nil {
					t.Fatal(err)
				}
				pid := fmt.Sprint(c.PID())
				eventually(t, "the server sleeps", func() bool {
					rows := admin(t, server, "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid = "+pid)
					return len(rows) == 1
				})
				if err := end(c, f); err != nil {
					t.Error(err)
				}
				awaitGone(t, server, c.PID())
			})
		}
	}
}

// TestCloseSpares: what must not be cancelled is not cancelled by closing, and
// an idle connection asks for nothing.
func TestCloseSpares(t *testing.T) {
	checkLeaks(t)
	for name, send := range map[string]func(c *wire.Conn) error{
		"idle": func(*wire.Conn) error { return nil },
		"NoCancel": func(c *wire.Conn) error {
			f := flightOf(doWhole("COMMIT"))
			f.NoCancel = true
			return c.Send(bounded(t), f)
		},
		"NoCancel behind": func(c *wire.Conn) error {
			f := flightOf(doWhole("COMMIT"))
			f.NoCancel = true
			return errors.Join(c.Send(bounded(t), flightOf(doWhole("x"))), c.Send(bounded(t), f))
		},
		"unattended": func(c *wire.Conn) error { return c.SendAbandoned(flightOf(doWhole("ROLLBACK"))) },
		"lazy":       func(c *wire.Conn) error { return c.SendLazy(flightOf(doWhole("RESET ALL"))) },
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			got := make(chan struct{}, 10)
			b := &backend{onCancel: func(net.Conn) { asked.Add(1) }, script: func(p *peer) {
				for p.await() {
					got <- struct{}{}
				}
			}}
			c := open(t, b.start(t))
			if err := send(c); err != nil {
				t.Fatal(err)
			}
			if name != "idle" {
				<-got
			}
			if err := c.Close(bounded(t)); err != nil {
				t.Error(err)
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("the server was asked to cancel %d times", n)
			}
		})
	}
}

// TestCloseWithSilentCancel: a server that says nothing to the CancelRequest
// holds Close up for a moment only, whoever dials.
func TestCloseWithSilentCancel(t *testing.T) {
	checkLeaks(t)
	stop := make(chan struct{})
	defer close(stop)
	b := &backend{onCancel: func(net.Conn) { <-stop }, script: func(p *peer) { p.await(); p.await() }}
	c := open(t, b.start(t))
	if err := c.Send(bounded(t), flightOf(doWhole("x"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.Fail(wire.ErrClosed)
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("Close took %v", took)
	}
}
