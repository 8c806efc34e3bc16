package edgedb

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
)

// standIn stands for edgedb-go and the server. Whatever is asked of it is
// noted, and may be held up, fail or panic. Commands are their own script:
//
//	"wait"            waits until the test says go on
//	"panic"           panics, "goexit" ends the goroutine
//	"lost"            loses the connection, "gone" finds it closed before
//	"fail NAME"       gives edgedb-go's error of that name
//	anything else     succeeds; a query's rows are 1
type standIn struct {
	mu     sync.Mutex
	log    []string
	made   int              // sessions ever made
	open   int              // and not closed or abandoned
	most   int              // most that were open at once
	errs   map[string]error // what START, COMMIT, ROLLBACK and DIAL fail with, once
	panics map[string]bool  // which of them panic, once
	held   map[string]chan struct{}
	on     map[string]chan struct{} // closed when a held thing has begun
	silent bool                     // nothing is noted
}

func newFake() *standIn {
	return &standIn{errs: map[string]error{}, panics: map[string]bool{}, held: map[string]chan struct{}{}, on: map[string]chan struct{}{}}
}

// hold makes the next of what wait until the function it gives is called; begun
// is closed when it waits.
func (f *standIn) hold(what string) (begun <-chan struct{}, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, on := make(chan struct{}), make(chan struct{})
	f.held[what], f.on[what] = held, on
	return on, sync.OnceFunc(func() { close(held) })
}

// failing makes the next of what fail.
func (f *standIn) failing(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs[what] = err
}

func (f *standIn) panicking(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.panics[what] = true
}

// step notes and does one thing.
func (f *standIn) step(id int, what string) error {
	if f.silent {
		return nil
	}
	f.mu.Lock()
	f.log = append(f.log, fmt.Sprintf("%d %s", id, what))
	held, on, err, panics := f.held[what], f.on[what], f.errs[what], f.panics[what]
	delete(f.held, what)
	delete(f.on, what)
	delete(f.errs, what)
	delete(f.panics, what)
	f.mu.Unlock()
	if held != nil {
		close(on)
		<-held
	}
	if panics {
		panic("the fake panics at " + what)
	}
	return err
}

// took gives what was noted, without pings, and forgets it.
func (f *standIn) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

func (f *standIn) count() (made, open, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made, f.open, f.most
}

func (f *standIn) dial(ctx context.Context, _ endpoint, k kind) (session, error) {
	if err := f.step(0, "DIAL"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	f.open++
	f.most = max(f.most, f.open)
	return &fakeSession{f: f, id: f.made, kind: k}, nil
}

// scripted is an error of edgedb-go's.
type scripted struct{ name string }

func (e scripted) Error() string { return "edgedb." + e.name + ": said the fake" }
func (e scripted) Unwrap() error { return nil }
func (e scripted) HasTag(edgedb.ErrorTag) bool {
	return false
}
func (e scripted) Category(c edgedb.ErrorCategory) bool {
	if c == edgedb.ClientConnectionError && strings.HasPrefix(e.name, "ClientConnection") {
		return true
	}
	return string(c) == "errors::"+e.name
}

var errLost = scripted{"ClientConnectionFailedTemporarilyError"}

type fakeSession struct {
	f      *standIn
	id     int
	kind   kind
	dead   bool
	closed bool
}

func (s *fakeSession) executor(*state) executor { return fakeExecutor{s} }

func (s *fakeSession) transaction(ctx *workContext, _ *state, fn func(executor) error) txEnd {
	ask := func(what string) error {
		_ = ctx.Done()
		_, _ = ctx.Deadline()
		if s.dead {
			return errLost
		}
		err := s.f.step(s.id, what)
		s.dead = s.dead || isConnectionError(err)
		return err
	}
	if err := ask("START"); err != nil {
		return txEnd{stage: txStarting, err: err}
	}
	if err := fn(fakeExecutor{s}); err != nil {
		end := txEnd{stage: txRunning, err: err}
		if !isConnectionError(err) {
			end.undone = ask("ROLLBACK") == nil
		}
		return end
	}
	return txEnd{stage: txCommitting, err: ask("COMMIT")}
}

func (s *fakeSession) close() {
	_ = s.f.step(s.id, "CLOSE")
	s.end()
}

func (s *fakeSession) abandon() {
	_ = s.f.step(s.id, "ABANDON")
	s.end()
}

func (s *fakeSession) end() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.closed {
		panic("a session was closed twice")
	}
	s.closed = true
	s.f.open--
}

type fakeExecutor struct{ s *fakeSession }

func (x fakeExecutor) run(ctx context.Context, cmd string) error {
	if cmd == "gone" {
		_, _ = ctx.Deadline()
		_, _ = ctx.Deadline() // edgedb-go would connect
		if ctx.Err() == nil {
			return errors.New("the fake may connect again")
		}
		x.s.dead = true
		_ = x.s.f.step(x.s.id, "gone")
		return errLost
	}
	_ = ctx.Done()
	_, _ = ctx.Deadline()
	if x.s.closed {
		panic("a closed session is used")
	}
	if err := x.s.f.step(x.s.id, cmd); err != nil {
		return err
	}
	switch name, fails := strings.CutPrefix(cmd, "fail "); {
	case x.s.dead:
		return errLost
	case cmd == "panic":
		panic("the fake panics")
	case cmd == "lost":
		x.s.dead = true
		return errLost
	case fails:
		return scripted{name}
	}
	return nil
}

func (x fakeExecutor) Execute(ctx context.Context, cmd string, _ ...any) error {
	return x.run(ctx, cmd)
}

func (x fakeExecutor) Query(ctx context.Context, cmd string, out any, _ ...any) error {
	err := x.run(ctx, cmd)
	if list := reflect.ValueOf(out).Elem(); err == nil && list.Type().Elem().Kind() == reflect.Int64 {
		list.Set(reflect.Append(list, reflect.ValueOf(int64(1))))
	}
	return err
}

func (x fakeExecutor) QuerySingle(ctx context.Context, cmd string, out any, _ ...any) error {
	if s, ok := out.(*string); ok {
		*s = "5.8"
		return nil
	}
	err := x.run(ctx, cmd)
	if n, ok := out.(*int64); ok && err == nil {
		*n = 1
	}
	return err
}

func (x fakeExecutor) QueryJSON(ctx context.Context, cmd string, out *[]byte, _ ...any) error {
	err := x.run(ctx, cmd)
	if err == nil {
		*out = []byte("[1]")
	}
	return err
}

func (x fakeExecutor) QuerySingleJSON(ctx context.Context, cmd string, out any, _ ...any) error {
	err := x.run(ctx, cmd)
	if b, ok := out.(*[]byte); ok && err == nil {
		*b = []byte("1")
	}
	return err
}

// fakeClient is a client of a fake, closed at the end, when nothing may be left
// open.
func fakeClient(t *testing.T, f *standIn, cfg Config) duet.Client {
	t.Helper()
	c, err := connect(t.Context(), "edgedb://u:secret@127.0.0.1/main?tls_security=insecure", cfg, f.dial)
	if err != nil {
		t.Fatal(err)
	}
	f.took()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, open, _ := f.count(); open != 0 {
			t.Errorf("%d sessions were left open", open)
		}
	})
	return c
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("not in 10 s: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
