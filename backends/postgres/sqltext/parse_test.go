package sqltext_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/internal/caret"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func ExampleParse() {
	p, err := sqltext.Parse("SELECT name FROM person WHERE id = $id AND note <> '$5' AND boss <> $id", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Text)
	fmt.Println(p.Names)
	// Output:
	// SELECT name FROM person WHERE id = $1 AND note <> '$5' AND boss <> $1
	// [id]
}

// parseCases are texts whose only parameters are those in want.
var parseCases = []struct {
	name string
	text string
	want string // the rewritten text
	args []string
}{
	{"none", "SELECT 1", "SELECT 1", nil},
	{"one", "SELECT $a", "SELECT $1", []string{"a"}},
	{"each once", "$b+$a+$b", "$1+$2+$1", []string{"b", "a"}},
	{"case matters", "$A $a", "$1 $2", []string{"A", "a"}},
	{"digits and underscores", "$_1x, $a1", "$1, $2", []string{"_1x", "a1"}},
	{"not ASCII", "$größe>$名", "$1>$2", []string{"größe", "名"}},
	{"broken UTF-8", "$\xff\xfe", "$1", []string{"\xff\xfe"}},
	{"cast", "$a::int", "$1::int", []string{"a"}},
	{"after a number", "1$a", "1$1", []string{"a"}},
	{"after a decimal", "1.5$a .5$b", "1.5$1 .5$2", []string{"a", "b"}},
	{"after junk", "1e5$a 0x1F$a 1_000$a 1abc$a", "1e5$a 0x1F$a 1_000$a 1abc$a", nil},
	{"after a signed exponent", "1e+5$a", "1e+5$1", []string{"a"}},
	{"in an identifier", "a$b é$b _$b", "a$b é$b _$b", nil},
	{"after quotes", `"x"$a 'x'$b`, `"x"$1 'x'$2`, []string{"a", "b"}},
	{"in quotes", `'$a' "$a" '''$a' """$a"`, `'$a' "$a" '''$a' """$a"`, nil},
	{"backslash in a string", `'\'$a`, `'\'$1`, []string{"a"}},
	{"escape string", `E'\'$a' e'\\'$b`, `E'\'$a' e'\\'$1`, []string{"b"}},
	{"no escape string", `nice'\'$a`, `nice'\'$1`, []string{"a"}},
	{"bit string", `b'1'$a X'f\'$b`, `b'1'$1 X'f\'$2`, []string{"a", "b"}},
	{"national", `N'\'$a n'$b'`, `N'\'$1 n'$b'`, []string{"a"}},
	{"unicode", `U&'\'$a u&"\"$b U&x$c`, `U&'\'$1 u&"\"$2 U&x$c`, []string{"a", "b"}},
	{"continued", "E'' -- c\n '\\'$a'$b", "E'' -- c\n '\\'$a'$1", []string{"b"}},
	{"continued twice", "E''\r\n''\n--x\n\t'\\'$a'$b", "E''\r\n''\n--x\n\t'\\'$a'$1", []string{"b"}},
	{"not continued on the line", `E'' '\'$b`, `E'' '\'$1`, []string{"b"}},
	{"not continued over a block comment", "E''/*\n*/\n'\\'$b", "E''/*\n*/\n'\\'$1", []string{"b"}},
	{"dollar quote", "$$ $a $b$ $$ $c", "$$ $a $b$ $$ $1", []string{"c"}},
	{"tagged dollar quote", "$q$ $a $$ $Q$ $q$+$c", "$q$ $a $$ $Q$ $q$+$1", []string{"c"}},
	{"tag in a tag", "$q$ $x$q$ $c", "$q$ $x$q$ $1", []string{"c"}},
	{"tag not ASCII", "$é$ $a $é$ $c", "$é$ $a $é$ $1", []string{"c"}},
	{"names that touch", "$a$b$ $a$+$c", "$a$b$ $a$+$1", []string{"c"}},
	{"dollar quote without end", "$a$b $c", "$a$b $c", nil},
	{"line comment", "--$a\n$b --$c", "--$a\n$1 --$c", []string{"b"}},
	{"line comment ends at CR", "--$a\r$b", "--$a\r$1", []string{"b"}},
	{"comment after an operator", "+--$a\n@/*$b*/$c", "+--$a\n@/*$b*/$1", []string{"c"}},
	{"nested comment", "/*/* $a */ $b */$c", "/*/* $a */ $b */$1", []string{"c"}},
	{"comment of stars", "/***/$a/**/$b/*/$c*/$d", "/***/$1/**/$2/*/$c*/$3", []string{"a", "b", "d"}},
	{"comment without end", "/* */ /* $a", "/* */ /* $a", nil},
	{"string without end", `'$a`, `'$a`, nil},
	{"backslash at the end", `E'$a\`, `E'$a\`, nil},
	{"lone dollars", "$ $-$", "$ $-$", nil},
	{"dollar at the end", "$a $", "$1 $", []string{"a"}},
	{"array", "ARRAY[$a,$b]", "ARRAY[$1,$2]", []string{"a", "b"}},
}

func TestParse(t *testing.T) {
	for _, tc := range parseCases {
		t.Run(tc.name, func(t *testing.T) {
			p, err := sqltext.Parse(tc.text, true)
			if err != nil {
				t.Fatal(err)
			}
			if p.Text != tc.want {
				t.Errorf("text %q, want %q", p.Text, tc.want)
			}
			if diff := cmp.Diff(tc.args, p.Names); diff != "" {
				t.Error(diff)
			}
			if p.Positional != 0 {
				t.Errorf("Positional is %d", p.Positional)
			}
		})
	}
}

func TestParseWithoutStandardStrings(t *testing.T) {
	for text, want := range map[string]string{
		`'\'$a'$b`:        `'\'$a'$1`,
		`N'\'$a'$b`:       `N'\'$a'$1`,
		`b'1'$b X'\'$b`:   `b'1'$1 X'\'$1`,
		`U&"\"$b`:         `U&"\"$1`,
		"'' \n '\\'$a'$b": "'' \n '\\'$a'$1",
		"b''\n'\\'$b":     "b''\n'\\'$1",
		`b'1''\'$a'$b`:    `b'1''\'$a'$1`,
	} {
		p, err := sqltext.Parse(text, false)
		if err != nil || p.Text != want {
			t.Errorf("%q: %v, %v; want %q", text, p, err, want)
		}
	}
}

func TestPositional(t *testing.T) {
	for text, want := range map[string]int{
		"SELECT 1": 0, "$1": 1, "$2 $1": 2, "'$3' $1": 1, "$010": 10, "$0": 0,
		"$1abc$9": 1, "a$7": 0, "$99999999999999999999": math.MaxInt32,
	} {
		p, err := sqltext.Parse(text, true)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if p.Positional != want || p.Text != text || p.Names != nil {
			t.Errorf("%q: %d, want %d; %q %q", text, p.Positional, want, p.Text, p.Names)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for text, want := range map[string]sqltext.ParameterError{
		"é $1 $a":          {Position: 6, Reason: "the statement mixes $1 and $a: write all parameters as numbers or all as names"},
		"$name,$23,$other": {Position: 7, Reason: "the statement mixes $23 and $name: write all parameters as numbers or all as names"},
	} {
		p, err := sqltext.Parse(text, true)
		var got *sqltext.ParameterError
		if !errors.As(err, &got) || *got != want || p != nil {
			t.Errorf("%q: %v, %v; want %v", text, p, err, want)
		}
	}
	_, err := sqltext.Parse("$1 $"+strings.Repeat("é", 1<<20), true)
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("a huge name: an error of %d bytes", len(fmt.Sprint(err)))
	}
	var many strings.Builder
	for i := range sqltext.MaxParameters {
		fmt.Fprintf(&many, "$n%d ", i)
	}
	if _, err := sqltext.Parse(many.String(), true); err != nil {
		t.Errorf("as many names as the protocol can count: %v", err)
	}
	if _, err := sqltext.Parse(many.String()+"$one_more", true); err == nil {
		t.Error("more names than the protocol can count were taken")
	}
}

func TestOriginalPosition(t *testing.T) {
	p, err := sqltext.Parse("é $long + $x + $long!", true) // é $1 + $2 + $1!
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]int{
		-1: 0, 0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 8, 6: 9, 8: 11, 9: 11, 10: 13,
		13: 16, 14: 16, 15: 21, 16: 22, 17: 22, 1000: 22,
	}
	for pos, want := range want {
		if got := p.OriginalPosition(pos); got != want {
			t.Errorf("%d becomes %d, want %d", pos, got, want)
		}
	}
	if p.Index("x") != 2 || p.Index("y") != 0 {
		t.Errorf("Index: %d, %d", p.Index("x"), p.Index("y"))
	}
}

func TestParseWithoutParametersKeepsText(t *testing.T) {
	text := strings.Repeat("SELECT 'x' FROM t; ", 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := sqltext.Parse(text, true); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations, want at most the result's", n)
	}
}

func TestLongTextsAreLinear(t *testing.T) {
	// A quadratic scanner would take hours for these, not milliseconds.
	const size = 1 << 20
	for _, part := range []string{
		"$", "$a", "$a$", "$$", "/*", "*/", "/*/", "'", "''", "'\n", "E'\\", "E'' --\n", "''\n--\n",
		"\"", "--", "--\n", "1", "1e", "1_", ".", "a$", "(", ";", "begin atomic ", "é$", "$1$a", "''\n\n", "U&", "b'' ",
	} {
		text := strings.Repeat(part, size/len(part))
		for _, std := range []bool{true, false} {
			p, err := sqltext.Parse(text, std)
			if err == nil {
				p.OriginalPosition(len(text) / 2)
			}
			sqltext.Statements(text, std)
			sqltext.KindOf(text, std)
		}
		caret.Show(text, size/2)
	}
}
