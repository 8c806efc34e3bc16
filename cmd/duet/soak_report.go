package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// soakReport is what a soak found, as --json prints it.
type soakReport struct {
	OK         bool   `json:"ok"`
	Backend    string `json:"backend"`
	Server     string `json:"server"`
	Seed       uint64 `json:"seed"`
	Duration   string `json:"duration"`
	Goroutines int    `json:"goroutines"`
	Accounts   int    `json:"accounts"`
	Calls      int64  `json:"calls"`

	FaultsTotal int64            `json:"faults_total"`
	Lost        int64            `json:"lost"`
	Duplicated  int64            `json:"duplicated"`
	ToldWrong   int64            `json:"told_wrong"`
	Violations  map[string]int64 `json:"violations"`
	Details     []string         `json:"details"`

	Faults   []soakFaultRow  `json:"faults"`
	Told     []soakToldRow   `json:"told"`
	Failures []soakFailure   `json:"failures"`
	Unknown  []unknownCount  `json:"unknown"`
	Resolved []resolvedCount `json:"lost_commits"`
	Late     soakLate        `json:"after_the_end_of_ctx"`
	Longest  string          `json:"longest_call"`
	Tokens   soakTokens      `json:"tokens"`

	counts []faultCount
}

type soakFaultRow struct {
	Point string           `json:"at"`
	Harms map[string]int64 `json:"by_harm,omitempty"`
	Total int64            `json:"total"`
}

type soakToldRow struct {
	Work       string `json:"work"`
	Proof      string `json:"proof,omitempty"`
	Calls      int64  `json:"calls"`
	Applied    int64  `json:"applied"`
	NotApplied int64  `json:"not_applied"`
	Unknown    int64  `json:"unknown"`
	Canceled   int64  `json:"ctx_ended"`
}

// soakFailure counts the errors of one kind that said that nothing was applied.
type soakFailure struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
	Last  string `json:"last"`
}

// rare is an example, where there are few: those of which there are many are the
// faults' and the closures' own.
func (f soakFailure) rare() string {
	if f.Count > 20 {
		return ""
	}
	line, _, _ := strings.Cut(f.Last, "\n")
	return line
}

// soakLate is how long calls took to return once their ctx had ended.
type soakLate struct {
	Calls  int           `json:"calls"`
	Median time.Duration `json:"median_ns"`
	P99    time.Duration `json:"p99_ns"`
	Most   time.Duration `json:"most_ns"`
}

type soakTokens struct {
	Left     int64 `json:"left"`
	LookedUp int64 `json:"of_lookups"`
	Old      int64 `json:"old_not_pruned"`
}

func newReport(st *soakStage, b *ledgerBook, f *facts, v *verdict) *soakReport {
	r := &soakReport{
		Backend: st.opt.backend, Server: st.server(), Seed: st.opt.seed, Duration: st.opt.duration.String(),
		Goroutines: st.opt.goroutines, Accounts: st.opt.accounts, Calls: st.calls.Load(),
		Lost: v.counts[offenceLost], Duplicated: v.counts[offenceDuplicated], ToldWrong: v.counts[offenceToldWrong],
		Violations: v.counts, Unknown: v.unknown, OK: len(v.counts) == 0,
		Tokens:   soakTokens{Left: f.tokens, LookedUp: f.lookedUp, Old: f.oldTokens},
		Longest:  shortDuration(b.longest.took()) + ", " + strings.TrimSuffix(b.longest.describe()+": "+b.longest.failure, ": "),
		Resolved: st.resolved.rows(), counts: st.faults(),
	}
	for _, o := range v.offences {
		r.Details = append(r.Details, o.what+": "+o.detail)
	}
	for _, c := range r.counts {
		row := soakFaultRow{Point: c.Point, Harms: map[string]int64{}, Total: c.Total}
		for harm, n := range c.Harms {
			if n > 0 {
				row.Harms[soakHarmNames[harm]] = n
			}
		}
		r.Faults = append(r.Faults, row)
		r.FaultsTotal += c.Total
	}
	kinds := map[string]soakKind{}
	for _, key := range b.keys() {
		c := b.calls[key]
		r.Told = append(r.Told, soakToldRow{key.work.String(), soakProofNames[key.proof], c.Calls, c.Applied, c.NotApplied, c.Unknown, c.Canceled})
		for kind, k := range c.kinds {
			kinds[kind] = soakKind{kinds[kind].n + k.n, k.example}
		}
	}
	for kind, k := range kinds {
		r.Failures = append(r.Failures, soakFailure{kind, k.n, k.example})
	}
	slices.SortFunc(r.Failures, func(a, b soakFailure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortFunc(r.Unknown, func(a, b unknownCount) int {
		return cmp.Or(cmp.Compare(a.Proof, b.Proof), cmp.Compare(a.Work, b.Work), cmp.Compare(a.Reason, b.Reason))
	})
	if n := len(b.late); n > 0 {
		r.Late = soakLate{n, quantile(b.late, 0.5), quantile(b.late, 0.99), b.late[n-1]}
	}
	return r
}

// faults are those that fired, restarts among them.
func (st *soakStage) faults() []faultCount {
	counts := st.injector.counts()
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, mode := range slices.Sorted(maps.Keys(st.restarted)) {
		counts = append(counts, faultCount{Point: faultRestart + mode, Total: st.restarted[mode]})
	}
	return counts
}

func (r *resolvedCounts) rows() []resolvedCount {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rows []resolvedCount
	for _, proof := range slices.Sorted(maps.Keys(r.by)) {
		rows = append(rows, *r.by[proof])
	}
	return rows
}

func (r *soakReport) writeJSON(s streams) error { return json.NewEncoder(s.out).Encode(r) }

// write writes the tables, and as the last line how it went.
func (r *soakReport) write(s streams) error {
	for _, section := range []func(streams) error{r.writeFaults, r.writeTold, r.writeUnknown, r.writeResolved} {
		fmt.Fprintln(s.out)
		if err := section(s); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.out, "\ncalls whose ctx ended: %s, back after a median of %s, p99 %s, at most %s\n", grouped(int64(r.Late.Calls)),
		shortDuration(r.Late.Median), shortDuration(r.Late.P99), shortDuration(r.Late.Most))
	if r.Backend == "postgres" {
		fmt.Fprintf(s.out, "tokens: %s left, %s of them by lookups; of %d old ones %d were pruned\n",
			grouped(r.Tokens.Left), grouped(r.Tokens.LookedUp), soakOldTokens, soakOldTokens-r.Tokens.Old)
	}
	fmt.Fprintf(s.out, "the longest call took %s\n", r.Longest)
	if err := r.writeOffences(s); err != nil {
		return err
	}
	for _, d := range r.Details {
		fmt.Fprintln(s.out, "  "+strings.ReplaceAll(d, "\n", "\n    "))
	}
	summary := fmt.Sprintf("%s faults, %s calls, lost %d, duplicated %d, told wrong %d",
		grouped(r.FaultsTotal), grouped(r.Calls), r.Lost, r.Duplicated, r.ToldWrong)
	if r.OK {
		var unknown int64
		for _, u := range r.Unknown {
			unknown += u.Applied + u.NotApplied
		}
		_, err := fmt.Fprintf(s.out, "\nsoak: ok, %s, unknown %s, all where the design allows it\n", summary, grouped(unknown))
		return err
	}
	_, err := fmt.Fprintf(s.out, "\nsoak: FAILED, %s\n", summary)
	return err
}

// writeOffences writes what must not be, and how often it was.
func (r *soakReport) writeOffences(s streams) error {
	fmt.Fprintln(s.out)
	var rows [][]string
	for _, what := range offences {
		rows = append(rows, []string{what, grouped(r.Violations[what])})
	}
	return rightAligned(s, 1, "what must not be", "found").write(rows)
}

// count is a cell: nothing for 0.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return grouped(n)
}

// rightAligned makes a table whose first n columns alone stand at the left.
func rightAligned(s streams, n int, header ...string) *table {
	t := newTable(s.out, header...)
	t.right = make([]bool, len(header))
	for i := n; i < len(header); i++ {
		t.right[i] = true
	}
	return t
}

func (r *soakReport) writeFaults(s streams) error {
	t := rightAligned(s, 1, append(append([]string{"faults"}, soakHarmNames[:]...), "all")...)
	var rows [][]string
	var sums [soakHarms]int64
	for _, c := range r.counts {
		row := []string{c.Point}
		for harm, n := range c.Harms {
			row = append(row, count(n))
			sums[harm] += n
		}
		rows = append(rows, append(row, grouped(c.Total)))
	}
	total := []string{"all"}
	for _, n := range sums {
		total = append(total, count(n))
	}
	return t.write(append(rows, append(total, grouped(r.FaultsTotal))))
}

func (r *soakReport) writeTold(s streams) error {
	t := rightAligned(s, 2, "what callers were told", "by", "calls", "applied", "not applied", "unknown", "of these, ctx ended")
	var rows [][]string
	var sum soakToldRow
	for _, c := range r.Told {
		rows = append(rows, []string{c.Work, c.Proof, grouped(c.Calls), count(c.Applied), count(c.NotApplied), count(c.Unknown), count(c.Canceled)})
		sum.Calls += c.Calls
		sum.Applied += c.Applied
		sum.NotApplied += c.NotApplied
		sum.Unknown += c.Unknown
		sum.Canceled += c.Canceled
	}
	rows = append(rows, []string{"all", "", grouped(sum.Calls), count(sum.Applied), count(sum.NotApplied), count(sum.Unknown), count(sum.Canceled)})
	if err := t.write(rows); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	rows = nil
	for _, f := range r.Failures {
		rows = append(rows, []string{f.Kind, grouped(f.Count), f.rare()})
	}
	t = newTable(s.out, "not applied, and ctx went on, for", "calls", "")
	t.right = []bool{false, true}
	return t.write(rows)
}

func (r *soakReport) writeUnknown(s streams) error {
	t := rightAligned(s, 3, "unknown outcomes", "by", "why that may be", "were applied", "were not")
	var rows [][]string
	for _, u := range r.Unknown {
		reason := u.Reason
		if !u.Allowed {
			reason = "IT MAY NOT"
		}
		rows = append(rows, []string{u.Work, u.Proof, reason, count(u.Applied), count(u.NotApplied)})
	}
	return t.write(rows)
}

func (r *soakReport) writeResolved(s streams) error {
	t := rightAligned(s, 1, "lost answers to COMMIT, looked up by", "applied", "not applied", "unknown", "longest")
	var rows [][]string
	for _, c := range r.Resolved {
		rows = append(rows, []string{cmp.Or(c.Proof, "nothing"), count(c.Applied), count(c.NotApplied), count(c.Unknown), shortDuration(c.Longest)})
	}
	return t.write(rows)
}
