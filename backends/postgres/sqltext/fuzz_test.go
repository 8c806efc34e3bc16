package sqltext_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/backends/postgres/sqltext"
)

func FuzzParse(f *testing.F) {
	for _, tc := range parseCases {
		f.Add(tc.text, true)
		f.Add(tc.text, false)
	}
	f.Add("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN $a THEN 1 END; END; SELECT (1;2)", true)
	f.Add(";00", false)
	f.Fuzz(func(t *testing.T, text string, std bool) {
		tokens := checkTokens(t, text, std)
		checkStatements(t, text, std)
		p, err := sqltext.Parse(text, std)
		if err != nil {
			if p != nil {
				t.Error("a result beside an error")
			}
			return
		}
		checkNames(t, text, tokens, p)
		again, err := sqltext.Parse(p.Text, std)
		if err != nil || again.Text != p.Text || again.Names != nil {
			t.Fatalf("%q, rewritten to %q, becomes %v, %v", text, p.Text, again, err)
		}
		if want := max(p.Positional, len(p.Names)); again.Positional != want {
			t.Errorf("%q has %d parameters, want %d", p.Text, again.Positional, want)
		}
		// The rewriting changes no token but the parameters.
		if n := len(sqltext.Tokens(p.Text, std)); n != len(tokens) {
			t.Errorf("%q has %d tokens, %q has %d", text, len(tokens), p.Text, n)
		}
		checkPositions(t, text, tokens, p, std)
	})
}

// checkTokens holds that the tokens cover the text without gaps.
func checkTokens(t *testing.T, text string, std bool) []sqltext.Token {
	t.Helper()
	tokens := sqltext.Tokens(text, std)
	at := 0
	for _, tok := range tokens {
		if tok.Start != at || tok.End <= tok.Start {
			t.Fatalf("%q: token %v at %d", text, tok, at)
		}
		at = tok.End
	}
	if at != len(text) {
		t.Fatalf("%q: the tokens end at %d", text, at)
	}
	return tokens
}

func checkNames(t *testing.T, text string, tokens []sqltext.Token, p *sqltext.Parsed) {
	t.Helper()
	var want []string
	for _, tok := range tokens {
		if name := text[tok.Start:tok.End]; tok.Kind == "named" && !slices.Contains(want, name[1:]) {
			want = append(want, name[1:])
		}
	}
	if diff := cmp.Diff(want, p.Names); diff != "" {
		t.Errorf("%q: names %s", text, diff)
	}
	if p.Names == nil && p.Text != text {
		t.Errorf("%q has no names and becomes %q", text, p.Text)
	}
}

// checkPositions holds that each token's start in the rewritten text is mapped
// to the start of the token that it came from, and that the mapping never goes
// back.
func checkPositions(t *testing.T, text string, tokens []sqltext.Token, p *sqltext.Parsed, std bool) {
	t.Helper()
	if !utf8.ValidString(text) || len(text) > 2000 {
		return // a position counts characters
	}
	for i, tok := range sqltext.Tokens(p.Text, std) {
		got := p.OriginalPosition(utf8.RuneCountInString(p.Text[:tok.Start]) + 1)
		want := utf8.RuneCountInString(text[:tokens[i].Start]) + 1
		if got != want {
			t.Fatalf("%q, rewritten to %q: token %d is mapped to %d, want %d", text, p.Text, i, got, want)
		}
	}
	last := 0
	for pos := range utf8.RuneCountInString(p.Text) + 2 {
		got := p.OriginalPosition(pos)
		if got < last || got > utf8.RuneCountInString(text)+1 {
			t.Fatalf("%q: %d is mapped to %d after %d", p.Text, pos, got, last)
		}
		last = got
	}
}

func checkStatements(t *testing.T, text string, std bool) {
	t.Helper()
	sts := sqltext.Statements(text, std)
	if n := sqltext.Count(text, std, 0); n != len(sts) {
		t.Errorf("%q: Count %d, %d statements", text, n, len(sts))
	}
	at := 0
	for i, st := range sts {
		if st.Start < at || st.End <= st.Start || st.End > len(text) {
			t.Fatalf("%q: statement %v after %d", text, st, at)
		}
		at = st.End
		part := text[st.Start:st.End]
		if k := sqltext.KindOf(part, std); k != st.Kind {
			t.Errorf("%q: %v in the script, %v alone", part, st.Kind, k)
		}
		if i == 0 {
			if k := sqltext.KindOf(text, std); k != st.Kind {
				t.Errorf("%q is %v, its first statement %v", text, k, st.Kind)
			}
		}
		if again := sqltext.Statements(part, std); len(again) != 1 || again[0] != (sqltext.Statement{Start: 0, End: len(part), Kind: st.Kind}) {
			t.Errorf("%q is a statement, and alone it is %v", part, again)
		}
	}
}
