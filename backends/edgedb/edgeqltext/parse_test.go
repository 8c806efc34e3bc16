package edgeqltext_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
)

func parse(t *testing.T, text string) *edgeqltext.Text {
	t.Helper()
	p, err := edgeqltext.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

func TestParameters(t *testing.T) {
	tests := []struct {
		text       string
		names      []string
		positional int
	}{
		{"select 1", nil, 0},
		{"select <int64>$0", nil, 1},
		{"select (<int64>$2, <str>$0, <str>$1, $1)", nil, 3},
		{"select $007", nil, 8},
		{"select <str>$a ++ <str>$b ++ <str>$a", []string{"a", "b"}, 0},
		{"select $größe ++ $_1 ++ $Name", []string{"größe", "_1", "Name"}, 0},
		{"select $`x``y` + $`a b` + $c + $`c`", []string{"x`y", "a b", "c"}, 0},
		{"select $1.2", nil, 2},
		{"select {a:=$a,b:=$b}[$0:$1]", []string{"a", "b"}, 2},
		{"select <str>$a # $b\n ++ '$c'", []string{"a"}, 0},
		{"select 1 # $b\r+ $c", []string{"c"}, 0}, // \r ends a comment too
		{`select "$a" ++ '$b' ++ r"$c" ++ r'$d'`, nil, 0},
		{`select 'it\'s $a' ++ $b`, []string{"b"}, 0},
		{`select 'back\\' ++ $b ++ 'x'`, []string{"b"}, 0},
		{`select r'raw\' ++ $b ++ 'x'`, []string{"b"}, 0},
		{`select b'by\'$a' ++ rb'r\' ++ br"r\" ++ $b`, []string{"b"}, 0},
		{"select $$ $a '$b' $c$ $$ ++ $d", []string{"d"}, 0},
		{"select $a$ $$ $b $b$ $a$ ++ $d", []string{"d"}, 0},
		{"select $a$$a$ ++ $d", []string{"d"}, 0},
		{"select $_1$ ' $_1$ ++ $d", []string{"d"}, 0},
		{"select `$a`.`b``$c` ++ $d", []string{"d"}, 0},
		{"select a$d", []string{"d"}, 0},
		{"select 1$d", []string{"d"}, 0},
		{`select 'a \($b) c \( f((1), ')', $d) ) e' ++ $g`, []string{"b", "d", "g"}, 0},
		{`select 'x \( "y \($a)" ) z' ++ $b`, []string{"a", "b"}, 0},
		{"\ufeffselect $x", []string{"x"}, 0},
	}
	for _, tt := range tests {
		p := parse(t, tt.text)
		if !slices.Equal(p.Names, tt.names) || p.Positional != tt.positional {
			t.Errorf("%s:\ngot  %q and %d\nwant %q and %d", tt.text, p.Names, p.Positional, tt.names, tt.positional)
		}
		if mixed := len(tt.names) > 0 && tt.positional > 0; p.Mixed != mixed {
			t.Errorf("%s: mixed %v", tt.text, p.Mixed)
		}
		if len(p.Written) != len(p.Names) {
			t.Errorf("%s: written %q", tt.text, p.Written)
		}
	}
	p := parse(t, "select $`x``y` + $c + $`c` + $c")
	if want := []string{"`x``y`", "c"}; !slices.Equal(p.Written, want) {
		t.Errorf("written %q", p.Written)
	}
	if !p.Has("c") || !p.Has("x`y") || p.Has("x``y") || p.Has("") {
		t.Error("Has is wrong")
	}
	for _, large := range []string{"$2147483646", "$2147483647", "$99999999999999999999"} {
		if got := parse(t, "select "+large).Positional; got != math.MaxInt32 {
			t.Errorf("%s gives %d", large, got)
		}
	}
}

func TestStatements(t *testing.T) {
	type words = [2]string
	tests := []struct {
		text string
		want []string
		word []words
	}{
		{"", nil, nil},
		{" \t\r\n\ufeff", nil, nil},
		{"# nothing", nil, nil},
		{";;# x\n;", nil, nil},
		{"select 1", []string{"select 1"}, []words{{"select", ""}}},
		{" SELECT 1 ; # end", []string{"SELECT 1"}, []words{{"select", ""}}},
		{"start transaction; select 1;;commit", []string{"start transaction", "select 1", "commit"},
			[]words{{"start", "transaction"}, {"select", ""}, {"commit", ""}}},
		{"create type A { create property b -> str; create link c -> A; }; select ';'",
			[]string{"create type A { create property b -> str; create link c -> A; }", "select ';'"},
			[]words{{"create", "type"}, {"select", ""}}},
		{"select (1; 2); select [1; 2]", []string{"select (1; 2)", "select [1; 2]"}, []words{{"select", ""}, {"select", ""}}},
		{"select 1); select 2", []string{"select 1)", "select 2"}, []words{{"select", ""}, {"select", ""}}},
		{"select ({1); select 2", []string{"select ({1); select 2"}, []words{{"select", ""}}},
		{"select $$;$$; select `;`; select b';'; select r\";\" # ;", []string{"select $$;$$", "select `;`", "select b';'", `select r";"`},
			[]words{{"select", ""}, {"select", ""}, {"select", ""}, {"select", ""}}},
		{"(select 1)", []string{"(select 1)"}, []words{{"", "select"}}},
		{"`select` 1", []string{"`select` 1"}, []words{{"", ""}}},
		{"CONFIGURE Session set x := 1", []string{"CONFIGURE Session set x := 1"}, []words{{"configure", "session"}}},
		{"123", []string{"123"}, []words{{"", ""}}},
	}
	for _, tt := range tests {
		p := parse(t, tt.text)
		var got []string
		var word []words
		for _, s := range p.Statements {
			got = append(got, tt.text[s.Start:s.End])
			word = append(word, s.Words)
		}
		if !slices.Equal(got, tt.want) || !slices.Equal(word, tt.word) {
			t.Errorf("%q:\ngot  %q %q\nwant %q %q", tt.text, got, word, tt.want, tt.word)
		}
		if p.Empty != (len(tt.want) == 0) {
			t.Errorf("%q: empty %v", tt.text, p.Empty)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct {
		text     string
		position int
		part     string
	}{
		{"select 'a", 8, "no end"},
		{`select "a\"`, 8, "no end"},
		{`select 'a\`, 8, "no end"},
		{"select r'a", 8, "no end"},
		{"select b'a", 8, "no end"},
		{"select `a", 8, "no end"},
		{"select `a``", 8, "no end"},
		{"select $`a", 8, "no end"},
		{"select ``", 8, "empty"},
		{"select $``", 8, "empty"},
		{"select $$a$", 8, "no end"},
		{"select $a$ $b$", 8, "no end"},
		{"select $", 8, "dollar alone"},
		{"select $ a", 8, "dollar alone"},
		{"select $-", 8, "dollar alone"},
		{"select $1a", 8, "either a number or a name"},
		{"select $1_", 8, "either a number or a name"},
		{"select $1$ $1$", 8, "digit"},
		{"select $é$ $é$", 8, "ASCII"},
		{"select'x'", 1, "word before its quote"},
		{"select R'x'", 8, "word before its quote"},
		{"select x`y`", 8, "backticks"},
		{`select 'a \(1'`, 14, "no end"},
		{`select 'a \((1)`, 16, "no end"},
		{"sélect 'ä\x00'", 10, "U+0000"},
		{"select\x00", 7, "U+0000"},
		{"select # \u202e\n1", 10, "U+202E"},
		{"select $$\u2066$$", 10, "U+2066"},
		{"select é\xff", 9, "UTF-8"},
		{"select '\xed\xa0\x80'", 9, "UTF-8"},
	}
	for _, tt := range tests {
		p, err := edgeqltext.Parse(tt.text)
		e, ok := err.(*edgeqltext.SyntaxError)
		if !ok || p != nil {
			t.Errorf("%q: got %v, %v", tt.text, p, err)
			continue
		}
		if e.Position != tt.position || !strings.Contains(e.Error(), tt.part) {
			t.Errorf("%q: got %d, %s", tt.text, e.Position, e.Reason)
		}
	}
	// The replacement character itself is a character.
	if _, err := edgeqltext.Parse("select '\ufffd'"); err != nil {
		t.Error(err)
	}
}

// What is in a string, a name or a comment never matters, and what is around it
// always does.
func TestWrappings(t *testing.T) {
	inside := []string{"$x", ";", "#", "(", "}", "$0", "''", "$$", "r", "select"}
	for _, w := range [][2]string{
		{`"`, `"`}, {`r"`, `"`}, {`b"`, `"`}, {`br"`, `"`}, {`rb"`, `"`}, {"`_", "`"}, {"$tag$", "$tag$"}, {"#", "\n"}, {"#", "\r"},
		{`"\"`, `"`}, {`"\\`, `"`},
	} {
		for _, in := range inside {
			text := "select <str>$before ++ " + w[0] + in + w[1] + " ++ <str>$after; commit"
			p := parse(t, text)
			if !slices.Equal(p.Names, []string{"before", "after"}) || p.Positional != 0 || len(p.Statements) != 2 {
				t.Errorf("%q: %+v", text, p)
			}
		}
	}
}

func TestParseIsLinear(t *testing.T) {
	for _, piece := range []string{"$", "$a$", "'", "`", `\(`, `'\(`, "#", "$a ", "(", ";", `"\"`, "é"} {
		text := strings.Repeat(piece, 200_000)
		p1, err1 := edgeqltext.Parse(text)
		p2, err2 := edgeqltext.Parse(text)
		if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(p1, p2) {
			t.Errorf("%q: two results", piece)
		}
	}
}
