package sqltext

// Statement is one statement of a script: Text[Start:End], from its first
// token to its last, without the semicolon.
type Statement struct {
	Start, End int
	Kind       Kind
}

// Statements cuts a script at its semicolons; statements that are empty, or
// comments alone, are dropped. Semicolons inside parentheses (CREATE RULE … DO
// (…; …)) and inside the body of a function or procedure written as BEGIN
// ATOMIC … END do not separate. As in psql, which has to decide without a
// grammar too, this can only be trusted for texts that the server accepts.
func Statements(text string, standardStrings bool) []Statement {
	var found []Statement
	c := cutter{scanner: scanner{src: text, std: standardStrings}}
	for {
		st, more := c.statement()
		if st.End > st.Start {
			found = append(found, st)
		}
		if !more {
			return found
		}
	}
}

// Count is the number of statements that Statements would return, but stops
// counting at limit; a limit below 1 is none.
func Count(text string, standardStrings bool, limit int) int {
	c := cutter{scanner: scanner{src: text, std: standardStrings}}
	for n := 0; ; {
		st, more := c.statement()
		if st.End > st.Start {
			n++
		}
		if !more || limit > 0 && n >= limit {
			return n
		}
	}
}

// cutter reads statement by statement.
type cutter struct {
	scanner scanner
	first   wordList
	parens  int // open parentheses
	blocks  int // open BEGIN ATOMIC and, inside of it, CASE
	before  string
}

// wordList are the first words of a statement: enough to tell its kind, and
// CREATE OR REPLACE FUNCTION from others.
type wordList struct {
	words [4]string
	n     int
}

func (l *wordList) add(word string) {
	if l.n < len(l.words) {
		l.words[l.n] = word
		l.n++
	}
}

// statement reads up to a semicolon that separates, or to the end of the text:
// then there are no more.
func (c *cutter) statement() (st Statement, more bool) {
	src := c.scanner.src
	c.first, c.parens, c.blocks, c.before = wordList{}, 0, 0, ""
	kind := kindReader{}
	for {
		t := c.scanner.nextSolid()
		if t.kind == tokenEOF || t.kind == tokenSemicolon && c.parens == 0 && c.blocks == 0 {
			st.Kind = kind.result()
			return st, t.kind != tokenEOF
		}
		if st.End == 0 {
			st.Start = t.start
		}
		st.End = t.end
		kind.add(src, t)
		c.track(src[t.start:t.end], t.kind)
	}
}

// track follows what keeps a semicolon from separating.
func (c *cutter) track(text string, kind tokenKind) {
	word := ""
	switch kind {
	case tokenOpen:
		c.parens++
	case tokenClose:
		c.parens = max(c.parens-1, 0)
	case tokenWord:
		word = keyword(text)
		c.first.add(word)
		if c.parens == 0 && c.isRoutine() {
			c.block(word)
		}
	case tokenOther:
		word = text
	}
	c.before = word
}

// block counts BEGIN ATOMIC, CASE and END in a routine's definition, but not
// where they are names: after a dot or AS.
func (c *cutter) block(word string) {
	if c.before == "." || c.before == "as" {
		return
	}
	switch {
	case word == "atomic" && c.before == "begin":
		c.blocks++
	case word == "case" && c.blocks > 0:
		c.blocks++
	case word == "end" && c.blocks > 0:
		c.blocks--
	}
}

// isRoutine says whether the statement begins with CREATE [OR REPLACE] FUNCTION
// or PROCEDURE.
func (c *cutter) isRoutine() bool {
	w := c.first.words
	if w[0] != "create" {
		return false
	}
	what := w[1]
	if w[1] == "or" && w[2] == "replace" {
		what = w[3]
	}
	return what == "function" || what == "procedure"
}
