package edgedbtest

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// capabilities are what a text needs the client to allow.
func capabilities(ws []word) uint64 {
	var caps uint64
	first := true
	for _, w := range ws {
		switch w.text {
		case "insert", "update", "delete":
			if caps&capDDL == 0 {
				caps |= capModifications
			}
		case "create", "alter", "drop":
			if first {
				caps |= capDDL
			}
		case "start", "commit", "rollback", "declare", "release":
			if first {
				caps |= capTransaction
			}
		}
		first = w.text == ";" && w.depth == 0
	}
	return caps
}

// lastStatement gives the words of a script's last statement.
func lastStatement(ws []word) []word {
	for len(ws) > 0 && ws[len(ws)-1].text == ";" {
		ws = ws[:len(ws)-1]
	}
	for i := len(ws) - 1; i >= 0; i-- {
		if ws[i].text == ";" && ws[i].depth == 0 {
			return ws[i+1:]
		}
	}
	return ws
}

// mainVerb is what a script's last statement does: what comes after WITH, if it
// has one.
func mainVerb(ws []word) string {
	ws = lastStatement(ws)
	for _, w := range ws {
		if w.depth > 0 {
			continue
		}
		switch w.text {
		case "with":
		case "select", "insert", "update", "delete", "for", "group", "create", "alter", "drop", "start":
			return w.text
		}
	}
	return ""
}

// statusOf is the status that CommandComplete gives.
func statusOf(ws []word) string {
	verb := mainVerb(ws)
	last := lastStatement(ws)
	switch verb {
	case "for", "group":
		return "SELECT"
	case "create", "alter", "drop":
		if len(last) > 2 && last[1].text == "scalar" {
			return strings.ToUpper(verb) + " SCALAR TYPE"
		}
		if len(last) > 1 {
			return strings.ToUpper(verb + " " + last[1].text)
		}
	}
	return strings.ToUpper(verb)
}

// tenantOf finds what a text has to do with the global.
func tenantOf(ws []word) tenantUse {
	for i := 1; i < len(ws); i++ {
		if ws[i].text != "global" {
			continue
		}
		switch ws[i-1].text {
		case "create":
			return tenantCreates
		case "drop":
			return tenantDrops
		default:
			return tenantReads
		}
	}
	return tenantNone
}

// refusal is what EdgeDB's compiler has against a statement, nil for most.
func refusal(name, text string) *Error {
	at := func(code uint32, message, part string) *Error {
		start := strings.LastIndex(text, part)
		return &Error{Code: code, Message: message, Attributes: span(text, start, start+len(part))}
	}
	switch name {
	case "missing_required":
		e := errorf(codeMissingRequired, "missing value for required property 'balance' of object type 'default::Account'")
		// The end is that of the text as the server normalizes it, two bytes
		// before the end of this one.
		e.Attributes = span(text, 0, len(text)-2)
		return e
	case "mixed_args":
		return errorf(codeQuery, "cannot combine positional and named parameters in the same query")
	case "syntax_error":
		e := errorf(codeSyntax, "Missing '('")
		e.Attributes = append(span(text, len(text), len(text)), Attribute{attrContext, "query"})
		return e
	case "syntax_error_in_line_2":
		e := at(codeSyntax, "Unexpected ')'", ")")
		e.Attributes = append(e.Attributes, Attribute{attrContext, "query"})
		return e
	case "unknown_type":
		return at(codeInvalidReference, "object type or alias 'default::Nothing' does not exist", "Nothing")
	case "unknown_property":
		return at(codeInvalidReference, "object type 'default::Account' has no link or property 'nothing'", "nothing")
	}
	return nil
}

// span are the attributes of an error that has a place in the text, from one
// byte to another.
func span(text string, from, to int) []Attribute {
	start, end := placeOf(text, from), placeOf(text, to)
	return []Attribute{
		{attrPositionStart, itoa(from)}, {attrPositionEnd, itoa(to)},
		{attrCharStart, itoa(start.char)}, {attrCharEnd, itoa(end.char)},
		{attrLineStart, itoa(start.line)}, {attrColumnStart, itoa(start.column)}, {attrUTF16Start, itoa(start.utf16)},
		{attrLineEnd, itoa(end.line)}, {attrColumnEnd, itoa(end.column)}, {attrUTF16End, itoa(end.utf16)},
	}
}

// place is where a byte is: characters from the text's beginning, the line and
// the column in characters, both from 1, and the column in UTF-16 units from 0.
type place struct{ char, line, column, utf16 int }

func placeOf(text string, at int) place {
	before := text[:at]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return place{
		char:   utf8.RuneCountInString(before),
		line:   strings.Count(before, "\n") + 1,
		column: utf8.RuneCountInString(line) + 1,
		utf16:  len(utf16.Encode([]rune(line))),
	}
}
