package wire_test

import (
	"testing"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// TestTransition walks every cell: each step against each type byte. What is
// not listed must be refused.
func TestTransition(t *testing.T) {
	copies := map[byte]string{'G': "refuseCopy", 'H': "refuseCopy", 'W': "refuseCopy", 'd': "ignore", 'c': "ignore"}
	cells := map[string]map[byte]string{
		"Parse":    {'1': "advance", 'E': "fail"},
		"Describe": {'t': "deliver", 'T': "advance", 'n': "advance", 'E': "fail"},
		"Bind":     {'2': "advance", 'E': "fail"},
		"Execute":  {'D': "deliver", 'C': "advance", 'I': "advance", 'E': "fail"},
		"Close":    {'3': "advance", 'E': "fail"},
		"Sync":     {'Z': "ready", 'E': "fail"},
		"Query":    {'T': "deliver", 'D': "deliver", 'C': "deliver", 'I': "deliver", 'Z': "ready", 'E': "fail"},
	}
	for typ, action := range copies {
		cells["Execute"][typ], cells["Query"][typ] = action, action
	}
	if len(cells) != len(wire.StepNames()) {
		t.Fatalf("%d steps, the machine has %d", len(cells), len(wire.StepNames()))
	}
	for _, step := range wire.StepNames() {
		for typ := range 256 {
			want := cells[step][byte(typ)]
			if want == "" {
				want = "refuse"
			}
			if got := wire.Transition(step, byte(typ)); got != want {
				t.Errorf("%s, %q: got %s, want %s", step, byte(typ), got, want)
			}
		}
	}
}
