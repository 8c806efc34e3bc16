package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) {
	if isWorker(os.Args) {
		os.Exit(workerMain(os.Args[2]))
	}
	os.Exit(pgtest.Main(m))
}

// TestSmoke runs every driver through every workload; the run itself holds that
// they all read the same.
func TestSmoke(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			dir := t.TempDir()
			jsonFile, mdFile := filepath.Join(dir, "out.json"), filepath.Join(dir, "out.md")
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), []string{"--smoke", "--net", network, "--json", jsonFile, "--md", mdFile}, &stdout, &stderr)
			if err != nil {
				t.Log(stderr.String())
			}
			pgtest.CheckStart(t, err)
			text, err := os.ReadFile(jsonFile)
			if err != nil {
				t.Fatal(err)
			}
			checkJSON(t, text, network)
			md, err := os.ReadFile(mdFile)
			if err != nil {
				t.Fatal(err)
			}
			if stdout.String() != string(md) {
				t.Error("--md wrote something else than what was printed")
			}
			for _, w := range workloads(Scale{}) {
				if !strings.Contains(string(md), "### "+w.Name+": ") {
					t.Errorf("no table of %s in\n%s", w.Name, md)
				}
			}
		})
	}
}

func checkJSON(t *testing.T, text []byte, network string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var r Report
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if e := r.Environment; e.Network != network || e.Durability["fsync"] != "off" || len(e.Durability) != len(durabilitySettings) || e.Isolation != "read committed" || e.Server == "" || e.CPUs < 1 {
		t.Errorf("environment %+v", e)
	}
	all := workloads(r.Environment.Scale)
	if len(r.Workloads) != len(all) {
		t.Fatalf("%d workloads, want %d", len(r.Workloads), len(all))
	}
	for i, w := range r.Workloads {
		if w.Name != all[i].Name || w.Rounds != 2 || w.Rows < 1 {
			t.Errorf("workload %d: %q, %d rounds, %d rows", i, w.Name, w.Rounds, w.Rows)
		}
		want := 0
		for _, d := range allDrivers() {
			if runs(d, all[i]) {
				want++
			}
		}
		if len(w.Drivers) != want || w.Workers != all[i].workers() {
			t.Errorf("%s: %d drivers, want %d; %d workers", w.Name, len(w.Drivers), want, w.Workers)
		}
		if deposit := all[i].Shape == ShapeDeposit; deposit != (len(w.Comparisons) == len(pairs)) || deposit != (w.Isolation != "") {
			t.Errorf("%s: %d comparisons, isolation level %q", w.Name, len(w.Comparisons), w.Isolation)
		}
		for _, d := range w.Drivers {
			checkDriver(t, w, d)
		}
	}
}

func checkDriver(t *testing.T, w WorkloadReport, d DriverReport) {
	t.Helper()
	if d.Rate.Median <= 0 || d.Ratio == nil || d.P50Ratio == nil || len(d.Rates) != w.Rounds || len(d.Ratios) != w.Rounds {
		t.Fatalf("%s, %s: %+v", w.Name, d.Name, d)
	}
	if d.Rate.Min > d.Rate.Median || d.Rate.Median > d.Rate.Max || d.P50US <= 0 || d.P99US < d.P50US {
		t.Errorf("%s, %s: out of order: %+v", w.Name, d.Name, d)
	}
	if d.Name != baseDriver {
		return
	}
	if *d.Ratio != (Spread{1, 1, 1}) || *d.P50Ratio != *d.Ratio {
		t.Errorf("%s: the ratio of %s to itself: %+v", w.Name, d.Name, *d.Ratio)
	}
	// The runtime's own background work allocates now and then.
	if perOp := d.Allocs; w.Name != "stream" && w.Workers == 1 && perOp > 0.5 {
		t.Errorf("%s: %s allocates %v a %s", w.Name, d.Name, perOp, w.Unit)
	}
}

// TestGivenServer holds that a run on somebody's server leaves it as it was, and
// keeps away from a schema that it did not make.
func TestGivenServer(t *testing.T) {
	s := pgtest.Shared(t)
	dsn := s.NewDatabase(t)
	args := []string{"--smoke", "--dsn", dsn, "--only", "lookup", "--drivers", "pgx,lib/pq"}
	if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	conn, err := pgtest.Dial(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Exec(t.Context(), "create schema duet_bench; create table duet_bench.mine ()"); err != nil {
		t.Fatalf("the schema was left behind: %v", err)
	}
	err = run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("got %v, want an error about the schema", err)
	}
	if _, err := conn.Exec(t.Context(), "drop table duet_bench.mine; drop schema duet_bench"); err != nil {
		t.Errorf("the schema that was there was touched: %v", err)
	}
}

// TestIsolation: a session of another level than the one named fails the run.
func TestIsolation(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	args := []string{"--smoke", "--dsn", dsn, "--only", "select1", "--isolation", "serializable"}
	err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "isolation level") {
		t.Errorf("got %v, want an error about the isolation level", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{
		"--nonsense", "extra", "--rounds 0", "--slice -1s", "--net carrier-pigeon",
		"--net tcp --dsn host=127.0.0.1", "--drivers odbc", "--only lunch", "--only brunch*",
		"--only lookup --drivers duet-tokens", "--durable --dsn host=127.0.0.1",
		"--dsn host=127.0.0.1", // TLS where the server has it
	} {
		t.Run(args, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(args), &bytes.Buffer{}, &bytes.Buffer{})
			if !errors.As(err, new(usageError)) {
				t.Errorf("got %v, want a usage error", err)
			}
		})
	}
	if err := run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v", err)
	}
}

// fixed is a Runner that reads what it is told to.
type fixed struct {
	Runner
	digest Digest
}

func (f fixed) Verify(context.Context, int64) (Digest, error) { return f.digest, nil }

func TestVerify(t *testing.T) {
	one := digestInts(1, 2)
	for name, tt := range map[string]struct {
		digests []Digest
		ok      bool
	}{
		"equal":           {[]Digest{one, digestInts(2, 1)}, true},
		"another value":   {[]Digest{one, digestInts(1, 3)}, false},
		"a row too many":  {[]Digest{one, digestInts(1, 2, 0)}, false},
		"counted":         {[]Digest{{Rows: 2, Counted: true}, one, one}, true},
		"counted another": {[]Digest{{Rows: 3, Counted: true}, one}, false},
		"behind counted":  {[]Digest{one, {Rows: 2, Counted: true}, digestInts(1, 3)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var field []*contender
			for _, d := range tt.digests {
				field = append(field, &contender{driver: nullDriver{}, runner: fixed{digest: d}})
			}
			rows, err := verify(t.Context(), Workload{}, field, nil)
			if (err == nil) != tt.ok {
				t.Errorf("got %d rows, error %v", rows, err)
			}
		})
	}
}

// TestDigestSeesEveryField changes one field at a time.
func TestDigestSeesEveryField(t *testing.T) {
	types := []PgType{{}, {Name: "a"}, {Namespace: 1}, {Owner: 1}, {Len: 1}, {ByVal: true}, {Category: "a"},
		{IsPreferred: true}, {IsDefined: true}, {Delim: "a"}, {RelID: 1}, {Elem: 1}, {Array: 1}}
	var sums []uint64
	for _, v := range types {
		sums = append(sums, digestTypes([]PgType{v}).Sum)
	}
	epoch := time.Unix(0, 0)
	for _, e := range []Event{{Happened: epoch}, {ID: 1, Happened: epoch}, {Label: "a", Happened: epoch},
		{Value: 1, Happened: epoch}, {Happened: epoch.Add(time.Microsecond)}, {Flag: true, Happened: epoch}} {
		var d Digest
		d.addEvent(&e)
		sums = append(sums, d.Sum)
	}
	for _, a := range []Account{{}, {ID: 1}, {Name: "a"}, {Balance: 1}} {
		sums = append(sums, digestAccount(a).Sum)
	}
	slices.Sort(sums)
	if unique := slices.Compact(slices.Clone(sums)); len(unique) != len(sums) {
		t.Errorf("%d different sums of %d values", len(unique), len(sums))
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
	for v := int64(1); v > 0; v = v*3/2 + 1 {
		b := bucket(uint64(v))
		if low, high := lowest(b), lowest(b+1); uint64(v) < low || uint64(v) >= high || float64(high-low) > 1+0.01*float64(v) {
			t.Errorf("%d is in a bucket of %d to %d", v, low, high)
		}
	}
	h.add(math.MaxInt64)
	h.add(-1)
	h.reset()
	for v := range 1000 {
		h.add(time.Duration(v) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500, 0.99: 990, 1: 999} {
		want *= time.Microsecond
		if got := h.quantile(q); (got - want).Abs() > want/100 {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
}

// TestDrain feeds the null client a reply in pieces of every size, over a
// buffer that is much smaller than the reply.
func TestDrain(t *testing.T) {
	long := append([]byte("D\x00\x00\x01\x04"), bytes.Repeat([]byte("Z"), 256)...)
	whole := slices.Concat([]byte("2\x00\x00\x00\x04"), long, []byte("D\x00\x00\x00\x0aZ\x00\x00\x00\x05IC\x00\x00\x00\x06ok"))
	ready := []byte("Z\x00\x00\x00\x05I")
	for name, tt := range map[string]struct {
		reply []byte
		ok    bool
	}{
		"rows":           {slices.Concat(whole, ready), true},
		"an error":       {slices.Concat(whole, []byte("E\x00\x00\x00\x05\x00"), ready), false},
		"a short length": {slices.Concat(whole, []byte("D\x00\x00\x00\x03"), ready), false},
		"an early end":   {whole, false},
		"a cut ready":    {slices.Concat(whole, ready[:5]), false},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(tt.reply); size++ {
				for _, buffer := range []int{8, 64, 1024} {
					client, server := net.Pipe()
					go func() {
						for part := range slices.Chunk(tt.reply, size) {
							if _, err := server.Write(part); err != nil {
								return
							}
						}
						server.Close()
					}()
					c := nullClient{conn: client, buf: make([]byte, buffer)}
					err := c.drain()
					client.Close()
					if (err == nil) != tt.ok {
						t.Fatalf("pieces of %d, buffer of %d: got %v", size, buffer, err)
					}
				}
			}
		})
	}
}
