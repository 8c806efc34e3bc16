package edgeqltext_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
	"github.com/duetdb/duet/backends/postgres/sqltext"
)

func TestOffset(t *testing.T) {
	const text = "select é\n\nfilter .ü\r\nlast"
	tests := []struct{ line, column, want int }{
		{1, 1, 1}, {1, 8, 8}, {1, 9, 9}, {1, 10, 0}, {2, 1, 10}, {2, 2, 0}, {3, 1, 11}, {3, 9, 19},
		{3, 11, 21}, {3, 12, 0}, {4, 1, 22}, {4, 5, 26}, {4, 6, 0}, {5, 1, 0}, {0, 1, 0}, {1, 0, 0}, {-1, -1, 0}, {1 << 30, 1 << 30, 0},
	}
	for _, tt := range tests {
		if got := edgeqltext.Offset(text, tt.line, tt.column); got != tt.want {
			t.Errorf("%d:%d is %d, want %d", tt.line, tt.column, got, tt.want)
		}
	}
	if got := edgeqltext.Offset("", 1, 1); got != 1 {
		t.Errorf("the empty text's end is %d", got)
	}
}

func TestOffsetAgreesWithCounting(t *testing.T) {
	const text = "a\n\nbé\ncc\n"
	line, column := 1, 1
	for i, r := range []rune(text) {
		if got := edgeqltext.Offset(text, line, column); got != i+1 {
			t.Errorf("%d:%d is %d, want %d", line, column, got, i+1)
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	if got := edgeqltext.Offset(text, line, column); got != utf8.RuneCountInString(text)+1 {
		t.Errorf("the end is %d", got)
	}
}

func TestCaret(t *testing.T) {
	long := strings.Repeat("a", 50) + "X" + strings.Repeat("b", 100)
	tests := []struct {
		text     string
		position int
		want     string
	}{
		{"select 1 +", 11, "LINE 1: select 1 +\n                  ^"},
		{"select User\nfilter .nowhere", 20, "LINE 2: filter .nowhere\n               ^"},
		{"select\t\r1", 9, "LINE 1: select  1\n                ^"},
		{"select '日本' ++ x", 16, "LINE 1: select '日本' ++ x\n                         ^"},
		{long, 51, "LINE 1: " + strings.Repeat("a", 50) + "X" + strings.Repeat("b", 9) + "...\n" + strings.Repeat(" ", 58) + "^"},
		{long, 151, "LINE 1: ..." + strings.Repeat("b", 60) + "\n" + strings.Repeat(" ", 70) + "^"},
		{"", 1, "LINE 1: \n        ^"},
		{"", 2, ""}, {"abc", 5, ""}, {"abc", 0, ""}, {"abc", -1, ""},
	}
	for _, tt := range tests {
		if got := edgeqltext.Caret(tt.text, tt.position); got != tt.want {
			t.Errorf("%q at %d:\n%s\nwant\n%s", tt.text, tt.position, got, tt.want)
		}
	}
}

// Both backends draw carets alike; only \r is no line break here.
func TestCaretIsAsForSQL(t *testing.T) {
	alphabet := []string{"a", "b", " ", "\t", "\n", "é", "日", "\u0301", "\xff", "\u200b", "\x7f", "🙂"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var b strings.Builder
		for range random.IntN(200) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		text := b.String()
		position := random.IntN(utf8.RuneCountInString(text)+4) - 1
		if got, want := edgeqltext.Caret(text, position), sqltext.Caret(text, position); got != want {
			t.Fatalf("%q at %d:\n%s\nfor SQL\n%s", text, position, got, want)
		}
	}
	huge := strings.Repeat("日", 1_000_000)
	if got, want := edgeqltext.Caret(huge, 500_000), sqltext.Caret(huge, 500_000); got != want {
		t.Errorf("%s\nfor SQL\n%s", got, want)
	}
}
