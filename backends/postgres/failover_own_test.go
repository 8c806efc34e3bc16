package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// What a session's user has made read-only himself says nothing about the server,
// whether or not what undoes it has been answered yet.
func TestOwnReadOnlySettings(t *testing.T) {
	const on = "set default_transaction_read_only to on"
	for name, use := range map[string]func(ctx context.Context, c duet.Client) error{
		"a view": func(ctx context.Context, c duet.Client) error {
			_, err := c.With(duet.Options{Access: duet.ReadOnly}).Execute(ctx, "select 1")
			return err
		},
		"a text": func(ctx context.Context, c duet.Client) error {
			conn, err := c.Acquire(ctx)
			if err != nil {
				return err
			}
			defer conn.Release()
			_, err = conn.Execute(ctx, on)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := openDSN(t, newDatabase(t)+"&target_session_attrs=read-write", postgres.Config{MaxConns: 3})
			ctx := testContext(t)
			keep, err := c.Acquire(ctx)
			must(t, err)
			must(t, use(ctx, c))
			before := c.Pool().Stat().Connects
			for range 3 {
				conn, err := c.Acquire(ctx) // and nothing is sent over it
				must(t, err)
				conn.Release()
			}
			keep.Release()
			run(t, c, "create table if not exists t (n int)")
			if s := c.Pool().Stat(); s.Connects != before || s.Closed != 0 {
				t.Errorf("%d connections were made, %d before; %d closed", s.Connects, before, s.Closed)
			}
		})
	}
	t.Run("OnConnect", func(t *testing.T) {
		cfg := postgres.Config{MaxConns: 1, OnConnect: func(ctx context.Context, conn duet.Conn) error {
			_, err := conn.Execute(ctx, on)
			return err
		}}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		c, err := postgres.Connect(ctx, newDatabase(t)+"&target_session_attrs=read-write", cfg)
		must(t, err)
		defer c.Close(ctx)
		_, err = c.Execute(ctx, "select 1")
		must(t, err)
		if s := c.Pool().Stat(); s.Connects != 1 {
			t.Errorf("%d connections were made, want 1", s.Connects)
		}
	})
}
