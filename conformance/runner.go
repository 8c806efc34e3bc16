package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// RunOptions are for RunAll; the zero value runs everything.
type RunOptions struct {
	// Filter runs only scenarios whose ID contains it, or one of several
	// separated by commas.
	Filter string
	// OnResult is called after each scenario.
	OnResult func(Result)
}

func (o RunOptions) wants(id string) bool {
	if o.Filter == "" {
		return true
	}
	for part := range strings.SplitSeq(o.Filter, ",") {
		if part = strings.TrimSpace(part); part != "" && strings.Contains(id, part) {
			return true
		}
	}
	return false
}

// RunAll runs the scenarios outside of testing, one after another. Where the
// tables cannot be set up, the report has one failed scenario, "setup". When
// ctx ends, what has not run yet is failed.
func RunAll(ctx context.Context, target Target, opt RunOptions) Report {
	return runAll(ctx, target, opt, Scenarios())
}

func runAll(ctx context.Context, target Target, opt RunOptions, scenarios []Scenario) Report {
	report := Report{Backend: target.Name, Scenarios: []Result{}}
	note := func(r Result) {
		report.add(r)
		if opt.OnResult != nil {
			opt.OnResult(r)
		}
	}
	r, err := newRunner(ctx, target)
	if err != nil {
		note(Result{ID: "setup", Promise: "the suite can set up its tables", Status: Failed, Reason: err.Error()})
		return report
	}
	report.Server = r.backend.ServerVersion
	for _, s := range scenarios {
		if opt.wants(s.ID) {
			note(r.run(ctx, s))
		}
	}
	if err := r.close(ctx); err != nil {
		note(Result{ID: "teardown", Promise: "the suite can drop its tables", Status: Failed, Reason: err.Error()})
	}
	return report
}

// grace is the most that a scenario gets for cleaning up after its ctx has ended.
const grace = 5 * time.Second

// runner runs scenarios against one target, with a client that they share.
type runner struct {
	target  Target
	client  duet.Client // nil after a scenario that never came back
	backend duet.Backend
}

// newRunner connects and sets the tables up.
func newRunner(ctx context.Context, target Target) (*runner, error) {
	if err := queries.Check(); err != nil {
		return nil, err
	}
	r := &runner{target: target}
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	if err := r.setUp(ctx); err != nil {
		_ = r.client.Close(ctx)
		return nil, fmt.Errorf("conformance: setting up: %w", err)
	}
	return r, nil
}

func (r *runner) connect(ctx context.Context) error {
	client, err := r.target.Connect(ctx, ConnectOptions{})
	if err != nil {
		return fmt.Errorf("conformance: connecting: %w", err)
	}
	if err := client.Ping(ctx); err != nil {
		_ = client.Close(ctx)
		return fmt.Errorf("conformance: connecting: %w", err)
	}
	r.client, r.backend = client, client.Backend()
	return nil
}

// setUp makes the tables, after dropping what a run that was broken off has left,
// wherever it was broken off. What cannot be dropped is mostly not there, and
// otherwise cannot be made either.
func (r *runner) setUp(ctx context.Context) error {
	dropped := r.drop(ctx)
	if err := r.execute(ctx, "setup_color", "setup_account", "setup_transfer", "setup_claim", "setup_tenant"); err != nil {
		return errors.Join(err, dropped)
	}
	for _, name := range []string{"default::Account", "default::Transfer", "default::Claim"} {
		var installed bool
		if err := r.client.QueryOne(ctx, r.text("installed"), &installed, name); err != nil {
			return fmt.Errorf("installed: %w", err)
		}
		if !installed {
			return fmt.Errorf("%s was made, but is not there", name)
		}
	}
	return nil
}

// drop drops what is there: what refers to others comes first.
func (r *runner) drop(ctx context.Context) error {
	var errs []error
	for _, name := range []string{"drop_claim", "drop_transfer", "drop_account", "drop_color", "drop_tenant"} {
		if err := r.execute(ctx, name); err != nil && !errors.Is(err, duet.ErrUndefined) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *runner) execute(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := r.client.Execute(ctx, r.text(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (r *runner) text(name string) string { return queries.Get(name).Text(r.backend.Dialect) }

// close drops the tables and closes the client.
func (r *runner) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.target.patience())
	defer cancel()
	if r.client == nil {
		if err := r.connect(ctx); err != nil {
			return err
		}
	}
	if err := r.drop(ctx); err != nil {
		return err
	}
	return r.client.Close(ctx)
}

// run runs one scenario, with empty tables.
func (r *runner) run(ctx context.Context, s Scenario) Result {
	res := Result{ID: s.ID, Promise: s.Promise, Status: Passed}
	start := time.Now()
	run, skip := s.choose(r.backend, r.target)
	if skip != "" {
		res.Status, res.Reason = Skipped, skip
		return res
	}
	if err := r.ready(ctx); err != nil {
		res.Status, res.Reason = Failed, "emptying the tables beforehand: "+err.Error()
		return res
	}
	if reason := r.watch(ctx, run); reason != "" {
		res.Status, res.Reason = Failed, reason
	}
	res.Millis = time.Since(start).Milliseconds()
	return res
}

// ready empties the tables, over a new client where the old one does not work
// any more: one scenario's damage is not another's failure.
func (r *runner) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.target.patience())
	defer cancel()
	if r.client != nil {
		err := r.execute(ctx, "empty_claims", "empty")
		if err == nil {
			return nil
		}
		r.abandon()
		if ctx.Err() != nil {
			return err
		}
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	return r.execute(ctx, "empty_claims", "empty")
}

// watch runs a scenario in a goroutine of its own, and gives up on it when it
// does not come back. It returns why it failed.
func (r *runner) watch(ctx context.Context, run func(context.Context, *T)) string {
	patience := r.target.patience()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := &T{target: r.target, client: r.client, dialect: r.backend.Dialect}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.run(ctx, run)
	}()
	limit := patience + min(grace, patience)
	dead := time.NewTimer(limit)
	defer dead.Stop()
	select {
	case <-done:
	case <-dead.C:
		t.Errorf("the scenario hangs: it has not come back %v after its start; all goroutines:\n%s", limit, stacks())
		t.giveUp()
		r.abandon()
		return t.failure()
	}
	if n := int32(0); !eventually(func() bool { n = r.client.Pool().Stat().InUse; return n == 0 }) {
		t.Errorf("%d connections of the shared client are still lent after the scenario", n)
		r.abandon()
	}
	return t.failure()
}

// abandon closes the shared client by force, within bounds: it is broken
// already, so that an error would say nothing new.
func (r *runner) abandon() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan struct{})
	go func(c duet.Client) {
		defer close(closed)
		_ = c.Close(ctx)
	}(r.client)
	select {
	case <-closed:
	case <-time.After(grace):
	}
	r.client = nil
}

// stacks is a dump of all goroutines, of bounded size.
func stacks() string {
	buf := make([]byte, 1<<18)
	return string(buf[:runtime.Stack(buf, true)])
}
