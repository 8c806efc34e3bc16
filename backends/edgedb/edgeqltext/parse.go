// Package edgeqltext reads EdgeQL text as EdgeDB's scanner does (documentation,
// "Lexical structure"): it finds the parameters and the statements, and maps the
// place of an error to a position with a caret. It knows tokens, not grammar,
// and talks to nobody.
//
// All functions take any bytes, take time linear in the text, and are safe for
// concurrent use. Where versions of EdgeDB differ (interpolation in strings), the
// newer one is followed; such texts are syntax errors in the older ones.
package edgeqltext

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is what was found in a text. It does not change after Parse and is safe
// for concurrent use.
type Text struct {
	// Names are the named parameters, each once, in the order of their first
	// appearance, without the $ and without backticks. Nil if there is none.
	Names []string
	// Written are the same as they stand in the text behind the $: with
	// backticks where it has them.
	Written []string
	// Positional is how many positional parameters there must be: one more than
	// the highest number of $0, $1, …; 0 where there is none. Numbers too large
	// for 32 bits count as 2147483647.
	Positional int
	// Mixed says that there are named and positional parameters, which the
	// server refuses.
	Mixed bool
	// Statements are the statements, without the empty ones.
	Statements []Statement
	// Empty says that there is no statement: white space, comments and
	// semicolons at most. The server takes that for a violation of the protocol.
	Empty bool
}

// Statement is text[Start:End], from its first token to its last, without the
// semicolon.
type Statement struct {
	Start, End int
	// Words are the first two tokens in lower case, such as "start" and
	// "transaction"; "" for what is no plain word.
	Words [2]string
}

// SyntaxError is a fault that keeps a text from being read: a string, a quoted
// name or a parameter that the server's scanner would not take either. Other
// faults, such as in numbers and operators, are left to the server.
type SyntaxError struct {
	// Reason says what is wrong.
	Reason string
	// Position is where, in characters, from 1.
	Position int
}

// Error returns the reason.
func (e *SyntaxError) Error() string { return e.Reason }

// Parse reads a text. An error is always a *SyntaxError; the Text is nil then.
//
// Statements end at semicolons outside of brackets, so that the body of a type's
// definition belongs to its statement.
func Parse(text string) (*Text, error) {
	if at := invalidUTF8(text); at >= 0 {
		return nil, &SyntaxError{Reason: "the text is not valid UTF-8", Position: utf8.RuneCountInString(text[:at]) + 1}
	}
	p := parser{scanner: scanner{src: text}, text: &Text{}}
	for {
		t := p.scanner.next()
		if t.kind == tokenEnd {
			break
		}
		p.add(t)
	}
	if p.scanner.fault == nil && len(p.scanner.interpolations) > 0 {
		p.scanner.fail(len(text), "the string has no end: an interpolation is still open")
	}
	if p.scanner.fault != nil {
		return nil, p.scanner.fault
	}
	p.finish()
	p.text.Empty = len(p.text.Statements) == 0
	p.text.Mixed = len(p.text.Names) > 0 && p.text.Positional > 0
	return p.text, nil
}

// invalidUTF8 is where text is no UTF-8, -1 if it is all.
func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// parser collects what the scanner finds.
type parser struct {
	scanner scanner
	text    *Text
	seen    map[string]bool
	current Statement
	tokens  int    // in the current statement
	closers []byte // what closes the brackets that are open
}

func (p *parser) add(t token) {
	src := p.scanner.src
	switch t.kind {
	case tokenSemicolon:
		if len(p.closers) == 0 {
			p.finish()
			return
		}
	case tokenOpen:
		p.closers = append(p.closers, closer(src[t.start]))
	case tokenClose:
		// One that closes nothing is the server's to find.
		if n := len(p.closers); n > 0 && p.closers[n-1] == src[t.start] {
			p.closers = p.closers[:n-1]
		}
	case tokenPositional:
		p.text.Positional = max(p.text.Positional, count(src[t.start+1:t.end]))
	case tokenNamed:
		p.name(src[t.start+1 : t.end])
	}
	if p.tokens == 0 {
		p.current.Start = t.start
	}
	if p.tokens < len(p.current.Words) && t.kind == tokenWord {
		p.current.Words[p.tokens] = lower(src[t.start:t.end])
	}
	p.tokens++
	p.current.End = t.end
}

// finish ends the current statement, if there is one.
func (p *parser) finish() {
	if p.tokens > 0 {
		p.text.Statements = append(p.text.Statements, p.current)
	}
	p.current, p.tokens = Statement{}, 0
}

// name notes a named parameter.
func (p *parser) name(written string) {
	name := written
	if name[0] == '`' {
		name = strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	if !p.seen[name] {
		p.seen[name] = true
		p.text.Names = append(p.text.Names, name)
		p.text.Written = append(p.text.Written, written)
	}
}

// Has says whether a named parameter is in the text.
func (t *Text) Has(name string) bool { return slices.Contains(t.Names, name) }

func closer(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	default:
		return '}'
	}
}

// count is one more than the value of digits, saturated.
func count(digits string) int {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n == math.MaxInt32 {
		return math.MaxInt32
	}
	return int(n) + 1
}

// lower is a word in lower case. Keywords are short: a longer word is none, and
// is returned as it is.
func lower(word string) string {
	const longest = 16
	if len(word) > longest {
		return word
	}
	return strings.ToLower(word)
}
