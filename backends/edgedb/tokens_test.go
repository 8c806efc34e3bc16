package edgedb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/retry"
)

// seen are the outcomes that Hooks.CommitResolved was told.
type seen struct {
	mu  sync.Mutex
	all []duet.CommitInfo
}

func (s *seen) hook(_ context.Context, i duet.CommitInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, i)
}

func (s *seen) take() []duet.CommitInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// tokened is served with ExactlyOnce, the type there, and pruning done.
func tokened(t *testing.T, cfg Config, accounts ...string) (duet.Client, string, *seen) {
	t.Helper()
	told := &seen{}
	cfg.Options.ExactlyOnce = duet.On
	cfg.Hooks.CommitResolved = told.hook
	c, branch := served(t, cfg, accounts...)
	if err := CreateCommitTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.(*client).db.pruner.Due()
	return c, branch, told
}

// tokens counts those that are there.
func tokens(t *testing.T, c duet.Client) int64 {
	t.Helper()
	n, err := duet.QueryOne[int64](t.Context(), c, eql(t, "count_commit_tokens"))
	if err != nil {
		t.Errorf("counting tokens: %v", err)
	}
	return n
}

// ways are the ways of running a transaction; again says which try again.
var ways = []struct {
	name  string
	again bool
	run   func(ctx context.Context, c duet.Client, fn func(context.Context, duet.Tx) error) error
}{
	{"RetryingTx", true, func(ctx context.Context, c duet.Client, fn func(context.Context, duet.Tx) error) error {
		return c.RetryingTx(ctx, fn)
	}},
	{"RawTx", false, func(ctx context.Context, c duet.Client, fn func(context.Context, duet.Tx) error) error {
		return c.RawTx(ctx, fn)
	}},
	{"Begin", false, func(ctx context.Context, c duet.Client, fn func(context.Context, duet.Tx) error) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			return errors.Join(err, tx.Rollback(ctx))
		}
		return tx.Commit(ctx)
	}},
	{"Conn.RawTx", false, func(ctx context.Context, c duet.Client, fn func(context.Context, duet.Tx) error) error {
		conn, err := c.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return conn.RawTx(ctx, fn)
	}},
}

// adds gives a closure that adds one to ada's balance, and counts its calls.
func adds(t *testing.T, calls *int) func(context.Context, duet.Tx) error {
	add := eql(t, "add_to_balance")
	return func(ctx context.Context, tx duet.Tx) error {
		*calls++
		_, err := tx.Execute(ctx, add, "ada", int64(1))
		return err
	}
}

// Parts of texts: without its semicolon, COMMIT would be a part of the other.
const tokenText, commitText = "insert CommitToken", "commit;"

// Every place where a commit can be lost, for everything that commits, in a pool
// of one and in a larger one: what is applied is what the caller is told.
func TestLostCommits(t *testing.T) {
	server := edgedbtest.Shared(t)
	received, answering := edgedbtest.Received, edgedbtest.Answering
	tests := []struct {
		name    string
		fault   edgedbtest.Fault
		applied bool // the transaction of the first attempt
		proof   duet.CommitProof
	}{
		{"the token is not sent", edgedbtest.Fault{Text: tokenText, At: received, Cut: true}, false, ""},
		{"the token's answer", edgedbtest.Fault{Text: tokenText, At: answering, Cut: true}, false, ""},
		{"the token's answer is torn", edgedbtest.Fault{Text: tokenText, At: answering, Torn: true}, false, ""},
		{"COMMIT does not arrive", edgedbtest.Fault{Text: commitText, At: received, Cut: true}, false, duet.ProofToken},
		{"COMMIT's answer", edgedbtest.Fault{Text: commitText, At: answering, Cut: true}, true, duet.ProofToken},
		{"COMMIT's answer is torn", edgedbtest.Fault{Text: commitText, At: answering, Torn: true}, true, duet.ProofToken},
		{"COMMIT's answer is an error inside the server", edgedbtest.Fault{Text: commitText, At: answering, Code: 0x01000000, Message: "a bug"}, true, duet.ProofToken},
		{"COMMIT finds the database gone", edgedbtest.Fault{Text: commitText, At: received, Code: 0x08000001, Message: "gone"}, false, duet.ProofToken},
		{"COMMIT is done late, and its answer lost", edgedbtest.Fault{Text: commitText, At: answering, Delay: 300 * time.Millisecond, Cut: true}, true, duet.ProofToken},
	}
	// Where the looking is disturbed: its transaction puts the twin and the token.
	disturbed := []struct {
		name  string
		fault edgedbtest.Fault
	}{
		{"", edgedbtest.Fault{}},
		{", then START", edgedbtest.Fault{Text: "start transaction", Skip: 1, At: received, Cut: true}},
		{", then the twin", edgedbtest.Fault{Text: tokenText, Skip: 1, At: received, Cut: true}},
		{", then the twin's answer", edgedbtest.Fault{Text: tokenText, Skip: 1, At: answering, Cut: true}},
		{", then the token", edgedbtest.Fault{Text: tokenText, Skip: 2, At: received, Cut: true}},
		{", then the token's answer", edgedbtest.Fault{Text: tokenText, Skip: 2, At: answering, Cut: true}},
		{", then the look's COMMIT", edgedbtest.Fault{Text: commitText, Skip: 1, At: received, Cut: true}},
		{", then the look's COMMIT's answer", edgedbtest.Fault{Text: commitText, Skip: 1, At: answering, Cut: true}},
		{", then a conflict", edgedbtest.Fault{Text: tokenText, Skip: 1, At: answering, Code: 0x05030101, Message: "conflict"}},
		{", then no database", edgedbtest.Fault{Text: "start transaction", Skip: 1, Times: 3, At: received, Code: 0x08000001, Message: "not yet"}},
		{", then no server", edgedbtest.Fault{Type: 'O', Text: "start transaction", Skip: 1, Times: 2, At: received, Cut: true}},
	}
	for _, size := range []int32{1, 3} {
		c, branch, told := tokened(t, Config{MaxConns: size}, "ada")
		for _, tt := range tests {
			for _, d := range disturbed {
				if d.name != "" && (tt.proof == "" || tt.fault.Delay > 0) {
					continue
				}
				for _, way := range ways {
					if d.name != "" && size > 1 && !way.again {
						continue
					}
					name := fmt.Sprintf("%s%s/%s in %d", tt.name, d.name, way.name, size)
					before := balance(t, c, "ada")
					told.take()
					c.(*client).db.budget = retry.Budget{} // so many failures would use it up
					var stops []func()
					plant := func(f edgedbtest.Fault) {
						f.Branch, f.Type = branch, 'O'
						stops = append(stops, server.Inject(f))
					}
					plant(tt.fault)
					if d.name != "" {
						next := d.fault
						if next.Text == commitText && (next.At == tt.fault.At || tt.fault.At == received) {
							next.Skip = 0 // the first COMMIT is the other fault's, or does not come that far
						}
						plant(next)
					}
					calls := 0
					err := way.run(t.Context(), c, adds(t, &calls))
					for _, stop := range stops {
						stop()
					}
					added := balance(t, c, "ada") - before
					infos := told.take()
					wantErr := !tt.applied && !way.again
					switch {
					case wantErr && (!errors.Is(err, duet.ErrUnavailable) || added != 0):
						t.Errorf("%s: %d was added, and the caller is told: %v", name, added, err)
					case !wantErr && (err != nil || added != 1):
						t.Errorf("%s: %d was added, and the caller is told: %v", name, added, err)
					}
					if e, ok := errors.AsType[*duet.Error](err); ok && e.Outcome != duet.OutcomeNone {
						t.Errorf("%s: the outcome is told as unknown: %v", name, err)
					}
					if want := map[bool]int{true: 1, false: 2}[tt.applied || !way.again]; calls != want {
						t.Errorf("%s: %d attempts, want %d", name, calls, want)
					}
					if tt.proof == "" {
						if len(infos) != 0 {
							t.Errorf("%s: the hook is told %+v", name, infos)
						}
					} else if len(infos) == 0 || infos[0].Proof != tt.proof || infos[0].Committed != tt.applied || infos[0].Err != nil || infos[0].Backend != "edgedb" {
						t.Errorf("%s: the hook is told %+v", name, infos)
					}
				}
			}
		}
		if s := c.Pool().Stat(); s.InUse != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// A conflict at the token's insertion is one like any other.
func TestTokenConflicts(t *testing.T) {
	c, branch, told := tokened(t, Config{MaxConns: 2}, "ada")
	for _, way := range ways {
		edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: tokenText, Code: 0x05030101, Message: "conflict"})
		before, calls := balance(t, c, "ada"), 0
		err := way.run(t.Context(), c, adds(t, &calls))
		added := balance(t, c, "ada") - before
		if way.again && (err != nil || calls != 2 || added != 1) || !way.again && (!errors.Is(err, duet.ErrSerialization) || added != 0) {
			t.Errorf("%s: %d was added in %d attempts: %v", way.name, added, calls, err)
		}
	}
	if infos := told.take(); len(infos) != 0 {
		t.Errorf("the hook is told %+v", infos)
	}
}

// The server cannot be reached for a while after the answer was lost.
func TestServerComesBack(t *testing.T) {
	for _, applied := range []bool{true, false} {
		c, r, _ := relayed(t, Config{MaxConns: 2, WaitUntilAvailable: -1, Options: duet.Options{ExactlyOnce: duet.On}}, "ada")
		if err := CreateCommitTokens(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		var until atomic.Pointer[time.Time]
		var refused atomic.Int32
		stop := r.tampering(func(m said) ([]byte, bool) {
			switch at := until.Load(); {
			case at == nil && m.typ == 'O' && m.text == "COMMIT;" && !m.server && !applied,
				at == nil && m.server && m.answers == 'O' && m.text == "COMMIT;":
				back := time.Now().Add(700 * time.Millisecond)
				until.Store(&back)
				return nil, true
			case at != nil && time.Now().Before(*at):
				refused.Add(1)
				return nil, true
			}
			return m.frame(), false
		})
		calls := 0
		err := c.RetryingTx(t.Context(), adds(t, &calls))
		stop()
		if want := map[bool]int{true: 1, false: 2}[applied]; err != nil || calls != want || refused.Load() < 2 {
			t.Errorf("applied %v: %d attempts, %d refused: %v", applied, calls, refused.Load(), err)
		}
		if n := balance(t, c, "ada"); n != 11 {
			t.Errorf("applied %v: the balance is %d", applied, n)
		}
	}
}

// Transactions that are sure to read only leave no token, and have no outcome to
// be in doubt of.
func TestNoTokenForReaders(t *testing.T) {
	c, branch, told := tokened(t, Config{MaxConns: 2}, "ada")
	read := func(ctx context.Context, tx duet.Tx) error {
		_, err := duet.QueryOne[int64](ctx, tx, eql(t, "balance"), "ada")
		return err
	}
	reader := c.With(duet.Options{Access: duet.ReadOnly})
	for _, view := range []duet.Client{c, reader} {
		for _, way := range ways {
			if err := way.run(t.Context(), view, read); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
		}
	}
	if n := tokens(t, c); n != 0 {
		t.Errorf("%d tokens were left", n)
	}
	calls := 0
	if err := c.RawTx(t.Context(), adds(t, &calls)); err != nil || tokens(t, c) != 1 {
		t.Errorf("a writer: %v, %d tokens", err, tokens(t, c))
	}
	if err := c.With(duet.Options{ExactlyOnce: duet.Off}).RawTx(t.Context(), adds(t, &calls)); err != nil || tokens(t, c) != 1 {
		t.Errorf("without ExactlyOnce: %v, %d tokens", err, tokens(t, c))
	}
	for _, view := range []duet.Client{c, reader, c.With(duet.Options{ExactlyOnce: duet.Off})} {
		told.take()
		edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, Cut: true})
		err := view.RawTx(t.Context(), read)
		infos := told.take()
		if !errors.Is(err, duet.ErrUnavailable) || len(infos) != 1 || infos[0].Proof != duet.ProofNoWrites || infos[0].Committed {
			t.Errorf("a reader's lost COMMIT: %v, %+v", err, infos)
		}
		edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, Cut: true})
		if err := view.RetryingTx(t.Context(), read); err != nil {
			t.Errorf("a reader that is run again: %v", err)
		}
	}
}

// The transaction whose answer was lost is still open: looking for it waits for
// its end, whichever that is.
func TestUndecidedIsWaitedFor(t *testing.T) {
	for _, applied := range []bool{true, false} {
		c, r, branch := relayed(t, Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}}, "ada")
		if err := CreateCommitTokens(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		// The server gets COMMIT late, long after the client has lost the connection.
		fault := edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, Delay: 400 * time.Millisecond, Cut: !applied}
		defer edgedbtest.Shared(t).Inject(fault)()
		var looked atomic.Int32
		hung := false
		stop := r.tampering(func(m said) ([]byte, bool) {
			if hung && m.text == insertToken && m.typ == 'O' {
				looked.Add(1)
			}
			hangUp := !hung && !m.server && m.typ == 'O' && strings.EqualFold(m.text, commitText)
			hung = hung || hangUp
			return m.frame(), hangUp
		})
		calls := 0
		begun := time.Now()
		err := c.RetryingTx(t.Context(), adds(t, &calls))
		stop()
		if want := map[bool]int{true: 1, false: 2}[applied]; err != nil || calls != want || balance(t, c, "ada") != 11 {
			t.Errorf("applied %v: %d attempts, a balance of %d: %v", applied, calls, balance(t, c, "ada"), err)
		}
		if took := time.Since(begun); took < 300*time.Millisecond || looked.Load() == 0 {
			t.Errorf("applied %v: told after %v, %d insertions", applied, took, looked.Load())
		}
	}
}

// Many clients' goroutines with a lost answer in one of twenty commits: every
// transfer is applied exactly once, and nobody is left in doubt.
func TestManyLostCommits(t *testing.T) {
	server := edgedbtest.Shared(t)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	c, branch, told := tokened(t, Config{MaxConns: 6}, names...)
	patient := c.With(duet.Options{Retry: &retry.Policy{Conflict: retry.Rule{MaxAttempts: -1, Max: 5 * time.Millisecond}, Unavailable: retry.Rule{MaxAttempts: -1, Max: 5 * time.Millisecond}}})
	must(t.Context(), t, c, eql(t, "setup_transfer"))
	transfer := eql(t, "transfer")
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	var mu sync.Mutex
	done, doubt := int64(0), 0
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if i%20 == g {
					server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, At: edgedbtest.Point(i / 20 % 2), Cut: true})
				}
				from, to := names[(g+i)%len(names)], names[(g+i+1+i%3)%len(names)]
				err := patient.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, transfer, from, to, int64(1))
					return err
				})
				mu.Lock()
				switch {
				case err == nil:
					done++
				case errors.Is(err, duet.ErrCommitUnknown):
					doubt++
					t.Error(err)
				case !errors.Is(err, duet.ErrCheckViolation): // an account is empty
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	n, err := duet.QueryOne[int64](t.Context(), c, eql(t, "count_transfers"))
	infos := told.take()
	t.Logf("%d transfers, %d in the database, %d lost commits, %d in doubt", done, n, len(infos), doubt)
	if err != nil || n != done || done == 0 || len(infos) == 0 || doubt != 0 {
		t.Errorf("%d transfers were told, %d are there (%v), %d commits were lost, %d are in doubt", done, n, err, len(infos), doubt)
	}
	if sum, err := duet.QueryOne[int64](t.Context(), c, eql(t, "sum_of_balances")); sum != 100 || err != nil {
		t.Errorf("the sum is %d, %v", sum, err)
	}
}
