package edgedb

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
)

// edgedb-go exposes an error's category and tags, but neither its code nor its
// attributes: they are read from its text, "edgedb.NAME: message", which ends
// with the place in the query where the server told one.

// report is one error of edgedb-go, taken apart.
type report struct {
	name      string // "" where err is none of edgedb-go's
	code      uint32
	condition condition
	message   string // with the place
	local     bool   // edgedb-go made it of another error, not of the server's
}

// prefix is what the texts of edgedb-go's errors begin with.
var prefix = regexp.MustCompile(`^edgedb\.([A-Za-z]+): `)

// joint is where the next of several errors begins.
var joint = regexp.MustCompile(`; edgedb\.([A-Za-z]+): `)

// unknownCode is edgedb-go's text for a code that it does not know.
var unknownCode = regexp.MustCompile(`(?s)^invalid error code 0x([0-9a-f]{1,8}) with message (".*")$`)

// decisive finds the error that says what happened. Where edgedb-go joined
// several, one that would come back decides over one that may pass: it joins the
// server's refusal with the end of the connection.
func decisive(err error) report {
	var best report
	for _, r := range reports(err) {
		if best.name == "" || rank(r) > rank(best) {
			best = r
		}
	}
	return best
}

func rank(r report) int {
	switch c := r.condition; {
	case r.name == "":
		return 0
	case r.name == "NoDataError":
		return 1 // edgedb-go begins with it, and joins it with the end of the connection
	case c.is(familyClientConnection):
		return 2
	case c.tags != 0:
		return 3
	default:
		return 4
	}
}

// reports are the errors of edgedb-go in err, in its order.
func reports(err error) []report {
	switch e := err.(type) {
	case nil:
		return nil
	case edgedb.Error:
		r := readReport(e.Error())
		r.local = e.Unwrap() != nil
		return []report{r}
	case interface{ Unwrap() error }:
		return reports(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []report
		for _, one := range e.Unwrap() {
			all = append(all, reports(one)...)
		}
		return all
	}
	if _, ok := errors.AsType[edgedb.Error](err); !ok {
		return nil
	}
	return joinedReports(err.Error())
}

// joinedReports are the errors that edgedb-go joined: they can be told apart by
// their text alone.
func joinedReports(text string) []report {
	var all []report
	start := 0
	for _, at := range joint.FindAllStringSubmatchIndex(text, -1) {
		if _, known := conditions[text[at[2]:at[3]]]; known {
			all = append(all, readReport(text[start:at[0]]))
			start = at[0] + len("; ")
		}
	}
	return append(all, readReport(text[start:]))
}

// readReport takes the text of one error apart.
func readReport(text string) report {
	r := report{message: text}
	for {
		m := prefix.FindStringSubmatch(r.message)
		if m == nil {
			break
		}
		c, known := conditions[m[1]]
		if !known {
			break
		}
		if r.name == "" { // the outermost; the others are its causes
			r.name, r.code, r.condition = m[1], c.code, c
		}
		r.message = r.message[len(m[0]):]
	}
	if r.name == "UnexpectedMessageError" {
		r.newer()
	}
	return r
}

// newer reads the error of a server that knows more errors than edgedb-go.
func (r *report) newer() {
	m := unknownCode.FindStringSubmatch(r.message)
	if m == nil {
		return
	}
	code, err := strconv.ParseUint(m[1], 16, 32)
	message, err2 := strconv.Unquote(m[2])
	if err != nil || err2 != nil {
		return
	}
	name, c, ok := conditionOf(uint32(code))
	if !ok || c.fromClient() {
		return
	}
	r.name, r.code, r.condition, r.message = name, uint32(code), c, message
}

// place is what edgedb-go adds to the message of an error with a position: the
// line and the column in characters, both from 1, the line itself, and below it
// a caret with the hint, or the word error.
var place = regexp.MustCompile(`\nquery:([0-9]{1,9}):([0-9]{1,9})\n\n([^\n]*)\n( *)\^ `)

// position splits the place off a text, and finds it in cmd: 0 where cmd is not
// the text that the server saw. syntax says that it is a syntax error's.
func position(text, cmd string, syntax bool) (message, hint string, pos int) {
	message = text
	for _, at := range place.FindAllStringSubmatchIndex(text, -1) {
		line, _ := strconv.Atoi(text[at[2]:at[3]])
		column, _ := strconv.Atoi(text[at[4]:at[5]])
		shown, padding := text[at[6]:at[7]], at[9]-at[8]
		if line < 1 || padding != column-1 || padding > utf8.RuneCountInString(shown) {
			continue // the server's own words
		}
		found := positionIn(cmd, text[:at[0]], line, column, shown, syntax)
		if found > 0 || len(message) == len(text) {
			message, hint, pos = text[:at[0]], text[at[1]:], found
		}
		if found > 0 {
			break
		}
	}
	if hint == "error" {
		hint = ""
	}
	return message, hint, pos
}

// positionIn gives the position of a place, 0 where cmd does not have the line.
func positionIn(cmd, message string, line, column int, shown string, syntax bool) int {
	lines := strings.SplitN(cmd, "\n", line+1)
	if line > len(lines) || strings.ReplaceAll(lines[line-1], "\t", " ") != shown {
		return 0
	}
	if syntax && column == 1 && endsEarly(message, lines[:line]) {
		column += utf8.RuneCountInString(shown)
	}
	return edgeqltext.Offset(cmd, line, column)
}

// endsEarly says that a syntax error's place is the end of the last of lines,
// not its beginning: edgedb-go tells column 1 for both. Nothing can be missing
// before the first word of the text.
func endsEarly(message string, lines []string) bool {
	if !strings.HasPrefix(message, "Missing ") {
		return false
	}
	before, err := edgeqltext.Parse(strings.Join(lines[:len(lines)-1], "\n"))
	return err == nil && before.Empty
}

// password is the password, or a key, in what looks like a DSN.
var password = regexp.MustCompile(`(://[^\s:/@]*:)[^\s/]*@`)

var secretParameter = regexp.MustCompile(`(?i)\b((?:password|secret_key)=)[^\s&"']+`)

// redact takes secrets out of a text. edgedb-go is given none inside of a text,
// so that this only guards against what it may find by itself.
func redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	text = password.ReplaceAllString(text, "${1}xxxxx@")
	return secretParameter.ReplaceAllString(text, "${1}xxxxx")
}

// refine sets the kind where the text says more than the code, and the names of
// what the error is about.
func refine(e *duet.Error) {
	switch e.Name {
	case "ConstraintViolationError":
		refineConstraint(e)
	case "MissingRequiredError":
		refineMissing(e)
	case "CardinalityViolationError":
		if strings.HasPrefix(e.Message, "assert_exists violation") {
			e.Kind = duet.KindNoData
		}
	case "UnknownLinkError":
		if strings.HasPrefix(e.Message, "invalid target for link") {
			e.Kind = duet.KindForeignKeyViolation // found when it ran
		}
	default:
		for _, t := range kindTexts {
			if t.name == e.Name && strings.Contains(e.Message, t.text) {
				e.Kind = t.kind
				return
			}
		}
	}
}

// kindTexts are the kinds that only a text tells: the first that matches holds.
var kindTexts = []struct {
	name, text string
	kind       duet.Kind
}{
	{"TransactionError", "in a read-only transaction", duet.KindReadOnly},
	{"TransactionError", "during recovery", duet.KindReadOnly},
	// As for PostgreSQL's "operator does not exist".
	{"InvalidTypeError", "cannot be applied to operands of type", duet.KindUndefined},
	{"QueryError", "cannot combine positional and named parameters", duet.KindInvalidArgument},
	{"ProtocolError", "nothing to compile", duet.KindInvalidArgument},
	{"BinaryProtocolError", "empty query", duet.KindInvalidArgument},
	// Globals, aliases and config are checked by edgedb-go before it sends.
	{"BinaryProtocolError", "invalid connection state: found unknown state value", duet.KindUndefined},
	{"BinaryProtocolError", "invalid connection state: ", duet.KindInvalidArgument},
	{"InvalidArgumentError", `the "out" argument does not match query schema`, duet.KindInvalidResult},
	{"InterfaceError", `the "out" argument`, duet.KindInvalidResult},
	{"InterfaceError", "are not supported by the server", duet.KindUnsupported},
	{"InterfaceError", "client closed", duet.KindClosed},
	{"InterfaceError", "Connection is closed", duet.KindClosed},
	{"InterfaceError", "more than once", duet.KindClosed},
	{"InterfaceError", "the transaction is ", duet.KindClosed},
	{"ClientConnectionFailedError", "doesn't support the edgedb-binary protocol", duet.KindProtocol},
}
