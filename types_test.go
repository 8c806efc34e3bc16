package duet_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
	"github.com/google/go-cmp/cmp"
)

func TestOptional(t *testing.T) {
	some, none := duet.Some(7), duet.None[int]()
	if v, ok := some.Get(); v != 7 || !ok {
		t.Errorf("Some(7).Get() is %v, %v", v, ok)
	}
	if v, ok := none.Get(); v != 0 || ok || none != (duet.Optional[int]{}) {
		t.Errorf("None.Get() is %v, %v", v, ok)
	}
	if some.Or(1) != 7 || none.Or(1) != 1 {
		t.Errorf("Or gives %d and %d", some.Or(1), none.Or(1))
	}
	none.Set(0)
	if none != duet.Some(0) {
		t.Errorf("after Set(0) it is %+v", none)
	}
	none.Unset()
	if none.Valid || some.Value == 0 {
		t.Errorf("after Unset it is %+v", none)
	}
}

func TestOptionalJSON(t *testing.T) {
	type pair struct {
		A duet.Optional[string]
		B duet.Optional[[]int] `json:"b,omitzero"`
	}
	for _, tt := range []struct {
		name string
		in   pair
		want string
	}{
		{"missing", pair{}, `{"A":null}`},
		{"empty", pair{duet.Some(""), duet.Some([]int{})}, `{"A":"","b":[]}`},
		{"present", pair{duet.Some("x\"y"), duet.Some([]int{1, 2})}, `{"A":"x\"y","b":[1,2]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.in)
			if string(got) != tt.want || err != nil {
				t.Fatalf("Marshal gives %s, %v, want %s", got, err, tt.want)
			}
			back := pair{A: duet.Some("old"), B: duet.None[[]int]()}
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.in, back); diff != "" {
				t.Errorf("it does not come back:\n%s", diff)
			}
		})
	}
	o := duet.Some(5)
	if err := json.Unmarshal([]byte(`"five"`), &o); err == nil || o.Valid {
		t.Errorf("a string in an Optional[int]: %+v, %v; want it missing, and an error", o, err)
	}
}

func TestRecord(t *testing.T) {
	r := duet.NewRecord([]string{"b", "a", "b"}, []any{1, nil, 3})
	if r.Len() != 3 || r.Name(1) != "a" || r.At(2) != 3 {
		t.Errorf("Len %d, Name(1) %q, At(2) %v", r.Len(), r.Name(1), r.At(2))
	}
	for _, i := range []int{-1, 3, 1 << 40} {
		if r.Name(i) != "" || r.At(i) != nil {
			t.Errorf("out of range, at %d, there is %q = %v", i, r.Name(i), r.At(i))
		}
	}
	if v, ok := r.Get("b"); v != 1 || !ok {
		t.Errorf("Get of a name that is there twice is %v, %v, want the first", v, ok)
	}
	if v, ok := r.Get("a"); v != nil || !ok {
		t.Errorf("Get of a NULL is %v, %v", v, ok)
	}
	if v, ok := r.Get("c"); v != nil || ok {
		t.Errorf("Get of what is not there is %v, %v", v, ok)
	}
	var names []string
	for name := range r.All() {
		names = append(names, name)
		if len(names) == 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("All begins with %v", names)
	}
	if diff := cmp.Diff(map[string]any{"a": nil, "b": 3}, r.Map()); diff != "" {
		t.Errorf("Map:\n%s", diff)
	}
	text, err := json.Marshal(r)
	if string(text) != `{"b":1,"a":null,"b":3}` || err != nil {
		t.Errorf("JSON is %s, %v", text, err)
	}
	if _, err := json.Marshal(duet.NewRecord([]string{"f"}, []any{func() {}})); err == nil {
		t.Error("a value that JSON has nothing for is no error")
	}
}

func TestRecordZeroAndUneven(t *testing.T) {
	var zero duet.Record
	text, err := json.Marshal(zero)
	if zero.Len() != 0 || zero.Name(0) != "" || len(zero.Map()) != 0 || string(text) != "{}" || err != nil {
		t.Errorf("the zero Record: %d fields, JSON %s, %v", zero.Len(), text, err)
	}
	for _, r := range []duet.Record{duet.NewRecord([]string{"a", "b"}, []any{1}), duet.NewRecord([]string{"a"}, []any{1, 2})} {
		if _, ok := r.Get("b"); r.Len() != 1 || ok || len(r.Map()) != 1 {
			t.Errorf("names and values of different lengths: %d fields", r.Len())
		}
	}
}

func TestOptionsMerge(t *testing.T) {
	policy, never := &retry.Policy{}, retry.Never()
	full := duet.Options{
		Isolation: duet.Serializable, Access: duet.ReadOnly, Deferrable: duet.On, Timeout: time.Second, Retry: policy,
		Idempotent: duet.On, ExactlyOnce: duet.On, TransactionID: duet.On, CommitGrace: time.Minute,
		Columns: duet.ColumnsLax, Globals: map[string]any{"g": 1}, ModuleAliases: map[string]string{"m": "x"},
		Settings: map[string]string{"s": "1", "t": "1"}, Name: "full",
	}
	tests := []struct {
		name             string
		under, over, got duet.Options
	}{
		{name: "nothing over all", under: full, got: full},
		{name: "all over nothing", over: full, got: full},
		{
			name: "turning off", under: full,
			over: duet.Options{Isolation: duet.IsolationDefault, Access: duet.ReadWrite, Deferrable: duet.Off, Timeout: duet.NoTimeout,
				Retry: &never, Idempotent: duet.Off, ExactlyOnce: duet.Off, TransactionID: duet.Off, CommitGrace: -1,
				Columns: duet.ColumnsStrict, Name: "other"},
			got: duet.Options{Isolation: duet.IsolationDefault, Access: duet.ReadWrite, Deferrable: duet.Off, Timeout: duet.NoTimeout,
				Retry: &never, Idempotent: duet.Off, ExactlyOnce: duet.Off, TransactionID: duet.Off, CommitGrace: -1,
				Columns: duet.ColumnsStrict, Name: "other",
				Globals: full.Globals, ModuleAliases: full.ModuleAliases, Settings: full.Settings},
		},
		{
			name:  "maps, key by key",
			under: duet.Options{Settings: map[string]string{"s": "1", "t": "1"}, Globals: map[string]any{"g": 1}},
			over:  duet.Options{Settings: map[string]string{"t": "2", "u": "2"}, Globals: map[string]any{}},
			got:   duet.Options{Settings: map[string]string{"s": "1", "t": "2", "u": "2"}, Globals: map[string]any{"g": 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.got, tt.under.Merge(tt.over)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if full.Settings["t"] != "1" || len(full.Settings) != 2 {
		t.Errorf("Merge changed a map it was given: %v", full.Settings)
	}
}

func TestNames(t *testing.T) {
	tests := map[string][2]string{
		"isolation":      {duet.RepeatableRead.String() + duet.IsolationDefault.String(), "REPEATABLE READ"},
		"access":         {duet.ReadOnly.String() + duet.AccessUnset.String(), "READ ONLY"},
		"dialect":        {duet.SQL.String() + " " + duet.EdgeQL.String() + " " + duet.Dialect(0).String(), "sql edgeql unknown"},
		"ability":        {duet.Links.String(), "links"},
		"no ability":     {duet.Ability(200).String(), "unknown ability"},
		"no kind":        {duet.Kind(200).String(), "unknown kind"},
		"a kind":         {duet.KindConfig.String(), "bad configuration"},
		"phases":         {duet.PhaseCommit.String() + duet.PhaseUnknown.String(), "committing"},
		"an odd phase":   {duet.Phase(99).String(), ""},
		"odd isolation":  {duet.Isolation(99).String(), ""},
		"first ability":  {duet.NestedTx.String(), "nested transactions"},
		"middle ability": {duet.ServerCancel.String(), "cancelling on the server"},
	}
	for name, tt := range tests {
		if tt[0] != tt[1] {
			t.Errorf("%s: %q, want %q", name, tt[0], tt[1])
		}
	}
}

func TestAbilitySet(t *testing.T) {
	s := duet.Abilities(duet.NestedTx, duet.Links)
	for a, want := range map[duet.Ability]bool{duet.NestedTx: true, duet.Links: true, duet.Streaming: false, duet.Ability(63): false, duet.Ability(64): false, duet.Ability(255): false} {
		if s.Has(a) != want || (duet.Backend{Abilities: s}).Can(a) != want {
			t.Errorf("Has(%d) is not %v", a, want)
		}
	}
	if duet.AbilitySet(0).Has(duet.NestedTx) || duet.Abilities() != 0 {
		t.Error("the zero set is not empty")
	}
}
