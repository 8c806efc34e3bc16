package edgedb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/retry"
)

// text is a statement of the catalogue.
func eql(t testing.TB, name string) string {
	t.Helper()
	s := queries.Get(name).Text(duet.EdgeQL)
	if s == "" {
		t.Fatalf("the catalogue has no %s", name)
	}
	return s
}

// served gives a client of a branch of its own, with accounts of 10 each, and the
// branch. The client is closed at the end.
func served(t *testing.T, cfg Config, accounts ...string) (c duet.Client, branch string) {
	t.Helper()
	dsn := edgedbtest.Shared(t).NewBranch(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	c, err := Connect(ctx, dsn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if len(accounts) > 0 {
		for _, name := range []string{"setup_color", "setup_account"} {
			must(ctx, t, c, eql(t, name))
		}
		for _, name := range accounts {
			if _, err := c.Execute(ctx, eql(t, "insert_account"), name, int64(10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c, dsn[strings.LastIndex(dsn, "/")+1 : strings.LastIndex(dsn, "?")]
}

func balance(t *testing.T, c duet.Querier, name string) int64 {
	t.Helper()
	n, err := duet.QueryOne[int64](t.Context(), c, eql(t, "balance"), name)
	if err != nil {
		t.Errorf("the balance of %s: %v", name, err)
	}
	return n
}

func connections(t *testing.T, branch string) edgedbtest.Connections {
	return edgedbtest.Shared(t).Connections(branch)
}

// watched looks how many connections a branch has, until the function it gives is
// called, which gives the most.
func watched(t *testing.T, branch string) (most func() int) {
	server, n := edgedbtest.Shared(t), 0
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			n = max(n, server.Connections(branch).Open)
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	return func() int { close(stop); <-done; return n }
}

// Two hundred calls are left one after the other; never are there more
// connections than the pool's size, and in the end all is as it was.
func TestLeftTwoHundredTimes(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 3}, "ada")
	slow := eql(t, "slow")
	if _, err := c.Execute(t.Context(), slow, int64(10)); err != nil {
		t.Fatal(err)
	}
	most := watched(t, branch)
	var longest time.Duration
	for i := range 200 {
		// The second connection keeps some calls from waiting for the first's end.
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(1+i%5)*time.Millisecond, cancel)
		err := error(nil)
		begun := time.Now()
		switch i % 3 {
		case 0:
			_, err = c.Execute(ctx, slow, int64(400))
		case 1:
			var n int64
			err = c.QueryOne(ctx, slow, &n, int64(400))
		default:
			err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				if _, err := tx.Execute(ctx, eql(t, "add_to_balance"), "ada", int64(1)); err != nil {
					return err
				}
				_, err := tx.Execute(ctx, slow, int64(400))
				return err
			})
		}
		longest = max(longest, time.Since(begun))
		if err == nil && i%3 == 2 {
			t.Errorf("round %d: a slow transaction took less than %d ms", i, 1+i%5)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("round %d: %v", i, err)
		}
		timer.Stop()
		cancel()
	}
	t.Logf("the longest call took %v", longest)
	if n := most(); n > 3 {
		t.Errorf("there were %d connections, want at most 3", n)
	}
	if n := balance(t, c, "ada"); n != 10 {
		t.Errorf("the balance is %d: a left transaction was applied", n)
	}
	eventually(t, "the pool is whole", func() bool { s := c.Pool().Stat(); return s.InUse == 0 && s.Connecting == 0 && s.Closing == 0 })
}

func TestServerDiesUnderClosures(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 2}, "ada")
	add := eql(t, "add_to_balance")
	attempts := 0
	err := c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		attempts++
		if _, err := tx.Execute(ctx, add, "ada", int64(1)); err != nil {
			return err
		}
		if attempts == 1 {
			edgedbtest.Shared(t).Kill(branch)
		}
		_, err := tx.Execute(ctx, add, "ada", int64(10))
		return err
	})
	if err != nil || attempts != 2 {
		t.Errorf("%d attempts: %v", attempts, err)
	}
	err = c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		if _, err := tx.Execute(ctx, add, "ada", int64(100)); err != nil {
			return err
		}
		edgedbtest.Shared(t).Kill(branch)
		_, err := tx.Execute(ctx, add, "ada", int64(100))
		return err
	})
	if !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if n := balance(t, c, "ada"); n != 21 {
		t.Errorf("the balance is %d, want 21", n)
	}
}

// What a fault at COMMIT and START leads to, as seen through edgedb-go.
func TestFaultsInTransactions(t *testing.T) {
	server := edgedbtest.Shared(t)
	resolved := 0
	c, branch := served(t, Config{MaxConns: 1, Hooks: duet.Hooks{CommitResolved: func(context.Context, duet.CommitInfo) { resolved++ }}}, "ada")
	add := eql(t, "add_to_balance")
	attempts := 0
	run := func() error {
		attempts = 0
		return c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
			attempts++
			_, err := tx.Execute(ctx, add, "ada", int64(1))
			return err
		})
	}
	tests := []struct {
		name     string
		fault    edgedbtest.Fault
		attempts int
		target   error
		added    []int64
	}{
		{"START is cut off", edgedbtest.Fault{Type: 'O', Text: "start transaction", Cut: true}, 1, nil, []int64{1}},
		{"START finds the server unavailable", edgedbtest.Fault{Type: 'O', Text: "start transaction", Code: 0x08000001, Message: "not now"}, 2, nil, []int64{1}},
		{"START finds another state", edgedbtest.Fault{Type: 'O', Text: "start transaction", Code: 0x03020200, Message: "mismatch"}, 1, nil, []int64{1}},
		{"COMMIT is cut off", edgedbtest.Fault{Type: 'O', Text: "commit", Cut: true}, 1, duet.ErrCommitUnknown, []int64{0}},
		{"COMMIT's answer is cut off", edgedbtest.Fault{Type: 'O', Text: "commit", At: edgedbtest.Answering, Cut: true}, 1, duet.ErrCommitUnknown, []int64{1}},
		{"COMMIT conflicts", edgedbtest.Fault{Type: 'O', Text: "commit", Code: 0x05030101, Message: "conflict"}, 2, nil, []int64{1}},
		{"COMMIT finds the database gone", edgedbtest.Fault{Type: 'O', Text: "commit", At: edgedbtest.Answering, Code: 0x08000001, Message: "gone"}, 1, duet.ErrCommitUnknown, []int64{1}},
		{"COMMIT fails inside the server", edgedbtest.Fault{Type: 'O', Text: "commit", At: edgedbtest.Answering, Code: 0x01000000, Message: "a bug"}, 1, duet.ErrCommitUnknown, []int64{1}},
		{"a statement is cut off", edgedbtest.Fault{Type: 'O', Text: "update Account", Cut: true}, 2, nil, []int64{1}},
		{"a statement conflicts", edgedbtest.Fault{Type: 'O', Text: "update Account", Code: 0x05030102, Message: "deadlock"}, 2, nil, []int64{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := balance(t, c, "ada")
			if err := run(); err != nil { // nothing is new to this connection
				t.Fatal(err)
			}
			resolved, tt.fault.Branch = 0, branch
			remove := server.Inject(tt.fault)
			err := run()
			remove()
			if attempts != tt.attempts || tt.target == nil && err != nil || tt.target != nil && !errors.Is(err, tt.target) {
				t.Errorf("%d attempts, want %d: %v", attempts, tt.attempts, err)
			}
			if (resolved == 1) != (tt.target != nil) {
				t.Errorf("the hook was called %d times", resolved)
			}
			if added := balance(t, c, "ada") - before - 1; added != tt.added[0] {
				t.Errorf("%d was added, want %d", added, tt.added[0])
			}
		})
	}
}

// A single statement whose connection is cut off: run again only where it cannot
// have changed anything.
func TestFaultsOfStatements(t *testing.T) {
	server := edgedbtest.Shared(t)
	c, branch := served(t, Config{MaxConns: 1}, "ada")
	read, add := eql(t, "balance"), eql(t, "add_to_balance")
	if _, err := c.Execute(t.Context(), add, "ada", int64(0)); err != nil {
		t.Fatal(err)
	}
	if n := balance(t, c, "ada"); n != 10 {
		t.Errorf("the balance is %d", n)
	}
	server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "select (select Account", Cut: true})
	if n, err := duet.QueryAll[int64](t.Context(), c, read, "ada"); len(n) != 1 || n[0] != 10 || err != nil {
		t.Errorf("a read whose connection was lost: %d, %v", n, err)
	}
	if _, err := c.Execute(t.Context(), add, "ada", int64(0)); err != nil {
		t.Fatal(err)
	}
	server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "update Account", At: edgedbtest.Answering, Cut: true})
	_, err := c.Execute(t.Context(), add, "ada", int64(1))
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Kind != duet.KindUnavailable || e.Outcome != duet.OutcomeUnknown {
		t.Errorf("a write whose answer was lost: %+v", err)
	}
	if n := balance(t, c, "ada"); n != 11 {
		t.Errorf("the balance is %d, want 11: it was applied, and not again", n)
	}
	server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "select (select Account", Torn: true})
	if n, err := duet.QueryAll[int64](t.Context(), c, read, "ada"); len(n) != 1 || n[0] != 11 || err != nil {
		t.Errorf("a read whose answer was torn: %d, %v", n, err)
	}
	server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "select (select Account", Cut: true})
	if n, err := duet.QueryOne[int64](t.Context(), c, read, "ada"); n != 11 || err != nil {
		t.Errorf("a single result whose connection was lost: %d, %v", n, err)
	}
	server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "select count(", Cut: true})
	if n, err := duet.QueryOne[int64](t.Context(), c, eql(t, "slow"), int64(2)); !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("a call of a function whose connection was lost: %d, %v", n, err)
	}
	must(t.Context(), t, c, "select 1")
	server.Kill(branch)
	time.Sleep(10 * time.Millisecond) // until the client has heard of it
	conn, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Execute(t.Context(), "select 1"); !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("a lent connection that has died: %v", err)
	}
	conn.Release()
	if n := balance(t, c, "ada"); n != 11 {
		t.Errorf("the balance is %d", n)
	}
}

func TestKindsOnServer(t *testing.T) {
	c, _ := served(t, Config{MaxConns: 2}, "ada")
	add := eql(t, "add_to_balance")
	views := []duet.Client{c, c.With(duet.Options{Access: duet.ReadOnly}), c.With(duet.Options{Access: duet.ReadOnly, Deferrable: duet.On})}
	var added atomic.Int64
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 6 {
				v := (g + i) % len(views)
				err := views[v].RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, add, "ada", int64(1))
					return err
				})
				switch {
				case v == 0 && err == nil:
					added.Add(1)
				case v == 0, !errors.Is(err, duet.ErrReadOnly):
					t.Errorf("view %d: %v", v, err)
				}
			}
		})
	}
	wg.Wait()
	if n := balance(t, c, "ada"); n != 10+added.Load() || added.Load() == 0 {
		t.Errorf("the balance is %d, %d were added", n, added.Load())
	}
}

func TestManyGoroutinesOverFewConnections(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 4}, "ada")
	add := eql(t, "add_to_balance")
	most := watched(t, branch)
	patient := c.With(duet.Options{Retry: &retry.Policy{Conflict: retry.Rule{MaxAttempts: -1, Max: 5 * time.Millisecond}}})
	var wg sync.WaitGroup
	for g := range 1000 {
		wg.Go(func() {
			if g%20 == 0 {
				err := patient.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, add, "ada", int64(1))
					return err
				})
				if err != nil {
					t.Error(err)
				}
				return
			}
			if n, err := duet.QueryOne[int64](t.Context(), c, eql(t, "two")); n != 2 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
	wg.Wait()
	if n := balance(t, c, "ada"); n != 60 {
		t.Errorf("the balance is %d, want 60", n)
	}
	if n := most(); n > 4 {
		t.Errorf("there were %d connections, want at most 4", n)
	}
}

func TestClosuresThatDoNotReturn(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 1}, "ada")
	add := eql(t, "add_to_balance")
	for range 3 {
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
				_, _ = tx.Execute(ctx, add, "ada", int64(1))
				runtime.Goexit()
				return nil
			})
		})
		wg.Wait()
		func() {
			defer func() { _ = recover() }()
			_ = c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
				_, _ = tx.Execute(ctx, add, "ada", int64(1))
				panic("mine")
			})
		}()
		if n := balance(t, c, "ada"); n != 10 {
			t.Errorf("the balance is %d", n)
		}
	}
	if n := connections(t, branch); n.Opened != 1 {
		t.Errorf("%d connections were made, want 1", n.Opened)
	}
}

func TestStateOnServer(t *testing.T) {
	c, _ := served(t, Config{MaxConns: 1}, "ada")
	must(t.Context(), t, c, eql(t, "setup_tenant"))
	tenant := eql(t, "tenant")
	for _, name := range []string{"tenant", "default::tenant"} {
		view := c.With(duet.Options{Globals: map[string]any{name: "acme"}})
		if got, err := duet.QueryOne[string](t.Context(), view, tenant); got != "acme" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		err := view.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
			if got, err := duet.QueryOne[string](ctx, tx, tenant); got != "acme" || err != nil {
				t.Errorf("%s in a transaction: %q, %v", name, got, err)
			}
			_, err := tx.With(duet.Options{Globals: map[string]any{name: "other"}}).Execute(ctx, tenant)
			if !errors.Is(err, duet.ErrUnsupported) {
				t.Errorf("another global inside: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	_, err := c.With(duet.Options{Globals: map[string]any{"tenant": "a", "default::tenant": "b"}}).Execute(t.Context(), tenant)
	if !errors.Is(err, duet.ErrInvalidArgument) {
		t.Errorf("a global given twice: %v", err)
	}
	if _, err := c.With(duet.Options{Globals: map[string]any{"nosuch": "a"}}).Execute(t.Context(), tenant); !errors.Is(err, duet.ErrUndefined) {
		t.Errorf("an unknown global: %v", err)
	}
	if got, err := duet.QueryAll[string](t.Context(), c, tenant); len(got) != 0 || err != nil {
		t.Errorf("without globals: %q, %v", got, err)
	}
	bad := c.With(duet.Options{Settings: map[string]string{"query_execution_timeout": "soon"}})
	if _, err := bad.Execute(t.Context(), tenant); !errors.Is(err, duet.ErrInvalidArgument) || strings.Contains(fmt.Sprint(err), "soon") {
		t.Errorf("a setting that is no duration: %v", err)
	}
	if s := c.Pool().Stat(); s.Connects != 1 {
		t.Errorf("%d connections were made, want 1", s.Connects)
	}
}
