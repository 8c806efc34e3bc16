package backends_test

import "regexp"

// difference is one that is meant.
type difference struct {
	// cell is a regular expression for the cells in which it is seen.
	cell string
	// cells is how many those are.
	cells int
	// reason says why it must be.
	reason string
}

func (d *difference) matches(cell string) bool {
	return regexp.MustCompile("^(?:" + d.cell + ")$").MatchString(cell)
}

// mostShown bounds what a test prints.
const mostShown = 40

// The Go types that take a value's text: of those that take it, and of those that
// fail with it in their words.
const texts = `(` + takesText + `|` + failsText + `)`

const (
	takesText = `\**string|backends_test\.(ownString|upper|textInt|seen|selfEmbed)|\*backends_test\.(seen|upper)|json\.Number|` +
		`\*?sql\.NullString|sql\.Null\[string\]|\*?duet\.Optional\[(\*?string|.*\.seen|.*\.upper|.*\.Optional\[string\])\]`
	failsText = `\*?time\.Time|backends_test\.(ownTime|picky)|sql\.NullTime|duet\.Optional\[(time\.Time|math/big\.Int)\]|` +
		`\*?big\.(Int|Rat|Float)|\*?netip\.(Addr|Prefix)|net\.(IP|IPNet)`
)

// differences are those that are meant, by test.
var differences = map[string][]difference{
	"TestParityOfDestinations": {
		{`QueryOne (bools|bigints|jsons|int_arrays|accounts|float64s) into .*`, 361,
			"EdgeDB refuses a command that may give more rows than one before it is known that its rows do not fit"},
		{`\w+ (echo_bool|bools) .*into ` + texts, 341, "a bool's text is the server's own: t and f, true and false"},
		{`\w+ echo_(datetime|local_datetime|duration) .* into ` + texts, 1552, "a text of a time is the server's own: ISO 8601 on EdgeDB"},
		{`\w+ echo_duration .* into (\*?interface \{\}|\*?duet\.Record|\*?map\[string\]interface \{\}|\[\]interface \{\}|backends_test\.own(Map|List)|duet\.Optional\[interface \{\}\])`, 165,
			"an interval may have months, which no time.Duration has; a duration has none"},
		{`\w+ (echo_ints|echo_strs|int_arrays) .*into ` + texts, 957, "EdgeQL casts no array to str"},
		{`\w+ (echo_ints|echo_strs|int_arrays) .*into \[\]\[\]int64`, 15, "EdgeDB's arrays have one dimension, and that is known beforehand"},
		{`\w+ (echo_json|jsons) .*into \*?(map\[string\]interface \{\}|backends_test\.(ownMap|point|tagged)|struct \{\})`, 245,
			"a row that is json has no column's name on EdgeDB, and goes into structs and maps as its value; on PostgreSQL those take columns"},
	},
	"TestParityOfArguments": {
		{`echo_\w+ of (nil.*|.* (nil|unset|zero)|Valuer nil)`, 424, "a parameter of EdgeDB takes a missing value only where it is declared optional"},
		{`echo_bigint of .*`, 15, "the SQL twin's numeric has fractions, infinities and NaN; a bigint has not"},
		{`echo_(bool|datetime|local_datetime|local_date|duration) of (string .*|bytes 12|json\.Number)`, 17, "a string is the type's own text form, and PostgreSQL reads more forms than EdgeQL"},
		{`echo_(datetime|local_datetime|local_date) of year .*`, 9, "EdgeDB's years go from 1 to 9999, PostgreSQL's farther"},
		{`echo_local_time of .*`, 6, "PostgreSQL's time can be 24:00"},
		{`echo_(bytes|str) of month`, 2, "pgtype sends a Stringer as its text"},
		{`echo_json of (float64 .*|negative zero|string 1e3)`, 4, "EdgeDB's json keeps the values of numbers and not how they are written, as jsonb does"},
		{`echo_json of \[\]string NUL`, 1, "EdgeDB's json takes no NUL in its strings, as jsonb does not"},
		{`echo_(ints|strs) of (\*?\[\d+\]byte|\[\]ownUint8|own(Bytes|UUID)|net\.IP)`, 14, "PostgreSQL takes bytes of a type of one's own for an array of numbers"},
		{`echo_(ints|strs) of \[\]\[\]int64.*`, 4, "EdgeDB's arrays have one dimension"},
		{`echo_(ints|strs) of mute`, 2, "an array of EdgeDB has no text form, so that MarshalText is not asked"},
	},
	"TestParityOfArgumentRules": {
		{`\w+ a wrong type by name`, 4, "PostgreSQL's error counts the arguments, also those with a name"},
		{`\w+ in the wrong order`, 4, "PostgreSQL leaves the text of a number to the server, so that another argument is refused first"},
		{`\w+ mixed.*`, 8, "the words for a text that cannot be read are each language's own"},
		{`\w+ (a ctx|nil by name)`, 8, "a parameter of EdgeDB takes a missing value only where it is declared so"},
		{`Query .*`, 8, "a tuple has elements; its SQL twin is one column of json"},
	},
	"TestParityOfStructs": {
		{`lax account .* into backends_test.accountNoTags`, 4, "EdgeQL casts no set to str"},
		{`transfers .* into backends_test.(transferAny|transferRaw)`, 2, "an object of EdgeDB is no json, which its SQL twin is"},
	},
	"TestParityOfRows": {
		{`.* three_args`, 3, "a tuple has elements, which are columns; its SQL twin is one column of json"},
	},
	"TestParityOfJSON": {
		{`QueryOneJSON transfers`, 1, "EdgeDB refuses a command that may give more rows than one"},
	},
}
