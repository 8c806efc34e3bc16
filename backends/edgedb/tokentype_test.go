package edgedb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// Without the type, nothing is committed, and the error says what is missing.
func TestWithoutTokenType(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}}, "ada")
	for _, way := range ways {
		calls := 0
		err := way.run(t.Context(), c, adds(t, &calls))
		e, _ := errors.AsType[*duet.Error](err)
		if e == nil || e.Kind != duet.KindUndefined || calls != 1 || e.Hint != noTokenType {
			t.Errorf("%s: after %d attempts: %v", way.name, calls, err)
		}
	}
	if n := balance(t, c, "ada"); n != 10 {
		t.Errorf("the balance is %d", n)
	}
	// It is dropped between the token and the look.
	if err := CreateCommitTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	calls := 0
	defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, At: edgedbtest.Answering, Cut: true})()
	defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: tokenText, Skip: 1, Times: -1, Code: 0x04030000, Message: "object type 'default::CommitToken' does not exist"})()
	err := c.RetryingTx(t.Context(), adds(t, &calls))
	if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Kind != duet.KindCommitUnknown || calls != 1 || e.Hint != noTokenType {
		t.Errorf("%d attempts: %v", calls, err)
	}
	if n := balance(t, c, "ada"); n != 11 {
		t.Errorf("the balance is %d", n)
	}
}

// Without tokens the outcome stays unknown, and the error says what would help.
func TestWithoutTokens(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 2}, "ada")
	for _, way := range ways {
		edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, At: edgedbtest.Answering, Cut: true})
		calls := 0
		err := way.run(t.Context(), c, adds(t, &calls))
		if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Kind != duet.KindCommitUnknown || calls != 1 || !strings.Contains(e.Hint, "ExactlyOnce") {
			t.Errorf("%s: %d attempts: %v", way.name, calls, err)
		}
	}
}

// A client that is closed by force does not look.
func TestClosedWhileLooking(t *testing.T) {
	c, branch, _ := tokened(t, Config{MaxConns: 2}, "ada")
	edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, At: edgedbtest.Answering, Cut: true})
	defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: tokenText, Skip: 1, Times: -1, Cut: true})()
	time.AfterFunc(300*time.Millisecond, func() {
		ctx, stop := context.WithCancel(context.Background())
		stop()
		_ = c.Close(ctx)
	})
	calls := 0
	begun := time.Now()
	err := c.RetryingTx(t.Context(), adds(t, &calls))
	if took := time.Since(begun); !errors.Is(err, duet.ErrCommitUnknown) || took > 15*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestTokensArePruned(t *testing.T) {
	c, branch := served(t, Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}}, "ada")
	if err := CreateCommitTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	fault := edgedbtest.Fault{Branch: branch, Type: 'O', Text: "delete CommitToken", Times: -1, Delay: 100 * time.Millisecond, Code: 0x05030101, Message: "conflict"}
	stop := edgedbtest.Shared(t).Inject(fault)
	struck := edgedbtest.Shared(t).Struck()
	calls := 0
	for range 3 {
		if err := c.RawTx(t.Context(), adds(t, &calls)); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "it is tried, once, and fails", func() bool { return edgedbtest.Shared(t).Struck() == struck+1 && c.Pool().Stat().InUse == 0 })
	stop()
	if n := tokens(t, c); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
	if _, err := c.Execute(t.Context(), pruneTokens, -time.Hour); err != nil { // those of the hour to come
		t.Error(err)
	}
	if n := tokens(t, c); n != 0 {
		t.Errorf("%d tokens, want none", n)
	}
	if err := c.RawTx(t.Context(), adds(t, &calls)); err != nil {
		t.Error(err)
	}
	c.(*client).db.pruner = committoken.Pruner{}
	if err := c.RawTx(t.Context(), adds(t, &calls)); err != nil {
		t.Error(err)
	}
	c.(*client).db.pruning.wg.Wait()
	if n := tokens(t, c); n != 2 {
		t.Errorf("%d tokens, want 2: they are young", n)
	}
}

// Each deletion reads all the tokens: many commits do not bring the next one nearer.
func TestPruningIsSeldom(t *testing.T) {
	p, runs := &pruning{}, 0
	prune := func() { p.begin(func() { runs++ }); p.wg.Wait() }
	prune()
	prune()
	if runs != 1 {
		t.Errorf("pruned %d times in a row", runs)
	}
	p.last = p.last.Add(-pruneApart)
	prune()
	p.last = p.last.Add(-pruneApart)
	p.end()
	prune()
	if runs != 2 {
		t.Errorf("pruned %d times, want 2", runs)
	}
}

// A client that is closed while it prunes is not kept.
func TestClosedWhilePruning(t *testing.T) {
	_, branch := served(t, Config{MaxConns: 1}, "ada")
	c, err := Connect(t.Context(), edgedbtest.Shared(t).DSNFor(branch), Config{MaxConns: 1, Options: duet.Options{ExactlyOnce: duet.On}})
	if err != nil {
		t.Fatal(err)
	}
	if err := CreateCommitTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	struck := edgedbtest.Shared(t).Struck()
	defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "delete CommitToken", Delay: 5 * time.Second})()
	calls := 0
	if err := c.RawTx(t.Context(), adds(t, &calls)); err != nil {
		t.Error(err)
	}
	eventually(t, "it prunes", func() bool { return edgedbtest.Shared(t).Struck() > struck })
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	begun := time.Now()
	_ = c.Close(ctx)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

// Tokens mean the type of the module default whatever the user's aliases are.
func TestTokensAndAliases(t *testing.T) {
	c, r, _ := relayed(t, Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}}, "ada")
	if err := CreateCommitTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for alias, want := range map[string]string{"": insertTokenQualified, "default": insertToken} {
		stop := r.tampering(nil)
		if err := c.With(duet.Options{ModuleAliases: map[string]string{alias: "std"}}).RawTx(t.Context(), adds(t, &calls)); err != nil {
			t.Errorf("%q: %v", alias, err)
		}
		if n := r.executed(want); n != 1 {
			t.Errorf("%q: %s was run %d times", alias, want, n)
		}
		stop()
	}
	both := c.With(duet.Options{ModuleAliases: map[string]string{"": "std", "default": "std"}})
	if err := both.RawTx(t.Context(), adds(t, &calls)); !errors.Is(err, duet.ErrUnsupported) {
		t.Errorf("both: %v", err)
	}
}

func TestNoTransactionIDs(t *testing.T) {
	c, _ := served(t, Config{MaxConns: 1}, "ada")
	if c.Backend().Can(duet.TransactionIDs) {
		t.Error("EdgeDB is said to have ids")
	}
	on := duet.Options{TransactionID: duet.On}
	if _, err := c.With(on).Execute(t.Context(), "select 1"); !errors.Is(err, duet.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.With(on).Execute(ctx, "select 1")
		return err
	}); !errors.Is(err, duet.ErrUnsupported) {
		t.Errorf("in a transaction: %v", err)
	}
	if _, err := c.With(duet.Options{TransactionID: duet.Off}).Execute(t.Context(), "select 1"); err != nil {
		t.Error(err)
	}
	_, err := Connect(t.Context(), "edgedb://localhost/main", Config{Options: on})
	if !errors.Is(err, duet.ErrUnsupported) || duet.KindOf(err) != duet.KindConfig {
		t.Errorf("at Connect: %v", err)
	}
}
