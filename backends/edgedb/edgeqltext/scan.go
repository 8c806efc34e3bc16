package edgeqltext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what a token is, as far as this package cares.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuotedName
	tokenString // bytes, raw and dollar-quoted ones too
	tokenNumber
	tokenPositional // $0
	tokenNamed      // $name, $`quoted name`
	tokenSemicolon
	tokenOpen  // ( [ {
	tokenClose // ) ] }
	tokenOther // one character of an operator
)

// token is text[start:end] of the scanner's text.
type token struct {
	kind       tokenKind
	start, end int
}

// scanner reads tokens. It stops at the first fault.
type scanner struct {
	src string
	pos int
	// parens counts what is open, and interpolations are the strings around it:
	// a parenthesis that closes where an interpolation began goes on with its
	// string.
	parens         int
	interpolations []interpolation
	fault          *SyntaxError
}

type interpolation struct {
	quote  byte
	parens int
}

// next gives the next token, tokenEnd at the end and after a fault.
func (s *scanner) next() token {
	s.skipSpace()
	if s.fault != nil || s.pos >= len(s.src) {
		return token{kind: tokenEnd, start: s.pos, end: s.pos}
	}
	t := token{start: s.pos}
	t.kind = s.scan()
	if s.fault != nil {
		return token{kind: tokenEnd, start: t.start, end: t.start}
	}
	t.end = s.pos
	return t
}

// scan moves behind the token at pos.
func (s *scanner) scan() tokenKind {
	switch c := s.src[s.pos]; {
	case c == '\'' || c == '"':
		s.pos++
		s.quoted(s.pos-1, c, false)
		return tokenString
	case c == '`':
		s.pos++
		s.backticks(s.pos - 1)
		return tokenQuotedName
	case c == '$':
		return s.dollar()
	case c == '(' || c == '[' || c == '{':
		s.pos++
		if c == '(' {
			s.parens++
		}
		return tokenOpen
	case c == ')' || c == ']' || c == '}':
		s.pos++
		return s.closing(c)
	case c == ';':
		s.pos++
		return tokenSemicolon
	case isDigit(c):
		s.skipWord()
		return tokenNumber
	}
	r, size := utf8.DecodeRuneInString(s.src[s.pos:])
	if r == '_' || isLetter(r) {
		return s.word()
	}
	s.allowed(r, s.pos)
	s.pos += size
	return tokenOther
}

// skipSpace moves to the next token, over what separates: EdgeQL knows these
// five characters, and comments, which either line break ends.
func (s *scanner) skipSpace() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.pos++
		case strings.HasPrefix(s.src[s.pos:], byteOrderMark):
			s.pos += len(byteOrderMark)
		case c == '#':
			start := s.pos
			if end := strings.IndexAny(s.src[s.pos:], "\r\n"); end >= 0 {
				s.pos += end
			} else {
				s.pos = len(s.src)
			}
			s.allAllowed(start, s.pos)
		default:
			return
		}
	}
}

const byteOrderMark = "\ufeff"

// word reads a word, or the string that it is the prefix of.
func (s *scanner) word() tokenKind {
	start := s.pos
	s.skipWord()
	if s.pos >= len(s.src) {
		return tokenWord
	}
	quote := s.src[s.pos]
	switch {
	case quote == '`':
		s.fail(start, "there must be something between a word and a name in backticks")
	case quote == '\'' || quote == '"':
		prefix := s.src[start:s.pos]
		s.pos++
		switch prefix {
		case "r", "rb", "br":
			s.raw(start, quote)
		case "b":
			s.quoted(start, quote, true)
		default:
			s.fail(start, "a string cannot have this word before its quote: only b, r, br and rb can be there")
		}
		return tokenString
	}
	return tokenWord
}

func (s *scanner) skipWord() {
	for s.pos < len(s.src) {
		r, size := utf8.DecodeRuneInString(s.src[s.pos:])
		if r != '_' && !isLetter(r) && !unicode.IsNumber(r) {
			return
		}
		s.pos += size
	}
}

// quoted reads a string with escapes, from behind its quote to behind the other
// one, or to behind the \( that begins an interpolation.
func (s *scanner) quoted(start int, quote byte, bytes bool) {
	for from := s.pos; ; {
		i := strings.IndexAny(s.src[s.pos:], string(quote)+`\`)
		if i < 0 || s.src[s.pos+i] == '\\' && s.pos+i+1 == len(s.src) {
			s.fail(start, "the string has no end")
			return
		}
		s.pos += i
		if s.src[s.pos] == quote {
			s.content(from, bytes)
			s.pos++
			return
		}
		if !bytes && s.src[s.pos+1] == '(' {
			s.content(from, bytes)
			s.interpolations = append(s.interpolations, interpolation{quote, s.parens})
			s.pos += 2
			return
		}
		// Whatever is escaped is none of the string's end.
		_, size := utf8.DecodeRuneInString(s.src[s.pos+1:])
		s.pos += 1 + size
	}
}

// content looks at the characters of a string up to pos.
func (s *scanner) content(from int, bytes bool) {
	if !bytes { // what is not ASCII in bytes is left to the server
		s.allAllowed(from, s.pos)
	}
}

// raw reads a string without escapes from behind its quote.
func (s *scanner) raw(start int, quote byte) {
	i := strings.IndexByte(s.src[s.pos:], quote)
	if i < 0 {
		s.fail(start, "the string has no end")
		return
	}
	if s.src[start] == 'r' && s.src[start+1] != 'b' {
		s.allAllowed(s.pos, s.pos+i)
	}
	s.pos += i + 1
}

// closing reads a closing bracket; a parenthesis may end an interpolation, and
// is one token with the rest of its string then.
func (s *scanner) closing(c byte) tokenKind {
	if c != ')' {
		return tokenClose
	}
	if n := len(s.interpolations); n > 0 && s.interpolations[n-1].parens == s.parens {
		quote := s.interpolations[n-1].quote
		s.interpolations = s.interpolations[:n-1]
		s.quoted(s.pos-1, quote, false) // puts it back if there is another \(
		return tokenString
	}
	s.parens = max(s.parens-1, 0)
	return tokenClose
}

// backticks reads a quoted name from behind its first backtick; a doubled one is
// part of the name.
func (s *scanner) backticks(start int) {
	from := s.pos
	for {
		i := strings.IndexByte(s.src[s.pos:], '`')
		if i < 0 {
			s.fail(start, "the name in backticks has no end")
			return
		}
		s.pos += i + 1
		if s.pos >= len(s.src) || s.src[s.pos] != '`' {
			break
		}
		s.pos++
	}
	if s.pos-1 == from {
		s.fail(start, "a name in backticks cannot be empty")
	}
	s.allAllowed(from, s.pos)
}

// dollar reads what begins with a dollar: a parameter or a string.
func (s *scanner) dollar() tokenKind {
	start := s.pos
	s.pos++
	rest := s.src[s.pos:]
	if strings.HasPrefix(rest, "`") {
		s.pos++
		s.backticks(start)
		return tokenNamed
	}
	s.skipTag()
	tag := s.src[start+1 : s.pos]
	if strings.HasPrefix(s.src[s.pos:], "$") {
		s.pos++
		s.dollarString(start, tag)
		return tokenString
	}
	if tag == "" {
		s.fail(start, "a dollar alone is neither a parameter nor a string")
		return tokenOther
	}
	if !isDigit(tag[0]) {
		return tokenNamed
	}
	if strings.Trim(tag, "0123456789") != "" {
		s.fail(start, "a parameter is either a number or a name that begins with a letter")
	}
	return tokenPositional
}

// skipTag moves behind letters, ASCII digits and underscores.
func (s *scanner) skipTag() {
	for s.pos < len(s.src) {
		r, size := utf8.DecodeRuneInString(s.src[s.pos:])
		if r != '_' && !isLetter(r) && (r > '9' || r < '0') {
			return
		}
		s.pos += size
	}
}

// dollarString reads a string from behind $tag$.
func (s *scanner) dollarString(start int, tag string) {
	switch {
	case tag != "" && isDigit(tag[0]):
		s.fail(start, "the tag of a string in dollars cannot begin with a digit")
		return
	case strings.IndexFunc(tag, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0:
		s.fail(start, "the tag of a string in dollars can have ASCII letters only")
		return
	}
	i := strings.Index(s.src[s.pos:], s.src[start:s.pos])
	if i < 0 {
		s.fail(start, "the string in dollars has no end")
		return
	}
	s.allAllowed(s.pos, s.pos+i)
	s.pos += i + len(tag) + 2
}

// allAllowed fails at the first character that the server takes nowhere.
func (s *scanner) allAllowed(from, to int) {
	for i, r := range s.src[from:to] {
		if r < ' ' || r > 0x2000 { // hardly any others are to be looked at
			s.allowed(r, from+i)
		}
	}
}

func (s *scanner) allowed(r rune, at int) {
	if r == 0 || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
		s.fail(at, fmt.Sprintf("the character U+%04X is not allowed", r))
	}
}

// fail keeps the first fault.
func (s *scanner) fail(at int, reason string) {
	if s.fault == nil {
		s.fault = &SyntaxError{Reason: reason, Position: utf8.RuneCountInString(s.src[:at]) + 1}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isLetter is Unicode's property Alphabetic, which the server's scanner asks for.
func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.Other_Lowercase, unicode.Other_Uppercase)
}
