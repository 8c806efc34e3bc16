package postgres_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/dsn"
	"github.com/duetdb/duet/internal/pgtest"
)

// secret is a password that may show up nowhere.
const secret = "c4n4ry-p4ss"

// startServer starts a server of the test's own.
func startServer(t *testing.T, cfg pgtest.Config) *pgtest.Server {
	t.Helper()
	s, err := pgtest.Start(testContext(t), cfg)
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// silence is the address of a listener that never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// refused is an address that nobody listens on.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestConnectErrors(t *testing.T) {
	s := startServer(t, pgtest.Config{
		HBA:     []string{"host all scram all scram-sha-256", "host all nobody all reject", "hostssl all tls all trust", "host all all all trust"},
		InitSQL: []string{"create role scram login password '" + secret + "'", "create role tls login"},
	})
	addr := fmt.Sprintf("127.0.0.1:%d", s.Port)
	for _, tt := range []struct {
		name, dsn string
		is        error
		kind      duet.Kind
		code      string
		says      string
	}{
		{"wrong password", "postgres://scram:x" + secret + "@" + addr + "/postgres?sslmode=disable", duet.ErrAuthentication, 0, "28P01", addr},
		{"no password", "postgres://scram@" + addr + "/postgres?sslmode=disable", duet.ErrAuthentication, 0, "", "password"},
		{"rejected", "postgres://nobody:" + secret + "@" + addr + "/postgres?sslmode=disable", duet.ErrAuthentication, 0, "28000", ""},
		{"unknown database", "postgres://postgres:" + secret + "@" + addr + "/nowhere?sslmode=disable", duet.ErrUndefined, 0, "3D000", "nowhere"},
		{"unknown role", "postgres://ghost:" + secret + "@" + addr + "/postgres?sslmode=disable", duet.ErrAuthentication, 0, "28000", ""},
		{"refused", "postgres://u:" + secret + "@" + refused(t) + "/x?sslmode=disable", duet.ErrUnavailable, 0, "", "refused"},
		{"unresolvable", "postgres://u:" + secret + "@no-such-host.invalid/x?sslmode=disable", duet.ErrUnavailable, 0, "", "no-such-host.invalid"},
		{"TLS required", "postgres://u:" + secret + "@" + addr + "/x?sslmode=require", duet.ErrUnavailable, 0, "", "TLS"},
		{"no TLS where the server wants it", "postgres://tls:" + secret + "@" + addr + "/postgres?sslmode=disable", nil, 0, "", ""},
		{"bad DSN", "postgres://u:" + secret + "@h:port/x", nil, duet.KindConfig, "", ""},
		{"bad keyword", "host=h password=" + secret + " nonsense=1", nil, duet.KindConfig, "", "key"},
		{"bad run-time parameter", "postgres://postgres:" + secret + "@" + addr + "/postgres?sslmode=disable&options=-c%20work_mem%3Dx", nil, 0, "22023", "work_mem"},
		{"not a server", "postgres://u:" + secret + "@" + chatter(t) + "/x?sslmode=disable", nil, duet.KindProtocol, "", ""},
		{"silent", "postgres://u:" + secret + "@" + silence(t) + "/x?sslmode=disable&connect_timeout=2", duet.ErrUnavailable, 0, "", "connect_timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := postgres.Connect(testContext(t), tt.dsn, postgres.Config{})
			if tt.name == "no TLS where the server wants it" { // the last line lets everybody in
				must(t, err)
				must(t, c.Close(testContext(t)))
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			e, ok := errors.AsType[*duet.Error](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) || tt.kind != 0 && e.Kind != tt.kind || e.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("kind %v, code %q: %v", e.Kind, e.Code, err)
			}
			if e.Kind != duet.KindConfig && (e.Phase != duet.PhaseConnect || e.Host == "") {
				t.Errorf("phase %v, host %q", e.Phase, e.Host)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, e); strings.Contains(text, secret) {
				t.Errorf("the password is in %s", text)
			}
		})
	}
}

// chatter is the address of something that is no PostgreSQL.
func chatter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = nc.Close()
		}
	}()
	return l.Addr().String()
}

// hosts makes a DSN of several addresses.
func hosts(s *pgtest.Server, query string, addresses ...string) string {
	return "postgres://postgres@" + strings.Join(addresses, ",") + "/postgres?sslmode=disable&" + query
}

func TestSeveralHosts(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	alive := fmt.Sprintf("127.0.0.1:%d", s.Port)
	var r recorder
	c := openDSN(t, hosts(s, "connect_timeout=2", refused(t), silence(t), alive), postgres.Config{Hooks: r.hooks()})
	run(t, c, "select 1")
	if len(r.dials) != 3 || r.dials[0].Err == nil || r.dials[1].Err == nil || r.dials[2].Err != nil {
		t.Errorf("%+v", r.dials)
	}
	a, b := refused(t), refused(t)
	_, err := postgres.Connect(testContext(t), hosts(s, "", a, b), postgres.Config{})
	wantIs(t, err, duet.ErrUnavailable)
	if !strings.Contains(err.Error(), a) || !strings.Contains(err.Error(), b) {
		t.Errorf("not every host is named in %v", err)
	}
	for attrs, ok := range map[string]bool{"any": true, "read-write": true, "primary": true, "prefer-standby": true, "read-only": false, "standby": false} {
		c, err := postgres.Connect(testContext(t), hosts(s, "target_session_attrs="+attrs, refused(t), alive), postgres.Config{})
		if (err == nil) != ok {
			t.Errorf("target_session_attrs=%s: %v", attrs, err)
		}
		if err == nil {
			must(t, c.Close(testContext(t)))
		} else if !strings.Contains(err.Error(), attrs) {
			t.Errorf("%v does not say what was wanted", err)
		}
	}
	c = openDSN(t, hosts(s, "target_session_attrs=read-only&options=-c%20default_transaction_read_only%3Don", alive), postgres.Config{})
	_, err = c.Execute(testContext(t), "create table x ()")
	wantIs(t, err, duet.ErrReadOnly)
}

func TestLookupAndDial(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	var asked []string
	named := fmt.Sprintf("postgres://postgres@db.example:%d/postgres?sslmode=disable", s.Port)
	c := openDSN(t, named, postgres.Config{MaxConns: 1, LookupFunc: func(_ context.Context, host string) ([]string, error) {
		asked = append(asked, host)
		return []string{"127.0.0.2", "127.0.0.1"}, nil
	}})
	run(t, c, "select 1")
	if len(asked) != 1 || asked[0] != "db.example" {
		t.Errorf("%q", asked)
	}
	boom := errors.New("boom")
	_, err := postgres.Connect(testContext(t), named, postgres.Config{LookupFunc: func(context.Context, string) ([]string, error) { return nil, boom }})
	if !errors.Is(err, boom) || !errors.Is(err, duet.ErrUnavailable) {
		t.Error(err)
	}
	_, err = postgres.Connect(testContext(t), named, postgres.Config{LookupFunc: func(context.Context, string) ([]string, error) { return nil, nil }})
	wantIs(t, err, duet.ErrUnavailable)
	_, err = postgres.Connect(testContext(t), named, postgres.Config{DialFunc: func(context.Context, string, string) (net.Conn, error) { return nil, boom }})
	if !errors.Is(err, boom) || !errors.Is(err, duet.ErrUnavailable) {
		t.Error(err)
	}
}

func TestPasswordsAndTLS(t *testing.T) {
	s := startServer(t, pgtest.Config{
		TLS:     true,
		HBA:     []string{"hostssl all scram all scram-sha-256", "hostnossl all all all reject", "host all all all trust"},
		InitSQL: []string{"create role scram login password '" + secret + "'"},
	})
	at := fmt.Sprintf("scram@127.0.0.1:%d/postgres", s.Port)
	var calls atomic.Int32
	c := openDSN(t, "postgres://"+at+"?sslmode=require", postgres.Config{MaxConns: 2, Password: func(context.Context) (string, error) {
		calls.Add(1)
		return secret, nil
	}})
	onEach(t, c, 2, func(q duet.Querier) {
		if !value[bool](t, q, "select ssl from pg_stat_ssl where pid = pg_backend_pid()") {
			t.Error("the connection is not encrypted")
		}
	})
	if n := calls.Load(); n != 2 {
		t.Errorf("Password was called %d times for 2 connections", n)
	}
	cancelled(t, func() {
		eventually(t, "it runs", func() bool { return c.Pool().Stat().InUse == 1 })
	}, func(ctx context.Context) error { _, err := c.Execute(ctx, sleepy); return err })
	run(t, c, "select 1")

	boom := errors.New("boom")
	_, err := postgres.Connect(testContext(t), "postgres://"+at+"?sslmode=require", postgres.Config{
		Password: func(context.Context) (string, error) { return "", boom },
	})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	pem, err := os.ReadFile(s.Certs.CAFile)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c = openDSN(t, "postgres://"+at+"?sslmode=verify-full", postgres.Config{
		TLSConfig: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"},
		Password:  func(context.Context) (string, error) { return secret, nil },
	})
	run(t, c, "select 1")
	_, err = postgres.Connect(testContext(t), "postgres://"+at+"?sslmode=verify-full", postgres.Config{TLSConfig: &tls.Config{RootCAs: x509.NewCertPool()}})
	e := wantIs(t, err, duet.ErrUnavailable)
	if !strings.Contains(e.Error(), "certificate") {
		t.Error(err)
	}
	_, err = postgres.Connect(testContext(t), "postgres://"+at+"?sslmode=disable", postgres.Config{})
	wantIs(t, err, duet.ErrAuthentication)
}

func TestUnixSocketAndEnvironment(t *testing.T) {
	s := pgtest.Shared(t)
	if s.SocketDir == "" {
		t.Skip("skipped: the server is not ours")
	}
	env := map[string]string{"PGHOST": s.SocketDir, "PGPORT": itoa(s.Port), "PGUSER": "postgres", "PGDATABASE": "postgres", "PGAPPNAME": "from env"}
	c := openDSN(t, "", postgres.Config{MaxConns: 1, Environment: dsn.Environment{
		LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok },
	}})
	if got := value[string](t, c, "select current_setting('application_name')"); got != "from env" {
		t.Error(got)
	}
	cancelled(t, func() {
		eventually(t, "it runs", func() bool { return c.Pool().Stat().InUse == 1 })
	}, func(ctx context.Context) error { _, err := c.Execute(ctx, sleepy); return err })
	if b := c.Backend(); b.Name != "postgres" || b.ServerVersion == "" || !b.Can(duet.NestedTx) || b.Can(duet.Links) {
		t.Errorf("%+v", b)
	}
}

// The server comes and goes; ctx bounds a Connect to nobody.
func TestConnectHonoursContext(t *testing.T) {
	start := time.Now()
	_, err := postgres.Connect(shortContext(t), "postgres://u@"+silence(t)+"/x?sslmode=disable", postgres.Config{})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
