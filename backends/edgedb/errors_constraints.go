package edgedb

import (
	"regexp"
	"strings"

	"github.com/duetdb/duet"
)

// All violated constraints have one code, and which it was stands in the details,
// which edgedb-go drops. What is left is the message: of EdgeDB's own constraints
// (its standard library, module std) it is known, so that those tell the kind. A
// constraint with a message of the user's own ("errmessage") is a check, be it
// exclusive or not.

// constraintText is the message of a constraint; subject and table are numbers of
// groups, 0 for none.
type constraintText struct {
	pattern        *regexp.Regexp
	kind           duet.Kind
	constraint     string
	subject, table int
}

var constraintTexts = []constraintText{
	{regexp.MustCompile(`^(.+) violates exclusivity constraint$`), duet.KindUniqueViolation, "std::exclusive", 1, 0},
	{regexp.MustCompile(`^unique link constraint violation$`), duet.KindUniqueViolation, "", 0, 0},
	{regexp.MustCompile(`^deletion of (.+) \([0-9a-f-]+\) is prohibited by link target policy$`), duet.KindForeignKeyViolation, "", 0, 1},
	{regexp.MustCompile(`^Existing (.+)\.([^.]+) values violate the new constraint$`), duet.KindCheckViolation, "", 2, 1},
	{regexp.MustCompile(`^Maximum allowed value for (.+?) is .*\.$`), duet.KindCheckViolation, "std::max_value", 1, 0},
	{regexp.MustCompile(`^Minimum allowed value for (.+?) is .*\.$`), duet.KindCheckViolation, "std::min_value", 1, 0},
	{regexp.MustCompile(`^(.+?) must be no longer than .+ characters\.$`), duet.KindCheckViolation, "std::max_len_value", 1, 0},
	{regexp.MustCompile(`^(.+?) must be no shorter than .+ characters\.$`), duet.KindCheckViolation, "std::min_len_value", 1, 0},
	{regexp.MustCompile(`^(.+?) must be one of: .*\.$`), duet.KindCheckViolation, "std::one_of", 1, 0},
	{regexp.MustCompile(`^(.+?) must be less than .*\.$`), duet.KindCheckViolation, "std::max_ex_value", 1, 0},
	{regexp.MustCompile(`^(.+?) must be greater than .*\.$`), duet.KindCheckViolation, "std::min_ex_value", 1, 0},
	// std::expression, std::regexp and std::len_value share a text.
	{regexp.MustCompile(`^invalid (.+)$`), duet.KindCheckViolation, "", 1, 0},
}

// refineConstraint tells which constraint was violated, and of what.
func refineConstraint(e *duet.Error) {
	for _, t := range constraintTexts {
		m := t.pattern.FindStringSubmatch(e.Message)
		if m == nil {
			continue
		}
		e.Kind, e.Constraint = t.kind, t.constraint
		if t.subject > 0 && isColumn(m[t.subject]) {
			e.Column = m[t.subject]
		}
		if t.table > 0 {
			e.Schema, e.Table = splitName(m[t.table])
		}
		return
	}
}

// pointerName is a name that a property or link is likely to have. The subject
// of a constraint can be an object type or a title annotation as well.
var pointerName = regexp.MustCompile(`^[\p{Ll}_][\p{L}\p{N}_]*$`)

func isColumn(subject string) bool { return pointerName.MatchString(subject) }

var missing = regexp.MustCompile(`^missing value for required (?:property|link) '([^']+)'(?: of (object type|link) '([^']+)')?`)

// refineMissing tells what is missing where.
func refineMissing(e *duet.Error) {
	m := missing.FindStringSubmatch(e.Message)
	if m == nil {
		return
	}
	e.Column = m[1]
	if m[2] == "object type" {
		e.Schema, e.Table = splitName(m[3])
	}
}

// splitName splits "default::Account" at the module; a nested module keeps its
// colons.
func splitName(name string) (module, short string) {
	i := strings.LastIndex(name, "::")
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+2:]
}
