package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ServerEnv names the environment variable that holds the DSN of a server to
// test against, instead of one of our own.
const ServerEnv = "DUET_TEST_POSTGRES"

// TB is the part of testing.TB that this package uses; it is spelled out so
// that programs that are no tests do not carry the testing package.
type TB interface {
	Helper()
	Name() string
	Cleanup(func())
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Open returns the server of DUET_TEST_POSTGRES where that is set, else starts
// one as Start does.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	dsn := os.Getenv(ServerEnv)
	if dsn == "" {
		return Start(ctx, cfg)
	}
	c, err := Dial(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("pgtest: the server of %s: %w", ServerEnv, err)
	}
	defer c.Close()
	rows, err := c.Exec(ctx, "SELECT current_setting('server_version')")
	if err != nil {
		return nil, fmt.Errorf("pgtest: the server of %s: %w", ServerEnv, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil {
		return nil, fmt.Errorf("pgtest: the server of %s does not tell its version", ServerEnv)
	}
	version, _, _ := strings.Cut(*rows[0][0], " ")
	return &Server{Version: version, source: ServerEnv, dsn: dsn}, nil
}

// shared is the one server of a test binary. It is the package's only state: a
// test binary has no owner but TestMain to hand a server down from.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// startTimeout bounds a shared server's start, a download included.
const startTimeout = 5 * time.Minute

// Shared returns the test binary's server, and starts it on the first call. It
// is stopped by Main; without Main it ends with the binary. Where no PostgreSQL
// can be had the test is skipped with the reason, and fails where the
// environment says CI.
func Shared(tb TB) *Server {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.server, shared.err = Open(ctx, Config{Log: os.Stderr})
	}
	CheckStart(tb, shared.err)
	return shared.server
}

// CheckStart ends a test whose server did not start, as Shared does: a skip
// where no PostgreSQL can be had, else a failure. Nil is no end.
func CheckStart(tb TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrNoPostgres) && os.Getenv("CI") == "":
		tb.Skipf("skipped: %v", err)
	default:
		tb.Fatalf("%v", err)
	}
}

// Main runs a test binary's tests, stops the shared server, and returns the
// exit code: func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }.
func Main(m interface{ Run() int }) int {
	code := m.Run()
	if err := CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if code == 0 {
			code = 1
		}
	}
	return code
}

// CloseShared stops the shared server, if one was started. A later Shared
// starts another.
func CloseShared() error {
	shared.Lock()
	defer shared.Unlock()
	s := shared.server
	shared.server, shared.err = nil, nil
	if s == nil {
		return nil
	}
	return s.Close()
}

// databases numbers the databases of NewDatabase.
var databases atomic.Uint64

// NewDatabase makes a database for one test, which is dropped at its end
// together with the sessions that are still in it, and returns its DSN.
func (s *Server) NewDatabase(tb TB) string {
	tb.Helper()
	name := fmt.Sprintf("duet_test_%d_%d", os.Getpid(), databases.Add(1))
	if err := s.admin("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		tb.Fatalf("making a database for %s: %v", tb.Name(), err)
	}
	tb.Cleanup(func() {
		if err := s.admin("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("dropping the database of %s: %v", tb.Name(), err)
		}
	})
	return s.DSNFor(name)
}

// admin runs one statement in the database that DSN names.
func (s *Server) admin(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var c *Conn
	var err error
	if s.dsn != "" {
		c, err = Dial(ctx, s.dsn)
	} else {
		c, err = s.Connect(ctx, Superuser)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Exec(ctx, sql)
	return err
}
