package edgedbtest_test

import (
	"net"
	"testing"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/edgedb/edgedb-go"
)

func sessions(t testing.TB, text string) string {
	t.Helper()
	c, err := pgtest.Shared(t).Connect(testContext(t), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'edgedbtest' AND state = 'active' AND query LIKE '%"
	rows, err := c.Exec(testContext(t), busy+text+"%'")
	if err != nil {
		t.Fatal(err)
	}
	return *rows[0][0]
}

func TestAbandonedStatement(t *testing.T) {
	s := edgedbtest.Shared(t)
	dsn := s.NewBranch(t)
	for name, leave := range map[string]func(*rawClient){
		"close":     func(c *rawClient) { c.nc.Close() },
		"terminate": func(c *rawClient) { c.send(t, frame{'X', nil}); c.nc.Close() },
		"reset":     func(c *rawClient) { _ = c.nc.NetConn().(*net.TCPConn).SetLinger(0); c.nc.NetConn().Close() },
		"kill":      func(*rawClient) { s.Kill(dsn) },
	} {
		t.Run(name, func(t *testing.T) {
			c := raw(t, s, branchOf(t, dsn))
			f := executeFrame(text(t, "slow"), 'b', 'm')
			c.send(t, parseFrame(text(t, "slow"), 'b', 'm'), syncFrame)
			described := c.until(t, 'Z')[0].body
			body := f.body[:len(f.body)-36]
			body = append(body, described[11:27]...)
			body = append(body, make([]byte, 16)...)
			args := builder{}.u32(1).u32(0).u32(8).u64(60000)
			f.body = append(builder(body).u32(uint32(len(args))), args...)
			c.send(t, f, syncFrame)
			eventually(t, "PostgreSQL works", func() bool { return sessions(t, "pg_sleep($1::float8") != "0" })
			leave(c)
			eventually(t, "PostgreSQL was told", func() bool { return sessions(t, "pg_sleep($1::float8") == "0" })
			eventually(t, "the session has ended", func() bool { return s.Connections(dsn).Open == 0 })
		})
	}
}

func TestPostgresEndsSessions(t *testing.T) {
	s := edgedbtest.Shared(t)
	name := branchOf(t, s.NewBranch(t))
	idle, inTx := raw(t, s, name), raw(t, s, name)
	if code, _ := idle.do(t, "select 1"); code != 0 {
		t.Fatalf("0x%08x", code)
	}
	if _, state := inTx.do(t, startText); state != 'T' {
		t.Fatalf("%c", state)
	}
	terminate(t)
	if code, _ := idle.do(t, "select 1"); code != 0 {
		t.Errorf("an idle session: error 0x%08x", code)
	}
	inTx.send(t, executeFrame("select 1", 'n', 'm'), syncFrame)
	code, _, _ := errorOf(t, inTx.until(t, 'E')[0])
	if code != 0x08000001 {
		t.Errorf("a session in a transaction: error 0x%08x", code)
	}
	inTx.closed(t)
}

func terminate(t testing.TB) {
	t.Helper()
	c, err := pgtest.Shared(t).Connect(testContext(t), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'edgedbtest'"
	if _, err := c.Exec(testContext(t), sql); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresRestarts(t *testing.T) {
	pg, err := pgtest.Start(testContext(t), pgtest.Config{})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() {
		if err := pg.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := edgedbtest.Start(testContext(t), edgedbtest.Config{Postgres: pg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := raw(t, s, "main")
	c.do(t, "select 1")
	if err := pg.Stop(testContext(t), "immediate"); err != nil {
		t.Fatal(err)
	}
	if code, state := c.do(t, "select 1"); code != 0x08000001 || state != 'I' {
		t.Errorf("without PostgreSQL: error 0x%08x, state %c", code, state)
	}
	if err := pg.Restart(testContext(t), "fast"); err != nil {
		t.Fatal(err)
	}
	if code, _ := c.do(t, "select 1"); code != 0 {
		t.Errorf("after the restart: error 0x%08x", code)
	}
}

func TestByDSN(t *testing.T) {
	dsn := pgtest.Shared(t).DSN()
	s, err := edgedbtest.Start(testContext(t), edgedbtest.Config{PostgresDSN: dsn, User: "u", Password: "p@ss/word:ü", Branch: "b"})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.DSN(), edgedb.Options{})
	if err := c.Execute(testContext(t), "select 1"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := c.Execute(testContext(t), "select 1"); err == nil {
		t.Error("the server answers after Close")
	}
	if _, err := edgedbtest.Start(testContext(t), edgedbtest.Config{PostgresDSN: dsn, Protocol: 3 << 16}); err == nil {
		t.Error("protocol 3.0 was promised")
	}
	for _, bad := range []string{"postgres://a,b/x", "host='a b'", "x", "postgres://h/x?sslmode=verify-full", "://"} {
		if s, err := edgedbtest.Start(testContext(t), edgedbtest.Config{PostgresDSN: bad}); err == nil {
			s.Close()
			t.Errorf("%q was taken", bad)
		}
	}
}
