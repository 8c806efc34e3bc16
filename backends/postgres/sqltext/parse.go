// Package sqltext reads SQL text as PostgreSQL's scanner does: it finds the
// parameters, the statements and the kind of a statement, and draws the caret
// under an error's position. It knows tokens, not grammar, and talks to nobody.
//
// All functions take any bytes, take time linear in the text, and are safe for
// concurrent use. Where versions of PostgreSQL differ (numbers with junk behind
// them, vertical tabs), the newer one is followed; such texts are syntax errors
// in all of them.
package sqltext

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxParameters is how many parameters a statement can have: the protocol
// counts them in 16 bits (PostgreSQL documentation, "Message Formats", Bind).
const MaxParameters = 65535

// Parsed is a statement's text with its parameters found. It does not change
// after Parse and is safe for concurrent use.
type Parsed struct {
	// Text is what to send: each $name is replaced by $1, $2, …; without
	// $name it is the text as it was.
	Text string
	// Names are the names in the order of their numbers, each once, without
	// the $: Names[0] is $1. Nil where the text has no $name.
	Names []string
	// Positional is the highest n of all $n that the text was written with,
	// 0 where it has none. Numbers too large for 32 bits count as 2147483647.
	Positional int

	original string
	edits    []edit
}

// edit is one $name that became $n: byte positions of its start and end.
type edit struct {
	newStart, newEnd int
	oldStart, oldEnd int
}

// ParameterError is a fault in how a text uses parameters.
type ParameterError struct {
	// Reason says what is wrong and what to do.
	Reason string
	// Position is where, in characters, from 1.
	Position int
}

// Error returns the reason.
func (e *ParameterError) Error() string { return e.Reason }

// Parse finds the parameters of a text. standardStrings is the server's
// standard_conforming_strings, which it reports, and which is on by default.
// Mixing $1 and $name, or more than MaxParameters names, is a *ParameterError.
func Parse(text string, standardStrings bool) (*Parsed, error) {
	p := &Parsed{Text: text, original: text}
	if strings.IndexByte(text, '$') < 0 {
		return p, nil
	}
	if err := p.parse(standardStrings); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Parsed) parse(std bool) error {
	s := scanner{src: p.original, std: std}
	var out strings.Builder
	var numbers map[string]int
	copied := 0 // how much of the original is in out
	firstPositional, firstNamed := -1, -1
	for t := s.next(); t.kind != tokenEOF; t = s.next() {
		switch t.kind {
		case tokenPositional:
			if firstPositional < 0 {
				firstPositional = t.start
			}
			p.Positional = max(p.Positional, parameterNumber(p.original[t.start+1:t.end]))
		case tokenNamed:
			if firstNamed < 0 {
				firstNamed = t.start
			}
			name := p.original[t.start+1 : t.end]
			n, known := numbers[name]
			if !known {
				p.Names = append(p.Names, name)
				n = len(p.Names)
				if numbers == nil {
					numbers = map[string]int{}
				}
				numbers[name] = n
			}
			if n > MaxParameters {
				return p.fault(t.start, fmt.Sprintf("the statement has more than %d named parameters, which PostgreSQL cannot take; pass arrays instead", MaxParameters))
			}
			out.WriteString(p.original[copied:t.start])
			e := edit{newStart: out.Len(), oldStart: t.start, oldEnd: t.end}
			out.WriteByte('$')
			out.WriteString(strconv.Itoa(n))
			e.newEnd = out.Len()
			p.edits = append(p.edits, e)
			copied = t.end
		}
		if firstPositional >= 0 && firstNamed >= 0 {
			return p.fault(t.start, fmt.Sprintf("the statement mixes $%s and $%s: write all parameters as numbers or all as names",
				firstWord(p.original[firstPositional+1:]), firstWord(p.original[firstNamed+1:])))
		}
	}
	if len(p.edits) > 0 {
		out.WriteString(p.original[copied:])
		p.Text = out.String()
	}
	return nil
}

func (p *Parsed) fault(at int, reason string) error {
	return &ParameterError{Reason: reason, Position: utf8.RuneCountInString(p.original[:at]) + 1}
}

// firstWord is the parameter that a text begins with, shortened for a message.
func firstWord(s string) string {
	const most = 63 // as long as PostgreSQL's own names
	end := skip(s, 0, isTagPart)
	if isDigit(s[0]) {
		end = skip(s, 0, isDigit)
	}
	if end <= most {
		return s[:end]
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// parameterNumber is the value of digits, saturated.
func parameterNumber(digits string) int {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil { // digits alone: too large
		return math.MaxInt32
	}
	return int(n)
}

// OriginalPosition maps a position in Text, such as an error of the server
// reports it (in characters, from 1), to the position in the text that Parse was
// given. A position inside a parameter is mapped to the parameter's $, one past
// the end to the end, and one below 1 to 0, which means none.
func (p *Parsed) OriginalPosition(pos int) int {
	if pos < 1 {
		return 0
	}
	at := byteOffset(p.Text, pos-1)
	// The edit after the last one that begins at or before at.
	i := sort.Search(len(p.edits), func(i int) bool { return p.edits[i].newStart > at })
	if i > 0 {
		e := p.edits[i-1]
		if at < e.newEnd {
			at = e.oldStart
		} else {
			at += e.oldEnd - e.newEnd
		}
	}
	return utf8.RuneCountInString(p.original[:at]) + 1
}

// byteOffset is where the n-th character of s begins, counted from 0; the end
// of s where it has fewer.
func byteOffset(s string, n int) int {
	for at := range s {
		if n == 0 {
			return at
		}
		n--
	}
	return len(s)
}

// Index is the number of a name in Names, counted from 1 as in $1, or 0.
func (p *Parsed) Index(name string) int { return slices.Index(p.Names, name) + 1 }
