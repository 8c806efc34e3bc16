package edgedbtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

// shared is the one server of a test binary. It is the package's only state, as
// pgtest's is.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Shared returns the test binary's server, on pgtest's shared PostgreSQL, and
// starts it on the first call. It is stopped by Main; without Main it ends with
// the binary. Where no PostgreSQL can be had, the test is skipped with the
// reason, and fails where the environment says CI.
func Shared(tb pgtest.TB) *Server {
	tb.Helper()
	pg := pgtest.Shared(tb)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		shared.server, shared.err = Start(ctx, Config{Postgres: pg})
	}
	pgtest.CheckStart(tb, shared.err)
	return shared.server
}

// Main runs a test binary's tests, stops the shared server and pgtest's, and
// returns the exit code: func TestMain(m *testing.M) { os.Exit(edgedbtest.Main(m)) }.
func Main(m interface{ Run() int }) int {
	return pgtest.Main(closing{m})
}

// closing closes the shared server after the tests, before PostgreSQL ends.
type closing struct{ m interface{ Run() int } }

func (c closing) Run() int {
	code := c.m.Run()
	if err := CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if code == 0 {
			code = 1
		}
	}
	return code
}

// CloseShared stops the shared server, if one was started. A later Shared
// starts another.
func CloseShared() error {
	shared.Lock()
	defer shared.Unlock()
	s := shared.server
	shared.server, shared.err = nil, nil
	if s == nil {
		return nil
	}
	return s.Close()
}

// branchNumber numbers the branches of NewBranch.
var branchNumber atomic.Uint64

// NewBranch makes a branch with nothing in it for one test, which is dropped at
// its end together with the connections that are still in it, and returns its
// DSN.
func (s *Server) NewBranch(tb pgtest.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	name := fmt.Sprintf("test_%d", branchNumber.Add(1))
	if err := s.CreateBranch(ctx, name); err != nil {
		tb.Fatalf("making a branch for %s: %v", tb.Name(), err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.DropBranch(ctx, name); err != nil {
			tb.Errorf("dropping the branch of %s: %v", tb.Name(), err)
		}
	})
	return s.DSNFor(name)
}
