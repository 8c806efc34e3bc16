package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// TestWritersInDisguise loses the answer to the COMMIT of transactions whose
// statements look as if they read: what they did is never done twice, nor told as
// not done.
func TestWritersInDisguise(t *testing.T) {
	const writes = ` returns int language plpgsql as $$begin update public.t set n = n + 1 where id = 1; return 1; end$$`
	const notifies = ` returns int language plpgsql as $$begin perform pg_notify('c', 'x'); return 1; end$$`
	tests := []struct {
		name, prepare, command string
		silent                 bool // it changes no row: it is enough that it is not run again
	}{
		{name: "a function of a schema, called as one of PostgreSQL's", prepare: "create schema app; create function app.trim(int)" + writes, command: "select app.trim(1)"},
		{name: "the same, quoted", command: `select "app" . "trim" (1)`},
		{name: "an overload of one of PostgreSQL's", prepare: "create function lead(json)" + writes, command: "select lead('{}'::json)"},
		{name: "a view", prepare: "create function behind()" + writes + "; create view v as select behind() as x; create view vv as select * from v", command: "select * from v"},
		{name: "a view behind a view", command: "table vv"},
		{name: "a column that is none", prepare: "create function extra(t)" + writes, command: "select t.extra from t"},
		{name: "a policy", prepare: "create table guarded (id int); insert into guarded values (1); create function allows()" + writes +
			"; create policy p on guarded using (allows() = 1); alter table guarded enable row level security, force row level security; drop role if exists duet_guarded; create role duet_guarded; grant all on guarded, t to duet_guarded; grant all on schema public to duet_guarded",
			command: "select * from guarded"},
		{name: "letters that are not folded", prepare: `create function "Ärger"()` + writes, command: "select ÄRGER()"},
		{name: "escapes", prepare: `create function g()` + writes, command: `select U&"\0067"()`},
		{name: "a long name", prepare: "create function aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg()" + writes, command: "select aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggghhh()"},
		{name: "a script that notifies", command: "select 1; notify c", silent: true},
		{name: "a script that sets and notifies", command: "set local work_mem to '1MB'; notify c", silent: true},
		{name: "a statement's trigger", prepare: "create table watched (id int); create function tells() returns trigger language plpgsql as $$begin perform pg_notify('c', 'x'); return null; end$$;" +
			"create trigger z after update on watched for each statement execute function tells(); create view vw as select * from watched", command: "update watched set id = 1 where false", silent: true},
		{name: "a statement's trigger behind a view", command: "update vw set id = 1 where false", silent: true},
		{name: "a rule", prepare: "create table ruled (id int); create rule r as on update to ruled do also notify c", command: "update ruled set id = 1 where false", silent: true},
		{name: "a function that notifies in a read-only transaction", prepare: "create function app.count(int)" + notifies, command: "select app.count(1)", silent: true},
	}
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}, {TransactionID: duet.Off}} {
		dsn := newDatabase(t)
		c, p := faulty(t, dsn, postgres.Config{MaxConns: 3, MinConns: 2, Options: opt})
		run(t, c, postgres.CommitTokenSchema)
		newCounter(t, c)
		o := observe(t, dsn)
		for _, tt := range tests {
			if tt.prepare != "" {
				o.do(tt.prepare)
			}
			over := duet.Options{}
			if tt.name == "a policy" {
				o.do("grant usage on schema duet to duet_guarded; grant all on duet.commit_token to duet_guarded")
				over.Settings = map[string]string{"role": "duet_guarded"}
			}
			eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
			before := o.one("select n from t")
			lost := p.Add(commitAnswer)
			attempts := 0
			err := c.With(over).RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
				attempts++
				_, err := tx.Execute(ctx, tt.command)
				return err
			})
			lost.Remove()
			applied := o.one("select n - " + before + " from t")
			told := "committed"
			if errors.Is(err, duet.ErrCommitUnknown) {
				told = "unknown"
			} else if err != nil {
				told = err.Error()
			}
			t.Logf("exactly once %v, ids %v, %s: told %s after %d attempts, applied %s", opt.ExactlyOnce, opt.TransactionID, tt.name, told, attempts, applied)
			if lost.Fired() != 1 || attempts != 1 || !tt.silent && applied != "1" || told != "unknown" && told != "committed" {
				t.Errorf("%s: told %s after %d attempts, applied %s, lost %d", tt.name, told, attempts, applied, lost.Fired())
			}
		}
		o.do("drop owned by duet_guarded; drop role duet_guarded")
	}
}
