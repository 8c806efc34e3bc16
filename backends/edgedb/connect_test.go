package edgedb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// refusing is an opener that fails for some hosts, as often as it is told.
type refusing struct {
	*standIn
	mu    sync.Mutex
	errs  map[string][]error // by port
	tried []string
}

func (r *refusing) dial(ctx context.Context, to endpoint, k kind) (session, error) {
	r.mu.Lock()
	host := to.String()
	r.tried = append(r.tried, host)
	if left := r.errs[host]; len(left) > 0 {
		r.errs[host] = left[1:]
		r.mu.Unlock()
		return nil, left[0]
	}
	r.mu.Unlock()
	return r.standIn.dial(ctx, to, k)
}

const twoHosts = "edgedb://u:hunter2@one:1,two:2/main?tls_security=insecure"

func TestConnectHosts(t *testing.T) {
	down := scripted{"ClientConnectionFailedTemporarilyError"}
	refused := scripted{"AuthenticationError"}
	unknown := scripted{"UnknownDatabaseError"}
	times := func(n int, err error) []error {
		var all []error
		for range n {
			all = append(all, err)
		}
		return all
	}
	tests := []struct {
		name  string
		errs  map[string][]error
		wait  time.Duration
		kind  duet.Kind
		tried string
	}{
		{"the first will do", nil, -1, duet.KindOther, "one:1"},
		{"the second will do", map[string][]error{"one:1": times(1, down)}, -1, duet.KindOther, "one:1 two:2"},
		{"none will do", map[string][]error{"one:1": times(1, down), "two:2": times(1, down)}, -1, duet.KindUnavailable, "one:1 two:2"},
		{"until available", map[string][]error{"one:1": times(2, down), "two:2": times(1, down)}, time.Minute, duet.KindOther, "one:1 two:2 one:1 two:2"},
		{"a password is wrong everywhere", map[string][]error{"one:1": times(1, refused)}, time.Minute, duet.KindAuthentication, "one:1"},
		{"no such branch", map[string][]error{"one:1": times(9, unknown), "two:2": times(9, unknown)}, time.Minute, duet.KindUndefined, "one:1 two:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &refusing{standIn: newFake(), errs: tt.errs}
			hooked := 0
			c, err := connect(t.Context(), twoHosts, Config{WaitUntilAvailable: tt.wait, Hooks: duet.Hooks{Connect: func(_ context.Context, i duet.ConnectInfo) {
				if hooked++; i.Host == "" {
					t.Errorf("the hook is told %+v", i)
				}
			}}}, r.dial)
			if got := duet.KindOf(err); (err == nil) != (tt.kind == duet.KindOther) || got != tt.kind {
				t.Errorf("the error is %v, its kind %v, want %v", err, got, tt.kind)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
			if got := strings.Join(r.tried, " "); got != tt.tried || hooked != len(r.tried) {
				t.Errorf("%s were tried, and the hook called %d times; want %s", got, hooked, tt.tried)
			}
			if err == nil {
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Waiting for a server that is down ends with ctx, and the error says what was
// tried.
func TestConnectGivesUpWithCtx(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	begun := time.Now()
	_, err = Connect(ctx, "edgedb://u:hunter2@"+address+"/main", Config{})
	if !errors.Is(err, duet.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	_, err = Connect(t.Context(), "edgedb://u:hunter2@"+address+"/main", Config{WaitUntilAvailable: -1})
	if !errors.Is(err, duet.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

// A server that takes connections and says nothing is given up after
// ConnectTimeout.
func TestConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer nc.Close(); _, _ = io.Copy(io.Discard, nc) })
		}
	})
	_, err = Connect(t.Context(), "edgedb://u@"+l.Addr().String()+"/main", Config{ConnectTimeout: 50 * time.Millisecond, WaitUntilAvailable: -1})
	if !errors.Is(err, duet.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// What edgedb-go would look for by itself does not matter: all is explicit.
func TestConnectIsExplicit(t *testing.T) {
	server := edgedbtest.Shared(t)
	uri := server.NewBranch(t)
	for name, value := range map[string]string{
		"EDGEDB_HOST": "nowhere.invalid", "EDGEDB_PORT": "1", "EDGEDB_USER": "nobody", "EDGEDB_PASSWORD": "wrong", "EDGEDB_BRANCH": "nosuch",
		"EDGEDB_SECRET_KEY": "wrong", "EDGEDB_TLS_CA": "wrong", "EDGEDB_CLIENT_TLS_SECURITY": "strict", "EDGEDB_WAIT_UNTIL_AVAILABLE": "wrong",
	} {
		t.Setenv(name, value)
	}
	empty := dsn.Environment{LookupEnv: func(string) (string, bool) { return "", false }}
	c, err := Connect(t.Context(), uri, Config{Environment: empty})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	secrets := 0
	wrong := Config{Environment: empty, Password: func(context.Context) (string, error) { secrets++; return "wrong-secret", nil }}
	_, err = Connect(t.Context(), uri, wrong)
	if !errors.Is(err, duet.ErrAuthentication) || strings.Contains(err.Error(), "wrong-secret") || secrets != 1 {
		t.Errorf("%d passwords were asked for: %v", secrets, err)
	}
	nosuch := strings.Replace(uri, "/test_", "/nosuch_", 1)
	if _, err := Connect(t.Context(), nosuch, Config{Environment: empty}); err == nil || duet.KindOf(err) == duet.KindUnavailable {
		t.Errorf("no such branch: %v", err)
	}
	if _, err := Connect(t.Context(), uri+"&aplication_name=x", Config{Environment: empty}); duet.KindOf(err) != duet.KindConfig {
		t.Errorf("an unknown parameter: %v", err)
	}
}

func TestEndpointOptions(t *testing.T) {
	tests := []endpoint{
		{host: "::1", port: 5656, user: "u", password: "p@:/?#", branch: "a b", security: "strict", serverName: "name", ca: []byte("ca"), timeout: time.Second},
		{host: "localhost", port: 1, user: "u", security: "no_host_verification", timeout: time.Second},
		{host: "10.0.0.1", port: 65535, user: "u", security: "insecure", secretKey: "key", timeout: time.Second},
	}
	for _, to := range tests {
		text, options := to.options()
		if strings.Contains(text, "p@") {
			t.Errorf("the DSN %q holds the password", text)
		}
		if _, err := edgedb.CreateClientDSN(t.Context(), text, options); err != nil {
			t.Errorf("%v: %v", to, err)
		}
	}
	if got := tests[0].String(); got != "[::1]:5656" {
		t.Errorf("got %s", got)
	}
}

func TestHooksOfThePool(t *testing.T) {
	f := newFake()
	var log []string
	note := func(what string) func(context.Context, duet.Conn) error {
		return func(ctx context.Context, c duet.Conn) error {
			log = append(log, what)
			_, err := c.Execute(ctx, what)
			return err
		}
	}
	c := fakeClient(t, f, Config{MaxConns: 1, OnConnect: note("connect"), OnAcquire: note("acquire"), OnRelease: func(c duet.Conn) error { log = append(log, "release"); return nil }})
	log = nil
	must(t.Context(), t, c, "a")
	if got := strings.Join(log, " "); got != "acquire release" {
		t.Errorf("got %s", got)
	}
	f.failing("acquire", scripted{"DivisionByZeroError"})
	if _, err := c.Execute(t.Context(), "b"); err == nil || !strings.Contains(err.Error(), "OnAcquire failed") {
		t.Errorf("got %v", err)
	}
	must(t.Context(), t, c, "c")
	f.failing("connect", scripted{"DivisionByZeroError"})
	c.Pool().Expire()
	if _, err := c.Execute(t.Context(), "d"); err == nil || !strings.Contains(err.Error(), "OnConnect failed") {
		t.Errorf("got %v", err)
	}
	must(t.Context(), t, c, "e")
}
