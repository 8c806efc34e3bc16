package dsn

import "strings"

// isSpace is C's isspace in the C locale, which libpq splits at.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// parseKeyValue reads "key = value key2='quoted value'" (PostgreSQL
// documentation, "Keyword/Value Connection Strings"). The last value of a key
// wins, as in libpq.
func parseKeyValue(s string, into settings) error {
	afterSecret := false // the pair before was a secret without quotes
	for i := 0; ; {
		i = skipSpace(s, i)
		if i == len(s) {
			return nil
		}
		start := i
		for i < len(s) && s[i] != '=' && !isSpace(s[i]) {
			i++
		}
		key := s[start:i]
		i = skipSpace(s, i)
		if i == len(s) || s[i] != '=' {
			return missingEqual(key, start)
		}
		i = skipSpace(s, i+1)
		valueStart := i
		quoted := i < len(s) && s[i] == '\''
		value, next, ok := readValue(s, i, quoted)
		if !ok {
			if keywordIndex(key) < 0 {
				key = ""
			}
			return syntaxError(key, valueStart, "a quoted value has no end: a quote (') is missing")
		}
		i = next
		if strings.IndexByte(value, 0) >= 0 && keywordIndex(key) >= 0 {
			return nulError(key, valueStart)
		}
		if !into.storeDSN(key, value, valueStart) {
			return unknownKeyword(key, start, !afterSecret)
		}
		afterSecret = isSecret(key) && !quoted
	}
}

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// readValue reads the value that starts at s[i] and gives the place after it. A
// backslash takes the next byte as it is, within quotes and without.
func readValue(s string, i int, quoted bool) (value string, next int, ok bool) {
	var b strings.Builder
	if quoted {
		i++
	}
	for i < len(s) {
		c := s[i]
		i++
		switch {
		case c == '\\':
			if i < len(s) {
				b.WriteByte(s[i])
				i++
			}
		case quoted && c == '\'', !quoted && isSpace(c):
			return b.String(), i, true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), i, !quoted
}

// missingEqual is the error for a word without "=". The word is shown only if it
// is a keyword: any other may be the second half of a password with a space.
func missingEqual(word string, offset int) *Error {
	if keywordIndex(word) >= 0 {
		return syntaxError(word, offset, `"=" is missing after the key`)
	}
	return syntaxError("", offset, `"=" is missing after a word that is not a key: write key=value pairs, with quotes (') around values that hold spaces, or a postgres:// URI`)
}

func nulError(keyword string, offset int) *Error {
	return syntaxError(keyword, offset, "the value holds a NUL byte, which PostgreSQL cannot take")
}
