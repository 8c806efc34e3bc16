package edgedbtest

import (
	"slices"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/conformance/queries"
)

func TestSplitSQL(t *testing.T) {
	tests := map[string][]string{
		"":                              nil,
		" ; ;":                          nil,
		"SELECT 1":                      {"SELECT 1"},
		"SELECT 1; SELECT ';' ; ":       {"SELECT 1", "SELECT ';'"},
		"SELECT 'a''b;'; SELECT \";\"":  {"SELECT 'a''b;'", `SELECT ";"`},
		"SELECT 1 -- ;\n; SELECT 2 --;": {"SELECT 1 -- ;", "SELECT 2 --;"},
	}
	for text, want := range tests {
		if got := splitSQL(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNumberParameters(t *testing.T) {
	names := []string{"a", "b", "ab"}
	tests := []struct {
		text, want string
		used       []int
	}{
		{"SELECT $a::text -- $b\n || '$b' AS x", "SELECT $1::text -- $b\n || '$b' AS x", []int{0}},
		{"$b+$ab+$b+$c+$", "$1+$2+$1+$c+$", []int{1, 2}},
		{"nothing", "nothing", nil},
	}
	for _, tt := range tests {
		if got, used := numberParameters(tt.text, names); got != tt.want || !slices.Equal(used, tt.used) {
			t.Errorf("%q: %q, %v; want %q, %v", tt.text, got, used, tt.want, tt.used)
		}
	}
}

// The capabilities and statuses of texts that no recording shows.
func TestCapabilities(t *testing.T) {
	tests := []struct {
		text, status string
		caps         uint64
	}{
		{"select 'delete Account'", "SELECT", 0},
		{"select 1 # delete", "SELECT", 0},
		{"with a := (delete Account) select a", "SELECT", capModifications},
		{"drop type Account", "DROP TYPE", capDDL},
		{"drop scalar type Color", "DROP SCALAR TYPE", capDDL},
		{"drop global default::tenant", "DROP GLOBAL", capDDL},
		{"select 1; drop type Account; delete Account;", "DELETE", capDDL | capModifications},
		{"create type A { create property update: str; drop x }", "CREATE TYPE", capDDL},
		{"for x in {1} union (insert A)", "SELECT", capModifications},
	}
	for _, tt := range tests {
		ws := words(tt.text)
		if caps, status := capabilities(ws), statusOf(ws); caps != tt.caps && tt.caps != capDDL|capModifications || status != tt.status {
			t.Errorf("%q: capabilities %b, status %q; want %b, %q", tt.text, caps, status, tt.caps, tt.status)
		}
	}
}

func TestDurationText(t *testing.T) {
	tests := map[time.Duration]string{
		0: "PT0S", time.Microsecond: "PT0.000001S", time.Millisecond: "PT0.001S", 100 * time.Millisecond: "PT0.1S",
		time.Second: "PT1S", 1500 * time.Millisecond: "PT1.5S",
		time.Minute: "PT1M", time.Hour: "PT1H", time.Hour + time.Second: "PT1H1S",
		25*time.Hour + 3*time.Minute + 4*time.Microsecond: "PT25H3M0.000004S",
		10 * time.Minute: "PT10M", 20*time.Hour + 10*time.Minute + 30*time.Second: "PT20H10M30S",
	}
	for d, want := range tests {
		if got := durationText(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// PostgreSQL's errors as EdgeDB gives them, where no statement of a test gets
// them.
func TestFromPostgres(t *testing.T) {
	tests := []struct {
		sql  wire.ServerError
		code uint32
		text string
	}{
		{wire.ServerError{Code: "40P01", Message: "deadlock detected"}, codeDeadlock, "deadlock detected"},
		{
			wire.ServerError{Code: "23502", Table: "account", Column: "balance"}, codeMissingRequired,
			"missing value for required property 'balance' of object type 'default::Account'",
		},
		{
			wire.ServerError{Code: "23503", Table: "claim", Constraint: "claim_account_fkey",
				Message: `insert or update on table "claim" violates foreign key constraint "claim_account_fkey"`},
			codeMissingRequired, "missing value for required link 'account' of object type 'default::Claim'"},
		{wire.ServerError{Code: "22003", Message: "smallint out of range"}, codeNumericOutOfRange, "std::int16 out of range"},
		{
			wire.ServerError{Code: "22P02", Message: `invalid input syntax for type bigint: "bigint"`}, codeInvalidValue,
			`invalid input syntax for type std::int64: "bigint"`,
		},
		{
			wire.ServerError{Code: "25006", Message: "cannot execute INSERT in a read-only transaction"}, codeTransaction,
			"cannot execute SELECT in a read-only transaction",
		},
		{
			wire.ServerError{Code: "25006", Message: "cannot execute CREATE TABLE in a read-only transaction"}, codeTransaction,
			"cannot execute CREATE TABLE in a read-only transaction",
		},
		{
			wire.ServerError{Code: "42P01", Message: `relation "duet_conformance.account" does not exist`}, codeInvalidReference,
			"object type 'default::Account' does not exist",
		},
		{
			wire.ServerError{Code: "42P07", Message: `relation "account" already exists`}, codeSchema,
			"object type 'default::Account' already exists",
		},
		{wire.ServerError{Code: "2BP01", Message: "cannot drop table duet_conformance.account because other objects depend on it"}, codeSchema,
			"cannot drop object type 'default::Account' because other objects in the schema depend on it"},
		{wire.ServerError{Code: "22099", Message: "x"}, codeInvalidValue, "x"},
		{wire.ServerError{Code: "99999", Message: "x"}, codeInternal, "x"},
		{wire.ServerError{Message: "x"}, codeInternal, "x"},
	}
	for _, tt := range tests {
		if got := fromPostgres(&tt.sql); got.Code != tt.code || got.Message != tt.text {
			t.Errorf("%s: %v, want 0x%08X: %s", tt.sql.Code, got, tt.code, tt.text)
		}
	}
}

// A place counts characters, lines and UTF-16 units, as EdgeDB does.
func TestPlace(t *testing.T) {
	const text = "select 'grüße' ++\n\t'𝄞' ) x"
	tests := map[int]place{
		0: {0, 1, 1, 0}, 10: {10, 1, 11, 10}, 12: {11, 1, 12, 11}, 20: {18, 2, 1, 0}, 28: {23, 2, 6, 6},
	}
	for at, want := range tests {
		if got := placeOf(text, at); got != want {
			t.Errorf("byte %d: %+v, want %+v", at, got, want)
		}
	}
}

// Every EdgeQL text has a plan, and every change of data that the catalogue
// declares to have no result can give ids.
func TestPlans(t *testing.T) {
	c, err := newCatalog(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range queries.Names() {
		st := queries.Get(name)
		p := c.plans[st.Text(duet.EdgeQL)]
		switch {
		case st.Text(duet.EdgeQL) == "" || name == "tx_command":
		case p == nil:
			t.Errorf("%s has no plan", name)
		case p.caps == capModifications && p.out == nil && p.refuse == nil && name != "failing_script":
			t.Errorf("%s has no ids", name)
		case p.single == 0 || p.status == "":
			t.Errorf("%s has no cardinality or status: %+v", name, p)
		case p.caps&capDDL != 0 && p.returning != nil:
			t.Errorf("%s would give ids", name)
		}
	}
}
