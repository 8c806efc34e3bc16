package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
	"github.com/duetdb/duet/internal/pgtest"
)

// ownServer starts a server that the test may stop, with a table t.
func ownServer(t *testing.T, settings map[string]string) *pgtest.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a server of its own")
	}
	s, err := pgtest.Start(testContext(t), pgtest.Config{Settings: settings, InitSQL: []string{
		"create table t (id int primary key, n int not null); insert into t values (1, 0)", "create table w (id int)",
	}})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// takeID commits transactions of others until one of them had that id.
func takeID(t *testing.T, s *pgtest.Server, id uint64) {
	t.Helper()
	o := observe(t, s.DSN())
	for {
		now, err := strconv.ParseUint(o.one("insert into w values (1); select pg_current_xact_id()"), 10, 64)
		must(t, err)
		switch {
		case now == id:
			if status := o.one(fmt.Sprintf("select pg_xact_status('%d')", id)); status != "committed" {
				t.Fatalf("the id that was taken is %s", status)
			}
			return
		case now > id:
			t.Fatalf("the id %d was not given again: it is at %d", id, now)
		}
	}
}

// TestIDsThatAreGivenAgain has the server crash after it gave a transaction an id
// and before it saw its COMMIT. Another session is given that id, and commits.
// The lost transaction is never told as committed, whatever connections the pool
// has by then.
func TestIDsThatAreGivenAgain(t *testing.T) {
	crashes := map[string]func(*testing.T, *pgtest.Server){
		"immediate stop": func(t *testing.T, s *pgtest.Server) { must(t, s.Restart(testContext(t), "immediate")) },
		"killed session": func(t *testing.T, s *pgtest.Server) { // the others are ended too; the postmaster lives on
			o := observe(t, s.DSN())
			other := observe(t, s.DSN())
			pid, err := strconv.Atoi(o.one("select pg_backend_pid()"))
			must(t, err)
			session, err := os.FindProcess(pid)
			must(t, err)
			must(t, session.Kill())
			eventually(t, "the others are ended", func() bool {
				_, err := other.c.Exec(t.Context(), "select 1")
				return err != nil
			})
			eventually(t, "the server is back", func() bool {
				c, err := pgtest.Dial(t.Context(), s.DSN())
				if err == nil {
					_ = c.Close()
				}
				return err == nil
			})
		},
	}
	for name, crash := range crashes {
		for _, reconnected := range []bool{false, true} {
			for _, kind := range txKinds[:3] {
				t.Run(fmt.Sprintf("%s/reconnected %v/%s", name, reconnected, kind.name), func(t *testing.T) {
					s := ownServer(t, nil)
					c, p := faulty(t, s.DSN(), postgres.Config{MaxConns: 3, MinConns: 2})
					eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
					o := observe(t, s.DSN())
					o.do("checkpoint")
					// The network keeps silent once the statement (described, then run) is answered.
					black := p.Add(faultproxy.Rule{From: faultproxy.Server, Type: 'Z', Text: "T", Skip: 1, At: faultproxy.After, Do: faultproxy.Stall})
					attempts := 0
					ctx, cancel := context.WithCancel(testContext(t))
					defer cancel()
					err := kind.run(c, ctx, func(ctx context.Context, tx duet.Tx) error {
						if attempts++; attempts > 1 {
							return errors.New("run again")
						}
						_, err := tx.Execute(ctx, increment)
						if err != nil {
							return err
						}
						id, err := strconv.ParseUint(o.one("select backend_xid from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()"), 10, 64)
						must(t, err)
						crash(t, s)
						takeID(t, s, id)
						if reconnected { // a connection that is open before COMMIT is sent
							eventually(t, "a connection", func() bool { return c.Ping(ctx) == nil })
						}
						time.AfterFunc(50*time.Millisecond, func() { black.Remove(); p.Cut() })
						return nil
					})
					switch {
					case err == nil:
						t.Error("the lost transaction is told as committed")
					case attempts > 1, !errors.Is(err, duet.ErrCommitUnknown) && kind.name == "RetryingTx":
						t.Logf("run again: %v", err)
					}
					if n := observe(t, s.DSN()).one("select n from t"); n != "0" {
						t.Errorf("n is %s, want 0", n)
					}
					t.Logf("told: %v", err)
				})
			}
		}
	}
}

// TestCommittedIsReplicated has a session ended while its COMMIT waits for a
// synchronous standby that is away: everybody can see what it did, but a failover
// would lose it. It is told as committed only once the standby has it.
func TestCommittedIsReplicated(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		t.Run(fmt.Sprintf("tokens %v", opt.ExactlyOnce == duet.On), func(t *testing.T) {
			s := ownServer(t, map[string]string{"synchronous_commit": "on", "fsync": "on"})
			r, err := s.StartReplica(testContext(t), pgtest.ReplicaConfig{Name: "mirror"})
			pgtest.CheckStart(t, err)
			t.Cleanup(func() { must(t, r.Close()) })
			c := openDSN(t, s.DSN(), postgres.Config{MaxConns: 4, MinConns: 3, Options: opt})
			run(t, c, postgres.CommitTokenSchema)
			must(t, s.Configure(testContext(t), map[string]string{"synchronous_standby_names": "mirror"}))
			must(t, s.AwaitReplica(testContext(t), "mirror"))
			eventually(t, "connections", func() bool { return c.Pool().Stat().Idle >= 3 })
			must(t, r.Stop(testContext(t), "fast"))
			o := observe(t, s.DSN())
			increments := func(ctx context.Context) error {
				return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, increment)
					return err
				})
			}
			kill := func() {
				o := observe(t, s.DSN())
				eventually(t, "a commit waits for its standby", func() bool {
					return len(o.do("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and query = 'COMMIT'")) > 0
				})
			}
			ctx, cancel := context.WithCancel(testContext(t))
			go func() {
				kill()
				o := observe(t, s.DSN())
				eventually(t, "it is there for all to see", func() bool { return o.one("select n from t") == "1" })
				time.Sleep(100 * time.Millisecond) // as long as a hasty look-up would take
				cancel()
			}()
			err = increments(ctx)
			if e := wantIs(t, err, duet.ErrCommitUnknown); e != nil {
				t.Logf("while the standby is away: %v", err)
			}
			if n := o.one("select n from t"); n != "1" {
				t.Fatalf("n is %s, want 1", n)
			}
			// And now it comes back.
			var back sync.WaitGroup
			back.Go(func() {
				kill()
				if err := r.Start(testContext(t)); err != nil {
					t.Error(err)
				}
			})
			defer back.Wait()
			if err := increments(testContext(t)); err != nil {
				t.Errorf("after the standby's return: %v", err)
			}
			if n := o.one("select n from t"); n != "2" {
				t.Errorf("n is %s, want 2", n)
			}
		})
	}
}

// TestCommitThatDidNotWait has COMMIT's wait for its standby ended by
// pg_cancel_backend: the server answers COMMIT all the same, with a warning.
func TestCommitThatDidNotWait(t *testing.T) {
	s := ownServer(t, map[string]string{"synchronous_commit": "on", "fsync": "on"})
	r, err := s.StartReplica(testContext(t), pgtest.ReplicaConfig{Name: "mirror"})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	c := openDSN(t, s.DSN(), postgres.Config{MaxConns: 2})
	must(t, s.Configure(testContext(t), map[string]string{"synchronous_standby_names": "mirror"}))
	must(t, s.AwaitReplica(testContext(t), "mirror"))
	write := func(ctx context.Context) error {
		return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, increment)
			return err
		})
	}
	must(t, write(testContext(t)))
	must(t, r.Stop(testContext(t), "fast"))
	cancel := func() { // the first wait, that of COMMIT
		o := observe(t, s.DSN())
		eventually(t, "a commit waits for its standby", func() bool {
			return len(o.do("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")) > 0
		})
	}
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(cancel)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if e := wantIs(t, write(ctx), duet.ErrCommitUnknown); !strings.Contains(e.Detail, "standbys") {
		t.Errorf("it does not say why: %v", e)
	}
	others.Go(func() {
		cancel()
		if err := r.Start(testContext(t)); err != nil {
			t.Error(err)
		}
	})
	if err := write(testContext(t)); err != nil {
		t.Errorf("with the standby back: %v", err)
	}
	if n := observe(t, s.DSN()).one("select n from t"); n != "3" {
		t.Errorf("n is %s, want 3", n)
	}
}

// TestLostAnswersUnderLoad loses the answer to one COMMIT in twenty, while 16
// goroutines make transfers.
func TestLostAnswersUnderLoad(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		t.Run(fmt.Sprintf("tokens %v", opt.ExactlyOnce == duet.On), func(t *testing.T) {
			dsn := newDatabase(t)
			var told resolutions
			c, p := faulty(t, dsn, postgres.Config{MaxConns: 10, MinConns: 2, Options: opt, Hooks: told.hooks()})
			run(t, c, postgres.CommitTokenSchema)
			run(t, c, "create table account (id int primary key, balance int not null); insert into account select i, 1000 from generate_series(0, 99) i; create table transfer (id int)")
			eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
			lossy := p.Add(faultproxy.Rule{From: faultproxy.Server, Type: 'C', Text: "COMMIT", Every: 20, Times: -1, Do: faultproxy.Cut})
			var next, unknown atomic.Int64
			var wg sync.WaitGroup
			const transfers = 3000
			for range 16 {
				wg.Go(func() {
					for id := next.Add(1); id <= transfers; id = next.Add(1) {
						err := c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
							from, to := int(id*7)%100, int(id*13+1)%100
							if _, err := tx.Execute(ctx, "update account set balance = balance - 1 where id = $1", from); err != nil {
								return err
							}
							if _, err := tx.Execute(ctx, "update account set balance = balance + 1 where id = $1", to); err != nil {
								return err
							}
							_, err := tx.Execute(ctx, "insert into transfer values ($1)", id)
							return err
						})
						switch {
						case errors.Is(err, duet.ErrCommitUnknown):
							unknown.Add(1)
							t.Errorf("transfer %d: %v", id, err)
						case err != nil:
							t.Errorf("transfer %d: %v", id, err)
						}
					}
				})
			}
			wg.Wait()
			lossy.Remove()
			o := observe(t, dsn)
			once := o.one("select count(*) from (select id from transfer group by id having count(*) = 1) x")
			all := o.one("select count(*) from transfer")
			sum := o.one("select sum(balance) from account")
			t.Logf("%d transfers, %d answers lost, %d unknown; %s applied exactly once, %s rows, sum %s, %d resolutions",
				transfers, lossy.Fired(), unknown.Load(), once, all, sum, len(told.take()))
			if once != itoa(transfers) || all != once || sum != "100000" || unknown.Load() != 0 || lossy.Fired() < transfers/25 {
				t.Error("not each transfer was applied exactly once")
			}
			allReturned(t, c)
		})
	}
}
