package main

import (
	"bufio"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet"
)

func TestEdgeQLArgs(t *testing.T) {
	tests := []struct {
		command string
		args    []any
		want    []any
	}{
		{"select 1", nil, []any{}},
		{"select <int64>$0 + <std::int64>$1", []any{"7", "-8"}, []any{int64(7), int64(-8)}},
		{"select <optional str>$0 ++ <str>$1", []any{"7", "x"}, []any{"7", "x"}},
		{"select (<bool>$0, <float64>$1, <float32> $2)", []any{"true", "1.5", "2.5"}, []any{true, 1.5, float32(2.5)}},
		{"select <json>$a", []any{duet.Named{"a": `{"x": 1}`}}, []any{duet.Named{"a": json.RawMessage(`{"x": 1}`)}}},
		{"select (<bytes>$0, <duration>$1)", []any{"ab", "1.5s"}, []any{[]byte("ab"), 1500 * time.Millisecond}},
		{"select <datetime>$0", []any{"2026-11-21T10:20:30Z"}, []any{time.Date(2026, 11, 21, 10, 20, 30, 0, time.UTC)}},
		{"select <cal::local_date>$0", []any{"2026-11-21"}, []any{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}},
		{"select (<array<str>>$0, <array<std::int64>>$1)", []any{`["a"]`, "[1, 2]"}, []any{[]string{"a"}, []int64{1, 2}}},
		{"select (<int64>$0, <array<int64>>$1, <datetime>$2)", []any{"x", "{", "y"}, []any{"x", "{", "y"}},
		{"select <Color>$0", []any{"Red"}, []any{"Red"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, edgeQLArgs(tt.command, tt.args)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.command, diff)
		}
	}
	if n, ok := edgeQLArgs("select <bigint>$0", []any{"123456789012345678901234567890"})[0].(*big.Int); !ok || n.BitLen() < 64 {
		t.Errorf("a bigint is %v", n)
	}
}

func TestEdgeQLExecutes(t *testing.T) {
	for text, want := range map[string]bool{
		"select 1": false, " Create type X": true, "# a comment\n\ndrop type X": true, "insert X": false, "": false, "#": false, "with x := 1 select x": false,
	} {
		if got := edgeQLExecutes(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestWriteElements(t *testing.T) {
	tests := []struct{ array, want string }{
		{"[]", "value\n-----\n(0 rows)\n"},
		{`[1, "x", null, {"a": 1}]`, "value\n-----\n1\nx\n\n1\n(4 rows)\n"},
		{`[{"b" : "y", "a" : [1, 2], "c": null, "d": {"e" : "\u001b"}}]`, "b  a      c  d\n-  -----  -  --------------\ny  [1,2]     {\"e\":\"\\u001b\"}\n(1 row)\n"},
	}
	for _, tt := range tests {
		var elements []json.RawMessage
		if err := json.Unmarshal([]byte(tt.array), &elements); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := writeElements(bufio.NewWriter(&b), elements); err != nil || b.String() != tt.want {
			t.Errorf("%s (%v) is\n%s\nwant\n%s", tt.array, err, b.String(), tt.want)
		}
	}
}
