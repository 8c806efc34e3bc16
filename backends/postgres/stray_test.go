package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// A connection on which something was cancelled a moment ago may be hit by that
// late. What was cancelled for another reason is none of that, and is not run
// again: the server's own limits, an administrator who waits for a while, and
// what calls functions that may have done something that is not undone.
func TestCancelledOnPurpose(t *testing.T) {
	const insert = "insert into t (k) values (1)"
	for _, tt := range []struct {
		name     string
		command  string
		settings map[string]string
		inTx     bool
		cancel   time.Duration // when somebody cancels it; 0: nobody does
		runs     string
		code     string
	}{
		{name: "statement_timeout", command: insert, settings: map[string]string{"statement_timeout": "60"}, runs: "1", code: "57014"},
		{name: "statement_timeout in a transaction", command: insert, settings: map[string]string{"statement_timeout": "60"}, inTx: true, runs: "1", code: "57014"},
		{name: "lock_timeout", command: insert, settings: map[string]string{"lock_timeout": "60"}, runs: "1", code: "55P03"},
		{name: "later", command: insert, cancel: 1300 * time.Millisecond, runs: "1", code: "57014"},
		{name: "a function", command: "insert into t (k) select f()", cancel: 10 * time.Millisecond, runs: "1", code: "57014"},
		{name: "may be a stray one", command: insert, cancel: 10 * time.Millisecond, runs: "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := newDatabase(t)
			o, blocker := observe(t, dsn), observe(t, dsn)
			o.do("create table t (id serial, k int unique); create function f() returns int language sql as 'select 1'")
			c := openDSN(t, dsn, postgres.Config{MaxConns: 1})
			c = c.With(duet.Options{Settings: tt.settings})
			run(t, c, "delete from t") // the settings are there
			blocker.do("begin; insert into t (id, k) values (0, 1)")

			ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			_, err := c.Execute(ctx, "select pg_sleep(10)")
			wantIs(t, err, context.DeadlineExceeded)
			ended := make(chan error, 1)
			bounded, stop := context.WithTimeout(t.Context(), 5*time.Second)
			defer stop()
			go func() {
				do := func(ctx context.Context, q duet.Querier) error {
					_, err := q.Execute(ctx, tt.command)
					return err
				}
				if tt.inTx {
					ended <- c.RetryingTx(bounded, func(ctx context.Context, tx duet.Tx) error { return do(ctx, tx) })
				} else {
					ended <- do(bounded, c)
				}
			}()
			if tt.cancel > 0 {
				o.awaitRunning("insert%")
				time.Sleep(tt.cancel)
				o.do("select pg_cancel_backend(pid) from pg_stat_activity where " + runningLike("insert%"))
			}
			if tt.code == "" {
				eventually(t, "it is run again", func() bool { return o.one("select last_value from t_id_seq") == tt.runs })
				blocker.do("rollback")
			}
			err = <-ended
			if e, _ := errors.AsType[*duet.Error](err); (e == nil) != (tt.code == "") || e != nil && e.Code != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if runs := o.one("select last_value from t_id_seq"); runs != tt.runs {
				t.Errorf("it was run %s times, want %s", runs, tt.runs)
			}
		})
	}
}
