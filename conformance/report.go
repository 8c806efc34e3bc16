package conformance

import (
	"fmt"
	"io"
)

// Status is how a scenario ended.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is how one scenario went.
type Result struct {
	// ID and Promise are the scenario's.
	ID      string `json:"id"`
	Promise string `json:"promise"`
	Status  Status `json:"status"`
	// Reason is why it failed or was skipped; "" for one that passed.
	Reason string `json:"reason,omitempty"`
	// Millis is how long it took, in milliseconds.
	Millis int64 `json:"millis"`
}

// Report is how a run of the suite went.
type Report struct {
	// Backend is the target's name, Server the server's own version.
	Backend string `json:"backend"`
	Server  string `json:"server"`
	// Passed, Failed and Skipped count the scenarios.
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Scenarios are the results, in the order in which they came.
	Scenarios []Result `json:"scenarios"`
}

func (r *Report) add(res Result) {
	switch res.Status {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
	r.Scenarios = append(r.Scenarios, res)
}

// WriteTo writes what failed or was skipped, with promise and reason, and the
// counts as last line.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var total int64
	write := func(format string, args ...any) error {
		n, err := fmt.Fprintf(w, format, args...)
		total += int64(n)
		return err
	}
	for _, s := range r.Scenarios {
		if s.Status == Passed {
			continue
		}
		if err := write("%s %s\n  promise: %s\n  %s\n", s.Status, s.ID, s.Promise, s.Reason); err != nil {
			return total, err
		}
	}
	err := write("%s %s: %d passed, %d failed, %d skipped\n", r.Backend, r.Server, r.Passed, r.Failed, r.Skipped)
	return total, err
}
