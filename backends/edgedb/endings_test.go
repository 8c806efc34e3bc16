package edgedb

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// The answer to COMMIT does not come, and its connection keeps the pool's only
// place: the token is looked for over another one.
func TestLookedForBesideAFullPool(t *testing.T) {
	server := edgedbtest.Shared(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			c, branch, told := tokened(t, Config{MaxConns: 1, Options: duet.Options{CommitGrace: 6 * time.Second}}, "ada")
			defer server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', At: edgedbtest.Answering, Text: commitText, Delay: 20 * time.Second})()
			ctx, stop := context.WithTimeout(t.Context(), 250*time.Millisecond)
			defer stop()
			calls := 0
			if err := way.run(ctx, c, adds(t, &calls)); err != nil {
				t.Errorf("it was applied, and the caller is told: %v", err)
			}
			if infos := told.take(); len(infos) != 1 || !infos[0].Committed || infos[0].Proof != duet.ProofToken {
				t.Errorf("the hook is told %+v", infos)
			}
			server.Kill(branch)
			if n := balance(t, c, "ada"); n != 11 || calls != 1 {
				t.Errorf("the balance is %d after %d attempts", n, calls)
			}
		})
	}
}

// The lost connection's place goes to one who has waited for it, and who keeps it.
func TestLookedForBesideABusyPool(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			c, branch, told := tokened(t, Config{MaxConns: 1, Options: duet.Options{CommitGrace: 3 * time.Second}}, "ada")
			defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', At: edgedbtest.Answering, Text: commitText, Cut: true})()
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			defer stop()
			kept := make(chan struct{})
			var wg sync.WaitGroup
			calls := 0
			add := adds(t, &calls)
			err := way.run(ctx, c, func(ctx context.Context, tx duet.Tx) error {
				wg.Go(func() {
					conn, err := c.Acquire(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					<-kept
					conn.Release()
				})
				eventually(t, "somebody waits", func() bool { return c.Pool().Stat().Waiting == 1 })
				return add(ctx, tx)
			})
			close(kept)
			wg.Wait()
			if err != nil {
				t.Errorf("it was applied, and the caller is told: %v", err)
			}
			if infos := told.take(); len(infos) != 1 || !infos[0].Committed || calls != 1 || balance(t, c, "ada") != 11 {
				t.Errorf("%d attempts, the hook is told %+v", calls, infos)
			}
		})
	}
}

// The client is being closed, and waits for a commit whose answer is lost.
func TestClosedWhileCommitting(t *testing.T) {
	server := edgedbtest.Shared(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			kept, branch, _ := tokened(t, Config{MaxConns: 1}, "ada")
			c, err := Connect(t.Context(), server.DSNFor(branch), Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}})
			if err != nil {
				t.Fatal(err)
			}
			struck := server.Struck()
			defer server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', At: edgedbtest.Answering, Text: commitText, Delay: 500 * time.Millisecond, Cut: true})()
			var wg sync.WaitGroup
			wg.Go(func() {
				for server.Struck() == struck && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				shutDown(t, c)
			})
			calls := 0
			if err := way.run(t.Context(), c, adds(t, &calls)); err != nil {
				t.Errorf("it was applied, and the caller is told: %v", err)
			}
			wg.Wait()
			if n := balance(t, kept, "ada"); n != 11 || calls != 1 {
				t.Errorf("the balance is %d after %d attempts", n, calls)
			}
		})
	}
}

// Options.Timeout bounds the wait for ROLLBACK's answer too.
func TestTimeoutAtRollback(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	_, release := f.hold("ROLLBACK")
	done := make(chan error, 1)
	go func() {
		done <- c.With(duet.Options{Timeout: 100 * time.Millisecond}).RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
			must(ctx, t, tx, "a")
			return errOwn
		})
	}()
	select {
	case err := <-done:
		if !errors.Is(err, errOwn) {
			t.Errorf("got %v", err)
		}
	case <-time.After(undoTimeout / 2):
		t.Error("it waits for an answer that does not come")
	}
	release()
	must(t.Context(), t, c, "next")
	saw(t, f, "1 START", "1 a", "1 ROLLBACK", "1 next")
}

// Whoever ends a transaction first has ended it.
func TestEndedByTwo(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 2})
	for i := range 300 {
		tx, err := c.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		must(t.Context(), t, tx, "a")
		var committed atomic.Int32
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := tx.Commit(t.Context()); err == nil {
					committed.Add(1)
				} else if !errors.Is(err, duet.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
		}
		if i%2 == 0 {
			wg.Go(func() { _ = tx.Rollback(t.Context()) })
		}
		wg.Wait()
		if n := committed.Load(); n > 1 || n == 0 && i%2 == 1 {
			t.Fatalf("%d were told that it was committed", n)
		}
	}
}

// endsSoon is a ctx that ends after it was first asked.
type endsSoon struct {
	context.Context
	asked *atomic.Int32
}

func (c endsSoon) Err() error {
	if c.asked.Add(1) > 1 {
		return context.Canceled
	}
	return nil
}

func TestContextEndsBeforeTheFirstAttempt(t *testing.T) {
	c := fakeClient(t, newFake(), Config{MaxConns: 1})
	err := c.RetryingTx(endsSoon{t.Context(), new(atomic.Int32)}, func(context.Context, duet.Tx) error { return nil })
	if _, ok := errors.AsType[*duet.Error](err); !ok || !errors.Is(err, context.Canceled) {
		t.Errorf("got %T %v", err, err)
	}
}
