package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

// TestCancelConnecting: the server falls silent after the 1st, 2nd, … message of
// a startup: the answer about TLS, each record of its handshake, each message of
// SCRAM, up to ReadyForQuery and into the first query. Connect is back soon
// after its ctx's end.
func TestCancelConnecting(t *testing.T) {
	server, err := pgtest.Start(testContext(t), pgtest.Config{
		TLS: true, HBA: []string{"hostssl all scram_user all scram-sha-256", "host all plain_user all scram-sha-256", "host all all all trust", "local all all trust"},
		InitSQL: []string{"create role scram_user login password 'right'", "create role plain_user login password 'right'"},
	})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = server.Close() })
	for name, mode := range map[string]string{"scram_user": "require", "plain_user": "disable"} {
		t.Run(mode, func(t *testing.T) {
			g, dsn := openGate(t, server.DSN())
			u, err := url.Parse(dsn)
			must(t, err)
			u.User, u.RawQuery = url.UserPassword(name, "right"), "sslmode="+mode
			var late lateness
			for n := 0; ; n++ {
				if n > 60 {
					t.Fatal("a startup has more than 60 messages")
				}
				if connectSilenced(t, g, u.String(), n, &late) {
					t.Logf("silent after each of %d messages; back after ctx's end: %v", n, &late)
					break
				}
			}
			if worst := late.at(100); worst > 2*time.Second {
				t.Errorf("Connect came back %v after its ctx's end", worst)
			}
		})
	}
}

// connectSilenced says that the connection was made with n messages.
func connectSilenced(t *testing.T, g *gate, dsn string, n int, late *lateness) bool {
	t.Helper()
	silent := g.silenceAfter(n)
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	type result struct {
		c   duet.Client
		err error
	}
	got := make(chan result, 1)
	go func() { c, err := postgres.Connect(ctx, dsn, postgres.Config{MaxConns: 1}); got <- result{c, err} }()
	<-silent
	select {
	case r := <-got: // it needed no more
		if r.err != nil {
			t.Fatalf("%d messages: %v", n, r.err)
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		_ = r.c.Close(ended)
		return true
	case <-time.After(20 * time.Millisecond):
	}
	began := time.Now()
	stop()
	r := <-got
	late.add(time.Since(began))
	if r.err == nil {
		_ = r.c.Close(context.Background())
		return true
	}
	if !errors.Is(r.err, context.Canceled) {
		t.Errorf("%d messages: %v", n, r.err)
	}
	if strings.Contains(r.err.Error(), "right") {
		t.Errorf("a secret: %v", r.err)
	}
	return false
}

// TestCancelledConnectFreesItsSlot: what was being made for a caller who left
// takes a slot of the pool no longer than connect_timeout.
func TestCancelledConnectFreesItsSlot(t *testing.T) {
	dsn := newDatabase(t)
	block := func(ctx context.Context) { <-ctx.Done() }
	for name, configure := range map[string]func(t *testing.T, cfg *postgres.Config) (arrived func(), dsn string){
		"silent": func(t *testing.T, cfg *postgres.Config) (func(), string) {
			g, through := openGate(t, dsn)
			return func() { <-g.silenceAfter(2) }, through
		},
		"never accepted": func(t *testing.T, cfg *postgres.Config) (func(), string) {
			var hang atomic.Bool
			dialing := make(chan struct{}, 10)
			full := fullListener(t)
			cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				if hang.Swap(false) {
					address = full
					dialing <- struct{}{}
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			return func() { hang.Store(true); <-dialing }, dsn
		},
		"DialFunc hangs": func(t *testing.T, cfg *postgres.Config) (func(), string) {
			arrived, once := onceHanging(block)
			cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				if once(ctx) {
					return nil, ctx.Err()
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			return arrived, dsn
		},
		"LookupFunc hangs": func(t *testing.T, cfg *postgres.Config) (func(), string) {
			arrived, once := onceHanging(block)
			through, address := named(t, dsn)
			cfg.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
				if once(ctx) {
					return nil, ctx.Err()
				}
				return []string{address}, nil
			}
			return arrived, through
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := postgres.Config{MaxConns: 2}
			arrived, through := configure(t, &cfg)
			c := openDSN(t, withParameter(t, through, "connect_timeout", "2"), cfg)
			held, err := c.Acquire(testContext(t))
			must(t, err)
			var late lateness
			var wg sync.WaitGroup
			wg.Add(1)
			ready := func() { wg.Wait() }
			go func() { defer wg.Done(); arrived() }()
			time.Sleep(time.Millisecond) // arrived sets its trap
			err = cancelledLate(t, ready, &late, func(ctx context.Context) error { _, err := c.Execute(ctx, "select 1"); return err })
			wantIs(t, err, duet.ErrPoolExhausted)
			if s := c.Pool().Stat(); s.Connecting != 1 {
				t.Errorf("nothing is being made: %+v", s)
			}
			run(t, c, "select 1") // on a connection of its own, as the other one is held
			held.Release()
			allReturned(t, c)
			t.Logf("back after ctx's end: %v", &late)
		})
	}
}

// onceHanging gives a trap: arrived sets it and waits until somebody is in it.
func onceHanging(block func(context.Context)) (arrived func(), once func(context.Context) bool) {
	var set atomic.Bool
	in := make(chan struct{}, 1)
	arrived = func() { set.Store(true); <-in }
	once = func(ctx context.Context) bool {
		if !set.Swap(false) {
			return false
		}
		in <- struct{}{}
		block(ctx)
		return true
	}
	return arrived, once
}

// named gives the DSN with a name for its address.
func named(t *testing.T, dsn string) (string, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	address := u.Hostname()
	u.Host = net.JoinHostPort("database.invalid", u.Port())
	return u.String(), address
}

func withParameter(t *testing.T, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestCancelPassword: a Password function that hangs holds nobody up.
func TestCancelPassword(t *testing.T) {
	server, err := pgtest.Start(testContext(t), pgtest.Config{
		HBA:     []string{"host all slow all scram-sha-256", "host all all all trust", "local all all trust"},
		InitSQL: []string{"create role slow login password 'right'"},
	})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = server.Close() })
	u, err := url.Parse(server.DSN())
	must(t, err)
	u.User = url.User("slow")
	asked := make(chan struct{}, 1)
	var late lateness
	err = cancelledLate(t, func() { <-asked }, &late, func(ctx context.Context) error {
		_, err := postgres.Connect(ctx, u.String(), postgres.Config{Password: func(ctx context.Context) (string, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		}})
		return err
	})
	wantIs(t, err, context.Canceled)
	t.Logf("back after ctx's end: %v", &late)
}

// TestCancelGoesToTheSameServer: the name of the host leads elsewhere by the time
// of the CancelRequest, which must go to where the session is.
func TestCancelGoesToTheSameServer(t *testing.T) {
	dsn := newDatabase(t)
	through, address := named(t, dsn)
	var looked atomic.Int32
	c := openDSN(t, through, postgres.Config{MaxConns: 1, LookupFunc: func(_ context.Context, host string) ([]string, error) {
		if looked.Add(1) > 1 {
			return nil, fmt.Errorf("%s was looked up again", host)
		}
		return []string{address}, nil
	}})
	o := observe(t, dsn)
	cancelled(t, func() { o.awaitRunning(sleepy) }, func(ctx context.Context) error { _, err := c.Execute(ctx, sleepy); return err })
	eventually(t, "the statement has stopped", func() bool { return o.running(sleepy) == 0 })
	run(t, c, "select 1")
	if n := looked.Load(); n != 1 {
		t.Errorf("the name was looked up %d times", n)
	}
}

// cancelledLate is cancelled that notes how late the call was back.
func cancelledLate(t *testing.T, ready func(), late *lateness, f func(context.Context) error) error {
	t.Helper()
	var stopped time.Time
	return cancelled(t, func() { ready(); stopped = time.Now() }, func(ctx context.Context) error {
		err := f(ctx)
		if d := time.Since(stopped); d > 2*time.Second {
			t.Errorf("back %v after its ctx's end", d)
		} else {
			late.add(d)
		}
		return err
	})
}
