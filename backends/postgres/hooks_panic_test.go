package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// A hook that panics costs its connection, and nothing else: the panic is the
// caller's where the hook runs for him, and no slot is lost.
func TestHooksPanic(t *testing.T) {
	panics := false
	hook := func() {
		if panics {
			panics = false
			panic("a hook's")
		}
	}
	for name, cfg := range map[string]postgres.Config{
		"OnConnect": {MaxConns: 1, MaxConnUses: 1, OnConnect: func(context.Context, duet.Conn) error { hook(); return nil }},
		"OnAcquire": {MaxConns: 1, OnAcquire: func(context.Context, duet.Conn) error { hook(); return nil }},
		"OnRelease": {MaxConns: 1, OnRelease: func(duet.Conn) error { hook(); return nil }},
	} {
		for _, command := range []string{"select 1", "select pg_advisory_lock(1)"} {
			t.Run(name+"/"+command, func(t *testing.T) {
				dsn := newDatabase(t)
				c := openDSN(t, dsn, cfg)
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
				defer stop()
				panics = true
				err := func() (err error) {
					defer func() {
						if v := recover(); v != nil && v != "a hook's" {
							panic(v)
						}
					}()
					_, err = c.Execute(ctx, command)
					return err
				}()
				if panics || (err != nil) != (name == "OnConnect") {
					t.Errorf("%v; not called yet: %t", err, panics)
				}
				run(t, c, "select 1")
				o, left := observe(t, dsn), "1"
				if cfg.MaxConnUses > 0 {
					left = "0"
				}
				eventually(t, left+" sessions are left", func() bool {
					return o.one("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()") == left
				})
				allReturned(t, c)
				if name == "OnRelease" { // in the background, too
					panics = true
					_, err := c.Execute(shortContext(t), "select pg_sleep(10)")
					wantIs(t, err, context.DeadlineExceeded)
					run(t, c, "select 1")
					if panics {
						t.Error("not called")
					}
				}
			})
		}
	}
}
