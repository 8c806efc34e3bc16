package decode

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/edgedb/edgedb-go"
)

// argumentError says why an argument cannot be sent. Its text is all that edgedb-go
// keeps of it.
type argumentError struct{ name, reason string }

// argumentMark begins the text of an argumentError, so that it is known again.
const argumentMark = "argument "

func (e *argumentError) Error() string { return argumentMark + e.name + ": " + e.reason }

// errUnfit says that there is no rule for the pair of types.
var errUnfit = errors.New("no encoding")

var (
	// The texts of edgedb-go v0.17.2, internal/codecs: args.go, utils.go, array.go,
	// range.go.
	wrongCount   = regexp.MustCompile(`^expected (\d+) arguments got (\d+)$`)
	oneNamed     = regexp.MustCompile(`^wrong number of arguments, expected 1 got: `)
	notNamed     = regexp.MustCompile(`^expected args to be map\[string\]interface ?\{\} got `)
	missingValue = regexp.MustCompile(`^cannot encode \S+ at args(\.\w+|\[\d+\])((?:\[\d+\])?) because its value is missing$`)
	wrongRange   = regexp.MustCompile(`^invalid range type at args(\.\w+|\[\d+\])((?:\[\d+\])?): (\S+)$`)
	wrongType    = regexp.MustCompile(`^expected args(\.\w+|\[\d+\])((?:\[\d+\])?) to be (.*) got:? (\S+)$`)
)

// ArgumentError says whether err, which a Fetch or edgedb-go's Execute returned,
// means that an argument cannot be sent, and gives words for it that name the
// argument ($0, $name) and not its value. Nothing was executed then.
func ArgumentError(err error) (text string, ok bool) {
	var failure edgedb.Error
	if !errors.As(err, &failure) || !failure.Category(edgedb.InvalidArgumentError) {
		return "", false
	}
	_, text, ok = strings.Cut(err.Error(), invalidArgument)
	switch {
	case !ok || strings.Contains(text, mismatchText):
		return "", false
	case strings.HasPrefix(text, argumentMark+"$"):
		return text, true
	case oneNamed.MatchString(text) || notNamed.MatchString(text):
		return "the command's parameters are named, so there must be exactly one argument: a map, duet.Named or struct", true
	}
	if m := wrongCount.FindStringSubmatch(text); m != nil {
		return "the command wants " + m[1] + " arguments and got " + m[2], true
	}
	if m := missingValue.FindStringSubmatch(text); m != nil {
		return argumentMark + argumentName(m[1], m[2]) + ": NULL for a parameter that is required", true
	}
	if m := wrongRange.FindStringSubmatch(text); m != nil {
		return argumentMark + argumentName(m[1], m[2]) + ": " + wantedWords("an edgedb.Range type (a missing one by its edgedb.OptionalRange type)", m[3]), true
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return argumentMark + argumentName(m[1], m[2]) + ": " + wantedWords(m[3], m[4]), true
	}
	return "", false
}

// argumentName turns edgedb-go's path of an argument, ".name" or "[0]", and the
// element's into ours.
func argumentName(path, element string) string {
	name := "$" + strings.Trim(path, ".[]")
	if element != "" {
		if i, err := strconv.Atoi(strings.Trim(element, "[]")); err == nil {
			name += ", element " + strconv.Itoa(i+1)
		}
	}
	return name
}

// wantedWords says what fits instead of what was given.
func wantedWords(wanted, got string) string {
	if got == "<nil>" {
		return "there is no value"
	}
	if strings.HasPrefix(got, "decode.") || strings.HasPrefix(got, "*decode.") {
		got = "the value"
	} else {
		got = "a Go " + got
	}
	return got + " cannot be sent where edgedb-go wants " + wanted
}
