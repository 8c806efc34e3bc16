package postgres_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// TestIDsOfALaterEpoch has a server whose ids have wrapped around: they are
// beyond 32 bits, and their lower halves say nothing by themselves.
func TestIDsOfALaterEpoch(t *testing.T) {
	s := ownServer(t, nil)
	must(t, s.Stop(testContext(t), "fast"))
	reset := exec.CommandContext(testContext(t), filepath.Join(s.BinDir(), "pg_resetwal"), "-e", "5", "-D", s.DataDir())
	info, err := os.Stat(s.DataDir())
	must(t, err)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		reset.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	reset.Dir = "/"
	if out, err := reset.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, s.Start(testContext(t)))
	c, p := faulty(t, s.DSN(), postgres.Config{MaxConns: 3, MinConns: 2})
	zombie := commitRequest
	zombie.Do, zombie.For = faultproxy.CutClient, time.Minute
	for i, rule := range []faultproxy.Rule{commitAnswer, commitRequest, zombie} {
		eventually(t, "two connections", func() bool { return c.Pool().Stat().Idle >= 2 })
		planted := p.Add(rule)
		must(t, c.RetryingTx(testContext(t), func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }))
		if n := count(t, c); n != i+1 || planted.Fired() != 1 {
			t.Errorf("%d: applied %d times, struck %d times", i, n, planted.Fired())
		}
	}
	id, err := strconv.ParseUint(observe(t, s.DSN()).one("select pg_current_xact_id()"), 10, 64)
	must(t, err)
	if id>>32 != 5 {
		t.Errorf("the ids are at %d, and not of epoch 5", id)
	}
}
