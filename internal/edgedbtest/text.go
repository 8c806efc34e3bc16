package edgedbtest

import "strings"

// skipQuoted gives the index after the string, identifier or comment that
// begins at i, or i where none does. It knows what the catalogue's texts use:
// quotes without escapes of themselves but doubling (SQL) or a backslash
// (EdgeQL), and comments to the end of the line.
func skipQuoted(text string, i int, comment string) int {
	switch ch := text[i]; {
	case strings.HasPrefix(text[i:], comment):
		if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
			return i + n
		}
		return len(text)
	case ch == '\'' || ch == '"' || ch == '`':
		for j := i + 1; j < len(text); j++ {
			if text[j] == '\\' && comment == "#" {
				j++
			} else if text[j] == ch {
				return j + 1
			}
		}
		return len(text)
	}
	return i
}

func isWord(ch byte) bool {
	return ch == '_' || ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= 0x80
}

// word is a word of a text that is in no string and no comment.
type word struct {
	text  string // in lower case
	at    int
	depth int // how many brackets are open
}

// words takes EdgeQL apart; ";" is a word, other marks are none.
func words(text string) []word {
	var all []word
	depth := 0
	for i := 0; i < len(text); {
		if next := skipQuoted(text, i, "#"); next > i {
			i = next
			continue
		}
		switch ch := text[i]; {
		case isWord(ch):
			j := i
			for j < len(text) && isWord(text[j]) {
				j++
			}
			all = append(all, word{strings.ToLower(text[i:j]), i, depth})
			i = j
			continue
		case ch == ';':
			all = append(all, word{";", i, depth})
		case strings.IndexByte("([{", ch) >= 0:
			depth++
		case strings.IndexByte(")]}", ch) >= 0:
			depth--
		}
		i++
	}
	return all
}

// splitSQL cuts a script into its commands.
func splitSQL(text string) []string {
	var all []string
	start := 0
	cut := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			all = append(all, s)
		}
		start = end + 1
	}
	for i := 0; i < len(text); {
		if next := skipQuoted(text, i, "--"); next > i {
			i = next
			continue
		}
		if text[i] == ';' {
			cut(i)
		}
		i++
	}
	if start < len(text) {
		cut(len(text))
	}
	return all
}

// numberParameters writes $name as $1, $2 and so on, in the order of names, and
// gives the indexes in names of those that the text uses, in the order of their
// numbers.
func numberParameters(text string, names []string) (string, []int) {
	var out strings.Builder
	var used []int
	for i := 0; i < len(text); {
		if next := skipQuoted(text, i, "--"); next > i {
			out.WriteString(text[i:next])
			i = next
			continue
		}
		j := i + 1
		for text[i] == '$' && j < len(text) && isWord(text[j]) {
			j++
		}
		at := -1
		for k, name := range names {
			if text[i] == '$' && text[i+1:j] == name {
				at = k
			}
		}
		if at < 0 {
			out.WriteString(text[i:j])
			i = j
			continue
		}
		n := -1
		for k, u := range used {
			if u == at {
				n = k
			}
		}
		if n < 0 {
			used, n = append(used, at), len(used)
		}
		out.WriteByte('$')
		out.WriteString(itoa(n + 1))
		i = j
	}
	return out.String(), used
}
