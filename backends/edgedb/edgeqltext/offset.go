package edgeqltext

import (
	"strings"
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
