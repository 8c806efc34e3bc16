package sqltext

import "slices"

// Calls lists the words of a text that may name a function which it calls:
// identifiers directly before an opening parenthesis, without their schema, in
// lower case unless they are quoted, each once. Some are keywords, types, or
// tables with their columns: which ones are functions, only the server knows.
// foreign says that one of them has a schema other than pg_catalog, and into that
// the word INTO occurs, as in SELECT INTO.
func Calls(text string, standardStrings bool) (names []string, foreign, into bool) {
	s := scanner{src: text, std: standardStrings}
	name, schema, dot := "", "", false
	for {
		t := s.nextSolid()
		raw := text[t.start:t.end]
		switch t.kind {
		case tokenEOF:
			return names, foreign, into
		case tokenWord, tokenQuoted:
			if schema = ""; dot {
				schema = name
			}
			name, dot = nameOf(raw, t.kind), false
			into = into || t.kind == tokenWord && name == "into"
		case tokenOpen:
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
			foreign = foreign || name != "" && schema != "" && schema != "pg_catalog"
			name, schema, dot = "", "", false
		default:
			if dot = raw == "." && name != ""; !dot {
				name, schema = "", ""
			}
		}
	}
}
