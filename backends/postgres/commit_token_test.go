package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

func exactly(t testing.TB, cfg postgres.Config) (duet.Client, *faultproxy.Proxy, observer) {
	t.Helper()
	cfg.Options.ExactlyOnce = duet.On
	dsn := newDatabase(t)
	c, p := faulty(t, dsn, cfg)
	run(t, c, postgres.CommitTokenSchema)
	newCounter(t, c)
	return c, p, observe(t, dsn)
}

func tokens(o observer) string { return o.one("select count(*) from duet.commit_token") }

// TestTokenLookUpIsCut loses the answer to COMMIT, or COMMIT itself, and then cuts
// the look-up of its token at each of its messages in turn, those of connecting
// included: the outcome is the truth all the same. A pool of one is enough.
func TestTokenLookUpIsCut(t *testing.T) {
	for _, loss := range []faultproxy.Rule{commitAnswer, commitRequest} {
		for _, side := range []faultproxy.Side{faultproxy.Client, faultproxy.Server} {
			t.Run(fmt.Sprintf("lost by the %v, cut at the %v's", loss.From, side), func(t *testing.T) {
				var dialled atomic.Pointer[func()]
				var p *faultproxy.Proxy
				dsn := newDatabase(t)
				network, address := serverOf(t, dsn)
				p, err := faultproxy.Start(faultproxy.Config{Network: network, Address: address, Seed: 1})
				must(t, err)
				t.Cleanup(func() { must(t, p.Close()) })
				c := openDSN(t, dsn, postgres.Config{
					MaxConns: 1, Options: duet.Options{ExactlyOnce: duet.On},
					DialFunc: func(ctx context.Context, n, a string) (net.Conn, error) {
						if f := dialled.Swap(nil); f != nil {
							(*f)()
						}
						return dialTo(p.Addr())(ctx, n, a)
					},
				})
				run(t, c, postgres.CommitTokenSchema)
				newCounter(t, c)
				o := observe(t, dsn)
				cuts := 0
				for struck := true; struck; cuts++ {
					before := o.one("select n from t")
					lost := p.Add(loss)
					var cut *faultproxy.Planted
					plant := func() { cut = p.Add(faultproxy.Rule{From: side, Skip: cuts, Do: faultproxy.Cut}) }
					dialled.Store(&plant)
					err := c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
						_, err := tx.Execute(ctx, increment)
						return err
					})
					if lost.Fired() != 1 || cut == nil {
						t.Fatalf("struck %d times: %v", lost.Fired(), err)
					}
					struck = cut.Fired() == 1
					cut.Remove()
					applied := o.one("select n - " + before + " from t")
					if err == nil != (applied == "1") || errors.Is(err, duet.ErrCommitUnknown) {
						t.Errorf("cut %d: told %v, applied %s", cuts, err, applied)
					}
				}
				t.Logf("%d cuts", cuts-1)
				if cuts < 15 {
					t.Errorf("only %d cuts: the look-up has more messages", cuts-1)
				}
			})
		}
	}
}

// TestTokenTableIsMissing says what to do, and leaves the connection fit.
func TestTokenTableIsMissing(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1, Options: duet.Options{ExactlyOnce: duet.On}})
	newCounter(t, c)
	for _, kind := range txKinds {
		err := kind.run(c, testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
		e := wantIs(t, err, duet.ErrUndefined)
		if !strings.Contains(e.Hint, "duet init") {
			t.Errorf("%s: it does not say what to do: %v", kind.name, err)
		}
		if n := count(t, c); n != 0 {
			t.Errorf("%s: n is %d, want 0", kind.name, n)
		}
	}
	run(t, c, postgres.CommitTokenSchema)
	run(t, c, postgres.CommitTokenSchema) // again
	must(t, c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }))
	if s := c.Pool().Stat(); s.Connects != 1 {
		t.Errorf("%d connections were made, want 1", s.Connects)
	}
}

// TestTokensAreLeftByWritersAlone counts the tokens.
func TestTokensAreLeftByWritersAlone(t *testing.T) {
	c, _, o := exactly(t, postgres.Config{MaxConns: 1})
	reads := func(_ context.Context, tx duet.Tx) error { value[int](t, tx, "select n from t"); return nil }
	writes := func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }
	calls := func(_ context.Context, tx duet.Tx) error {
		value[string](t, tx, "select pg_catalog.pg_size_pretty(1::bigint)")
		return nil
	}
	steps := []struct {
		name string
		opt  duet.Options
		fn   func(context.Context, duet.Tx) error
		want string
	}{
		{"a reader", duet.Options{}, reads, "0"},
		{"a writer", duet.Options{}, writes, "1"},
		{"who calls something", duet.Options{}, calls, "2"},
		{"a read-only view", duet.Options{Access: duet.ReadOnly}, calls, "2"},
		{"a writer on the read-only view's connection", duet.Options{}, writes, "3"},
		{"who set out to write after all", duet.Options{Access: duet.ReadOnly}, func(_ context.Context, tx duet.Tx) error {
			run(t, tx, "set transaction read write")
			run(t, tx, increment)
			return nil
		}, "4"},
		{"off", duet.Options{ExactlyOnce: duet.Off}, writes, "4"},
	}
	for _, s := range steps {
		must(t, c.With(s.opt).RetryingTx(testContext(t), s.fn))
		if n := tokens(o); n != s.want {
			t.Errorf("%s: %s tokens, want %s", s.name, n, s.want)
		}
	}
	for range 300 {
		must(t, c.RetryingTx(testContext(t), writes))
	}
	if n := tokens(o); n != "304" {
		t.Errorf("%s tokens, want 304", n)
	}
}

// TestTokensArePruned has old tokens deleted, and young ones kept.
func TestTokensArePruned(t *testing.T) {
	c, _, o := exactly(t, postgres.Config{MaxConns: 2})
	o.do(`insert into duet.commit_token
		select (lpad(to_hex((extract(epoch from now() - age) * 1000)::bigint), 12, '0') || '7' || substr(md5(i::text), 1, 19))::uuid, now() - age
		from generate_series(1, 100) i, (values (interval '2 hours'), (interval '61 minutes'), (interval '59 minutes')) a (age)`)
	// a token whose client's clock is late stays for its hour
	o.do("insert into duet.commit_token values ('00000000-0000-7000-8000-000000000000', now())")
	write := func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }
	must(t, c.RetryingTx(testContext(t), write))
	eventually(t, "the old ones are gone", func() bool { return tokens(o) == "102" })
	allReturned(t, c)
	must(t, c.RetryingTx(testContext(t), write))
	if n := tokens(o); n != "103" {
		t.Errorf("%s tokens, want 103", n)
	}
}

// TestUnnamedStatementsLookToo keeps nothing prepared: looks and tokens go along
// all the same.
func TestUnnamedStatementsLookToo(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 3, MinConns: 2, StatementCache: postgres.CacheUnnamed, Options: opt})
		run(t, c, postgres.CommitTokenSchema)
		newCounter(t, c)
		for i := range 3 {
			eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
			p.Add(commitAnswer)
			must(t, c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }))
			if n := count(t, c); n != i+1 {
				t.Errorf("applied %d times, want %d", n, i+1)
			}
		}
	}
}

// TestNoIDs is about servers that have no ids, or do not show them: the
// transaction works all the same, and they are not asked again.
func TestNoIDs(t *testing.T) {
	for _, kind := range txKinds {
		t.Run(kind.name, func(t *testing.T) {
			dsn := newDatabase(t)
			o := observe(t, dsn)
			o.do("drop role if exists duet_poor; create role duet_poor login; grant create on schema public to duet_poor")
			o.do("revoke execute on function pg_current_xact_id_if_assigned() from public")
			t.Cleanup(func() {
				o := observe(t, dsn)
				o.do("grant execute on function pg_current_xact_id_if_assigned() to public; drop owned by duet_poor; drop role duet_poor")
			})
			var seen tap
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1, DialFunc: seen.dial, Options: duet.Options{Settings: map[string]string{"role": "duet_poor"}}})
			newCounter(t, c)
			for range 2 {
				must(t, kind.run(c, testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }))
			}
			if n := count(t, c); n != 2 {
				t.Errorf("n is %d, want 2", n)
			}
			if n := strings.Count(seen.trace(), "pg_current_xact_id"); n != 1 {
				t.Errorf("the id was asked for %d times, want once: %s", n, seen.trace())
			}
		})
	}
}

// TestNoIDsInTheMiddle has the first look fail behind a statement that cannot be
// played again alone: the attempt is.
func TestNoIDsInTheMiddle(t *testing.T) {
	dsn := newDatabase(t)
	o := observe(t, dsn)
	o.do("drop role if exists duet_poor; create role duet_poor login; grant create on schema public to duet_poor")
	o.do("revoke execute on function pg_current_xact_id_if_assigned() from public")
	t.Cleanup(func() {
		o := observe(t, dsn)
		o.do("grant execute on function pg_current_xact_id_if_assigned() to public; drop owned by duet_poor; drop role duet_poor")
	})
	c := openDSN(t, dsn, postgres.Config{MaxConns: 1, Options: duet.Options{Settings: map[string]string{"role": "duet_poor"}}})
	newCounter(t, c)
	attempts := 0
	must(t, c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
		attempts++
		run(t, tx, "set local work_mem to '1MB'") // behind which nothing is looked at
		_, err := tx.Execute(testContext(t), increment)
		return err
	}))
	if n := count(t, c); n != 1 || attempts != 2 {
		t.Errorf("n is %d after %d attempts, want 1 after 2", n, attempts)
	}
}

// TestBehindAPooler has the server tell another process than the one that works,
// as poolers do: a lost commit cannot be looked up by its id.
func TestBehindAPooler(t *testing.T) {
	dsn := newDatabase(t)
	network, address := serverOf(t, dsn)
	p, err := faultproxy.Start(faultproxy.Config{Network: network, Address: address, Seed: 1})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	p.Add(faultproxy.Rule{From: faultproxy.Server, Type: 'K', At: faultproxy.Inside, N: 7, Do: faultproxy.Corrupt, Times: -1})
	c := openDSN(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, DialFunc: dialTo(p.Addr())})
	newCounter(t, c)
	eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
	p.Add(commitAnswer)
	err = c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
	if e := wantIs(t, err, duet.ErrCommitUnknown); !strings.Contains(e.Detail, "pooler") {
		t.Errorf("it does not say why: %v", err)
	}
}
