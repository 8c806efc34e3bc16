package caret_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/duetdb/duet/internal/caret"
)

func ExampleShow() {
	fmt.Println(caret.Show("SELECT *\nFROM nowhere", 15))
	// Output:
	// LINE 2: FROM nowhere
	//              ^
}

var hundred = strings.Repeat("0123456789", 10)

var caretCases = []struct {
	name string
	text string
	pos  int
	want string // the line and the caret, with | between
}{
	{"none", "SELECT 1", 0, ""},
	{"negative", "SELECT 1", -5, ""},
	{"past the end", "SELECT 1", 10, ""},
	{"empty", "", 1, "LINE 1: |        ^"},
	{"first", "SELEC 1", 1, "LINE 1: SELEC 1|        ^"},
	{"at the end", "SELECT", 7, "LINE 1: SELECT|              ^"},
	{"second line", "a\nbc d\ne", 6, "LINE 2: bc d|           ^"},
	{"on the line break", "ab\ncd", 3, "LINE 1: ab|          ^"},
	{"carriage return", "a\rb\r\nc", 6, "LINE 3: c|        ^"},
	{"between CR and LF", "ab\r\ncd", 4, "LINE 1: ab|          ^"},
	{"empty line", "a\n\nb", 3, "LINE 2: |        ^"},
	{"tab", "\ta\tb", 4, "LINE 1:  a b|           ^"},
	{"other control characters", "\x1b[31m\u0085x", 7, "LINE 1:  [31m x|              ^"},
	{"accents", "éé x", 4, "LINE 1: éé x|           ^"},
	{"wide", "名前 x", 4, "LINE 1: 名前 x|             ^"},
	{"combining", "e\u0301 x", 4, "LINE 1: e\u0301 x|          ^"},
	{"broken UTF-8", "\xff\xfe x", 4, "LINE 1: \ufffd\ufffd x|           ^"},
	{"cut right", hundred, 5, "LINE 1: " + hundred[:60] + "...|            ^"},
	{"cut left", hundred, 100, "LINE 1: ..." + hundred[40:] + "|" + strings.Repeat(" ", 11+59) + "^"},
	{"cut both", hundred, 71, "LINE 1: ..." + hundred[20:80] + "...|" + strings.Repeat(" ", 11+50) + "^"},
	{"a huge line", strings.Repeat("é", 1<<16) + "!" + strings.Repeat("x", 1<<16), 1<<16 + 1, "LINE 1: ..." + strings.Repeat("é", 50) + "!" + strings.Repeat("x", 9) + "...|" + strings.Repeat(" ", 11+50) + "^"},
	{"just fits", hundred[:60], 60, "LINE 1: " + hundred[:60] + "|" + strings.Repeat(" ", 8+59) + "^"},
}

func TestShow(t *testing.T) {
	for _, tc := range caretCases {
		t.Run(tc.name, func(t *testing.T) {
			want := strings.Replace(tc.want, "|", "\n", 1)
			if got := caret.Show(tc.text, tc.pos); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// checkCaret holds what is true of each caret.
func checkCaret(t *testing.T, text, got string) {
	t.Helper()
	line, caret, ok := strings.Cut(got, "\n")
	if !ok || strings.Trim(caret, " ") != "^" || strings.Contains(caret, "^ ") || !strings.HasPrefix(line, "LINE ") {
		t.Fatalf("%q: %q", text, got)
	}
	_, shown, _ := strings.Cut(line, ": ")
	if !utf8.ValidString(got) {
		t.Errorf("%q: broken UTF-8 %q", text, got)
	}
	if len(caret) > 100 || strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("%q: %q", text, got)
	}
}

func FuzzShow(f *testing.F) {
	for _, tc := range caretCases {
		f.Add(tc.text, tc.pos)
	}
	f.Fuzz(func(t *testing.T, text string, pos int) {
		got := caret.Show(text, pos)
		inside := pos >= 1 && pos <= utf8.RuneCountInString(text)+1
		if (got != "") != inside {
			t.Errorf("%q at %d: %q", text, pos, got)
		}
		if got != "" {
			checkCaret(t, text, got)
		}
	})
}
