package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	code := pgtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

// victimEnv makes the test binary a program that starts a server and waits to
// be killed.
const victimEnv = "PGTEST_VICTIM"

func victim() {
	s, err := pgtest.Start(context.Background(), pgtest.Config{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("started", s.PID(), s.DataDir())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// start starts a server for one test.
func start(t *testing.T, cfg pgtest.Config) *pgtest.Server {
	t.Helper()
	s, err := pgtest.Start(t.Context(), cfg)
	pgtest.CheckStart(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// query runs SQL on a new connection to a DSN and returns the first value.
func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	v, err := tryQuery(t.Context(), dsn, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func tryQuery(ctx context.Context, dsn, sql string) (string, error) {
	c, err := pgtest.Dial(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer c.Close()
	rows, err := c.Exec(ctx, sql)
	if err != nil || len(rows) == 0 || rows[0][0] == nil {
		return "", err
	}
	return *rows[0][0], nil
}

func TestStartStopRestart(t *testing.T) {
	// Variables that steer libpq and its programs must not reach the server.
	t.Setenv("PGPORT", "1")
	t.Setenv("PGDATA", "/nonexistent")
	t.Setenv("PGOPTIONS", "-c search_path=nowhere")
	s := start(t, pgtest.Config{})
	if got := query(t, s.DSN(), "SHOW server_version"); !strings.HasPrefix(got, s.Version) {
		t.Errorf("the server is %q, Version says %q", got, s.Version)
	}
	if !strings.HasPrefix(s.Source(), "installed /") && !strings.HasPrefix(s.Source(), "embedded ") {
		t.Errorf("Source: %q", s.Source())
	}
	query(t, s.DSN(), "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
	if err := s.Stop(t.Context(), "suddenly"); err == nil {
		t.Error("Stop took an unknown mode")
	}
	for _, mode := range []string{"fast", "smart"} {
		before := s.PID()
		if err := s.Restart(t.Context(), mode); err != nil {
			t.Fatalf("Restart %s: %v", mode, err)
		}
		if after := s.PID(); after == before || after == 0 {
			t.Errorf("Restart %s: pid %d before, %d after", mode, before, after)
		}
		if got := query(t, s.DSN(), "SELECT count(*) FROM kept"); got != "1" {
			t.Errorf("after Restart %s the table has %q rows", mode, got)
		}
	}
	for range 2 {
		if err := s.Stop(t.Context(), "immediate"); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}
	if s.PID() != 0 {
		t.Errorf("a stopped server has pid %d", s.PID())
	}
	if _, err := tryQuery(t.Context(), s.DSN(), "SELECT 1"); err == nil {
		t.Error("a stopped server answers")
	}
	if err := s.Restart(t.Context(), "fast"); err != nil {
		t.Fatalf("Restart of a stopped server: %v", err)
	}
	query(t, s.DSN(), "SELECT 1")
	closeTwice(t, s)
}

func closeTwice(t *testing.T, s *pgtest.Server) {
	t.Helper()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Dir(s.DataDir())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there after Close: %v", err)
	}
	if err := s.Restart(t.Context(), "fast"); err == nil {
		t.Error("Restart after Close succeeded")
	}
}

func TestSettings(t *testing.T) {
	s := start(t, pgtest.Config{Settings: map[string]string{
		"fsync":                     "on",
		"duet.quoted":               `it's \ here`,
		"max_prepared_transactions": "3",
	}})
	for name, want := range map[string]string{
		"fsync": "on", "full_page_writes": "off", "synchronous_commit": "off",
		"duet.quoted": `it's \ here`, "max_prepared_transactions": "3",
		"server_encoding": "UTF8", "TimeZone": "UTC", "max_connections": "250",
	} {
		if got := query(t, s.DSN(), "SELECT current_setting('"+name+"')"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestStartFailureShowsLog(t *testing.T) {
	dir := reachableDir(t)
	_, err := pgtest.Start(t.Context(), pgtest.Config{
		Dir: dir, Settings: map[string]string{"shared_preload_libraries": "no_such_library"},
	})
	if err == nil || errors.Is(err, pgtest.ErrNoPostgres) && os.Getenv("CI") == "" {
		pgtest.CheckStart(t, err)
		t.Fatal("the server started")
	}
	if !strings.Contains(err.Error(), "no_such_library") {
		t.Errorf("the error lacks the server's log: %v", err)
	}
	checkEmpty(t, dir)
}

func TestStartCancelled(t *testing.T) {
	pgtest.Shared(t) // so that a PostgreSQL is there
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond, 800 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			dir := reachableDir(t)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			s, err := pgtest.Start(ctx, pgtest.Config{Dir: dir})
			if err == nil { // a quick machine
				closeTwice(t, s)
			}
			checkEmpty(t, dir)
		})
	}
}

// reachableDir is a folder that the server's user can pass through, which
// t.TempDir is not.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAuthentication(t *testing.T) {
	s := start(t, pgtest.Config{
		HBA: []string{
			"host all scrammer all scram-sha-256",
			"host all md5er all md5",
			"host all plain all password",
			"host all postgres all reject",
		},
		InitSQL: []string{
			"SET password_encryption = 'scram-sha-256'; CREATE ROLE scrammer LOGIN PASSWORD 'sésame'",
			"CREATE ROLE plain LOGIN PASSWORD 'sésame'",
			"SET password_encryption = 'md5'; CREATE ROLE md5er LOGIN PASSWORD 'sésame'",
		},
	})
	for _, user := range []string{"scrammer", "md5er", "plain"} {
		t.Run(user, func(t *testing.T) {
			if got := query(t, withPassword(t, s.DSN(), user, "sésame"), "SELECT current_user"); got != user {
				t.Errorf("current_user is %q", got)
			}
			_, err := tryQuery(t.Context(), withPassword(t, s.DSN(), user, "wrong"), "SELECT 1")
			var server *pgtest.ServerError
			if !errors.As(err, &server) || server.Code != "28P01" {
				t.Errorf("a wrong password: %v, want 28P01", err)
			}
			if err != nil && strings.Contains(err.Error(), "wrong") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	if _, err := tryQuery(t.Context(), s.DSN(), "SELECT 1"); err == nil {
		t.Error("the superuser gets in over TCP against the HBA lines")
	}
	if s.NewDatabase(t) == "" { // over the socket
		t.Error("no database")
	}
}

func withPassword(t *testing.T, dsn, user, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func TestTLS(t *testing.T) {
	s := start(t, pgtest.Config{
		TLS:     true,
		HBA:     []string{"hostssl all postgres all cert", "hostssl all other all cert", "hostssl all anyone all trust"},
		InitSQL: []string{"CREATE ROLE other LOGIN; CREATE ROLE anyone LOGIN"},
	})
	otherCert, otherKey, err := s.Certs.NewClient("other")
	if err != nil {
		t.Fatal(err)
	}
	const inUse = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
	dsn := func(user, mode, root, cert, key string) string {
		u, err := url.Parse(s.DSN())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.User(user)
		u.RawQuery = url.Values{"sslmode": {mode}, "sslrootcert": {root}, "sslcert": {cert}, "sslkey": {key}}.Encode()
		return u.String()
	}
	c := s.Certs
	cases := map[string]struct {
		dsn string
		ok  bool
	}{
		"client certificate":  {dsn("postgres", "verify-full", c.CAFile, c.ClientCertFile, c.ClientKeyFile), true},
		"other's certificate": {dsn("other", "verify-full", c.CAFile, otherCert, otherKey), true},
		"wrong certificate":   {dsn("other", "verify-full", c.CAFile, c.ClientCertFile, c.ClientKeyFile), false},
		"no certificate":      {dsn("postgres", "verify-full", c.CAFile, "", ""), false},
		"verified":            {dsn("anyone", "verify-full", c.CAFile, "", ""), true},
		"unverified":          {dsn("anyone", "require", "", "", ""), true},
		"unknown authority":   {dsn("anyone", "verify-full", "", "", ""), false},
		"without TLS":         {dsn("anyone", "disable", "", "", ""), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tryQuery(t.Context(), tc.dsn, inUse)
			if (err == nil) != tc.ok || tc.ok && got != "t" {
				t.Errorf("got %q, %v; want success %v", got, err, tc.ok)
			}
		})
	}
}
