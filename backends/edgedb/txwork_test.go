package edgedb

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

func must(ctx context.Context, t *testing.T, q duet.Querier, cmd string) {
	t.Helper()
	if _, err := q.Execute(ctx, cmd); err != nil {
		t.Errorf("%s: %v", cmd, err)
	}
}

func saw(t *testing.T, f *standIn, want ...string) {
	t.Helper()
	got := slices.DeleteFunc(f.took(), func(line string) bool { return strings.HasSuffix(line, "DIAL") })
	if !slices.Equal(got, want) {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

var errOwn = errors.New("the closure's own")

func TestTransactionEnds(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	run := func(fn func(ctx context.Context, tx duet.Tx) error) error { return c.RawTx(t.Context(), fn) }

	if err := run(func(context.Context, duet.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	saw(t, f)
	err := run(func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); must(ctx, t, tx, "b"); return nil })
	if err != nil {
		t.Error(err)
	}
	saw(t, f, "1 START", "1 a", "1 b", "1 COMMIT")
	if err := run(func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); return errOwn }); !errors.Is(err, errOwn) {
		t.Error(err)
	}
	saw(t, f, "1 START", "1 a", "1 ROLLBACK")
	err = run(func(ctx context.Context, tx duet.Tx) error {
		_, _ = tx.Execute(ctx, "fail DivisionByZeroError")
		return nil
	})
	if e, ok := errors.AsType[*duet.Error](err); !ok || !strings.Contains(err.Error(), "DivisionByZeroError") || !strings.Contains(e.Message, "returned nil") {
		t.Errorf("a swallowed error: %v", err)
	}
	saw(t, f, "1 START", "1 fail DivisionByZeroError", "1 ROLLBACK")
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("the panic's value is %v", p)
			}
		}()
		_ = run(func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); panic("mine") })
	}()
	saw(t, f, "1 START", "1 a", "1 ROLLBACK")
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = run(func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); runtime.Goexit(); return nil })
		t.Error("Goexit came back")
	})
	wg.Wait()
	saw(t, f, "1 START", "1 a", "1 ROLLBACK")
	if made, _, _ := f.count(); made != 1 {
		t.Errorf("%d connections were made", made)
	}
}

// A connection whose COMMIT or ROLLBACK failed is closed, however it failed.
func TestFailedEnds(t *testing.T) {
	conflict := scripted{"TransactionSerializationError"}
	tests := []struct {
		name   string
		at     string
		err    error // nil panics
		fn     error
		target error
	}{
		{"conflict at COMMIT", "COMMIT", conflict, nil, duet.ErrSerialization},
		{"lost at COMMIT", "COMMIT", errLost, nil, duet.ErrCommitUnknown},
		{"panic at COMMIT", "COMMIT", nil, nil, duet.ErrCommitUnknown},
		{"refused at ROLLBACK", "ROLLBACK", scripted{"TransactionError"}, errOwn, errOwn},
		{"lost at ROLLBACK", "ROLLBACK", errLost, errOwn, errOwn},
		{"panic at ROLLBACK", "ROLLBACK", nil, errOwn, errOwn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			resolved := 0
			c := fakeClient(t, f, Config{MaxConns: 1, Hooks: duet.Hooks{CommitResolved: func(_ context.Context, i duet.CommitInfo) {
				if resolved++; i.Committed || !errors.Is(i.Err, duet.ErrCommitUnknown) {
					t.Errorf("the hook is told %+v", i)
				}
			}}})
			if tt.err == nil {
				f.panicking(tt.at)
			} else {
				f.failing(tt.at, tt.err)
			}
			err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); return tt.fn })
			if !errors.Is(err, tt.target) {
				t.Errorf("got %v, want %v", err, tt.target)
			}
			if want := errors.Is(tt.target, duet.ErrCommitUnknown); (resolved == 1) != want {
				t.Errorf("the hook was called %d times", resolved)
			}
			must(t.Context(), t, c, "next")
			if made, _, most := f.count(); made != 2 || most != 1 {
				t.Errorf("%d connections were made, %d at once, want 2 one by one", made, most)
			}
		})
	}
}

// Where START finds a dead connection, another one is taken, also for what is
// tried once only.
func TestStartOnDeadConnection(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	f.failing("START", errLost)
	if err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); return nil }); err != nil {
		t.Error(err)
	}
	saw(t, f, "1 START", "1 CLOSE", "2 START", "2 a", "2 COMMIT")
	f.failing("START", errLost)
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	must(t.Context(), t, tx, "a")
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	saw(t, f, "2 START", "2 CLOSE", "3 START", "3 a", "3 COMMIT")

	f.failing("START", scripted{"TransactionError"})
	err = c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, "a"); return err })
	if err == nil {
		t.Error("START was refused, and nobody said so")
	}
	saw(t, f, "3 START")
	must(t.Context(), t, c, "next")
}

func TestPanicInTransaction(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "panic")
		if _, again := tx.Execute(ctx, "more"); !errors.Is(again, duet.ErrClosed) {
			t.Errorf("after a panic: %v", again)
		}
		return err
	})
	if duet.KindOf(err) != duet.KindProtocol {
		t.Errorf("got %v", err)
	}
	saw(t, f, "1 START", "1 panic", "1 ABANDON")
	must(t.Context(), t, c, "next")
}

// leaving runs do with a ctx that ends while the server is held at what.
func leaving(t *testing.T, f *standIn, what string, do func(ctx context.Context) error) (release func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := f.hold(what)
	t.Cleanup(release)
	go func() { <-begun; cancel() }()
	if err := do(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	return release
}

func TestLeftInTransaction(t *testing.T) {
	tests := []struct {
		held string
		want []string
	}{
		{"START", []string{"1 START", "1 ROLLBACK", "1 next"}},
		{"wait", []string{"1 START", "1 wait", "1 ROLLBACK", "1 next"}},
		{"COMMIT", []string{"1 START", "1 wait", "1 COMMIT", "1 next"}},
	}
	for _, tt := range tests {
		t.Run(tt.held, func(t *testing.T) {
			f := newFake()
			c := fakeClient(t, f, Config{MaxConns: 1})
			var inside error
			release := leaving(t, f, tt.held, func(ctx context.Context) error {
				return c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					_, inside = tx.Execute(ctx, "wait")
					return inside
				})
			})
			if s := c.Pool().Stat(); s.InUse != 1 {
				t.Errorf("the connection was given back while the server was at it: %+v", s)
			}
			release()
			must(t.Context(), t, c, "next")
			saw(t, f, tt.want...)
			if made, _, _ := f.count(); made != 1 {
				t.Errorf("%d connections were made", made)
			}
		})
	}
}

// A ROLLBACK is not waited for where ctx has ended.
func TestLeftAtRollback(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := f.hold("ROLLBACK")
	defer release()
	go func() { <-begun; cancel() }()
	err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { must(ctx, t, tx, "a"); return errOwn })
	if !errors.Is(err, errOwn) {
		t.Errorf("got %v", err)
	}
	release()
	must(t.Context(), t, c, "next")
	saw(t, f, "1 START", "1 a", "1 ROLLBACK", "1 next")
}

func TestLeftCommitIsUnknown(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	attempts := 0
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := f.hold("COMMIT")
	defer release()
	go func() { <-begun; cancel() }()
	err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error { attempts++; must(ctx, t, tx, "a"); return nil })
	if !errors.Is(err, duet.ErrCommitUnknown) || !errors.Is(err, context.Canceled) || attempts != 1 {
		t.Errorf("%d attempts: %v", attempts, err)
	}
}

func TestTerminateInTransaction(t *testing.T) {
	for _, held := range []string{"START", "a", "COMMIT", "ROLLBACK", ""} {
		t.Run("at "+held, func(t *testing.T) {
			f := newFake()
			c := fakeClient(t, f, Config{MaxConns: 1})
			var begun <-chan struct{}
			release := func() {}
			if held != "" {
				begun, release = f.hold(held)
			}
			defer release()
			idle := make(chan struct{})
			done := make(chan error, 1)
			go func() {
				done <- c.RawTx(context.Background(), func(ctx context.Context, x duet.Tx) error {
					if _, err := x.Execute(ctx, "a"); err != nil {
						return err
					}
					switch held {
					case "":
						close(idle)
						<-x.(*tx).t.slot.cut
						_, err := x.Execute(ctx, "b")
						return err
					case "ROLLBACK":
						return errOwn
					}
					return nil
				})
			}()
			if held == "" {
				<-idle
			} else {
				<-begun
			}
			c.Pool().Terminate()
			if err := <-done; err == nil {
				t.Error("a transaction whose connection was taken away succeeded")
			} else if held == "COMMIT" && !errors.Is(err, duet.ErrCommitUnknown) {
				t.Errorf("got %v", err)
			}
			release()
			eventually(t, "the session is closed", func() bool { _, open, _ := f.count(); return open == 0 })
		})
	}
}

func TestRetryingTxClasses(t *testing.T) {
	f := newFake()
	var classes []retry.Class
	c := fakeClient(t, f, Config{MaxConns: 1, Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) { classes = append(classes, r.Class) }}})
	f.failing("a", scripted{"TransactionSerializationError"})
	f.failing("b", errLost)
	f.failing("COMMIT", scripted{"TransactionDeadlockError"})
	attempts := 0
	err := c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		attempts++
		if _, err := tx.Execute(ctx, "a"); err != nil {
			return err
		}
		_, err := tx.Execute(ctx, "b")
		return err
	})
	want := []retry.Class{retry.Conflict, retry.Unavailable, retry.Conflict}
	if err != nil || attempts != 4 || !slices.Equal(classes, want) {
		t.Errorf("%d attempts, %v: %v", attempts, classes, err)
	}
}

// A closure may use its Tx from one goroutine at a time, and not after its end.
func TestMisusedTx(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	var kept duet.Tx
	begun, release := f.hold("wait")
	var wg sync.WaitGroup
	err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		kept = tx
		wg.Go(func() { _, _ = tx.Execute(ctx, "wait") })
		<-begun
		if _, err := tx.Execute(ctx, "beside"); !errors.Is(err, duet.ErrInvalidArgument) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if !errors.Is(err, duet.ErrInvalidArgument) {
		t.Errorf("a closure that returned while its Tx was in use: %v", err)
	}
	release()
	wg.Wait()
	if _, err := kept.Execute(t.Context(), "late"); !errors.Is(err, duet.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := kept.Nested(t.Context(), nil); !errors.Is(err, duet.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	must(t.Context(), t, c, "next")
	for _, line := range f.took() {
		if strings.HasSuffix(line, "COMMIT") {
			t.Error("it was committed")
		}
	}
}

func TestOpenTransactionAtRelease(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	conn, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	must(t.Context(), t, tx, "a")
	if _, err := conn.Execute(t.Context(), "b"); !errors.Is(err, duet.ErrInvalidArgument) {
		t.Errorf("beside an open transaction: %v", err)
	}
	conn.Release()
	conn.Release()
	must(t.Context(), t, c, "next")
	saw(t, f, "1 START", "1 a", "1 ROLLBACK", "1 next")
	if err := tx.Commit(t.Context()); !errors.Is(err, duet.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}
