package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/duetdb/duet/retry"
)

// A host that does not answer gets its time once, and is asked last for a while.
func TestSilentHost(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	if testing.Short() {
		t.Skip("skipped: -short, and it waits for a timeout")
	}
	quiet := silence(t)
	var d dials
	start := time.Now()
	c := openDSN(t, hosts(s, "", quiet, address(s)), postgres.Config{MaxConns: 3, Hooks: d.hooks()})
	if took := time.Since(start); took < time.Second || took > 20*time.Second {
		t.Errorf("connecting past a silent host took %v", took)
	}
	idle(t, c, 3)
	if got := d.take(); len(got) != 4 || got[0] != quiet || slices.Contains(got[1:], quiet) {
		t.Errorf("dialled %q", got)
	}
	// Its error is not the end of anybody's ctx.
	_, err := postgres.Connect(testContext(t), hosts(s, "connect_timeout=2", quiet, refused(t)), postgres.Config{})
	wantIs(t, err, duet.ErrUnavailable)
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connect_timeout") {
		t.Errorf("%v", err)
	}
}

// RetryingTx tries again where connecting took too long.
func TestRetryingTxPastASilentServer(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short, and it waits for a timeout")
	}
	var mute atomic.Bool
	var retries atomic.Int32
	c := openDSN(t, newDatabase(t)+"&connect_timeout=2", postgres.Config{
		MaxConns: 1, MaxConnUses: 1, // so that none is idle
		DialFunc: func(ctx context.Context, network, at string) (net.Conn, error) {
			if mute.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			var nd net.Dialer
			return nd.DialContext(ctx, network, at)
		},
		Hooks: duet.Hooks{Retry: func(_ context.Context, i duet.RetryInfo) {
			if retries.Add(1); i.Class != retry.Unavailable {
				t.Errorf("class %v of %v", i.Class, i.Err)
			}
			mute.Store(false)
		}},
	})
	mute.Store(true)
	must(t, c.RetryingTx(testContext(t), doing("select 1")))
	if retries.Load() != 1 {
		t.Errorf("%d retries", retries.Load())
	}
}

// A server that ends in the middle of authentication is away; it has not refused
// anybody, and the next host is tried.
func TestServerEndsDuringAuthentication(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			head := make([]byte, 4)
			_, _ = io.ReadFull(nc, head)
			_, _ = nc.Read(make([]byte, 4096))
			_, _ = nc.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // AuthenticationCleartextPassword
			_, _ = nc.Read(make([]byte, 4096))
			_ = nc.Close()
		}
	}()
	cfg := postgres.Config{Password: func(context.Context) (string, error) { return secret, nil }}
	_, err = postgres.Connect(testContext(t), hosts(s, "", l.Addr().String()), cfg)
	wantIs(t, err, duet.ErrUnavailable)
	c := openDSN(t, hosts(s, "", l.Addr().String(), address(s)), cfg)
	run(t, c, "select 1")
}

// A server that takes no connections for now says so, and the next host is tried.
func TestServerThatIsNotReady(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short, and it starts two servers")
	}
	a := startServer(t, pgtest.Config{})
	b, err := a.StartReplica(testContext(t), pgtest.ReplicaConfig{Settings: map[string]string{"hot_standby": "off"}})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = b.Close() })
	_, err = postgres.Connect(testContext(t), both("", b), postgres.Config{})
	wantIs(t, err, duet.ErrUnavailable)
	wantCode(t, err, "57P03")
	c := openDSN(t, both("", b, a), postgres.Config{})
	if got := value[int](t, c, askPort); got != a.Port {
		t.Errorf("on %d", got)
	}
}

// A single statement that cannot be sent fails once each host was tried, however
// many idle connections have died.
func TestStatementTriesEachHostOnce(t *testing.T) {
	s := startServer(t, pgtest.Config{})
	var d dials
	other := refused(t)
	c := openDSN(t, hosts(s, "", address(s), other), postgres.Config{MaxConns: 4, Hooks: d.hooks()})
	for _, mode := range []string{"fast", "immediate"} {
		idle(t, c, 4)
		must(t, s.Stop(testContext(t), mode))
		for name, f := range map[string]func() error{
			"a statement": func() error { _, err := c.Execute(testContext(t), "select 1"); return err },
			"the next":    func() error { _, err := c.Execute(testContext(t), "select 1"); return err },
			"rows": func() error {
				_, err := c.Rows(testContext(t), "select 1")
				return err
			},
			"a transaction": func() error { return c.RawTx(testContext(t), doing("select 1")) },
		} {
			d.take()
			wantIs(t, f(), duet.ErrUnavailable)
			if got := d.take(); !slices.Equal(got, []string{address(s), other}) {
				t.Errorf("%s, %s: dialled %q", mode, name, got)
			}
		}
		must(t, s.Start(testContext(t)))
		run(t, c, "select 1")
	}
}
