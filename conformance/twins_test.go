package conformance_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// twin is a statement as a wrong server would answer it: another declared
// result, other SQL, or both.
type twin struct {
	name, result, sql string
	fails             []string // scenarios that must find it
	passes            []string // scenarios that cannot
}

func wrongTwins() map[string]twin {
	return map[string]twin{
		"a wrong type": {"echo_int64", "one str", `SELECT $1::int8::text AS "?column?"`, []string{"values/int64", "concurrency/mixed"}, []string{"values/int32"}},
		"a missing column": {"two_columns", "one {n: int64}", "SELECT 1::int8 AS n",
			[]string{"structs/tags", "records/map", "records/record", "streaming/columns"}, nil},
		"a column too many": {"two_columns", "one {n: int64, s: str, x: str}", "SELECT 1::int8 AS n, 'x'::text AS s, 'y'::text AS x",
			[]string{"structs/tags", "records/map", "streaming/columns"}, nil},
		"an optional declared required": {"missing_value", "one {n: int64, s: str}", "SELECT 1::int8 AS n, ''::text AS s",
			[]string{"values/missing-into-plain", "structs/reset-fields", "json/missing"}, nil},
		"more rows than declared": {"all_names", "optional {name: str}", "", []string{"cardinality/more"}, []string{"cardinality/none"}},
		"another cardinality":     {"balance", "many int64", "", []string{"transactions/commit", "cardinality/none"}, nil},
		"a wrong value": {"bools", "", `SELECT column1 AS "?column?" FROM (VALUES (true), (true)) v`,
			[]string{"values/constants", "json/scalars"}, []string{"values/bool"}},
		"swapped fields": {"aggregate", "", "SELECT coalesce(sum(balance), 0)::int8 AS n, count(*) AS total, max(balance) AS top FROM duet_conformance.account",
			[]string{"large/insert"}, nil},
		"a lost row": {"objects", "", "SELECT i, i::text AS s FROM generate_series(0::int8, $1::int8 - 2) i",
			[]string{"streaming/rows", "structs/reset-slice", "json/objects"}, nil},
		"a constraint of another kind": {"check_violation", "", "INSERT INTO duet_conformance.account (name, balance) VALUES ('ada', 1)",
			[]string{"errors/check", "concurrency/errors"}, []string{"errors/unique"}},
		"another order": {"accounts", "", "SELECT name, balance FROM duet_conformance.account ORDER BY name DESC",
			[]string{"json/objects", "arguments/positional"}, nil},
		"JSON that is not what the binary form is": {"datetime", "one local_datetime", `SELECT '2026-11-21T10:20:30.456789'::timestamp AS "?column?"`,
			[]string{"json/times"}, []string{"times/datetime"}},
		"a write that does nothing": {"set_balance", "", "UPDATE duet_conformance.account SET balance = $2 WHERE name = $1 AND false",
			[]string{"arguments/positional", "isolation/own-writes"}, nil},
	}
}

// TestWrongTwins holds that the suite finds what is wrong with an EdgeDB, though
// the adapter is right: each fault of the catalogue that the server has makes
// scenarios fail.
func TestWrongTwins(t *testing.T) {
	for what, tw := range wrongTwins() {
		t.Run(what, func(t *testing.T) {
			report := conformance.RunAll(t.Context(), twinTarget(t, tw), conformance.RunOptions{Filter: strings.Join(append(tw.fails, tw.passes...), ",")})
			seen := map[string]conformance.Status{}
			for _, r := range report.Scenarios {
				seen[r.ID] = r.Status
			}
			var text strings.Builder
			_, _ = report.WriteTo(&text)
			t.Log(text.String())
			for _, id := range tw.fails {
				if seen[id] != conformance.Failed {
					t.Errorf("%s is %q, want it to fail", id, seen[id])
				}
			}
			for _, id := range tw.passes {
				if seen[id] != conformance.Passed {
					t.Errorf("%s is %q, want it to pass", id, seen[id])
				}
			}
		})
	}
}

// twinTarget is a server of its own that has the wrong twin.
func twinTarget(t *testing.T, tw twin) conformance.Target {
	t.Helper()
	st := queries.Get(tw.name)
	if tw.result != "" {
		var err error
		if st, err = st.WithResult(tw.result); err != nil {
			t.Fatal(err)
		}
	}
	if tw.sql != "" {
		st = st.WithText(duet.SQL, tw.sql)
	}
	server := startDouble(t, edgedbtest.Config{Statements: []*queries.Statement{st}})
	return edgedbTarget(t, server.DSN())
}

// The scenarios that find the wrong twins pass with the right ones.
func TestRightTwins(t *testing.T) {
	var ids []string
	for _, tw := range wrongTwins() {
		ids = append(append(ids, tw.fails...), tw.passes...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	target := edgedbTarget(t, edgedbtest.Shared(t).NewBranch(t))
	wantPassed(t, conformance.RunAll(t.Context(), target, conformance.RunOptions{Filter: strings.Join(ids, ",")}), len(ids))
}

// startDouble starts a server of the test's own that speaks EdgeDB's protocol.
func startDouble(t *testing.T, cfg edgedbtest.Config) *edgedbtest.Server {
	t.Helper()
	cfg.Postgres = pgtest.Shared(t)
	server, err := edgedbtest.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// wantPassed holds that nothing failed, and that enough passed.
func wantPassed(t *testing.T, report conformance.Report, least int) {
	t.Helper()
	if report.Failed > 0 || report.Passed < least {
		var text strings.Builder
		_, _ = report.WriteTo(&text)
		t.Errorf("%d passed, want at least %d, and none to fail\n%s", report.Passed, least, text.String())
	}
}
