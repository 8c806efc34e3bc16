package backends_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(edgedbtest.Main(m)) }

func TestConnectEdgeDB(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	dsn := edgedbtest.Shared(t).NewBranch(t)
	for _, dsn := range []string{dsn, "gel" + strings.TrimPrefix(dsn, "edgedb")} {
		client, err := backends.Connect(ctx, dsn, backends.Config{EdgeDB: edgedb.Config{MaxConns: 2}})
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Backend(); got.Name != "edgedb" || got.Dialect != duet.EdgeQL || got.ServerVersion == "" {
			t.Errorf("the backend is %+v", got)
		}
		if got := client.Pool().Stat().MaxSize; got != 2 {
			t.Errorf("the pool's size is %d, want the 2 of the Config", got)
		}
		if n, err := duet.QueryOne[int64](ctx, client, "select 1 + 1"); n != 2 || err != nil {
			t.Errorf("select 1 + 1: %d, %v", n, err)
		}
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectPostgres(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cfg := backends.Config{Postgres: postgres.Config{MaxConns: 2}}
	client, err := backends.Connect(ctx, pgtest.Shared(t).NewDatabase(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if got := client.Backend().Name; got != "postgres" {
		t.Errorf("the backend is %q, want postgres", got)
	}
	if got := client.Pool().Stat().MaxSize; got != 2 {
		t.Errorf("the pool's size is %d, want the 2 of the Config", got)
	}
	if n, err := duet.QueryOne[int](ctx, client, "select 6 * 7"); n != 42 || err != nil {
		t.Errorf("select 6 * 7: %d, %v", n, err)
	}
}

func TestConnectRefuses(t *testing.T) {
	const secret = "hunter2"
	tests := []struct {
		name, dsn string
		kind      duet.Kind
		says      string
	}{
		{"edgedb", "edgedb://u:hunter2@localhost/main?tls_security=maybe", duet.KindConfig, "tls_security"},
		{"gel", "gel://u:hunter2@localhost/main?password=hunter2", duet.KindConfig, "password"},
		{"mysql", "mysql://u:hunter2@localhost/db", duet.KindConfig, "scheme mysql is unknown"},
		{"upper case postgres", "POSTGRES://u:hunter2@localhost/db", duet.KindConfig, "lower case"},
		{"unknown key", "host=localhost pasword=hunter2", duet.KindConfig, "password"},
		{"no scheme", "hunter2", duet.KindConfig, ""},
		{"slashes alone", "://hunter2", duet.KindConfig, ""},
		{"bad value", "postgres://u:hunter2@localhost/?sslmode=maybe", duet.KindConfig, "sslmode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, err := backends.Connect(t.Context(), tt.dsn, backends.Config{})
			if err == nil || client != nil {
				t.Fatalf("Connect gave %v, %v, want an error and no client", client, err)
			}
			if got := duet.KindOf(err); got != tt.kind {
				t.Errorf("the kind is %v, want %v (%v)", got, tt.kind, err)
			}
			if text := err.Error(); !strings.Contains(text, tt.says) || strings.Contains(text, secret) {
				t.Errorf("the error is %q; want it with %q and without the password", text, tt.says)
			}
			if want := tt.kind == duet.KindUnsupported; errors.Is(err, duet.ErrUnsupported) != want {
				t.Errorf("errors.Is(err, ErrUnsupported) is not %v", want)
			}
		})
	}
}
