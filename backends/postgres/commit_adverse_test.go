package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// TestCommitIsAnswered cuts the connection right behind the server's word that
// the transaction is committed: nothing is left to find out, and a pool of one
// without tokens is enough.
func TestCommitIsAnswered(t *testing.T) {
	var told resolutions
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 1, Hooks: told.hooks()})
	newCounter(t, c)
	for i, kind := range txKinds {
		rule := commitAnswer
		rule.At = faultproxy.After
		lost := p.Add(rule)
		err := kind.run(c, testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
		if err != nil || lost.Fired() != 1 {
			t.Errorf("%s: %v, struck %d times", kind.name, err, lost.Fired())
		}
		if n := count(t, c); n != i+1 {
			t.Errorf("%s: applied %d times, want %d", kind.name, n, i+1)
		}
	}
	if infos := told.take(); len(infos) != 0 {
		t.Errorf("the hook was told %+v, though no answer was lost", infos)
	}
}

// TestGraceIsOne ends ctx while COMMIT is at work, and loses the connection a
// part of the grace later: the look-up has the rest of it.
func TestGraceIsOne(t *testing.T) {
	const grace = 1500 * time.Millisecond
	for _, opt := range []duet.Options{{CommitGrace: grace}, {CommitGrace: grace, ExactlyOnce: duet.On}} {
		dsn := newDatabase(t)
		c, p := faulty(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, Options: opt})
		run(t, c, postgres.CommitTokenSchema)
		slowCommit(t, c, 60)
		eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
		o := observe(t, dsn)
		ctx, cancel := context.WithCancel(testContext(t))
		ended := make(chan time.Time, 1)
		go func() {
			watch := observe(t, dsn)
			watch.awaitRunning("COMMIT")
			ended <- time.Now()
			cancel()
			time.AfterFunc(grace*2/3, func() { p.Cut() })
		}()
		err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into late values (1)")
			return err
		})
		took := time.Since(<-ended)
		wantIs(t, err, duet.ErrCommitUnknown)
		if took > grace+grace/3 {
			t.Errorf("it took %v after the end of ctx, with a grace of %v", took, grace)
		}
		o.killRunning("COMMIT")
	}
}

// TestPruningLeavesNoTrace has a role that must not delete tokens: that is
// nobody's trouble, least of all that of a connection which goes on in use.
func TestPruningLeavesNoTrace(t *testing.T) {
	dsn := newDatabase(t)
	o := observe(t, dsn)
	o.do(postgres.CommitTokenSchema)
	o.do("drop role if exists duet_frugal; create role duet_frugal login; grant usage on schema duet to duet_frugal; grant select, insert on duet.commit_token to duet_frugal; create table f (n int); grant all on f to duet_frugal")
	t.Cleanup(func() {
		o := observe(t, dsn)
		o.do("drop owned by duet_frugal; drop role duet_frugal")
	})
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, Options: duet.Options{ExactlyOnce: duet.On, Settings: map[string]string{"role": "duet_frugal"}}})
	conn, err := c.Acquire(testContext(t))
	must(t, err)
	defer conn.Release()
	for range 3 {
		must(t, conn.RawTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, "insert into f values (1)"); return nil }))
		run(t, conn, "select 1")
	}
}

// TestSessionTimeoutsAreNoModes reads in a read-only transaction, with settings
// whose names say "transaction", and calls a function: no token is left, which
// could not be.
func TestSessionTimeoutsAreNoModes(t *testing.T) {
	c, _, o := exactly(t, postgres.Config{MaxConns: 1})
	run(t, c, "create function f() returns int language plpgsql as 'begin return 1; end'")
	for _, set := range []string{
		"set local idle_in_transaction_session_timeout to '1min'", "set transaction not deferrable", "set local default_transaction_read_only to off",
		"set session characteristics as transaction isolation level serializable", "set transaction read only",
	} {
		err := c.With(duet.Options{Access: duet.ReadOnly}).RawTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
			run(t, tx, set)
			run(t, tx, "select f()")
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
	for _, set := range []string{"set transaction read only", "set local transaction_read_only to on"} {
		if err := c.RawTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
			run(t, tx, set)
			run(t, tx, "select n from t")
			return nil
		}); err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
	if n := tokens(o); n != "0" {
		t.Errorf("%s tokens were left, want none", n)
	}
}

// TestLentConnectionAlone loses a commit on the pool's only connection, which its
// user still has: its slot is the one that the look-up needs.
func TestLentConnectionAlone(t *testing.T) {
	c, p, _ := exactly(t, postgres.Config{MaxConns: 1, AcquireTimeout: 5 * time.Second})
	for i, way := range []func(duet.Conn, context.Context) error{
		func(conn duet.Conn, ctx context.Context) error {
			return conn.RawTx(ctx, func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
		},
		func(conn duet.Conn, ctx context.Context) error {
			tx, err := conn.Begin(ctx)
			must(t, err)
			run(t, tx, increment)
			return tx.Commit(ctx)
		},
	} {
		conn, err := c.Acquire(testContext(t))
		must(t, err)
		run(t, conn, "select 1")
		p.Add(commitAnswer)
		if err := way(conn, testContext(t)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if _, err := conn.Execute(testContext(t), "select 1"); !errors.Is(err, duet.ErrUnavailable) && !errors.Is(err, duet.ErrClosed) {
			t.Errorf("%d: the dead connection says %v", i, err)
		}
		conn.Release()
		if n := count(t, c); n != i+1 {
			t.Errorf("%d: n is %d, want %d", i, n, i+1)
		}
	}
	allReturned(t, c)
}

// TestTokenTableThatKeepsNothing has a table of tokens on which the scheme does
// not stand: what is lost is unknown, and never told as not applied.
func TestTokenTableThatKeepsNothing(t *testing.T) {
	tables := map[string]string{
		"no key":         "create table duet.commit_token (token uuid, at timestamptz default clock_timestamp())",
		"partitioned":    "create table duet.commit_token (token uuid, at timestamptz default clock_timestamp(), primary key (token, at)) partition by range (at); create table duet.p partition of duet.commit_token default",
		"a view":         "create table duet.x (token uuid, at timestamptz default clock_timestamp()); create view duet.commit_token as select * from duet.x",
		"a rule":         "create table duet.commit_token (token uuid primary key, at timestamptz default clock_timestamp()); create rule r as on insert to duet.commit_token do instead nothing",
		"a trigger":      "create table duet.commit_token (token uuid primary key, at timestamptz default clock_timestamp()); create function duet.none() returns trigger language plpgsql as 'begin return null; end'; create trigger r before insert on duet.commit_token for each row execute function duet.none()",
		"a deferred key": "create table duet.commit_token (token uuid primary key deferrable initially deferred, at timestamptz default clock_timestamp())",
		"unlogged":       "create unlogged table duet.commit_token (token uuid primary key, at timestamptz default clock_timestamp())",
	}
	for name, table := range tables {
		t.Run(name, func(t *testing.T) {
			dsn := newDatabase(t)
			c, p := faulty(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, Options: duet.Options{ExactlyOnce: duet.On}})
			run(t, c, "create schema duet; "+table)
			newCounter(t, c)
			for _, rule := range []faultproxy.Rule{commitAnswer, commitRequest} {
				lost := p.Add(rule)
				attempts := 0
				start := time.Now()
				err := c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { attempts++; run(t, tx, increment); return nil })
				if name == "unlogged" && rule.Type == 'C' { // it is there
					must(t, err)
					continue
				}
				if e := wantIs(t, err, duet.ErrCommitUnknown); e != nil && !strings.Contains(e.Detail, "duet.commit_token") {
					t.Errorf("it does not say why: %v", err)
				}
				if attempts != 1 || lost.Fired() != 1 || time.Since(start) > 10*time.Second {
					t.Errorf("%d attempts, struck %d times, took %v", attempts, lost.Fired(), time.Since(start))
				}
			}
		})
	}
}

// TestTokensOfAnotherRole leaves tokens under a role of the options, and looks them
// up over connections whose last user had another one.
func TestTokensOfAnotherRole(t *testing.T) {
	dsn := newDatabase(t)
	o := observe(t, dsn)
	o.do(postgres.CommitTokenSchema)
	o.do("drop role if exists duet_tenant, duet_stranger; create role duet_tenant; create role duet_stranger; grant usage on schema duet to duet_tenant; grant select, insert, delete on duet.commit_token to duet_tenant; create table t (id int primary key, n int); insert into t values (1, 0); grant all on t to duet_tenant")
	t.Cleanup(func() {
		o := observe(t, dsn)
		o.do("drop owned by duet_tenant, duet_stranger; drop role duet_tenant, duet_stranger")
	})
	c, p := faulty(t, dsn, postgres.Config{MaxConns: 2, MinConns: 2})
	tenant := c.With(duet.Options{ExactlyOnce: duet.On, Settings: map[string]string{"role": "duet_tenant"}})
	stranger := c.With(duet.Options{Settings: map[string]string{"role": "duet_stranger"}})
	for i, rule := range []faultproxy.Rule{commitAnswer, commitRequest} {
		twoAlive(t, c)
		p.Add(rule)
		must(t, tenant.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			_, err := stranger.Execute(testContext(t), "select 1") // on the other connection
			return err
		}))
		if n := o.one("select n from t"); n != itoa(i+1) {
			t.Errorf("n is %s, want %d", n, i+1)
		}
		if who := value[string](t, c, "select current_user::text"); strings.HasPrefix(who, "duet_") {
			t.Errorf("the role %s is left behind", who)
		}
	}
}

// TestTokenLookUpThatIsRefused is not waited for: rights do not come by waiting.
func TestTokenLookUpThatIsRefused(t *testing.T) {
	c, p, o := exactly(t, postgres.Config{MaxConns: 2})
	p.Add(commitAnswer)
	start := time.Now()
	err := c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
		run(t, tx, increment)
		return nil
	})
	must(t, err)
	lost := p.Add(commitRequest)
	err = c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
		run(t, tx, increment)
		o.do("alter table duet.commit_token rename to gone")
		return nil
	})
	wantIs(t, err, duet.ErrCommitUnknown)
	if took := time.Since(start); took > 15*time.Second || lost.Fired() != 1 {
		t.Errorf("it took %v, struck %d times", took, lost.Fired())
	}
}

// TestTokenStatementIsDropped drops what the token's insertion was prepared as by
// a function, behind duet's back: another attempt prepares it anew.
func TestTokenStatementIsDropped(t *testing.T) {
	c, _, _ := exactly(t, postgres.Config{MaxConns: 1})
	run(t, c, "create function f() returns int language plpgsql as $$begin execute 'deallocate all'; return 1; end$$")
	for i := range 3 {
		attempts := 0
		must(t, c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
			if attempts++; attempts == 1 {
				_, err := tx.Execute(ctx, "select f() -- "+itoa(i))
				return err
			}
			run(t, tx, increment)
			return nil
		}))
	}
}

// TestHalfACommitLeavesNoZombie loses a part of the COMMIT on a network that tells
// neither side: the server is at it, and waits for the rest.
func TestHalfACommitLeavesNoZombie(t *testing.T) {
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 3, MinConns: 2})
	newCounter(t, c)
	eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
	rule := commitRequest
	rule.At, rule.Do, rule.For = faultproxy.After, faultproxy.CutClient, time.Minute
	lost := p.Add(rule)
	attempts := 0
	err := c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
		attempts++
		run(t, tx, increment)
		return nil
	})
	if err != nil || attempts != 2 || count(t, c) != 1 || lost.Fired() != 1 {
		t.Errorf("%v after %d attempts, n is %d", err, attempts, count(t, c))
	}
}

// TestNoIDsFoundOutEarly has a server without ids, and transactions that read
// first: each works at the first attempt, with no need to be run again.
func TestNoIDsFoundOutEarly(t *testing.T) {
	for _, kind := range txKinds {
		t.Run(kind.name, func(t *testing.T) {
			dsn := newDatabase(t)
			o := observe(t, dsn)
			o.do("drop role if exists duet_meagre; create role duet_meagre login; grant create on schema public to duet_meagre")
			o.do("revoke execute on function pg_current_xact_id_if_assigned() from public")
			t.Cleanup(func() {
				o := observe(t, dsn)
				o.do("grant execute on function pg_current_xact_id_if_assigned() to public; drop owned by duet_meagre; drop role duet_meagre")
			})
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1, Options: duet.Options{Settings: map[string]string{"role": "duet_meagre"}}})
			newCounter(t, c)
			attempts := 0
			must(t, kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				var n int
				if err := tx.QueryOne(ctx, "select n from t", &n); err != nil {
					return err
				}
				_, err := tx.Execute(ctx, increment)
				return err
			}))
			if n := count(t, c); n != 1 || attempts != 1 {
				t.Errorf("n is %d after %d attempts, want 1 after 1", n, attempts)
			}
		})
	}
}

// TestCommitAnsweredOddly has the answer to COMMIT say something else: it is
// neither told as committed nor as rolled back.
func TestCommitAnsweredOddly(t *testing.T) {
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 2, MinConns: 2})
	newCounter(t, c)
	for i, kind := range txKinds {
		rule := commitAnswer
		rule.At, rule.N, rule.Do = faultproxy.Inside, 7, faultproxy.Corrupt
		odd := p.Add(rule)
		err := kind.run(c, testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
		if wantIs(t, err, duet.ErrCommitUnknown); odd.Fired() != 1 {
			t.Errorf("%s: struck %d times", kind.name, odd.Fired())
		}
		if n := count(t, c); n != i+1 {
			t.Errorf("%s: applied %d times, want %d", kind.name, n, i+1)
		}
	}
	allReturned(t, c)
}
