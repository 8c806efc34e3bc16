package pgtest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

// startReplica starts a replica for one test.
func startReplica(t *testing.T, s *pgtest.Server, cfg pgtest.ReplicaConfig) *pgtest.Server {
	t.Helper()
	r, err := s.StartReplica(t.Context(), cfg)
	pgtest.CheckStart(t, err)
	t.Cleanup(func() {
		dir := filepath.Dir(r.DataDir())
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the replica left %s: %v", dir, err)
		}
	})
	return r
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReplica(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s := start(t, pgtest.Config{
		Settings: map[string]string{"synchronous_commit": "on"},
		HBA:      []string{"host all all all trust"}, // nothing about replication
	})
	query(t, s.DSN(), "CREATE TABLE kept (n int)")
	r := startReplica(t, s, pgtest.ReplicaConfig{Name: "second", Slot: true, Settings: map[string]string{"work_mem": "5MB"}})
	if r.Port == s.Port || r.PID() == s.PID() || r.DataDir() == s.DataDir() {
		t.Fatalf("the replica is the server: %d, %d, %s", r.Port, r.PID(), r.DataDir())
	}
	for sql, want := range map[string]string{
		"SELECT pg_is_in_recovery()": "t", "SHOW work_mem": "5MB", "SHOW synchronous_standby_names": "",
	} {
		if got := query(t, r.DSN(), sql); got != want {
			t.Errorf("%s on the replica: %q, want %q", sql, got, want)
		}
	}
	if _, err := tryQuery(ctx, r.DSN(), "INSERT INTO kept VALUES (0)"); err == nil {
		t.Error("the replica takes writes")
	}

	do(t, s.Configure(ctx, map[string]string{"synchronous_standby_names": "second", "synchronous_commit": "remote_apply"}))
	do(t, s.AwaitReplica(ctx, "second"))
	if got := query(t, s.DSN(), "SELECT sync_state FROM pg_stat_replication"); got != "sync" {
		t.Errorf("the replica is %q", got)
	}
	query(t, s.DSN(), "INSERT INTO kept VALUES (1)")
	if got := query(t, r.DSN(), "SELECT count(*) FROM kept"); got != "1" {
		t.Errorf("the replica has %s rows after a commit that waited for it", got)
	}
	// Nobody answers a commit while the replica is stopped.
	do(t, r.Stop(ctx, "fast"))
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	if _, err := tryQuery(short, s.DSN(), "INSERT INTO kept VALUES (2)"); err == nil || short.Err() == nil {
		t.Errorf("a commit without the replica: %v", err)
	}
	stop()
	do(t, r.Start(ctx))
	do(t, r.Start(ctx))
	do(t, s.AwaitReplica(ctx, "second"))
	query(t, s.DSN(), "INSERT INTO kept VALUES (3)")

	if err := s.Follow(r, "former"); err == nil {
		t.Error("a running server follows")
	}
	do(t, s.Stop(ctx, "fast"))
	do(t, r.Promote(ctx))
	if got := query(t, r.DSN(), "INSERT INTO kept VALUES (4); SELECT count(*) FROM kept"); got != "4" {
		t.Errorf("%s rows after the promotion", got)
	}
	do(t, s.Follow(r, "former"))
	do(t, s.Start(ctx))
	do(t, r.AwaitReplica(ctx, "former"))
	do(t, r.Configure(ctx, map[string]string{"synchronous_standby_names": "former", "synchronous_commit": "remote_apply"}))
	query(t, r.DSN(), "INSERT INTO kept VALUES (5)")
	if got := query(t, s.DSN(), "SELECT count(*) || ' ' || pg_is_in_recovery() FROM kept"); got != "5 true" {
		t.Errorf("the old primary says %q", got)
	}
}

func TestReplicaWithoutSlot(t *testing.T) {
	s := start(t, pgtest.Config{})
	r := startReplica(t, s, pgtest.ReplicaConfig{})
	if got := query(t, s.DSN(), "SELECT application_name || ' ' || sync_state FROM pg_stat_replication"); got != "replica async" {
		t.Errorf("got %q", got)
	}
	do(t, s.Close()) // the replica goes on without it
	do(t, r.Promote(t.Context()))
	query(t, r.DSN(), "CREATE TABLE mine (n int)")
	do(t, r.Restart(t.Context(), "immediate"))
	if err := r.Promote(t.Context()); err == nil {
		t.Error("a primary is promoted")
	}
}

func TestReplicaErrors(t *testing.T) {
	s := start(t, pgtest.Config{})
	parent := reachableDir(t)
	if _, err := s.StartReplica(t.Context(), pgtest.ReplicaConfig{Dir: parent, Settings: map[string]string{"nonsense": "1"}}); err == nil {
		t.Error("a replica with an unknown setting starts")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.StartReplica(ended, pgtest.ReplicaConfig{Dir: parent}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a ctx that has ended: %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := s.Configure(t.Context(), map[string]string{"work_mem": "x"}); err == nil {
		t.Error("Configure took a wrong value")
	}
	do(t, s.Close())
	if _, err := s.StartReplica(t.Context(), pgtest.ReplicaConfig{}); err == nil {
		t.Error("a closed server is copied")
	}
	var foreign pgtest.Server
	if _, err := foreign.StartReplica(t.Context(), pgtest.ReplicaConfig{}); err == nil {
		t.Error("a server that is not ours is copied")
	}
	for name, err := range map[string]error{
		"Start": s.Start(t.Context()), "Promote": s.Promote(t.Context()), "Follow": s.Follow(s, "x"),
		"foreign Start": foreign.Start(t.Context()), "foreign Promote": foreign.Promote(t.Context()), "foreign Follow": foreign.Follow(s, "x"),
	} {
		if err == nil {
			t.Errorf("%s works", name)
		}
	}
}
