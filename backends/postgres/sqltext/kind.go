package sqltext

import "strings"

// Kind is what a statement is, told by its first words.
type Kind uint8

// The kinds of statements. The zero value is Empty.
const (
	// Empty is a text without a statement.
	Empty Kind = iota
	// Select is SELECT or TABLE, also where it writes: SELECT INTO, SELECT
	// FOR UPDATE, a function with side effects.
	Select
	// Values is VALUES.
	Values
	// Insert is INSERT.
	Insert
	// Update is UPDATE.
	Update
	// Delete is DELETE.
	Delete
	// Merge is MERGE.
	Merge
	// With is WITH and whatever follows: any of the above may be inside.
	With
	// TransactionControl begins, ends or marks a transaction: BEGIN, START,
	// COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE TRANSACTION,
	// COMMIT PREPARED, ROLLBACK PREPARED.
	TransactionControl
	// Copy is COPY.
	Copy
	// Listen is LISTEN or UNLISTEN.
	Listen
	// Set is SET or RESET, SET TRANSACTION among them.
	Set
	// Utility is any other statement, and any text that is none.
	Utility
)

// String names the kind: "Select".
func (k Kind) String() string {
	names := [...]string{
		"Empty", "Select", "Values", "Insert", "Update", "Delete", "Merge",
		"With", "TransactionControl", "Copy", "Listen", "Set", "Utility",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "Kind(?)"
}

// KindOf is the kind of a text's first statement. Comments, semicolons and
// parentheses before it are skipped.
func KindOf(text string, standardStrings bool) Kind {
	s := scanner{src: text, std: standardStrings}
	var r kindReader
	for {
		t := s.nextSolid()
		if t.kind == tokenEOF || r.add(text, t) {
			return r.result()
		}
	}
}

// kindReader takes the solid tokens of one statement and tells its kind.
type kindReader struct {
	kind    Kind
	prepare bool // seen PREPARE, whose next word decides
	done    bool
}

// add takes a token and says whether the kind is known now.
func (r *kindReader) add(src string, t token) bool {
	if r.done || t.kind == tokenOpen && !r.prepare || t.kind == tokenSemicolon {
		return r.done
	}
	word := ""
	if t.kind == tokenWord {
		word = keyword(src[t.start:t.end])
	}
	if !r.prepare && word == "prepare" {
		r.prepare, r.kind = true, Utility
		return false
	}
	r.done = true
	if !r.prepare {
		r.kind = kindOfWord(word)
	} else if word == "transaction" {
		r.kind = TransactionControl
	}
	return true
}

func (r *kindReader) result() Kind { return r.kind }

func kindOfWord(word string) Kind {
	switch word {
	case "select", "table":
		return Select
	case "values":
		return Values
	case "insert":
		return Insert
	case "update":
		return Update
	case "delete":
		return Delete
	case "merge":
		return Merge
	case "with":
		return With
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release":
		return TransactionControl
	case "copy":
		return Copy
	case "listen", "unlisten":
		return Listen
	case "set", "reset":
		return Set
	}
	return Utility
}

// keyword is a word in lower case. Keywords are ASCII and short: a longer word,
// or one with other letters, is none, and is returned as it is.
func keyword(word string) string {
	const longest = 16
	if len(word) > longest {
		return word
	}
	if strings.IndexFunc(word, func(r rune) bool { return r >= 'A' && r <= 'Z' }) < 0 {
		return word
	}
	var lower [longest]byte
	for i := range len(word) {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return string(lower[:len(word)])
}
