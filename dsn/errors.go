package dsn

import (
	"strconv"
	"strings"
)

// Error says what is wrong with one keyword or place of a configuration. Its
// text never holds a secret nor the data source name; values are shown only for
// keywords that are not secret. Errors of several keywords are joined with
// [errors.Join]; [errors.As] finds the first.
type Error struct {
	Keyword string // the libpq keyword, or "" where the string as a whole is meant
	Source  Source // where the value came from
	Offset  int    // for a value in the data source name: its byte, from 0; else -1
	Problem string // what is wrong, and what to do about it
	Err     error  // the cause, such as a file's error, or nil
}

// Error gives the keyword, the problem and the place.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dsn: ")
	if e.Keyword != "" {
		b.WriteString(e.Keyword + ": ")
	}
	b.WriteString(e.Problem)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	switch {
	case e.Source.Kind == SourceDSN && e.Offset >= 0:
		b.WriteString(" (at byte " + strconv.Itoa(e.Offset) + " of the dsn)")
	case e.Source.Kind == SourceServiceFile && e.Source.Line > 0:
		b.WriteString(" (" + e.Source.String() + " line " + strconv.Itoa(e.Source.Line) + ")")
	case e.Source.Kind != SourceDefault:
		b.WriteString(" (" + e.Source.String() + ")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// syntaxError is an error in the data source name itself.
func syntaxError(keyword string, offset int, problem string) *Error {
	return &Error{Keyword: keyword, Source: Source{Kind: SourceDSN}, Offset: offset, Problem: problem}
}

// shown quotes a value for an error, cut to what a line can bear. What holds "="
// is hidden: after "port= password=x", port is "password=x".
func shown(value string) string {
	const most = 80
	if strings.Contains(value, "=") || mayHoldSecret(value) {
		return "(not shown, as it holds = or a URI; an empty value is written '')"
	}
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}

// mayHoldSecret reports whether a value that is no secret itself has one inside: a
// connection string that became the value of one key.
func mayHoldSecret(value string) bool {
	if strings.Contains(value, "://") && strings.Contains(value, "@") {
		return true
	}
	for i := range keywords {
		if keywords[i].secret && strings.Contains(value, keywords[i].name+"=") {
			return true
		}
	}
	return false
}

// unknownKeyword is the error for a key that libpq does not know either. The key
// is shown only where it cannot be a piece of a badly quoted password.
func unknownKeyword(key string, offset int, mayShow bool) *Error {
	problem := "unknown key"
	if mayShow {
		problem += " " + shown(key)
	} else {
		problem += " (not shown: it may be a part of a password; a password that holds such characters must be quoted or percent-encoded)"
	}
	if near := nearestKeyword(key); near != "" {
		problem += "; did you mean " + near + "?"
	}
	return syntaxError("", offset, problem)
}

// nearestKeyword gives the keyword that key was probably meant to be, or "".
func nearestKeyword(key string) string {
	if len(key) < 3 || len(key) > 40 {
		return ""
	}
	best, bestDistance := "", 3
	for i := range keywords {
		name := keywords[i].name
		if d := editDistance(strings.ToLower(key), name); d < bestDistance && d < len(name)/2+1 {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance counts the single-byte changes that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := diagonal
			if a[i-1] != b[j-1] {
				substitute++
			}
			diagonal = row[j]
			row[j] = min(substitute, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
