package edgedb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
)

func TestFakeCommands(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	if _, err := c.Execute(t.Context(), "do it"); err != nil {
		t.Fatal(err)
	}
	var out []byte
	if err := c.QueryOneJSON(t.Context(), "json", &out); string(out) != "1" || err != nil {
		t.Errorf("QueryOneJSON: %s, %v", out, err)
	}
	if err := c.QueryJSON(t.Context(), "array", &out); string(out) != "[1]" || err != nil {
		t.Errorf("QueryJSON: %s, %v", out, err)
	}
	want := []string{"1 do it", "1 json", "1 array"}
	if got := f.took(); !slices.Equal(got, want) {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

// A caller whose ctx ends goes at once; the connection stays lent until the
// server has answered, and is then as good as before.
func TestLeftCall(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := f.hold("wait")
	defer release()
	go func() { <-begun; cancel() }()
	var out []byte
	err := c.QueryOneJSON(ctx, "wait", &out)
	e, ok := errors.AsType[*duet.Error](err)
	if !errors.Is(err, context.Canceled) || !ok || e.Kind != duet.KindCanceled || e.Outcome != duet.OutcomeUnknown || e.Command != "wait" {
		t.Fatalf("got %+v", err)
	}
	out = []byte("mine")
	if s := c.Pool().Stat(); s.InUse != 1 {
		t.Errorf("the connection was given back while the server was at it: %+v", s)
	}
	release()
	if _, err := c.Execute(t.Context(), "next"); err != nil {
		t.Error(err)
	}
	if made, _, most := f.count(); made != 1 || most != 1 || string(out) != "mine" {
		t.Errorf("%d connections were made, %d at once; out is %s", made, most, out)
	}
}

// A command that has gone nowhere moves on; one that may have run does not,
// unless it may run twice.
func TestLostCall(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	if _, err := c.Execute(t.Context(), "gone"); !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("gone everywhere: %v", err)
	}
	if got := len(f.took()); got < 4 {
		t.Errorf("a command that was not sent was tried %d times", got)
	}
	_, err := c.Execute(t.Context(), "lost")
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Kind != duet.KindUnavailable || e.Outcome != duet.OutcomeUnknown {
		t.Errorf("lost: %+v", err)
	}
	lost := func() (n int) {
		for _, line := range f.took() {
			if line[len(line)-4:] == "lost" {
				n++
			}
		}
		return n
	}
	if n := lost(); n != 1 {
		t.Errorf("a command whose answer was lost was run %d times", n)
	}
	if _, err := c.With(duet.Options{Idempotent: duet.On}).Execute(t.Context(), "lost"); !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("lost, idempotent: %v", err)
	}
	if n := lost(); n < 2 {
		t.Errorf("an idempotent command was run %d times", n)
	}
	f.failing("once", errLost)
	if _, err := c.With(duet.Options{Idempotent: duet.On}).Execute(t.Context(), "once"); err != nil {
		t.Errorf("lost once, idempotent: %v", err)
	}
	if _, err := c.Execute(t.Context(), "next"); err != nil {
		t.Error(err)
	}
}

func TestPanicInDriver(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	_, err := c.Execute(t.Context(), "panic")
	if duet.KindOf(err) != duet.KindProtocol {
		t.Errorf("got %v", err)
	}
	conn, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Execute(t.Context(), "panic"); duet.KindOf(err) != duet.KindProtocol {
		t.Errorf("got %v", err)
	}
	if _, err := conn.Execute(t.Context(), "next"); !errors.Is(err, duet.ErrUnavailable) {
		t.Errorf("a lent connection after a panic: %v", err)
	}
	conn.Release()
	if _, err := c.Execute(t.Context(), "next"); err != nil {
		t.Error(err)
	}
	if made, _, most := f.count(); made != 3 || most != 1 {
		t.Errorf("%d connections were made, %d at once, want 3 one by one", made, most)
	}
}

// Terminate ends calls at once, although edgedb-go goes on.
func TestTerminateDuringCall(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 2})
	begun, release := f.hold("wait")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Execute(context.Background(), "wait"); !errors.Is(err, duet.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	<-begun
	c.Pool().Terminate()
	wg.Wait()
	if _, open, _ := f.count(); open == 0 {
		t.Error("a session was closed while it was used")
	}
	release()
	eventually(t, "the session is closed", func() bool { _, open, _ := f.count(); return open == 0 })
}

// A lent connection whose call was left is waited for by the next call.
func TestLentAfterLeftCall(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	conn, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := f.hold("wait")
	defer release()
	go func() { <-begun; cancel() }()
	if _, err := conn.Execute(ctx, "wait"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	soon, stop := context.WithCancel(t.Context())
	stop()
	if _, err := conn.Execute(soon, "early"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done := make(chan error, 1)
	go func() { _, err := conn.Execute(t.Context(), "next"); done <- err }()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	begun, again := f.hold("wait")
	ctx, cancel = context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, _ = conn.Execute(ctx, "wait")
	conn.Release()
	if s := c.Pool().Stat(); s.InUse != 1 {
		t.Errorf("the connection was given back while the server was at it: %+v", s)
	}
	again()
	if _, err := c.Execute(t.Context(), "last"); err != nil {
		t.Error(err)
	}
	if made, _, _ := f.count(); made != 1 {
		t.Errorf("%d connections were made", made)
	}
}

func TestStateMismatchIsTriedAgain(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	for _, err := range []error{scripted{"StateMismatchError"}, unmasked(fakeMasked{})} {
		f.failing("once", err)
		if _, err := c.Execute(t.Context(), "once"); err != nil {
			t.Errorf("got %v", err)
		}
		f.failing("START", err)
		err := c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "in it")
			return err
		})
		if err != nil {
			t.Errorf("got %v", err)
		}
	}
	if made, _, _ := f.count(); made != 1 {
		t.Errorf("%d connections were made", made)
	}
}

// fakeMasked is how edgedb-go tells of an error that it has no rule for.
type fakeMasked struct{}

func (fakeMasked) Unwrap() error { return nil }

func (fakeMasked) HasTag(edgedb.ErrorTag) bool { return false }

func (fakeMasked) Category(c edgedb.ErrorCategory) bool { return c == edgedb.ClientError }

func (fakeMasked) Error() string {
	return "edgedb.ClientError: unexpected error type: *edgedb.stateMismatchError"
}
