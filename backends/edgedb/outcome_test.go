package edgedb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// An idempotent statement was lost and then failed in some other way: what the
// first try may have done is not forgotten.
func TestOutcomeSurvivesTheSecondTry(t *testing.T) {
	server := edgedbtest.Shared(t)
	for _, tt := range []struct {
		name    string
		at      edgedbtest.Point
		then    edgedbtest.Fault
		target  error
		applied bool
	}{
		{"a conflict with the first", edgedbtest.Answering, edgedbtest.Fault{Code: 0x05030101, Message: "conflict"}, duet.ErrSerialization, true},
		{"a refusal", edgedbtest.Answering, edgedbtest.Fault{Code: 0x05020001, Message: "violated"}, duet.ErrCheckViolation, true},
		{"a conflict with another", edgedbtest.Received, edgedbtest.Fault{Code: 0x05030101, Message: "conflict"}, duet.ErrSerialization, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, branch := served(t, Config{MaxConns: 1}, "ada")
			add := eql(t, "add_to_balance")
			if _, err := c.Execute(t.Context(), add, "ada", int64(0)); err != nil {
				t.Fatal(err)
			}
			struck := server.Struck()
			tt.then.Branch, tt.then.Type, tt.then.Text, tt.then.Skip = branch, 'O', "update Account", 1
			second := server.Inject(tt.then)
			first := server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "update Account", At: tt.at, Cut: true})
			_, err := c.With(duet.Options{Idempotent: duet.On}).Execute(t.Context(), add, "ada", int64(1))
			first()
			second()
			if n := server.Struck() - struck; n != 2 {
				t.Fatalf("%d faults struck, want 2: %v", n, err)
			}
			if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Outcome != duet.OutcomeUnknown || !errors.Is(err, tt.target) {
				t.Errorf("got %v", err)
			}
			if n := balance(t, c, "ada"); (n == 11) != tt.applied {
				t.Errorf("the balance is %d", n)
			}
		})
	}
}

// The second try does not get as far as a connection.
func TestOutcomeSurvivesThePool(t *testing.T) {
	f := newFake()
	c := fakeClient(t, f, Config{MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.failing("once", errLost)
	begun, release := f.hold("DIAL")
	go func() { <-begun; cancel(); release() }()
	_, err := c.With(duet.Options{Idempotent: duet.On}).Execute(ctx, "once")
	if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Outcome != duet.OutcomeUnknown || e.Phase == duet.PhaseRun || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", err)
	}
}

// A result that is known not to fit before the command is run costs no connection.
func TestMisfitKeepsConnection(t *testing.T) {
	c, _ := served(t, Config{MaxConns: 1}, "ada")
	update := eql(t, "update_returning")
	for range 3 {
		_, err := duet.QueryOne[struct{ Name string }](t.Context(), c, update, "ada", int64(1))
		if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Kind != duet.KindInvalidResult {
			t.Errorf("got %v", err)
		} else if n := balance(t, c, "ada"); (n == 10) != (e.Outcome == duet.OutcomeNone) {
			t.Errorf("the balance is %d: %v", n, err)
		}
	}
	if s := c.Pool().Stat(); s.Connects != 1 {
		t.Errorf("%d connections were made, want 1", s.Connects)
	}
}

// An answer that cannot be read is the answer to what was run; one that is known not
// to be readable was not asked for.
func TestOutcomeOfMalformedAnswer(t *testing.T) {
	k := &call{cmd: "insert A", text: new(texts).get("insert A"), view: &view{}}
	for err, want := range map[error]duet.Outcome{
		&decode.DecodeError{Reason: "x", Err: fmt.Errorf("%w: x", decode.ErrMalformed)}: duet.OutcomeApplied,
		&decode.DecodeError{Reason: "x"}:                                                duet.OutcomeNone,
	} {
		if got := outcomeOf(k.failure(err, false)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	changed := &decode.DecodeError{Reason: "x", Err: decode.ErrChanged}
	if got := outcomeOf(k.failure(changed, true)); got != duet.OutcomeUnknown || notRun(changed) {
		t.Errorf("%v: %d", changed, got)
	}
}

// What can be said of the effect of a text that was run to its end.
func TestOutcomeOfMisfits(t *testing.T) {
	const none, unknown, applied = duet.OutcomeNone, duet.OutcomeUnknown, duet.OutcomeApplied
	for _, tt := range []struct {
		cmd       string
		rows, row duet.Outcome // with rows, without
	}{
		{"select 1", none, none},
		{"select f(1)", unknown, none},
		{"insert A { n := 1 }", applied, none},
		{"select (update A set { n := 1 }) { n }", applied, none},
		{"with a := (insert A) select a", applied, unknown},
		{"for x in {1, 2} union (insert A)", applied, unknown},
		{"insert A; select A filter false", applied, unknown},
		{"select 1; select 2", unknown, unknown},
		{"create type B", unknown, unknown},
		{"select 'not closed", unknown, unknown},
	} {
		k := &call{cmd: tt.cmd, text: new(texts).get(tt.cmd), view: &view{}}
		got := []duet.Outcome{k.misfitOutcome(false), k.misfitOutcome(true)}
		if want := []duet.Outcome{tt.rows, tt.row}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tt.cmd, got, want)
		}
		k.inTx = true
		if k.misfitOutcome(false) != none || k.misfitOutcome(true) != none {
			t.Errorf("%s has an effect of its own inside a transaction", tt.cmd)
		}
	}
}
