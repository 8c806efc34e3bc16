package sqltext

import (
	"slices"
	"strings"
)

// Names lists the identifiers of a text, each once, in lower case unless they
// are quoted. Keywords are among them, and names written with escapes (U&"…") are
// given as they are.
func Names(text string, standardStrings bool) []string {
	s := scanner{src: text, std: standardStrings}
	var names []string
	for {
		t := s.nextSolid()
		if t.kind == tokenEOF {
			return names
		}
		if name := nameOf(text[t.start:t.end], t.kind); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
}

// nameOf is the identifier that a token is, "" where it is none.
func nameOf(raw string, kind tokenKind) string {
	switch {
	case kind == tokenWord:
		return lower(raw)
	case kind != tokenQuoted:
		return ""
	case raw[0] == '"':
		return strings.ReplaceAll(strings.Trim(raw, `"`), `""`, `"`)
	case strings.HasPrefix(strings.ToLower(raw), `u&"`):
		return raw
	}
	return ""
}

// lower folds as the server does in a database with a multi-byte encoding: ASCII
// alone.
func lower(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, word)
}
