package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// T is what a scenario gets: clients, and a way to say what is wrong. Errorf
// may be called from any goroutine, everything else from the scenario's own.
type T struct {
	target  Target
	client  duet.Client
	dialect duet.Dialect

	cleanups []func()
	labels   int

	mu       sync.Mutex
	failures []string
	over     bool // the scenario was given up: what comes now is ignored
}

// Client is a client that scenarios share. Nobody closes it.
func (t *T) Client() duet.Client { return t.client }

// Backend is what the suite runs against.
func (t *T) Backend() duet.Backend { return t.client.Backend() }

// Connect makes a client of the scenario's own. It is closed in the end, and
// the scenario fails if a connection is still lent then.
func (t *T) Connect(ctx context.Context, opt ConnectOptions) duet.Client {
	c, err := t.target.Connect(ctx, opt)
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("closing the scenario's client: %v", err)
		}
	})
	return c
}

// Text gives a statement's text in the client's dialect.
func (t *T) Text(name string) string {
	text := queries.Get(name).Text(t.dialect)
	if text == "" {
		t.Fatalf("there is no statement %q in %s", name, t.dialect)
	}
	return text
}

// Cleanup has f called when the scenario has ended, last one first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Errorf notes a failure, and goes on.
func (t *T) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.failures = append(t.failures, fmt.Sprintf(format, args...))
	}
}

// Fatalf notes a failure and ends the scenario. It must be called in the
// scenario's goroutine.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// failure joins what was noted; "" where nothing was.
func (t *T) failure() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 10
	shown := t.failures
	if len(shown) > most {
		shown = append(slices.Clone(shown[:most]), fmt.Sprintf("and %d more", len(t.failures)-most))
	}
	return strings.Join(shown, "\n  ")
}

// giveUp ends the taking of notes.
func (t *T) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// run runs a scenario and what it wants cleaned up. A panic is a failure.
func (t *T) run(ctx context.Context, scenario func(context.Context, *T)) {
	defer func() {
		for _, f := range slices.Backward(t.cleanups) {
			t.guard(f)
		}
	}()
	t.guard(func() { scenario(ctx, t) })
}

// guard calls f and turns a panic into a failure. Goexit goes through it, to
// the end of the scenario.
func (t *T) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	f()
}
