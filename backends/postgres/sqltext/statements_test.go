package sqltext_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/backends/postgres/sqltext"
)

func ExampleStatements() {
	script := "BEGIN; INSERT INTO t VALUES ('a;b'); -- one; row\nCOMMIT;"
	for _, st := range sqltext.Statements(script, true) {
		fmt.Printf("%v: %s\n", st.Kind, script[st.Start:st.End])
	}
	// Output:
	// TransactionControl: BEGIN
	// Insert: INSERT INTO t VALUES ('a;b')
	// TransactionControl: COMMIT
}

// routineBody is a function with all that could end its body too early.
const routineBody = `CREATE OR REPLACE FUNCTION f(a int DEFAULT (CASE WHEN true THEN 1 END)) RETURNS int LANGUAGE sql
BEGIN ATOMIC
  SELECT CASE a WHEN 1 THEN CASE WHEN true THEN 2 END ELSE 3 END;
  SELECT (CASE WHEN a = 1 THEN 2 END) AS end;
  SELECT x.end FROM (SELECT 1 AS end) x;
  SELECT 1 /* END; */ -- END;
  ;
  SELECT 'END;';
END`

var statementCases = []struct {
	name string
	text string
	want []string
}{
	{"nothing", "", nil},
	{"semicolons and comments", " ;; -- ;\n /* ; */ ;", nil},
	{"one", "SELECT 1", []string{"SELECT 1"}},
	{"one with a semicolon", " SELECT 1 ; ", []string{"SELECT 1"}},
	{"two", "SELECT 1;SELECT 2", []string{"SELECT 1", "SELECT 2"}},
	{"quoted", "SELECT ';', \";\", $$;$$, E'\\';', U&';' FROM a$;b", []string{"SELECT ';', \";\", $$;$$, E'\\';', U&';' FROM a$", "b"}},
	{"rule", "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3", []string{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"}},
	{"too many closings", "SELECT 1); SELECT (2", []string{"SELECT 1)", "SELECT (2"}},
	{"routine body", routineBody + "; SELECT 1", []string{routineBody, "SELECT 1"}},
	{"procedure body", "create procedure p() begin atomic; end; select 1", []string{"create procedure p() begin atomic; end", "select 1"}},
	{"routine without body", "CREATE FUNCTION f() RETURNS int AS 'begin; end' LANGUAGE plpgsql; BEGIN; END", []string{"CREATE FUNCTION f() RETURNS int AS 'begin; end' LANGUAGE plpgsql", "BEGIN", "END"}},
	{"no routine", "BEGIN; ATOMIC; CREATE TABLE begin (atomic int); END", []string{"BEGIN", "ATOMIC", "CREATE TABLE begin (atomic int)", "END"}},
	{"body without end", "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT 2", []string{"CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT 2"}},
}

func TestStatements(t *testing.T) {
	for _, tc := range statementCases {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, st := range sqltext.Statements(tc.text, true) {
				got = append(got, tc.text[st.Start:st.End])
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if n := sqltext.Count(tc.text, true, 2); n != min(len(tc.want), 2) {
				t.Errorf("Count up to 2 is %d of %d", n, len(tc.want))
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	for text, want := range map[string]sqltext.Kind{
		"":                                    sqltext.Empty,
		" ; -- x":                             sqltext.Empty,
		"select 1":                            sqltext.Select,
		"/* x */ -- y\n ; ((SELECT 1))":       sqltext.Select,
		"TABLE t":                             sqltext.Select,
		"(VALUES (1))":                        sqltext.Values,
		"VALUES(1)":                           sqltext.Values,
		"InSeRt INTO t VALUES (1)":            sqltext.Insert,
		"UPDATE t SET a = 1":                  sqltext.Update,
		"DELETE FROM t":                       sqltext.Delete,
		"MERGE INTO t":                        sqltext.Merge,
		"(WITH x AS (DELETE FROM t) TABLE x)": sqltext.With,
		"BEGIN":                               sqltext.TransactionControl,
		"START TRANSACTION":                   sqltext.TransactionControl,
		"COMMIT PREPARED 'x'":                 sqltext.TransactionControl,
		"END;":                                sqltext.TransactionControl,
		"rollback to s":                       sqltext.TransactionControl,
		"ABORT":                               sqltext.TransactionControl,
		"SAVEPOINT s":                         sqltext.TransactionControl,
		"RELEASE s":                           sqltext.TransactionControl,
		"PREPARE /* x */ TRANSACTION 'x'":     sqltext.TransactionControl,
		"PREPARE x AS SELECT 1":               sqltext.Utility,
		"PREPARE":                             sqltext.Utility,
		`PREPARE "transaction" (int) AS SELECT 1`: sqltext.Utility,
		"COPY t TO STDOUT":                        sqltext.Copy,
		"LISTEN x":                                sqltext.Listen,
		"UNLISTEN *":                              sqltext.Listen,
		"NOTIFY x":                                sqltext.Utility,
		"SET x = 1":                               sqltext.Set,
		"RESET ALL":                               sqltext.Set,
		"SET TRANSACTION READ ONLY":               sqltext.Set,
		"EXPLAIN SELECT 1":                        sqltext.Utility,
		"CALL p()":                                sqltext.Utility,
		`"select"`:                                sqltext.Utility,
		"select$1":                                sqltext.Utility,
		"'select'":                                sqltext.Utility,
		"sélect":                                  sqltext.Utility,
		"savepointsavepointsavepoint":             sqltext.Utility,
		"*":                                       sqltext.Utility,
		"SELECT'a'":                               sqltext.Select,
	} {
		if got := sqltext.KindOf(text, true); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	if sqltext.Utility.String() != "Utility" || sqltext.Kind(200).String() != "Kind(?)" {
		t.Error("names of kinds")
	}
}

func ExampleKindOf() {
	fmt.Println(sqltext.KindOf("/* all of them */ (SELECT 1) UNION (SELECT 2)", true))
	fmt.Println(sqltext.KindOf("COMMIT PREPARED 'x'", true))
	// Output:
	// Select
	// TransactionControl
}
