package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// leftovers are what a session may leave behind, and how to see it.
var leftovers = []struct{ name, leave, look, clean string }{
	{"SET", "set work_mem = '77kB'", "show work_mem", "4MB"},
	{"custom SET", "set my.x = 'y'", "select coalesce(nullif(current_setting('my.x', true), ''), 'none')", "none"},
	{"set_config", "select set_config('work_mem', '77kB', false)", "show work_mem", "4MB"},
	{"SET after another command", "select 1; set work_mem = '77kB'", "show work_mem", "4MB"},
	{"SET after a comment", "/* select */ set work_mem = '77kB'", "show work_mem", "4MB"},
	{"search_path", "set search_path = nowhere", "show search_path", `"$user", public`},
	{"role", "set role other", "select current_user", "postgres"},
	{"session authorization", "set session authorization other", "select session_user", "postgres"},
	{"temporary table", "create temp table x ()", "select count(*)::text from pg_class where relname = 'x'", "0"},
	{"SELECT INTO temp", "select 1 as a into\n\ttemp x", "select count(*)::text from pg_class where relname = 'x'", "0"},
	{"SELECT INTO temporary", "select 1 as a INTO  TEMPORARY  table x", "select count(*)::text from pg_class where relname = 'x'", "0"},
	{"advisory lock", "select pg_advisory_lock(7)", "select count(*)::text from pg_locks where locktype = 'advisory'", "0"},
	{"LISTEN", "listen x", "select count(*)::text from pg_listening_channels()", "0"},
	{"LISTEN in a script", "select 1; listen x", "select count(*)::text from pg_listening_channels()", "0"},
	{"cursor WITH HOLD", "declare c cursor with hold for select 1", "select count(*)::text from pg_cursors where name = 'c'", "0"},
	{"a tiny statement_timeout", "set statement_timeout = 1", "show statement_timeout", "0"},
	{"a hostile search_path", "set search_path = evil, pg_catalog", "show search_path", `"$user", public`},
}

// ways are the ways in which a text of the user's can run in a session.
var ways = []struct {
	name string
	run  func(context.Context, duet.Client, string) error
}{
	{"Execute", func(ctx context.Context, c duet.Client, cmd string) error { _, err := c.Execute(ctx, cmd); return err }},
	{"Acquire", func(ctx context.Context, c duet.Client, cmd string) error {
		conn, err := c.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		_, err = conn.Execute(ctx, cmd)
		return err
	}},
	{"RawTx", func(ctx context.Context, c duet.Client, cmd string) error {
		return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, cmd); return err })
	}},
	{"Nested", func(ctx context.Context, c duet.Client, cmd string) error {
		return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, cmd); return err })
		})
	}},
	{"open transaction", func(ctx context.Context, c duet.Client, cmd string) error {
		conn, err := c.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		_, err = conn.Execute(ctx, "begin; "+cmd)
		return err
	}},
	{"Rows", func(ctx context.Context, c duet.Client, cmd string) error {
		if strings.Contains(cmd, ";") {
			_, err := c.Execute(ctx, cmd)
			return err
		}
		rows, err := c.Rows(ctx, cmd)
		if err != nil {
			return err
		}
		return rows.Close()
	}},
}

func TestNothingReachesTheNextBorrower(t *testing.T) {
	for _, l := range leftovers {
		for _, way := range ways {
			t.Run(l.name+"/"+way.name, func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
				ctx := testContext(t)
				observe(t, dsn).do(`do $$ begin create role other; exception when duplicate_object then null; end $$;
					create schema evil; create function evil.pg_advisory_unlock_all() returns void language plpgsql as
					$$ begin raise 'evil'; end $$`)
				pid := value[int](t, c, "select pg_backend_pid()")
				must(t, way.run(ctx, c, l.leave))
				if got := value[string](t, c, l.look); got != l.clean {
					t.Errorf("got %q, want %q", got, l.clean)
				}
				if got := value[int](t, c, "select pg_backend_pid()"); got != pid {
					t.Error("the connection was replaced")
				}
				if got := prepared(t, c); len(got) == 0 {
					t.Error("the prepared statements are gone")
				}
			})
		}
	}
}

func settings(kv ...string) duet.Options {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return duet.Options{Settings: m}
}

const mySetting = "select coalesce(nullif(current_setting('my.x', true), ''), 'none')"

func TestSettingsOption(t *testing.T) {
	var wire tap
	c := open(t, postgres.Config{MaxConns: 1, DialFunc: wire.dial})
	ctx := testContext(t)
	want := func(q duet.Querier, text string) {
		t.Helper()
		if got := value[string](t, q, mySetting); got != text {
			t.Errorf("my.x is %q, want %q", got, text)
		}
	}
	a, b := c.With(settings("my.x", "a")), c.With(settings("my.x", "b'; --\\"))
	for range 3 {
		want(a, "a")
		want(c, "none")
		want(b, "b'; --\\")
		want(a, "a")
	}
	wire.reset()
	want(a, "a")
	want(a, "a")
	wire.want(t, "B E S B E S")
	want(b, "b'; --\\")
	if n := wire.flights(); n != 1 {
		t.Errorf("changing a setting took %d flights", n)
	}
	t.Run("merged", func(t *testing.T) {
		m := a.With(settings("my.y", "z"))
		if got := value[string](t, m, "select current_setting('my.x') || current_setting('my.y')"); got != "az" {
			t.Error(got)
		}
	})
	t.Run("utility and script", func(t *testing.T) {
		run(t, c.With(settings("default_tablespace", "", "my.x", "q")), "create table u (x text default current_setting('my.x'))")
		run(t, c.With(settings("my.x", "q")), "insert into u default values; insert into u default values")
		if n := value[int](t, c, "select count(*)::int from u where x = 'q'"); n != 2 {
			t.Errorf("%d rows", n)
		}
		want(c, "none")
	})
	t.Run("transaction", func(t *testing.T) {
		must(t, a.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			want(tx, "a")
			want(tx.With(settings("my.x", "t")), "t")
			want(tx, "a")
			return nil
		}))
		want(c, "none")
		want(a, "a")
	})
	t.Run("rolled back", func(t *testing.T) {
		_ = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			want(tx, "none")
			want(tx.With(settings("my.x", "t")), "t")
			return context.Canceled
		})
		want(c.With(settings("my.x", "t")), "t")
		want(c, "none")
	})
	t.Run("statement_timeout", func(t *testing.T) {
		_, err := c.With(settings("statement_timeout", "50ms")).Execute(ctx, "select pg_sleep(5)")
		wantCode(t, err, "57014")
		run(t, c.With(settings("statement_timeout", "10s")), "select pg_sleep(0.1)")
		run(t, c, "select pg_sleep(0.1)")
	})
}

func TestBadSettings(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	run(t, c, increment)
	run(t, c, "update t set n = 0")
	for _, bad := range []duet.Options{settings("statement_timeout", "x"), settings("no_such_setting", "1"), settings("my.x", "a", "work_mem", "-5")} {
		for range 2 { // the second time must not believe the first
			for _, cmd := range []string{increment, increment + "; " + increment, "create table x ()"} {
				_, err := c.With(bad).Execute(ctx, cmd)
				if err == nil {
					t.Errorf("%v with %q was no error", bad.Settings, cmd)
				}
				err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.With(bad).Execute(ctx, cmd)
					return err
				})
				if err == nil {
					t.Errorf("%v with %q in a transaction was no error", bad.Settings, cmd)
				}
			}
		}
	}
	for _, name := range []string{`a"b`, "a'b", "", "a..b", "a b", "a;b", "a\x00"} {
		_, err := c.With(settings(name, "1")).Execute(ctx, increment)
		wantIs(t, err, duet.ErrInvalidArgument)
	}
	_, err := c.With(settings("my.x", "a\x00")).Execute(ctx, increment)
	wantIs(t, err, duet.ErrInvalidArgument)
	if n := count(t, c); n != 0 {
		t.Errorf("n is %d: a statement ran without its settings", n)
	}
	if got := value[string](t, c, mySetting); got != "none" {
		t.Errorf("my.x is %q", got)
	}
}

// What fails beside a setting must not leave a wrong belief about it.
func TestSettingsAfterFailures(t *testing.T) {
	x := settings("my.x", "a")
	for _, tt := range []struct {
		name string
		fail func(t *testing.T, conn duet.Conn)
	}{
		{"an argument that cannot be sent", func(t *testing.T, conn duet.Conn) {
			value[int](t, conn, "select $1::int", 1)
			_, err := conn.With(x).Execute(t.Context(), "select $1::int", make(chan int))
			wantIs(t, err, duet.ErrInvalidArgument)
		}},
		{"a failing command", func(t *testing.T, conn duet.Conn) {
			for range 2 {
				_, err := conn.With(x).Execute(t.Context(), "select 1/$1::int", 0)
				wantCode(t, err, "22012")
			}
		}},
		{"a transaction by hand", func(t *testing.T, conn duet.Conn) {
			run(t, conn, "begin")
			value[string](t, conn.With(x), mySetting)
			run(t, conn, "rollback")
		}},
		{"RESET ALL", func(t *testing.T, conn duet.Conn) {
			value[string](t, conn.With(x), mySetting)
			run(t, conn, "reset all")
		}},
		{"SET", func(t *testing.T, conn duet.Conn) {
			value[string](t, conn.With(x), mySetting)
			run(t, conn.With(x), "set my.x = 'other'")
		}},
		{"a rolled back RawTx", func(t *testing.T, conn duet.Conn) {
			_ = conn.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
				value[int](t, tx, "select 1")
				value[string](t, tx.With(x), mySetting)
				return context.Canceled
			})
		}},
		{"a savepoint", func(t *testing.T, conn duet.Conn) {
			must(t, conn.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
				for _, failing := range []string{"select 1/0", "select 1"} {
					_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
						value[int](t, tx, "select 1")
						value[string](t, tx.With(x), mySetting)
						_, err := tx.With(settings("my.x", "b")).Execute(ctx, failing)
						if err == nil {
							err = context.Canceled
						}
						return err
					})
					if got := value[string](t, tx, mySetting); got != "none" {
						t.Errorf("my.x is %q after the savepoint", got)
					}
					if got := value[string](t, tx.With(x), mySetting); got != "a" {
						t.Errorf("my.x is %q after the savepoint, want a", got)
					}
					if got := value[string](t, tx, mySetting); got != "none" {
						t.Errorf("my.x is %q after the savepoint", got)
					}
				}
				return nil
			}))
		}},
		{"rows left early", func(t *testing.T, conn duet.Conn) {
			for _, opt := range []duet.Options{settings("my.x", "b"), {}, x} {
				for range 2 {
					rows, err := conn.With(opt).Rows(t.Context(), "select generate_series(1, 100000000)")
					must(t, err)
					rows.Next()
					must(t, rows.Close())
				}
			}
		}},
		{"a cancelled command", func(t *testing.T, conn duet.Conn) {
			value[string](t, conn.With(settings("my.x", "b")), mySetting)
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			_, err := conn.With(x).Execute(ctx, "select pg_sleep(10)")
			wantIs(t, err, context.DeadlineExceeded)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, postgres.Config{MaxConns: 1})
			conn, err := c.Acquire(testContext(t))
			must(t, err)
			value[string](t, conn, mySetting)
			tt.fail(t, conn)
			for range 2 {
				if got := value[string](t, conn.With(x), mySetting); got != "a" {
					t.Errorf("my.x is %q with the option, want a", got)
				}
			}
			if tt.name != "SET" {
				if got := value[string](t, conn, mySetting); got != "none" {
					t.Errorf("my.x is %q without the option", got)
				}
			}
			conn.Release()
			if got := value[string](t, c, mySetting); got != "none" {
				t.Errorf("my.x is %q for the next borrower", got)
			}
			if got := value[string](t, c.With(x), mySetting); got != "a" {
				t.Errorf("my.x is %q for the next borrower with the option, want a", got)
			}
		})
	}
}

func TestScripts(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	ctx := testContext(t)
	r := run(t, c, increment+"; "+increment+"; select 1 union select 2;")
	if r.Status != "SELECT 2" || r.RowsAffected != 2 {
		t.Errorf("%+v", r)
	}
	_, err := c.Execute(ctx, increment+"; select 1/0; "+increment)
	wantCode(t, err, "22012")
	if n := count(t, c); n != 2 {
		t.Errorf("n is %d, want 2", n)
	}
	run(t, c, "begin; "+increment+"; commit; "+increment)
	if n := count(t, c); n != 4 {
		t.Errorf("n is %d, want 4", n)
	}
	pid := value[int](t, c, "select pg_backend_pid()")
	for _, cmd := range []string{"begin", "begin; " + increment, "start transaction; select 1/0", "select 1; begin"} {
		_, err = c.Execute(ctx, cmd)
		if err == nil || !strings.Contains(cmd, "1/0") && !strings.Contains(err.Error(), "opened a transaction") {
			t.Errorf("%q: %v", cmd, err)
		}
		if next := value[int](t, c, "select pg_backend_pid()"); next == pid {
			t.Errorf("%q: the connection was kept", cmd)
		} else {
			pid = next
		}
	}
	if n := count(t, c); n != 4 {
		t.Errorf("n is %d, want 4", n)
	}
	conn, err := c.Acquire(ctx)
	must(t, err)
	run(t, conn, "begin")
	run(t, conn, increment)
	_, err = conn.Begin(ctx)
	wantIs(t, err, duet.ErrInvalidArgument)
	run(t, conn, "commit")
	conn.Release()
	if n := count(t, c); n != 5 {
		t.Errorf("n is %d, want 5", n)
	}
	for _, cmd := range []string{"", ";", "-- nothing", "/* */;;"} {
		if r := run(t, c, cmd); r.RowsAffected != -1 {
			t.Errorf("%q: %+v", cmd, r)
		}
	}
	for _, cmd := range []string{"copy t from stdin", "copy t to stdout", "select 1; copy t to stdout", increment + "; copy t from stdin"} {
		_, err := c.Execute(ctx, cmd)
		wantIs(t, err, duet.ErrUnsupported)
	}
	value[int](t, c, "select 1")
	allReturned(t, c)
}

// The same text is read in two ways, as standard_conforming_strings says.
func TestBackslashesInStrings(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 2})
	old := c.With(settings("standard_conforming_strings", "off", "escape_string_warning", "off"))
	const text = `select 'it\'s $x; ' || 'y'::text`
	for range 2 {
		if got := value[string](t, old, text); got != "it's $x; y" {
			t.Errorf("%q", got)
		}
		run(t, old, text)
		if _, err := c.Execute(testContext(t), text); err == nil {
			t.Error("an unterminated string was accepted")
		}
		const both = `select 'a\\b'::text`
		if got := value[string](t, old, both); got != `a\b` {
			t.Errorf("%q", got)
		}
		if got := value[string](t, c, both); got != `a\\b` {
			t.Errorf("%q", got)
		}
	}
	conn, err := c.Acquire(testContext(t))
	must(t, err)
	defer conn.Release()
	run(t, conn, "set standard_conforming_strings = off; set escape_string_warning = off")
	if got := value[string](t, conn, text); got != "it's $x; y" {
		t.Errorf("%q", got)
	}
}
