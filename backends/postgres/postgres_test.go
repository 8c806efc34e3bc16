package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(runner{m})
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// runner drops the tests' database before the server is stopped.
type runner struct{ m *testing.M }

func (r runner) Run() int {
	defer shared.drop()
	return r.m.Run()
}

// database is the one that all tests use, one after the other: a new one for
// each would take longer than the tests.
type database struct {
	name, admin, dsn string
}

var shared database

func (d *database) drop() {
	if d.dsn == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c, err := pgtest.Dial(ctx, d.admin)
	if err == nil {
		_, err = c.Exec(ctx, "drop database "+d.name+" with (force)")
		_ = c.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// newDatabase gives the DSN of an empty database.
func newDatabase(t testing.TB) string {
	t.Helper()
	s := pgtest.Shared(t)
	if shared.dsn == "" {
		name := fmt.Sprintf("duet_adapter_%d", os.Getpid())
		observe(t, s.DSN()).do("create database " + name)
		shared = database{name: name, admin: s.DSN(), dsn: s.DSNFor(name)}
	}
	o := observe(t, shared.dsn)
	o.killAll()
	o.do(`do $$ declare n text; begin
		for n in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
			execute format('drop schema %I cascade', n);
		end loop; end $$; create schema public; grant usage on schema public to public`)
	_ = o.c.Close()
	return shared.dsn
}

// open connects to an empty database.
func open(t testing.TB, cfg postgres.Config) duet.Client {
	t.Helper()
	return openDSN(t, newDatabase(t), cfg)
}

// openDSN connects to a database that the test knows.
func openDSN(t testing.TB, dsn string, cfg postgres.Config) duet.Client {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c, err := postgres.Connect(ctx, dsn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func testContext(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run executes a command that must succeed.
func run(t testing.TB, q duet.Querier, cmd string, args ...any) duet.Result {
	t.Helper()
	r, err := q.Execute(testContext(t), cmd, args...)
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return r
}

// value reads the one value of a query that must succeed.
func value[T any](t testing.TB, q duet.Querier, cmd string, args ...any) T {
	t.Helper()
	v, err := duet.QueryOne[T](testContext(t), q, cmd, args...)
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return v
}

// wantIs fails unless err is target, and gives the *duet.Error in it.
func wantIs(t testing.TB, err, target error) *duet.Error {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v (kind %v), want %v", err, duet.KindOf(err), target)
	}
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		t.Fatalf("%v (%T) has no *duet.Error", err, err)
	}
	return e
}

// wantCode fails unless err came from the server with that SQLSTATE.
func wantCode(t testing.TB, err error, code string) *duet.Error {
	t.Helper()
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want an error with the code %s", err, code)
	}
	return e
}

// eventually waits for what happens in the background.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// allReturned fails where a connection stays lent.
func allReturned(t testing.TB, c duet.Client) {
	t.Helper()
	eventually(t, fmt.Sprintf("no connection is lent (%+v)", c.Pool().Stat()), func() bool { return c.Pool().Stat().InUse == 0 })
}

// observer is a connection beside the client under test.
type observer struct {
	t testing.TB
	c *pgtest.Conn
}

func observe(t testing.TB, dsn string) observer {
	t.Helper()
	c, err := pgtest.Dial(testContext(t), dsn)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return observer{t, c}
}

// do runs a script and gives the first column of its rows.
func (o observer) do(sql string) []string {
	o.t.Helper()
	rows, err := o.c.Exec(testContext(o.t), sql)
	if err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	var first []string
	for _, r := range rows {
		if len(r) > 0 && r[0] != nil {
			first = append(first, *r[0])
		} else {
			first = append(first, "NULL")
		}
	}
	return first
}

// one is do for a single value.
func (o observer) one(sql string) string {
	o.t.Helper()
	if rows := o.do(sql); len(rows) > 0 {
		return rows[len(rows)-1]
	}
	o.t.Fatalf("%s gave no row", sql)
	return ""
}

// killAll ends every other session of the database, and waits until they are
// gone.
func (o observer) killAll() {
	o.t.Helper()
	o.do("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
}

// killRunning ends the session that is running a text like pattern, once there
// is one.
func (o observer) killRunning(pattern string) {
	o.t.Helper()
	o.awaitRunning(pattern)
	o.do("select pg_terminate_backend(pid, 10000) from pg_stat_activity where " + runningLike(pattern))
}

func (o observer) awaitRunning(pattern string) {
	o.t.Helper()
	eventually(o.t, "a session runs "+pattern, func() bool { return o.running(pattern) > 0 })
}

// running counts the sessions that run a text like pattern.
func (o observer) running(pattern string) int {
	o.t.Helper()
	return len(o.do("select pid from pg_stat_activity where " + runningLike(pattern)))
}

func runningLike(pattern string) string {
	return "datname = current_database() and pid <> pg_backend_pid() and state = 'active' and query like '" +
		strings.ReplaceAll(pattern, "'", "''") + "'"
}

func itoa(i int) string { return strconv.Itoa(i) }

// shortContext ends soon.
func shortContext(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	t.Cleanup(stop)
	return ctx
}
