package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// faulty opens a client behind a fault proxy.
func faulty(t testing.TB, dsn string, cfg postgres.Config) (duet.Client, *faultproxy.Proxy) {
	t.Helper()
	network, address := serverOf(t, dsn)
	p, err := faultproxy.Start(faultproxy.Config{Network: network, Address: address, Seed: 1})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	cfg.DialFunc = dialTo(p.Addr())
	return openDSN(t, dsn, cfg), p
}

// resolutions collects what the hook is told of lost commits.
type resolutions struct {
	mu   sync.Mutex
	told []duet.CommitInfo
}

func (r *resolutions) hooks() duet.Hooks {
	return duet.Hooks{CommitResolved: func(_ context.Context, i duet.CommitInfo) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, i)
	}}
}

// take gives what was told since the last time.
func (r *resolutions) take() []duet.CommitInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

var commitAnswer = faultproxy.Rule{From: faultproxy.Server, Type: 'C', Text: "COMMIT"}

var commitRequest = faultproxy.Rule{From: faultproxy.Client, Type: 'P', Text: "COMMIT"}

// TestLostCommit loses the COMMIT, or its answer, on each way to a transaction,
// with ids and with tokens: the caller is told the truth, and what is run again
// is done once.
func TestLostCommit(t *testing.T) {
	for _, mode := range []struct {
		name  string
		opt   duet.Options
		proof duet.CommitProof
	}{
		{"id", duet.Options{}, duet.ProofTransactionID},
		{"token", duet.Options{ExactlyOnce: duet.On}, duet.ProofToken},
	} {
		for _, fault := range []struct {
			name      string
			rule      faultproxy.Rule
			committed bool
		}{
			{"answer", commitAnswer, true},
			{"request", commitRequest, false},
		} {
			for _, kind := range txKinds {
				t.Run(mode.name+"/"+fault.name+"/"+kind.name, func(t *testing.T) {
					var told resolutions
					c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 3, MinConns: 2, Options: mode.opt, Hooks: told.hooks()})
					run(t, c, postgres.CommitTokenSchema)
					newCounter(t, c)
					eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
					attempts := 0
					planted := p.Add(fault.rule)
					err := kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
						attempts++
						run(t, tx, increment)
						return nil
					})
					if planted.Fired() != 1 {
						t.Fatalf("the fault struck %d times, want 1", planted.Fired())
					}
					applied, want := count(t, c), 1
					again := kind.name == "RetryingTx" && !fault.committed
					if !fault.committed && !again {
						want = 0
						e := wantIs(t, err, duet.ErrUnavailable)
						if errors.Is(err, duet.ErrCommitUnknown) || e.Outcome != duet.OutcomeNone || e.Phase != duet.PhaseCommit {
							t.Errorf("got %+v", e)
						}
					} else if err != nil {
						t.Errorf("got %v", err)
					}
					if applied != want {
						t.Errorf("applied %d times, want %d", applied, want)
					}
					if wantAttempts := map[bool]int{false: 1, true: 2}[again]; attempts != wantAttempts {
						t.Errorf("%d attempts, want %d", attempts, wantAttempts)
					}
					infos := told.take()
					if len(infos) != 1 || infos[0].Committed != fault.committed || infos[0].Proof != mode.proof || infos[0].Err != nil || infos[0].Took <= 0 {
						t.Errorf("the hook was told %+v", infos)
					}
					allReturned(t, c)
				})
			}
		}
	}
}

// TestLostCommitWithoutAWitness has no other connection that was open before: the
// id proves nothing.
func TestLostCommitWithoutAWitness(t *testing.T) {
	var told resolutions
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 1, Hooks: told.hooks()})
	newCounter(t, c)
	p.Add(commitAnswer)
	err := c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
	e := wantIs(t, err, duet.ErrCommitUnknown)
	if !strings.Contains(e.Detail, "its id is ") || !strings.Contains(e.Hint, "ExactlyOnce") {
		t.Errorf("it does not say what is known, and what to do: %v", err)
	}
	if infos := told.take(); len(infos) != 1 || !errors.Is(infos[0].Err, duet.ErrCommitUnknown) || infos[0].Proof != "" {
		t.Errorf("the hook was told %+v", infos)
	}
	if n := count(t, c); n != 1 {
		t.Errorf("applied %d times, want 1", n)
	}
}

// TestLostCommitKeepsAWitness uses a client one call after the other: its pool
// keeps a second connection all the same.
func TestLostCommitKeepsAWitness(t *testing.T) {
	c, p := faulty(t, newDatabase(t), postgres.Config{})
	newCounter(t, c)
	add := func() error {
		return c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil })
	}
	must(t, add())
	eventually(t, "a second connection", func() bool { return c.Pool().Stat().Idle == 2 })
	for i := range 5 {
		p.Add(commitAnswer)
		if err := add(); err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
		eventually(t, "a second connection again", func() bool { return c.Pool().Stat().Idle == 2 })
	}
	if n := count(t, c); n != 6 {
		t.Errorf("applied %d times, want 6", n)
	}
}

// TestLostCommitThatWroteNothing needs no witness.
func TestLostCommitThatWroteNothing(t *testing.T) {
	dsn := newDatabase(t)
	tests := []struct {
		name     string
		prepare  string
		commands []string
		opt      duet.Options
		unknown  bool
	}{
		{name: "plain reads", commands: []string{"select n from t", "select count(*) from t", "values (1)"}},
		{name: "plain reads, exactly once", commands: []string{"select n from t"}, opt: duet.Options{ExactlyOnce: duet.On}},
		{name: "an update of no row", commands: []string{"update t set n = 1 where id = 99"}},
		{name: "a stable function", prepare: "create function f() returns int language sql stable as 'select 1'", commands: []string{"select f()"}},
		{name: "a setting", commands: []string{"set local work_mem to '1MB'", "select n from t"}},
		{name: "a volatile function", prepare: "create function g() returns int language plpgsql as $$begin perform pg_notify('c', 'x'); return 1; end$$",
			commands: []string{"select g()"}, unknown: true},
		{name: "notify", commands: []string{"notify c"}, unknown: true},
		{name: "pg_notify", commands: []string{"select pg_notify('c', 'x')"}, unknown: true},
		{name: "a procedure", prepare: "create procedure h() language plpgsql as 'begin perform 1; end'", commands: []string{"call h()"}, unknown: true},
		{name: "an anonymous block", commands: []string{"do 'begin perform 1; end'"}, unknown: true},
		{name: "a read-only transaction", commands: []string{"select g()"}, opt: duet.Options{Access: duet.ReadOnly}, unknown: true},
		{name: "a foreign server", prepare: "create foreign data wrapper w; create server s foreign data wrapper w", commands: []string{"update t set n = 1 where id = 99"}, unknown: true},
	}
	c, p := faulty(t, dsn, postgres.Config{MaxConns: 1})
	newCounter(t, c)
	t.Cleanup(func() {
		o := observe(t, dsn)
		o.do("drop foreign data wrapper if exists w cascade")
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != "" {
				run(t, c, tt.prepare)
			}
			attempts := 0
			planted := p.Add(commitAnswer)
			err := c.With(tt.opt).RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				for _, cmd := range tt.commands {
					if _, err := tx.Execute(ctx, cmd); err != nil {
						return err
					}
				}
				return nil
			})
			planted.Remove()
			switch {
			case planted.Fired() != 1:
				t.Errorf("the fault struck %d times: %v", planted.Fired(), err)
			case tt.unknown:
				wantIs(t, err, duet.ErrCommitUnknown)
			case err != nil || attempts != 2:
				t.Errorf("got %v after %d attempts, want success after 2", err, attempts)
			}
		})
	}
}

// TestLostCommitOfScriptsAndRows fetches the id behind what is no ordinary
// statement.
func TestLostCommitOfScriptsAndRows(t *testing.T) {
	c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 3, MinConns: 2})
	newCounter(t, c)
	ways := []struct {
		name string
		do   func(context.Context, duet.Tx) error
	}{
		{"script", func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "update t set n = n; "+increment)
			return err
		}},
		{"rows", func(ctx context.Context, tx duet.Tx) error {
			rows, err := tx.Rows(ctx, increment+" returning n")
			if err != nil {
				return err
			}
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					return err
				}
			}
			return rows.Err()
		}},
		{"rows left early", func(ctx context.Context, tx duet.Tx) error {
			rows, err := tx.Rows(ctx, increment+" returning n")
			if err != nil {
				return err
			}
			return rows.Close()
		}},
		{"json", func(ctx context.Context, tx duet.Tx) error {
			var out []byte
			return tx.QueryJSON(ctx, increment+" returning n", &out)
		}},
		{"nested", func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, increment)
				return err
			})
		}},
	}
	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			for _, rule := range []faultproxy.Rule{commitAnswer, commitRequest} {
				eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
				planted := p.Add(rule)
				if err := c.RetryingTx(testContext(t), way.do); err != nil || planted.Fired() != 1 {
					t.Errorf("%v, struck %d times", err, planted.Fired())
				}
			}
			if n := count(t, c); n != 2*(i+1) {
				t.Errorf("n is %d, want %d", n, 2*(i+1))
			}
		})
	}
}

// TestCommitIsAwaitedBeyondItsContext ends ctx while COMMIT is at work: the
// answer is awaited for CommitGrace.
func TestCommitIsAwaitedBeyondItsContext(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 2, Options: duet.Options{CommitGrace: time.Minute}})
	slowCommit(t, c, 0.5)
	o := observe(t, dsn)
	for _, kind := range txKinds {
		ctx, cancel := context.WithCancel(testContext(t))
		go func() {
			o := observe(t, dsn)
			o.awaitRunning("COMMIT")
			cancel()
		}()
		err := kind.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into late values (1)")
			return err
		})
		if err != nil || ctx.Err() == nil {
			t.Errorf("%s: %v, and ctx: %v", kind.name, err, ctx.Err())
		}
	}
	if n := o.one("select count(*) from late"); n != "4" {
		t.Errorf("%s rows, want 4", n)
	}
	allReturned(t, c)

	brief := c.With(duet.Options{CommitGrace: 20 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := brief.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "insert into late values (2)")
		return err
	})
	wantIs(t, err, duet.ErrCommitUnknown)
	wantIs(t, err, context.DeadlineExceeded)
	allReturned(t, c)
}

// slowCommit makes a table whose commits take some seconds.
func slowCommit(t testing.TB, q duet.Querier, seconds float64) {
	t.Helper()
	run(t, q, `create table late (n int);
		create function late() returns trigger language plpgsql as 'begin perform pg_sleep(`+strconv.FormatFloat(seconds, 'f', -1, 64)+`); return null; end';
		create constraint trigger s after insert on late deferrable initially deferred for each row execute function late()`)
}

// TestLostCommitStillDeciding loses the connection while the server is at the
// COMMIT: its end is waited for.
func TestLostCommitStillDeciding(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		dsn := newDatabase(t)
		var told resolutions
		c, p := faulty(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, Options: opt, Hooks: told.hooks()})
		run(t, c, postgres.CommitTokenSchema)
		slowCommit(t, c, 0.4)
		eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
		p.Add(faultproxy.Rule{From: faultproxy.Client, Type: 'S', Skip: 2, At: faultproxy.After, Do: faultproxy.CutClient})
		err := c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into late values (1)")
			return err
		})
		if err != nil {
			t.Errorf("%+v: %v", opt, err)
		}
		// The look for a token may come before the token: then it settles it.
		if infos := told.take(); len(infos) != 1 || infos[0].Err != nil || infos[0].Committed != (infos[0].Took >= 100*time.Millisecond) {
			t.Errorf("%+v: the hook was told %+v", opt, infos)
		}
		if n := value[int](t, c, "select count(*)::int from late"); n != 1 {
			t.Errorf("%+v: applied %d times, want 1", opt, n)
		}
	}
}

// TestLostCommitLeavesNoZombie loses the COMMIT on a network that tells neither
// side: the server still waits for it, and holds the transaction's locks.
func TestLostCommitLeavesNoZombie(t *testing.T) {
	dsn := newDatabase(t)
	c, p := faulty(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2})
	newCounter(t, c)
	eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
	p.Add(faultproxy.Rule{From: faultproxy.Client, Type: 'P', Text: "COMMIT", Do: faultproxy.CutClient, For: time.Minute})
	attempts := 0
	err := c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
		attempts++
		run(t, tx, increment)
		return nil
	})
	if err != nil || attempts != 2 || count(t, c) != 1 {
		t.Errorf("%v after %d attempts, n is %d", err, attempts, count(t, c))
	}
}
