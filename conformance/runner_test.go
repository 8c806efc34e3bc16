package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/pool"
	"github.com/google/go-cmp/cmp"
)

// stub is a client that can just be set up: what it cannot do panics.
type stub struct {
	duet.Client
	emptyErr func() error
}

func (s *stub) Backend() duet.Backend {
	return duet.Backend{Name: "stub", Dialect: duet.SQL, ServerVersion: "1.2", Abilities: duet.Abilities(duet.NestedTx)}
}
func (s *stub) Ping(context.Context) error  { return nil }
func (s *stub) Pool() *pool.Control         { return nil }
func (s *stub) Close(context.Context) error { return nil }
func (s *stub) QueryOne(_ context.Context, _ string, out any, _ ...any) error {
	if b, ok := out.(*bool); ok {
		*b = true
	}
	return nil
}
func (s *stub) Execute(_ context.Context, cmd string, _ ...any) (duet.Result, error) {
	if s.emptyErr != nil && strings.HasPrefix(cmd, "DELETE") {
		return duet.Result{}, s.emptyErr()
	}
	return duet.Result{}, nil
}

func stubTarget() conformance.Target {
	return conformance.Target{
		Name:     "stub",
		Patience: 200 * time.Millisecond,
		Connect:  func(context.Context, conformance.ConnectOptions) (duet.Client, error) { return &stub{}, nil },
	}
}

func TestScenarioEndings(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	cleaned := 0
	scenarios := []conformance.Scenario{
		{ID: "a/passes", Run: func(_ context.Context, t *conformance.T) { t.Cleanup(func() { cleaned++ }) }},
		{ID: "a/errorf", Run: func(_ context.Context, t *conformance.T) { t.Errorf("one"); t.Errorf("two") }},
		{ID: "a/fatalf", Run: func(_ context.Context, t *conformance.T) {
			t.Cleanup(func() { cleaned++ })
			t.Fatalf("three")
			t.Errorf("four")
		}},
		{ID: "a/panics", Run: func(_ context.Context, t *conformance.T) { t.Cleanup(func() { cleaned++ }); panic("boom") }},
		{ID: "a/goexit", Run: func(context.Context, *conformance.T) { runtime.Goexit() }},
		{ID: "a/cleanup-panics", Run: func(_ context.Context, t *conformance.T) {
			t.Cleanup(func() { cleaned++ })
			t.Cleanup(func() { panic("late") })
		}},
		{ID: "a/unknown-statement", Run: func(_ context.Context, t *conformance.T) { t.Text("nosuch") }},
		{ID: "a/waits-for-ctx", Run: func(ctx context.Context, t *conformance.T) { <-ctx.Done(); t.Errorf("ctx: %v", ctx.Err()) }},
		{ID: "a/hangs", Run: func(_ context.Context, t *conformance.T) { <-release; t.Errorf("too late") }},
		{ID: "a/after-all", Run: func(context.Context, *conformance.T) {}},
		{ID: "b/needs", Needs: []duet.Ability{duet.NestedTx}, Run: func(context.Context, *conformance.T) {}},
		{ID: "b/needs-more", Needs: []duet.Ability{duet.NestedTx, duet.Links}, Run: func(_ context.Context, t *conformance.T) { t.Errorf("ran") }},
		{ID: "b/without", Needs: []duet.Ability{duet.Links}, Without: func(context.Context, *conformance.T) {},
			Run: func(_ context.Context, t *conformance.T) { t.Errorf("ran") }},
		{ID: "b/not-without", Needs: []duet.Ability{duet.NestedTx}, Without: func(_ context.Context, t *conformance.T) { t.Errorf("ran without") },
			Run: func(context.Context, *conformance.T) {}},
		{ID: "b/kills", Kills: true, Run: func(_ context.Context, t *conformance.T) { t.Errorf("ran") }},
	}
	report := conformance.RunScenarios(t.Context(), stubTarget(), conformance.RunOptions{}, scenarios)
	want := map[string]string{
		"a/passes": "passed", "a/errorf": "failed one\n  two", "a/fatalf": "failed three", "a/panics": "failed panic: boom", "a/goexit": "passed",
		"a/cleanup-panics": "failed panic: late", "a/unknown-statement": `failed there is no statement "nosuch"`,
		"a/waits-for-ctx": "failed ctx: context deadline exceeded", "a/hangs": "failed the scenario hangs", "a/after-all": "passed",
		"b/needs": "passed", "b/needs-more": "skipped the backend cannot do: links", "b/without": "passed", "b/not-without": "passed",
		"b/kills": "skipped the target cannot end its own connections",
	}
	for _, r := range report.Scenarios {
		got := strings.TrimSpace(string(r.Status) + " " + r.Reason)
		if w, ok := want[r.ID]; !ok || !strings.HasPrefix(got, w) || w == "passed" && got != w {
			t.Errorf("%s: %q, want %q", r.ID, got, w)
		}
	}
	if report.Passed != 6 || report.Failed != 7 || report.Skipped != 2 || len(report.Scenarios) != len(want) {
		t.Errorf("%d passed, %d failed, %d skipped", report.Passed, report.Failed, report.Skipped)
	}
	if cleaned != 4 {
		t.Errorf("%d cleanups ran, want 4", cleaned)
	}
}

func TestFilterAndReport(t *testing.T) {
	pass := func(context.Context, *conformance.T) {}
	scenarios := []conformance.Scenario{{ID: "a/x", Promise: "P.", Run: pass}, {ID: "a/y", Run: pass}, {ID: "b/x", Run: pass}, {ID: "c/z", Run: pass}}
	var seen []string
	report := conformance.RunScenarios(t.Context(), stubTarget(), conformance.RunOptions{
		Filter: "a/x, c/", OnResult: func(r conformance.Result) { seen = append(seen, r.ID) },
	}, scenarios)
	if diff := cmp.Diff([]string{"a/x", "c/z"}, seen); diff != "" {
		t.Errorf("what ran (-want +got):\n%s", diff)
	}
	for i := range report.Scenarios {
		report.Scenarios[i].Millis = 5
	}
	got, err := json.Marshal(report)
	want := `{"backend":"stub","server":"1.2","passed":2,"failed":0,"skipped":0,` +
		`"scenarios":[{"id":"a/x","promise":"P.","status":"passed","millis":5},{"id":"c/z","promise":"","status":"passed","millis":5}]}`
	if err != nil || string(got) != want {
		t.Errorf("the report is %s (%v), want %s", got, err, want)
	}
	var text strings.Builder
	if _, err := report.WriteTo(&text); err != nil || text.String() != "stub 1.2: 2 passed, 0 failed, 0 skipped\n" {
		t.Errorf("as text it is %q (%v)", text.String(), err)
	}
}

func TestSetUpFails(t *testing.T) {
	broken := stubTarget()
	broken.Connect = func(context.Context, conformance.ConnectOptions) (duet.Client, error) {
		return nil, errors.New("no route")
	}
	report := conformance.RunAll(t.Context(), broken, conformance.RunOptions{})
	if report.Failed != 1 || len(report.Scenarios) != 1 || !strings.Contains(report.Scenarios[0].Reason, "no route") {
		t.Errorf("without a server the report is %+v", report)
	}
	failures := 0
	broken.Connect = func(context.Context, conformance.ConnectOptions) (duet.Client, error) {
		return &stub{emptyErr: func() error {
			if failures++; failures <= 2 {
				return errors.New("gone")
			}
			return nil
		}}, nil
	}
	pass := func(context.Context, *conformance.T) {}
	report = conformance.RunScenarios(t.Context(), broken, conformance.RunOptions{}, []conformance.Scenario{{ID: "a/x", Run: pass}, {ID: "a/y", Run: pass}})
	if report.Failed != 1 || report.Passed != 1 {
		t.Errorf("where the tables cannot be emptied once, the report is %+v, want one failure", report)
	}
}
