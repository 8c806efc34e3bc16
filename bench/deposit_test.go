package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5"
)

// keeper opens the books of a workload on a database of their own.
func keeper(t *testing.T) (*books, *pgx.Conn) {
	t.Helper()
	dsn := pgtest.Shared(t).NewDatabase(t)
	s, err := openServer(t.Context(), options{dsn: dsn, scale: Scale{Accounts: 1, Events: 1}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(deposits(), func(w Workload) bool { return w.Name == "tx_serializable" })
	b, err := openBooks(t.Context(), s.target, deposits()[i])
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return b, conn
}

func TestBooksWitness(t *testing.T) {
	const (
		begin   = "begin isolation level serializable"
		deposit = "update duet_bench.purse set balance = balance + 1 where id = 1"
	)
	b, conn := keeper(t)
	for name, tt := range map[string]struct {
		statements []string
		want       string // in the error; empty for none
	}{
		"as it should be":     {[]string{begin, deposit, "commit", begin, deposit, "commit"}, ""},
		"another level":       {[]string{begin, deposit, "commit", "begin", deposit, "commit"}, "ran under read committed"},
		"no transaction":      {[]string{begin, deposit, "commit", "set default_transaction_isolation = serializable", deposit, "reset all"}, "transaction block: false"},
		"one transaction":     {[]string{begin, deposit, deposit, "commit"}, "in 1 transactions"},
		"rolled back":         {[]string{begin, deposit, "commit", begin, deposit, "rollback"}, "saw 1 deposits"},
		"nothing was written": {nil, "saw 0 deposits"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range tt.statements {
				if _, err := conn.Exec(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			err := b.witnessed(t.Context())
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := b.close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBooksBalance(t *testing.T) {
	b, conn := keeper(t)
	if err := b.seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	duet, tokens := duetDrivers()[0], duetDrivers()[2]
	const deposit, token = "update duet_bench.purse set balance = balance + 1 where id <= 2;", "insert into duet.commit_token values (gen_random_uuid());"
	for _, tt := range []struct {
		driver Driver
		script string
		ops    int64
		want   string
	}{
		{duet, "", 0, ""}, {duet, deposit, 2, ""}, {duet, deposit, 1, "the purses 2"}, {duet, "", 1, "the purses 0"},
		{tokens, deposit + token + token, 2, ""}, {tokens, deposit + token, 2, "left 1 tokens"},
	} {
		if _, err := conn.Exec(t.Context(), tt.script, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		err := b.balanced(t.Context(), tt.driver, tt.ops)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %d after %q: got %v, want %q", tt.driver.Name(), tt.ops, tt.script, err, tt.want)
		}
	}
	if err := b.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left bool
	if err := conn.QueryRow(t.Context(), "select to_regnamespace('duet') is not null").Scan(&left); err != nil || left {
		t.Errorf("the table of tokens was left behind: %v, %v", left, err)
	}
}

// TestBooksLeaveTokens holds that tokens which were there before stay.
func TestBooksLeaveTokens(t *testing.T) {
	b, conn := keeper(t)
	again, err := openBooks(t.Context(), Target{DSN: conn.Config().ConnString()}, Workload{})
	if again != nil || err != nil {
		t.Fatalf("a workload without deposits has books: %v, %v", again, err)
	}
	second := &books{conn: conn}
	if err := second.makeTokens(t.Context()); err != nil || second.undo != "" {
		t.Errorf("got %v; would undo %q, want nothing", err, second.undo)
	}
	if err := b.close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCompare(t *testing.T) {
	driver := func(name string, took ...time.Duration) *contender {
		c := &contender{driver: duetDriver{name: name}}
		for _, d := range took {
			c.samples = append(c.samples, Sample{Ops: 10, Elapsed: 10 * d, P50: 2 * d})
		}
		return c
	}
	field := []*contender{driver("duet", 100, 90, 130), driver("duet-tokens", 110, 110, 110), driver("pgx", 100, 100, 100)}
	got := compare(Workload{Shape: ShapeDeposit}, field)
	want := []Comparison{
		{Driver: "duet", To: "pgx", Time: Spread{1, 0.9, 1.3}, AtMost: 1, Faster: 1, Within: 2},
		{Driver: "duet-tokens", To: "pgx", Time: Spread{1.1, 1.1, 1.1}},
		{Driver: "duet-tokens", To: "duet", Time: Spread{1.1, 110. / 130, 110. / 90}, AtMost: 1.15, Faster: 1, Within: 2},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d comparisons, want %d: %+v", len(got), len(want), got)
	}
	for i := range got {
		near := func(a, b Spread) bool {
			const much = 1e-9
			return abs(a.Median-b.Median) < much && abs(a.Min-b.Min) < much && abs(a.Max-b.Max) < much
		}
		bounds := Spread{got[i].Time.Median, got[i].Low, got[i].High}
		if !near(got[i].Time, want[i].Time) || !near(got[i].P50, want[i].Time) || !near(bounds, want[i].Time) {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
		want[i].Time, want[i].P50, want[i].Low, want[i].High = got[i].Time, got[i].P50, got[i].Low, got[i].High
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if got := compare(Workload{}, field); got != nil {
		t.Errorf("a workload without transactions: %+v", got)
	}
}

// TestMedianBounds compares with the ranks of the sign test's tables.
func TestMedianBounds(t *testing.T) {
	for n, ranks := range map[int][2]int{1: {1, 1}, 5: {1, 5}, 6: {1, 6}, 8: {1, 8}, 9: {2, 8}, 10: {2, 9}, 20: {6, 15}, 40: {14, 27}, 100: {40, 61}} {
		var values []float64
		for i := range n {
			values = append(values, float64(n-i))
		}
		if low, high := medianBounds(values); low != float64(ranks[0]) || high != float64(ranks[1]) {
			t.Errorf("of %d: the ranks %v and %v, want %v", n, low, high, ranks)
		}
	}
	if low, high := medianBounds(nil); low != 0 || high != 0 {
		t.Errorf("of none: %v, %v", low, high)
	}
}

func abs(v float64) float64 { return max(v, -v) }

// TestKeysOfWorkers holds that no two workers share a key, or a page: one of the
// index has less than 500 keys.
func TestKeysOfWorkers(t *testing.T) {
	for _, w := range deposits() {
		next := int64(1)
		for worker := range w.workers() {
			first, span := w.keysOf(worker)
			if first < next || span < 2 {
				t.Errorf("%s: worker %d has %d keys from %d on, want them from %d on", w.Name, worker, span, first, next)
			}
			next = first + span + 500
		}
		if next-500-1 > purses {
			t.Errorf("%s: the last key is %d", w.Name, next-500-1)
		}
	}
}

// TestDurable holds that --durable is what the server that is started runs with.
func TestDurable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.json")
	args := []string{"--smoke", "--durable", "--only", "tx_read_*ed", "--drivers", "pgx", "--json", file}
	var stdout bytes.Buffer
	pgtest.CheckStart(t, run(t.Context(), args, &stdout, &bytes.Buffer{}))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Workloads) != 1 || r.Workloads[0].Name != "tx_read_committed" {
		t.Errorf("the pattern chose %+v", r.Workloads)
	}
	for _, name := range durabilitySettings {
		if r.Environment.Durability[name] != "on" {
			t.Errorf("%s is %q", name, r.Environment.Durability[name])
		}
	}
	if want := "Commits: fsync on, full_page_writes on, synchronous_commit on."; !strings.Contains(stdout.String(), want) {
		t.Errorf("no %q in\n%s", want, stdout.String())
	}
}
