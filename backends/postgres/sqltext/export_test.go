package sqltext

// Token opens the scanner to the tests.
type Token struct {
	Kind       string
	Start, End int
}

// Tokens cuts a text into its tokens.
func Tokens(text string, std bool) []Token {
	names := [...]string{
		tokenSpace: "space", tokenComment: "comment", tokenWord: "word",
		tokenQuoted: "quoted", tokenNumber: "number", tokenPositional: "positional",
		tokenNamed: "named", tokenSemicolon: "semicolon", tokenOpen: "open",
		tokenClose: "close", tokenOther: "other",
	}
	s := scanner{src: text, std: std}
	var all []Token
	for t := s.next(); t.kind != tokenEOF; t = s.next() {
		all = append(all, Token{names[t.kind], t.start, t.end})
	}
	return all
}
