package pgtest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestNewDatabase(t *testing.T) {
	s := pgtest.Shared(t)
	if again := pgtest.Shared(t); again != s {
		t.Error("Shared started a second server")
	}
	var names []string
	t.Run("one", func(t *testing.T) {
		dsn := s.NewDatabase(t)
		names = append(names, query(t, dsn, "SELECT current_database()"))
		query(t, dsn, "CREATE TABLE mine ()")
		open, err := pgtest.Dial(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = open.Close() }) // runs before the drop
		still, err := pgtest.Dial(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		_ = still // left open: the drop must end it
	})
	t.Run("two", func(t *testing.T) {
		dsn := s.NewDatabase(t)
		names = append(names, query(t, dsn, "SELECT current_database()"))
		if got := query(t, dsn, "SELECT count(*) FROM pg_class WHERE relname = 'mine'"); got != "0" {
			t.Error("the second database has the first one's table")
		}
	})
	if len(names) != 2 || names[0] == names[1] {
		t.Fatalf("names: %q", names)
	}
	left := query(t, s.DSN(), "SELECT count(*) FROM pg_database WHERE datname IN ('"+strings.Join(names, "','")+"')")
	if left != "0" {
		t.Errorf("%s of %q were not dropped", left, names)
	}
}

func TestServerOfTheEnvironment(t *testing.T) {
	own := pgtest.Shared(t)
	dsn := "host=127.0.0.1 port=" + query(t, own.DSN(), "SHOW port") + " user=postgres dbname='postgres' sslmode=disable"
	t.Setenv(pgtest.ServerEnv, dsn)
	s, err := pgtest.Open(t.Context(), pgtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if s.DSN() != dsn || s.Source() != pgtest.ServerEnv || s.Version != own.Version && own.Source() != pgtest.ServerEnv {
		t.Errorf("DSN %q, Source %q, Version %q", s.DSN(), s.Source(), s.Version)
	}
	query(t, s.NewDatabase(t), "CREATE TABLE x ()")
	if err := s.Stop(t.Context(), "fast"); err == nil {
		t.Error("Stop stopped a server that is not ours")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	query(t, dsn, "SELECT 1")

	t.Setenv(pgtest.ServerEnv, "postgres://u:topsecret@127.0.0.1:1/x")
	if _, err := pgtest.Open(t.Context(), pgtest.Config{}); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("an unreachable server: %v", err)
	}
}

func TestDSNs(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"} {
		t.Setenv(name, "")
	}
	for dsn, want := range map[string][]string{
		"":                                      {"tcp", "127.0.0.1:5432", "postgres", "", "postgres"},
		"postgres://u:p%40ss@h:77/db":           {"tcp", "h:77", "u", "p@ss", "db"},
		"postgresql:///db?host=/run&user=u":     {"unix", "/run/.s.PGSQL.5432", "u", "", "db"},
		"postgres://[::1]:5/":                   {"tcp", "[::1]:5", "postgres", "", "postgres"},
		`host = h user='a b' password='x\'\\y'`: {"tcp", "h:5432", "a b", `x'\y`, "a b"},
		`dbname=a\ b port='7' dbname=c`:         {"tcp", "127.0.0.1:7", "postgres", "", "c"},
	} {
		got, err := pgtest.ParsedDSN(dsn)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", dsn, err, diff)
		}
	}
	for _, dsn := range []string{"host", "host='x", "=x", "postgres://a,b/", "postgres://h/?sslmode=maybe", "postgres://u:secret@h:%zz/"} {
		if _, err := pgtest.ParsedDSN(dsn); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
	for dsn, want := range map[string]string{
		"postgres://u@h/a?dbname=b&x=y": "postgres://u@h/it%27s?x=y",
		"host=h dbname=a":               `host=h dbname=a dbname='it\'s'`,
	} {
		if got := pgtest.WithDatabase(dsn, "it's"); got != want {
			t.Errorf("%q: got %q, want %q", dsn, got, want)
		}
	}
}
