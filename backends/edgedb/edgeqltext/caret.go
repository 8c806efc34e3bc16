package edgeqltext

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Offset is the position in text, in characters from 1, of a line and a column
// in it, both from 1 and in characters: so edgedb-go names the place of an error.
// The column behind the last is the line's end. 0 where there is no such place.
// Lines end with \n.
func Offset(text string, line, column int) int {
	if line < 1 || column < 1 {
		return 0
	}
	before := 0 // characters
	for ; line > 1; line-- {
		i := strings.IndexByte(text, '\n')
		if i < 0 {
			return 0
		}
		before += utf8.RuneCountInString(text[:i+1])
		text = text[i+1:]
	}
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	if column > utf8.RuneCountInString(text)+1 {
		return 0
	}
	return before + column
}

const (
	// shownColumns is how many columns of a line are shown at most.
	shownColumns = 60
	// rightColumns is how many of them may be right of the caret where the line
	// is cut on its left.
	rightColumns = 10
	// nearBytes is how far around the caret a line is looked at: many times what
	// is shown, so that a line of a megabyte costs little.
	nearBytes = 4096
)

// Caret shows the line of text that holds a position, in characters from 1, and
// a caret under it:
//
//	LINE 2: filter .nowhere
//	                ^
//
// One past the last character is the end of the text. A position outside of the
// text, or 0, which means none, gives "". A line longer than 60 columns is cut
// around the caret, with "..." for what is left out. Control characters are shown
// as spaces. There is no newline at the end.
func Caret(text string, position int) string {
	at, ok := byteAt(text, position)
	if !ok {
		return ""
	}
	number := 1 + strings.Count(text[:at], "\n")
	start := 1 + strings.LastIndexByte(text[:at], '\n')
	end := len(text)
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		end = at + i
	}
	near := max(start, at-nearBytes)
	for near > start && near < at && !utf8.RuneStart(text[near]) {
		near++
	}
	far := min(end, at+nearBytes)
	for far < end && far > at && !utf8.RuneStart(text[far]) {
		far--
	}
	left, right := cells(text[near:at]), cells(text[at:far])
	leftCut, rightCut := cut(left, right)

	head := "LINE " + strconv.Itoa(number) + ": "
	if leftCut > 0 || near > start {
		head += "..."
	}
	left = left[leftCut:]
	tail := ""
	if rightCut < len(right) || far < end {
		tail = "..."
	}
	return head + chars(left) + chars(right[:rightCut]) + tail + "\n" + strings.Repeat(" ", len(head)+width(left)) + "^"
}

// byteAt is where the character at a position begins.
func byteAt(text string, position int) (at int, ok bool) {
	if position < 1 {
		return 0, false
	}
	left := position - 1
	for at := range text {
		if left == 0 {
			return at, true
		}
		left--
	}
	return len(text), left == 0
}

// cut gives where the part left of the caret begins, and where that from the
// caret on ends: the line's beginning is shown where the caret is near enough to
// it, else a part with the caret towards its end.
func cut(left, right []cell) (from, to int) {
	before := width(left)
	total := before + width(right)
	to = len(right)
	if total <= shownColumns {
		return 0, to
	}
	for keep := max(before+rightColumns, shownColumns); to > 0 && total > keep; {
		to--
		total -= right[to].width
	}
	for ; from < len(left) && total > shownColumns; from++ {
		total -= left[from].width
	}
	return from, to
}

// cell is a character and how many columns of a terminal it takes.
type cell struct {
	char  rune
	width int
}

func cells(s string) []cell {
	all := make([]cell, 0, len(s))
	for _, r := range s {
		if unicode.IsControl(r) {
			r = ' '
		}
		all = append(all, cell{r, columns(r)})
	}
	return all
}

func width(cells []cell) int {
	n := 0
	for _, c := range cells {
		n += c.width
	}
	return n
}

func chars(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteRune(c.char)
	}
	return b.String()
}

// wide are the characters of two columns: classes W and F of Unicode Standard
// Annex #11, in outline.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3040, 0xa4cf}, // Hangul, CJK, kana, Yi
	{0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, // Hangul, CJK
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, // full-width forms
	{0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}, // pictographs, CJK
}

// columns is how many columns a character takes.
func columns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return 2
		}
	}
	return 1
}
