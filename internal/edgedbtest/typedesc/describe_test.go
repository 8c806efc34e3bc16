package typedesc

import (
	"bytes"
	"slices"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// statementsByText gives the catalogue by EdgeQL text.
func statementsByText() map[string]*queries.Statement {
	all := map[string]*queries.Statement{}
	for _, name := range queries.Names() {
		st := queries.Get(name)
		if text := st.Text(duet.EdgeQL); text != "" {
			all[text] = st
		}
	}
	return all
}

// fails are the proven statements that a real server refuses before it
// describes them, or whose description was not recorded.
var fails = []string{"all_names", "missing_required", "mixed_args", "syntax_error", "two_of_them", "tx_command", "unknown_property", "unknown_type"}

// TestCatalogueAgainstRecordings describes each statement that a real server
// described, and compares all but the ids of the user's own types.
func TestCatalogueAgainstRecordings(t *testing.T) {
	t.Parallel()
	all := statementsByText()
	seen := map[string]bool{}
	for _, e := range exchanges(t, recordings(t, "*.json")) {
		st := all[e.text]
		if st == nil || st.Unproven != "" {
			continue
		}
		seen[st.Name] = true
		got := Describe(st, OutputFormat(e.format), 2)
		compareInput(t, e, got)
		if st.Cardinality == queries.None && e.format != 'n' {
			continue // the SQL twin has no result: no Description could be kept
		}
		compareOutput(t, e, got)
	}
	for _, name := range queries.Names() {
		st := queries.Get(name)
		if st.Text(duet.EdgeQL) == "" || st.Unproven != "" {
			continue
		}
		if seen[name] == slices.Contains(fails, name) {
			t.Errorf("%s: a description was recorded: %t", name, seen[name])
		}
	}
}

func compareInput(t *testing.T, e exchange, got Description) {
	t.Helper()
	if got.InputID != e.InputID || !bytes.Equal(got.Input, e.Input) {
		t.Errorf("%s: %s\ninput %s, want %s\n%swant\n%s", e.source, e.text, got.InputID, e.InputID,
			dump(parseDescriptors(t, got.Input, 2)), dump(parseDescriptors(t, e.Input, 2)))
	}
}

func compareOutput(t *testing.T, e exchange, got Description) {
	t.Helper()
	have, want := parseDescriptors(t, got.Output, 2), parseDescriptors(t, e.Output, 2)
	if dump(have) != dump(want) {
		t.Errorf("%s: %s\noutput\n%swant\n%s", e.source, e.text, dump(have), dump(want))
	}
	if got.Cardinality != e.Cardinality {
		t.Errorf("%s: %s: cardinality %c, want %c", e.source, e.text, got.Cardinality, e.Cardinality)
	}
	if len(want) > 0 && (e.OutputID != want[len(want)-1].id || got.OutputID != have[len(have)-1].id) {
		t.Errorf("%s: the output's id is not that of its last descriptor", e.source)
	}
	if len(want) == 0 && got.OutputID != (UUID{}) {
		t.Errorf("%s: an id without a descriptor", e.source)
	}
}

// TestDescriptorsAgainstRecordings makes each type that a real server
// described, from its description, and describes it again.
func TestDescriptorsAgainstRecordings(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]int{}
	for _, e := range exchanges(t, recordings(t, "*.json")) {
		if len(e.Output) == 0 {
			continue
		}
		want := parseDescriptors(t, e.Output, 2)
		made := typeOf(t, want)
		kinds[made.Kind]++
		b := newBuilder(2)
		b.describe(made)
		if got := parseDescriptors(t, b.out, 2); dump(got) != dump(want) {
			t.Errorf("%s: %s\n%swant\n%s", e.source, e.text, dump(got), dump(want))
		}
	}
	for kind := Scalar; kind <= Object; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("no type of kind %d was recorded", kind)
		}
	}
}

// TestDescribesAllOfTheCatalogue parses what is described of every statement,
// for both protocols and all formats.
func TestDescribesAllOfTheCatalogue(t *testing.T) {
	t.Parallel()
	for _, name := range queries.Names() {
		st := queries.Get(name)
		for _, major := range []int{1, 2} {
			for _, format := range []OutputFormat{Binary, JSON, JSONElements, NoOutput} {
				d := Describe(st, format, major)
				in, out := parseDescriptors(t, d.Input, major), parseDescriptors(t, d.Output, major)
				if (len(in) > 0) != (len(st.Args) > 0) || len(in) > 0 && in[len(in)-1].id != d.InputID {
					t.Errorf("%s: %d descriptors of arguments", name, len(in))
				}
				if len(in) > 0 && len(in[len(in)-1].refs) != len(st.Args) {
					t.Errorf("%s: %d arguments", name, len(in[len(in)-1].refs))
				}
				silent := st.Cardinality == queries.None || format == NoOutput
				if silent != (len(out) == 0) || silent != (d.Cardinality == NoResult) || silent != (d.OutputID == UUID{}) {
					t.Errorf("%s, format %c: %d descriptors, cardinality %c", name, format, len(out), d.Cardinality)
				}
				if !silent && out[len(out)-1].id != d.OutputID {
					t.Errorf("%s: the id is not that of the last descriptor", name)
				}
			}
		}
	}
}

// TestProtocolsDiffer pins protocol 1 down, of which nothing was recorded: the
// ids are the same, base scalars have no name and shapes no owner.
func TestProtocolsDiffer(t *testing.T) {
	t.Parallel()
	one := Describe(queries.Get("account"), Binary, 1)
	all := parseDescriptors(t, one.Output, 1)
	if all[0].tag != 2 || all[0].id.String() != "00000000-0000-0000-0000-000000000100" || all[0].name != "" {
		t.Errorf("the first descriptor is %+v", all[0])
	}
	last := all[len(all)-1]
	if want := []string{"id", "name", "balance", "note", "color", "tags"}; last.tag != 1 || !slices.Equal(last.names, want) {
		t.Errorf("the last descriptor is %+v", last)
	}
	for _, p := range all {
		if p.tag == 10 {
			t.Error("protocol 1 has no object types")
		}
	}
	if two := Describe(queries.Get("account"), Binary, 2); two.OutputID != one.OutputID || bytes.Equal(two.Output, one.Output) {
		t.Error("the protocols must have the ids in common and not the bytes")
	}
}

func TestEdgeQLDialect(t *testing.T) {
	t.Parallel()
	if duet.Dialect(edgeQL) != duet.EdgeQL {
		t.Errorf("duet.EdgeQL is %d", duet.EdgeQL)
	}
}

// TestWhoseObjects says whose objects the shapes of the suite are of: the
// recordings have most of these texts as JSON only, where the type is not seen.
func TestWhoseObjects(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"account": "default::Account", "insert_returning": "default::Account",
		"update_returning": "default::Account", "delete_returning": "default::Account", "transfers": "default::Transfer",
		"aggregate": "", "objects": "", "two_columns": "", "sent": "default::Account"} {
		if got := ResultType(queries.Get(name)); got.Kind != Object || got.Name != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, want := range map[string]string{"transfers": "default::Account", "sent": "default::Transfer"} {
		for _, f := range ResultType(queries.Get(name)).Fields {
			if f.Type.Kind == Object && (f.Type.Name != want || !f.Link) {
				t.Errorf("%s.%s: %+v", name, f.Name, f)
			}
		}
	}
}
