package typedesc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/duetdb/duet/conformance/queries"
)

// TestRecordedArguments decodes all arguments that a real server took, by what
// it said it wants.
func TestRecordedArguments(t *testing.T) {
	t.Parallel()
	decoded := 0
	for _, e := range exchanges(t, recordings(t, "*.json")) {
		if e.args == nil {
			continue
		}
		var params []Field
		if len(e.Input) > 0 {
			params = typeOf(t, parseDescriptors(t, e.Input, 2)).Fields
		}
		args, err := DecodeArgs(params, e.args)
		if err != nil || len(args) != len(params) {
			t.Errorf("%s: %d arguments, %v", e.source, len(args), err)
		}
		if len(params) > 0 {
			decoded++
		}
		for i, a := range args {
			if a.OID == 0 || (a.Value == nil) && params[i].Cardinality != AtMostOne {
				t.Errorf("%s: argument %s is %+v", e.source, params[i].Name, a)
			}
		}
	}
	if decoded < 40 {
		t.Errorf("only %d were decoded", decoded)
	}
}

// TestRecordedArgumentValues says what becomes of the arguments of the case
// with the most kinds of them, and of an optional one.
func TestRecordedArgumentValues(t *testing.T) {
	t.Parallel()
	wants := map[string][]Arg{
		"cookbook.json: types of arguments": {
			{16, []byte{1}}, {21, []byte{0, 1}}, {23, []byte{0, 0, 0, 2}}, {700, unhex(t, "3fc00000")}, {701, unhex(t, "4004000000000000")},
			{3802, []byte("\x01{\"a\": 1}")}, {1082, unhex(t, "0000265d")}, {1186, unhex(t, "000000000016e3600000000000000000")},
			{1700, unhex(t, "0001000000000000007b")}, {1009, unhex(t, "00000001000000000000001900000001000000010000000161")},
		},
		"cookbook.json: set note":             {{25, []byte("ada")}, {25, nil}},
		"cookbook.json: echo uuid":            {{2950, unhex(t, "01020300000000000000000000000000")}},
		"cookbook.json: echo datetime":        {{1184, unhex(t, "000303c57a998fd5")}},
		"cookbook.json: empty array argument": {{1016, unhex(t, "0000000100000000000000140000000000000001")}},
	}
	for _, e := range exchanges(t, recordings(t, "cookbook.json")) {
		want, ok := wants[e.source]
		if !ok {
			continue
		}
		delete(wants, e.source)
		got, err := DecodeArgs(typeOf(t, parseDescriptors(t, e.Input, 2)).Fields, e.args)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v", e.source, err)
		}
		for i := range want {
			if got[i].OID != want[i].OID || !bytes.Equal(got[i].Value, want[i].Value) || (got[i].Value == nil) != (want[i].Value == nil) {
				t.Errorf("%s: argument %d is %d % x, want %d % x", e.source, i, got[i].OID, got[i].Value, want[i].OID, want[i].Value)
			}
		}
	}
	for source := range wants {
		t.Errorf("%s was not seen", source)
	}
}

func TestArgumentsThatAreNone(t *testing.T) {
	t.Parallel()
	number := Params(queries.Get("echo_int64"))
	numbers := Params(queries.Get("echo_ints"))
	cases := map[string]struct {
		params []Field
		hex    string
		code   uint32
		says   string
	}{
		"arguments for none":   {nil, "00000000", CodeInputData, "absence of query arguments"},
		"no bytes":             {number, "", CodeInputData, "insufficient data for type-id 7442e8a7-0536-58e0-827e-00d81088bf2e"},
		"too few":              {number, "00000000", CodeInputData, "invalid argument count, expected: 1, got: 0"},
		"too many":             {number, "00000002", CodeInputData, "invalid argument count, expected: 1, got: 2"},
		"cut in the count":     {number, "0000", CodeInputData, "insufficient data in buffer"},
		"cut in the value":     {number, "000000010000000000000008000000", CodeInputData, "insufficient data in buffer"},
		"a negative length":    {number, "0000000100000000fffffffe", CodeInputData, "insufficient data in buffer"},
		"a huge length":        {number, "00000001000000007fffffff00", CodeInputData, "insufficient data in buffer"},
		"left over":            {number, "0000000100000000000000080000000000000000ff", CodeInputData, "unexpected trailing data in buffer"},
		"missing":              {number, "0000000100000000ffffffff", CodeQuery, "parameter $0 is required"},
		"an array of two axes": {numbers, "00000001000000000000000c000000020000000000000000", CodeInputData, "unsupported array dimensions"},
		"an array from two":    {numbers, "0000000100000000000000140000000100000000000000000000000000000002", CodeInputData, "unsupported array bound"},
		"a NULL in an array": {numbers, "000000010000000000000018000000010000000000000000000000010000" + "0001ffffffff",
			CodeInputData, "invalid NULL inside type"},
	}
	for name, c := range cases {
		args, err := DecodeArgs(c.params, unhex(t, c.hex))
		e, is := err.(*Error)
		if args != nil || !is || e.Code != c.code || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v, %v", name, args, err)
		}
	}
	if args, err := DecodeArgs(nil, nil); args != nil || err != nil {
		t.Errorf("%v, %v", args, err)
	}
}

// TestTupleArguments gives tuples as jsonb, as the SQL twins have them.
func TestTupleArguments(t *testing.T) {
	t.Parallel()
	pair := tuple(std("std::int64"), std("std::str"))
	value := unhex(t, "0000000200000000000000080000000000000007000000000000000178")
	list := appendArray(nil, 0, [][]byte{value, value})
	params := []Field{one("0", pair), one("1", &Type{Kind: Array, Elem: pair}), {Name: "2", Type: pair, Cardinality: AtMostOne}}
	data := []byte{0, 0, 0, 3}
	for _, v := range [][]byte{value, list, nil} {
		data = appendValue(append(data, 0, 0, 0, 0), v)
	}
	args, err := DecodeArgs(params, data)
	if err != nil || args[0].OID != oidJSONB || args[1].OID != oidJSONB || args[2].Value != nil {
		t.Fatalf("%v, %v", args, err)
	}
	if !sameJSON(t, args[0].Value[1:], []byte(`[7,"x"]`)) || !sameJSON(t, args[1].Value[1:], []byte(`[[7,"x"],[7,"x"]]`)) {
		t.Errorf("%s, %s", args[0].Value, args[1].Value)
	}
	short := appendValue([]byte{0, 0, 0, 1, 0, 0, 0, 0}, value[:20])
	if _, err := DecodeArgs(params[:1], short); err == nil {
		t.Error("a cut tuple was taken")
	}
}

// FuzzDecodeArgs: no bytes make it panic or give arguments that were not
// declared, and what it takes is exactly what was sent.
func FuzzDecodeArgs(f *testing.F) {
	params := []Field{one("0", std("std::str")), one("1", int64Array), {Name: "2", Type: tuple(std("std::json"), strArray), Cardinality: AtMostOne}}
	f.Add([]byte{0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	for _, e := range exchanges(f, recordings(f, "cookbook.json")) {
		f.Add(e.args)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for n := range len(params) + 1 {
			args, err := DecodeArgs(params[:n], data)
			if err != nil {
				if _, ok := err.(*Error); !ok || args != nil {
					t.Fatalf("%v, %v", args, err)
				}
				continue
			}
			size := 4
			for _, a := range args {
				if a.OID == oidJSONB && a.Value != nil {
					return
				}
				size += 8 + len(a.Value)
			}
			if len(args) != n || n > 0 && size != len(data) {
				t.Fatalf("%d arguments of %d bytes from %d bytes", len(args), size, len(data))
			}
		}
	})
}
