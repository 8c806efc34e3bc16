package sqltext

import "strings"

// tokenKind is what a token is, as far as this package needs to know.
type tokenKind uint8

const (
	tokenEOF        tokenKind = iota
	tokenSpace                // a run of whitespace
	tokenComment              // -- or /* */
	tokenWord                 // an unquoted identifier or keyword
	tokenQuoted               // a quoted identifier, or a string of any kind
	tokenNumber               // a number, with the junk that follows it
	tokenPositional           // $1
	tokenNamed                // $name
	tokenSemicolon            // ;
	tokenOpen                 // (
	tokenClose                // )
	tokenOther                // one byte of an operator or of punctuation
)

// token is src[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// scanner cuts SQL into tokens as the server's scanner does (PostgreSQL
// documentation, "Lexical Structure"; src/backend/parser/scan.l of versions 16
// and later). The tokens follow each other without gaps. Operators come byte by
// byte: nothing here depends on where they end, except that none contains the
// start of a comment. What is not terminated goes on to the end of the text.
//
// Every byte is looked at a bounded number of times, whatever the text.
type scanner struct {
	src string
	pos int
	std bool // standard_conforming_strings
}

// next returns the next token, tokenEOF at the end and ever after.
func (s *scanner) next() token {
	start := s.pos
	if start >= len(s.src) {
		return token{tokenEOF, start, start}
	}
	kind, end := s.scan(start)
	s.pos = end
	return token{kind, start, end}
}

// nextSolid returns the next token that is no whitespace and no comment.
func (s *scanner) nextSolid() token {
	for {
		if t := s.next(); t.kind != tokenSpace && t.kind != tokenComment {
			return t
		}
	}
}

func (s *scanner) scan(i int) (tokenKind, int) {
	switch c := s.src[i]; {
	case isSpace(c):
		return tokenSpace, skip(s.src, i+1, isSpace)
	case isIdentStart(c):
		return s.scanWord(i)
	case isDigit(c), c == '.' && isDigit(s.at(i+1)):
		return tokenNumber, s.numberEnd(i)
	case c == '$':
		return s.scanDollar(i)
	case c == '\'':
		return tokenQuoted, s.stringEnd(i, !s.std, true)
	case c == '"':
		return tokenQuoted, s.identifierEnd(i)
	case c == '-' && s.at(i+1) == '-':
		return tokenComment, lineEnd(s.src, i)
	case c == '/' && s.at(i+1) == '*':
		return tokenComment, s.commentEnd(i)
	case c == ';':
		return tokenSemicolon, i + 1
	case c == '(':
		return tokenOpen, i + 1
	case c == ')':
		return tokenClose, i + 1
	}
	return tokenOther, i + 1
}

// at is the byte at i, or NUL past the end.
func (s *scanner) at(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

// scanWord scans an identifier, or a string or quoted identifier that begins
// with letters. N'…' is the word N and then an ordinary string.
func (s *scanner) scanWord(i int) (tokenKind, int) {
	switch s.src[i] {
	case 'e', 'E':
		if s.at(i+1) == '\'' {
			return tokenQuoted, s.stringEnd(i+1, true, true)
		}
	case 'b', 'B', 'x', 'X':
		if s.at(i+1) == '\'' {
			return tokenQuoted, s.stringEnd(i+1, false, false)
		}
	case 'u', 'U':
		if s.at(i+1) != '&' {
			break
		}
		switch s.at(i + 2) {
		case '\'': // the server refuses these where std is off
			return tokenQuoted, s.stringEnd(i+2, false, true)
		case '"':
			return tokenQuoted, s.identifierEnd(i + 2)
		}
	}
	return tokenWord, skip(s.src, i+1, isIdentPart)
}

// scanDollar scans what a $ begins: a parameter or a dollar-quoted string.
func (s *scanner) scanDollar(i int) (tokenKind, int) {
	c := s.at(i + 1)
	if isDigit(c) {
		return tokenPositional, skip(s.src, i+2, isDigit)
	}
	end := i + 1
	if isIdentStart(c) {
		end = skip(s.src, i+2, isTagPart)
	}
	if s.at(end) == '$' {
		// Each $ inside may begin the closing tag, so the first occurrence
		// of the tag is the end.
		tag := s.src[i : end+1]
		if n := strings.Index(s.src[end+1:], tag); n >= 0 {
			return tokenQuoted, end + 1 + n + len(tag)
		}
		return tokenQuoted, len(s.src)
	}
	if end > i+1 {
		return tokenNamed, end
	}
	return tokenOther, end
}

// stringEnd finds the end of a string whose opening quote is at i, with the
// parts that continue it on later lines. A backslash escapes the next byte where
// escapes is set; a doubled quote is a quote where doubled is set, which it is
// not in bit strings.
func (s *scanner) stringEnd(i int, escapes, doubled bool) int {
	for i++; i < len(s.src); i++ {
		switch s.src[i] {
		case '\\':
			if escapes {
				i++
			}
		case '\'':
			if doubled && s.at(i+1) == '\'' {
				i++
				continue
			}
			next, ok := s.continuation(i + 1)
			if !ok {
				return i + 1
			}
			i = next
		}
	}
	return len(s.src) // also where a backslash was the last byte
}

// continuation finds the quote that continues a string which was closed before
// i: strings that only whitespace with at least one newline separates are one
// string. A -- comment up to its newline counts as whitespace there, a /* */
// comment does not.
func (s *scanner) continuation(i int) (quote int, ok bool) {
	newline := false
	for ; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '\n' || c == '\r':
			newline = true
		case isSpace(c):
		case c == '-' && s.at(i+1) == '-':
			end := lineEnd(s.src, i)
			if end == len(s.src) {
				return 0, false
			}
			newline = true
			i = end // the newline itself
		case c == '\'':
			return i, newline
		default:
			return 0, false
		}
	}
	return 0, false
}

// identifierEnd finds the end of a quoted identifier whose quote is at i.
func (s *scanner) identifierEnd(i int) int {
	for i++; i < len(s.src); i++ {
		if s.src[i] != '"' {
			continue
		}
		if s.at(i+1) != '"' {
			return i + 1
		}
		i++
	}
	return len(s.src)
}

// commentEnd finds the end of a /* */ comment. They nest.
func (s *scanner) commentEnd(i int) int {
	depth := 1
	for i += 2; i+1 < len(s.src); i++ {
		switch {
		case s.src[i] == '/' && s.src[i+1] == '*':
			depth++
			i++
		case s.src[i] == '*' && s.src[i+1] == '/':
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s.src)
}

// numberEnd finds the end of a number, together with an identifier that follows
// it without a space. The server refuses that one as trailing junk (before
// version 15: it took it for a word of its own), and it may contain $: 1e5$x has
// no parameter, but 1$x has. As in the server's scanner the longest reading wins.
func (s *scanner) numberEnd(i int) int {
	digits := skip(s.src, i, isDigit)
	longest := max(digits, s.junkEnd(digits))
	mantissa := s.integerEnd(i)
	if s.at(mantissa) == '.' && s.at(mantissa+1) != '.' {
		mantissa = s.integerEnd(mantissa + 1)
	}
	longest = max(longest, mantissa, s.junkEnd(mantissa))
	if c := s.at(mantissa); c != 'e' && c != 'E' {
		return longest
	}
	exponent := mantissa + 1
	if c := s.at(exponent); c == '+' || c == '-' {
		exponent++
	}
	if end := s.integerEnd(exponent); end > exponent {
		return max(longest, end, s.junkEnd(end))
	}
	return max(longest, exponent) // 1e+ is one faulty token
}

// integerEnd finds the end of digits that single underscores may separate.
func (s *scanner) integerEnd(i int) int {
	start := i
	for isDigit(s.at(i)) || i > start && s.at(i) == '_' && isDigit(s.at(i+1)) {
		i++
	}
	return i
}

// junkEnd finds the end of an identifier at i, i where there is none.
func (s *scanner) junkEnd(i int) int {
	if !isIdentStart(s.at(i)) {
		return i
	}
	return skip(s.src, i+1, isIdentPart)
}

// lineEnd is the next line break's position, or the end of the text.
func lineEnd(src string, i int) int {
	if n := strings.IndexAny(src[i:], "\n\r"); n >= 0 {
		return i + n
	}
	return len(src)
}

// skip is the first position from i on whose byte is not of a class.
func skip(src string, i int, class func(byte) bool) int {
	for i < len(src) && class(src[i]) {
		i++
	}
	return i
}

// Bytes with the high bit set are letters, whatever character they belong to.

func isSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// isTagPart is for dollar-quote tags and for our parameter names.
func isTagPart(c byte) bool { return isIdentStart(c) || isDigit(c) }

func isIdentPart(c byte) bool { return isTagPart(c) || c == '$' }
