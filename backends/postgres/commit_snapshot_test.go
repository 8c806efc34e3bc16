package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// snapshotIsolations are the levels whose first query decides what all of the
// transaction sees.
var snapshotIsolations = []duet.Isolation{duet.RepeatableRead, duet.Serializable}

// TestLockBeforeTheFirstSnapshot sets something, waits for a lock, and then
// reads what the lock's last holder has committed: no look takes the
// transaction's snapshot before its own first query does (PostgreSQL
// documentation, section "Data Consistency Checks at the Application Level").
func TestLockBeforeTheFirstSnapshot(t *testing.T) {
	for _, before := range []string{
		"set local work_mem to '1MB'", "set local work_mem to '1MB'; set local application_name to 'x'", "savepoint a", "select 1 where false; savepoint a",
		"lock table other", "show work_mem", "listen c", "notify c", "set constraints all deferred", "reset work_mem",
	} {
		for _, level := range snapshotIsolations {
			t.Run(before+"/"+level.String(), func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, postgres.Config{MaxConns: 2, Options: duet.Options{Isolation: level}})
				newCounter(t, c)
				run(t, c, "create table other (id int)")
				takesSnapshot := strings.HasPrefix(before, "select")
				want := map[bool]int{false: 1, true: 0}[takesSnapshot]
				o := observe(t, dsn)
				must(t, c.RawTx(testContext(t), func(_ context.Context, tx duet.Tx) error {
					run(t, tx, before)
					o.do(increment)
					run(t, tx, "lock table t in share mode")
					if n := count(t, tx); n != want {
						t.Errorf("n is %d, want %d", n, want)
					}
					return nil
				}))
			})
		}
	}
}

// TestSetTransactionAfterWhatTakesNoSnapshot sets the transaction's modes behind
// statements that are allowed before that.
func TestSetTransactionAfterWhatTakesNoSnapshot(t *testing.T) {
	dsn := newDatabase(t)
	o := observe(t, dsn)
	o.do("begin isolation level repeatable read")
	snapshot := o.one("select pg_export_snapshot()")
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		c := openDSN(t, dsn, postgres.Config{MaxConns: 2, Options: opt})
		run(t, c, postgres.CommitTokenSchema)
		for _, script := range [][]string{
			{"set local work_mem to '1MB'", "set transaction isolation level serializable"},
			{"set local work_mem to '1MB'", "set transaction isolation level serializable, read only, deferrable"},
			{"show work_mem", "set local lock_timeout to '1s'", "set transaction isolation level repeatable read", "set transaction snapshot '" + snapshot + "'", "select 1"},
			{"listen c", "lock table pg_class in access share mode", "set transaction isolation level repeatable read"},
		} {
			err := c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
				for _, cmd := range script {
					if _, err := tx.Execute(ctx, cmd); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("%q: %v", script, err)
			}
		}
	}
}

// TestWhatHasNoIDLeavesNothing loses the answer to the COMMIT of transactions that
// set, lock or listen, and read: they are run again.
func TestWhatHasNoIDLeavesNothing(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}, {TransactionID: duet.Off}} {
		c, p := faulty(t, newDatabase(t), postgres.Config{MaxConns: 2, Options: opt})
		newCounter(t, c)
		for _, script := range []string{
			"set local work_mem to '1MB'", "savepoint a", "lock table t in share mode", "listen c", "show work_mem", "set constraints all immediate",
			"set local work_mem to '1MB'; lock table t in share mode", "deallocate all",
		} {
			attempts := 0
			lost := p.Add(commitAnswer)
			err := c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				if _, err := tx.Execute(ctx, script); err != nil {
					return err
				}
				count(t, tx)
				return nil
			})
			lost.Remove()
			if err != nil || attempts != 2 || lost.Fired() != 1 {
				t.Errorf("%q: %v after %d attempts", script, err, attempts)
			}
		}
	}
}

// TestDeallocateAllInTheMiddle takes away what the look was prepared as.
func TestDeallocateAllInTheMiddle(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		c := openDSN(t, newDatabase(t), postgres.Config{MaxConns: 1, Options: opt})
		run(t, c, postgres.CommitTokenSchema)
		newCounter(t, c)
		run(t, c, "create function f() returns int language plpgsql as 'begin return 1; end'")
		for _, script := range []string{"deallocate all", "deallocate all; select f()", "do $$ begin execute 'deallocate all'; end $$", "discard plans"} {
			for i := range 3 {
				err := c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
					for k, cmd := range []string{"select f()", script, "select f()", increment} {
						if k != 1 { // what the user's own statements were prepared as goes, too
							cmd += " -- " + script + strconv.Itoa(10*i+k)
						}
						if _, err := tx.Execute(ctx, cmd); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("%q, round %d, %+v: %v", script, i, opt.ExactlyOnce, err)
				}
			}
		}
	}
}

// TestCopyIsRefusedAlike refuses COPY in a transaction as it does elsewhere: the
// connection lives on.
func TestCopyIsRefusedAlike(t *testing.T) {
	c := openDSN(t, newDatabase(t), postgres.Config{MaxConns: 1})
	newCounter(t, c)
	for _, cmd := range []string{"copy t from stdin", "copy t to stdout", "COPY t(id) FROM\nSTDIN", "copy t from stdin; select 1"} {
		for _, kind := range txKinds {
			attempts := 0
			err := kind.run(c, testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				_, err := tx.Execute(ctx, cmd)
				return err
			})
			if !errors.Is(err, duet.ErrUnsupported) || attempts != 1 {
				t.Errorf("%s: %q: %v after %d attempts", kind.name, cmd, err, attempts)
			}
		}
	}
	if s := c.Pool().Stat(); s.Connects != 1 {
		t.Errorf("%d connections were made, want 1", s.Connects)
	}
}
