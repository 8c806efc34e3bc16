package sqltext

import (
	"slices"
	"strings"
)

// Calls lists the words of a text that may name a function which it calls:
// identifiers directly before an opening parenthesis, without their schema, in
// lower case unless they are quoted, each once. Some are keywords, types, or
// tables with their columns: which ones are functions, only the server knows.
// into says that the word INTO occurs, as in SELECT INTO.
func Calls(text string, standardStrings bool) (names []string, into bool) {
	s := scanner{src: text, std: standardStrings}
	name := ""
	for {
		t := s.nextSolid()
		raw := text[t.start:t.end]
		switch t.kind {
		case tokenEOF:
			return names, into
		case tokenWord:
			name = strings.ToLower(raw)
			into = into || name == "into"
		case tokenQuoted:
			if name = ""; raw[0] == '"' {
				name = strings.ReplaceAll(strings.Trim(raw, `"`), `""`, `"`)
			} else if strings.HasPrefix(strings.ToLower(raw), `u&"`) {
				name = raw // a name with escapes, which nobody has
			}
		case tokenOpen:
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
			name = ""
		default:
			name = ""
		}
	}
}
