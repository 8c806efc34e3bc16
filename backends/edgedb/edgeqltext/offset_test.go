package edgeqltext_test

import (
	"testing"
	"unicode/utf8"

	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
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
