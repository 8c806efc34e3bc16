package typedesc

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestStateDescriptorsAgainstRecordings: the state's descriptor is that of a
// real server byte for byte, without and with a global.
func TestStateDescriptorsAgainstRecordings(t *testing.T) {
	t.Parallel()
	seen := map[int]int{}
	for _, c := range recordings(t, "*.json") {
		for _, m := range c.messages(t) {
			if !m.server || m.kind != 's' {
				continue
			}
			r := reader{rest: m.body}
			id, want := UUID(r.take(16)), r.value()
			var globals []Global
			if bytes.Contains(want, []byte("default::tenant")) {
				globals = []Global{Tenant}
			}
			seen[len(globals)]++
			if got, descriptor := DescribeState(globals, 2); got != id || !bytes.Equal(descriptor, want) {
				t.Errorf("%s: %s\n%swant %s\n%s", c.Name, got, dump(parseDescriptors(t, descriptor, 2)), id, dump(parseDescriptors(t, want, 2)))
			}
		}
	}
	if seen[0] == 0 || seen[1] == 0 {
		t.Errorf("seen: %v", seen)
	}
}

func TestStateDescriptorOfProtocol1(t *testing.T) {
	t.Parallel()
	id, descriptor := DescribeState([]Global{Tenant}, 1)
	all := parseDescriptors(t, descriptor, 1)
	if last := all[len(all)-1]; last.id != id || len(last.names) != 4 || last.tag != tagInputShape {
		t.Errorf("%+v", last)
	}
	if two, _ := DescribeState([]Global{Tenant}, 2); two != id {
		t.Errorf("the ids differ: %s, %s", id, two)
	}
}

func TestRecordedStates(t *testing.T) {
	t.Parallel()
	wants := map[string]State{
		"select global tenant":     {Globals: map[string]any{"default::tenant": "acme"}},
		"select s::str_upper('x')": {Aliases: map[string]string{"s": "std"}},
	}
	for _, e := range exchanges(t, recordings(t, "state.json")) {
		want, ok := wants[e.text]
		if !ok {
			continue
		}
		delete(wants, e.text)
		if got, err := DecodeState([]Global{Tenant}, e.state); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", e.text, got, err)
		}
		if _, err := DecodeState(nil, e.state); (err != nil) != (want.Globals != nil) {
			t.Errorf("%s, without the global: %v", e.text, err)
		}
	}
	if len(wants) > 0 {
		t.Errorf("not seen: %v", wants)
	}
}

// sparseObject writes a sparse object of values by index.
func sparseObject(values map[byte][]byte) []byte {
	out := []byte{0, 0, 0, byte(len(values))}
	for i := range byte(20) {
		if v, ok := values[i]; ok {
			out = appendValue(append(out, 0, 0, 0, i), v)
		}
	}
	return out
}

func TestStateWithAll(t *testing.T) {
	t.Parallel()
	pair := appendValue(append(appendValue([]byte{0, 0, 0, 2, 0, 0, 0, 0}, []byte("c")), 0, 0, 0, 0), []byte("cal"))
	duration := interval{micros: 1500 * 1000}.append(nil)
	count := byte(len(configFields()))
	data := sparseObject(map[byte][]byte{
		0: []byte("default"), 1: appendArray(nil, 0, [][]byte{pair}),
		2: sparseObject(map[byte][]byte{0: []byte("NeverAllow"), 3: {0}, 4: nil, 6: appendArray(nil, 25, [][]byte{[]byte("a"), []byte("b")}),
			7: []byte("x"), count - 2: duration}),
		3: sparseObject(map[byte][]byte{0: nil, 1: {0, 7}}),
	})
	globals := []Global{{Name: "default::z", Type: std("std::int16")}, {Name: "default::a", Type: std("std::str")}}
	want := State{Module: "default", Aliases: map[string]string{"c": "cal"},
		Config: map[string]any{"allow_bare_ddl": "NeverAllow", "apply_access_policies": false, "auto_rebuild_query_cache": nil,
			"cors_allow_origins": []string{"a", "b"}, "force_database_error": "x", "query_execution_timeout": 1500 * time.Millisecond},
		Globals: map[string]any{"default::a": nil, "default::z": []byte{0, 7}}}
	if got, err := DecodeState(globals, data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for n := 1; n < len(data); n++ {
		if _, err := DecodeState(globals, data[:n]); err == nil {
			t.Errorf("the state was taken with %d of %d bytes", n, len(data))
		}
	}
	if got, err := DecodeState(globals, nil); err != nil || !reflect.DeepEqual(got, State{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestStatesThatAreNone(t *testing.T) {
	t.Parallel()
	config := func(i byte, v []byte) []byte {
		return sparseObject(map[byte][]byte{2: sparseObject(map[byte][]byte{i: v})})
	}
	cases := map[string]struct {
		data []byte
		says string
	}{
		"an element too many": {sparseObject(map[byte][]byte{4: nil}), "invalid index 4"},
		"a negative index":    {[]byte{0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0}, "invalid index -1"},
		"left over":           {[]byte{0, 0, 0, 0, 0}, "trailing data"},
		"bad UTF-8":           {sparseObject(map[byte][]byte{0: {0xff}}), "invalid UTF-8"},
		"an unknown label":    {config(0, []byte("Sometimes")), "malformed data of type cfg::AllowBareDDL"},
		"a long bool":         {config(1, []byte{0, 1}), "malformed data of type std::bool"},
		"a month":             {config(9, interval{months: 1}.append(nil)), "malformed data of type std::duration"},
		"an unknown setting":  {config(11, nil), "invalid index 11"},
		"a global":            {sparseObject(map[byte][]byte{3: sparseObject(map[byte][]byte{0: nil})}), "invalid index 0"},
		"a short tuple":       {sparseObject(map[byte][]byte{1: appendArray(nil, 0, [][]byte{{0, 0, 0, 1}})}), "tuple length mismatch: 1 vs 2"},
		"a matrix":            {sparseObject(map[byte][]byte{1: {0, 0, 0, 2}}), "unsupported array dimensions"},
	}
	for name, c := range cases {
		_, err := DecodeState(nil, c.data)
		e, is := err.(*Error)
		if !is || e.Code != CodeInputData || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeState: no bytes make it panic, and its errors have a code.
func FuzzDecodeState(f *testing.F) {
	for _, e := range exchanges(f, recordings(f, "state.json")) {
		f.Add(e.state)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, globals := range [][]Global{nil, {Tenant}} {
			s, err := DecodeState(globals, data)
			if e, is := err.(*Error); err != nil && (!is || e.Code != CodeInputData) {
				t.Fatal(err)
			}
			if len(s.Globals) > len(globals) {
				t.Fatalf("%v", s.Globals)
			}
		}
	})
}
