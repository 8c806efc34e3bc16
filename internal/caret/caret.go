// Package caret shows a place in a command: the line, and a caret under it.
package caret

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// caretColumns is how many columns of a line are shown.
	caretColumns = 60
	// caretRight is how many columns right of the caret are kept, where the
	// line must be cut on its left too.
	caretRight = 10
)

// Show shows the line of text that holds a position, and a caret under it:
//
//	LINE 2: FROM nowhere
//	             ^
//
// The position counts characters from 1, as the server's errors do; one past
// the last character is the end of the text. A position outside of the text, or
// 0, which means none, gives "". As in psql, a line longer than 60 columns is
// cut around the caret, with "..." for what is left out. Control characters
// are shown as spaces. There is no newline at the end.
func Show(text string, pos int) string {
	if pos < 1 {
		return ""
	}
	at := byteOffset(text, pos-1)
	if at == len(text) && utf8.RuneCountInString(text) != pos-1 {
		return ""
	}
	number, start, end := lineAround(text, at)
	near, far := clip(text, start, at, end)
	cells, caret := lineCells(text[near:far], at-near)
	from, to := caretWindow(cells, caret)

	prefix := "LINE " + strconv.Itoa(number) + ": "
	if from > 0 || near > start {
		prefix += "..."
	}
	var b strings.Builder
	b.WriteString(prefix)
	indent := len(prefix)
	for i := from; i < to; i++ {
		b.WriteRune(cells[i].char)
		if i < caret {
			indent += cells[i].width
		}
	}
	if to < len(cells) || far < end {
		b.WriteString("...")
	}
	b.WriteByte('\n')
	b.WriteString(strings.Repeat(" ", indent))
	b.WriteByte('^')
	return b.String()
}

// clip narrows the line text[start:end] to what is near enough to byte at to be
// shown, so that a line of a megabyte costs little.
func clip(text string, start, at, end int) (near, far int) {
	const most = 4096 // bytes: many times caretColumns characters
	near, far = max(start, at-most), min(end, at+most)
	for near > start && near < at && !utf8.RuneStart(text[near]) {
		near++
	}
	for far < end && far > at && !utf8.RuneStart(text[far]) {
		far--
	}
	return near, far
}

// lineAround finds the line that holds byte at: its number from 1, its start
// and its end. A line break is \n, \r or \r\n, and belongs to the line before.
func lineAround(text string, at int) (number, start, end int) {
	number = 1
	for i := 0; i < at; i++ {
		isBreak := text[i] == '\n' || text[i] == '\r' && !(i+1 < len(text) && text[i+1] == '\n')
		if isBreak {
			number++
			start = i + 1
		}
	}
	end = len(text)
	if i := strings.IndexAny(text[start:], "\n\r"); i >= 0 {
		end = start + i
	}
	return number, start, end
}

// cell is one character of a line and how many columns it takes.
type cell struct {
	char  rune
	width int
}

// lineCells are a line's characters; caret is the index of the one at byte at,
// or past the last.
func lineCells(line string, at int) (cells []cell, caret int) {
	caret = -1
	for i, r := range line {
		if caret < 0 && i >= at {
			caret = len(cells)
		}
		if unicode.IsControl(r) {
			r = ' '
		}
		cells = append(cells, cell{r, columns(r)})
	}
	if caret < 0 {
		caret = len(cells)
	}
	return cells, caret
}

// caretWindow picks the cells to show: the line's beginning where the caret is
// near enough to it, else a part with the caret towards its end.
func caretWindow(cells []cell, caret int) (from, to int) {
	before, total := 0, 0 // columns before the caret, and in all
	for i, c := range cells {
		if i < caret {
			before += c.width
		}
		total += c.width
	}
	to = len(cells)
	if total <= caretColumns {
		return 0, to
	}
	keep := max(before+caretRight, caretColumns)
	for to > caret && total > keep {
		to--
		total -= cells[to].width
	}
	for from < caret && total > caretColumns {
		total -= cells[from].width
		from++
	}
	return from, to
}

// columns is how many columns of a terminal a character takes.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case isWide(r):
		return 2
	}
	return 1
}

// isWide says whether a character takes two columns: classes W and F of Unicode
// Standard Annex #11, in outline.
func isWide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, // Hangul consonants
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, // CJK, kana, Yi
		r >= 0xac00 && r <= 0xd7a3,                // Hangul
		r >= 0xf900 && r <= 0xfaff,                // CJK compatibility
		r >= 0xfe30 && r <= 0xfe6f,                // CJK forms
		r >= 0xff00 && r <= 0xff60,                // full-width forms
		r >= 0xffe0 && r <= 0xffe6,                // full-width signs
		r >= 0x1f300 && r <= 0x1f64f,              // pictographs
		r >= 0x1f900 && r <= 0x1f9ff,              // more pictographs
		r >= 0x20000 && r <= 0x3fffd:              // CJK extensions
		return true
	}
	return false
}

// byteOffset is where the n-th character of s begins, counted from 0; the end
// of s where there are not so many.
func byteOffset(s string, n int) int {
	for at := range s {
		if n == 0 {
			return at
		}
		n--
	}
	return len(s)
}
