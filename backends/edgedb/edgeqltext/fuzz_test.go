package edgeqltext_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
)

func FuzzParse(f *testing.F) {
	for _, c := range recorded(f) {
		f.Add(c.EdgeQL)
	}
	for _, s := range []string{
		"select $a$ x $a$", `'\(1)'`, "`a``b`", "$`a``b`", "br'\\'", "$0 $1",
		"# $a\r$b", "select 'a \\(\"b \\($c)\") d'", "\xff", "\x00", "$$", "$1$1$", "(;);[{",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := edgeqltext.Parse(text)
		if err != nil {
			e, ok := err.(*edgeqltext.SyntaxError)
			if !ok || p != nil || e.Reason == "" || e.Position < 1 || e.Position > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%q: %v %+v", text, p, err)
			}
			return
		}
		check(t, text, p)
		// More after a new line and a semicolon changes nothing of what was found.
		more, err := edgeqltext.Parse(text + "\n;select <str>$fuzz_extra")
		if err != nil || !more.Has("fuzz_extra") || more.Positional != p.Positional ||
			len(more.Names) < len(p.Names) || !slices.Equal(more.Names[:len(p.Names)], p.Names) {
			t.Fatalf("%q: %+v, with more %+v %v", text, p, more, err)
		}
	})
}

// check holds what must be true of every result.
func check(t *testing.T, text string, p *edgeqltext.Text) {
	if p.Empty != (len(p.Statements) == 0) || p.Mixed != (len(p.Names) > 0 && p.Positional > 0) || len(p.Names) != len(p.Written) {
		t.Fatalf("%q: %+v", text, p)
	}
	for i, name := range p.Names {
		if slices.Index(p.Names, name) != i || !strings.Contains(text, "$"+p.Written[i]) || name == "" {
			t.Fatalf("%q: names %q", text, p.Names)
		}
	}
	end := 0
	for _, s := range p.Statements {
		if s.Start < end || s.End <= s.Start || s.End > len(text) || !utf8.ValidString(text[s.Start:s.End]) {
			t.Fatalf("%q: statements %v", text, p.Statements)
		}
		if strings.Trim(text[end:s.Start], " \t\r\n;\ufeff") != "" && !strings.Contains(text[end:s.Start], "#") {
			t.Fatalf("%q: left out between statements: %q", text, text[end:s.Start])
		}
		end = s.End
	}
}

func FuzzOffset(f *testing.F) {
	f.Add("select\n1", 3, 2)
	f.Fuzz(func(t *testing.T, text string, line, column int) {
		at := edgeqltext.Offset(text, line, column)
		if at < 0 || at > utf8.RuneCountInString(text)+1 {
			t.Fatalf("%q: %d:%d is at %d", text, line, column, at)
		}
	})
}
