package sqltext_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/internal/caret"
	"github.com/duetdb/duet/internal/pgtest"
)

// prepare sends Parse and Describe and returns how many parameters the server
// sees, or its error.
func prepare(t *testing.T, c *pgtest.Conn, text string) (params int, failure *pgtest.ServerError) {
	t.Helper()
	fe := c.Frontend()
	fe.Send(&pgproto3.Parse{Query: text})
	fe.Send(&pgproto3.Describe{ObjectType: 'S'})
	fe.Send(&pgproto3.Sync{})
	if err := fe.Flush(); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for {
		msg, err := fe.Receive()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch msg := msg.(type) {
		case *pgproto3.ParameterDescription:
			params = len(msg.ParameterOIDs)
		case *pgproto3.ErrorResponse:
			failure = &pgtest.ServerError{Code: msg.Code, Message: msg.Message, Position: int(msg.Position)}
		case *pgproto3.ReadyForQuery:
			return params, failure
		}
	}
}

// connect connects to a real server, with standard_conforming_strings as told.
func connect(t *testing.T, std bool) *pgtest.Conn {
	t.Helper()
	s := pgtest.Shared(t)
	c, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if std {
		return c
	}
	_, err = c.Exec(t.Context(), "SET standard_conforming_strings = off; SET escape_string_warning = off")
	if err != nil {
		t.Skipf("skipped: the server has no standard_conforming_strings = off: %v", err)
	}
	return c
}

func modes(t *testing.T, run func(t *testing.T, c *pgtest.Conn, std bool)) {
	for _, std := range []bool{true, false} {
		t.Run("standard_conforming_strings="+strconv.FormatBool(std), func(t *testing.T) {
			run(t, connect(t, std), std)
		})
	}
}

// pieces are what tricky texts are made of.
var pieces = []string{
	"'", "'", "'", "''", `\`, `\'`, `"`, `""`, "$", "$", "$$", "$a", "$b$", "$é$", "$1", "$2",
	"E'", "e'", "B'", "x'", "N'", "U&'", `u&"`, "u&", "_", "é", "a", "a$", "1", "1.5", "1e5", ".", "..",
	"/*", "*/", "--", "-", "+", "*", "/", "@", "\n", "\n", "\r", " ", " ", "\t", "(", ")", ",", ";",
	"::text", "AS", "'x'", "'f'\n'g'", "--c\n", "/**/", "$q$;$q$", "|| 'x'", ", 'y'", "UESCAPE '!'",
}

// soup is a SELECT followed by random pieces: mostly wrong in a way that shows
// where the server's tokens begin.
func soup(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for range 1 + r.IntN(14) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// TestTokensAgreeWithServer sends random texts as they are. Where the server
// finds a syntax error it names the position and the text of a token: that must
// be the start of a token of ours.
func TestTokensAgreeWithServer(t *testing.T) {
	modes(t, func(t *testing.T, c *pgtest.Conn, std bool) {
		r := rand.New(rand.NewPCG(1, 2))
		syntax, fine, n := 0, 0, texts()
		for range n {
			text := soup(r)
			_, failure := prepare(t, c, text)
			switch {
			case failure == nil:
				fine++
			case failure.Code == "42601" && failure.Position > 0:
				syntax++
				checkErrorToken(t, text, std, failure)
			}
		}
		t.Logf("%d texts: %d syntax errors, %d without error", n, syntax, fine)
		if syntax < n/2 || fine < n/100 {
			t.Errorf("of %d texts only %d have a syntax error and %d none", n, syntax, fine)
		}
	})
}

// texts is how many random texts a test sends.
func texts() int {
	if testing.Short() {
		return 2000
	}
	return 20000
}

func checkErrorToken(t *testing.T, text string, std bool, failure *pgtest.ServerError) {
	t.Helper()
	at := len(string([]rune(text)[:failure.Position-1]))
	_, quoted, named := strings.Cut(failure.Message, ` at or near "`)
	if !named && !strings.HasSuffix(failure.Message, "at end of input") {
		return // about a token's inside, or about what stands for several
	}
	quoted = strings.TrimSuffix(quoted, `"`)
	for _, tok := range sqltext.Tokens(text, std) {
		src := text[tok.Start:tok.End]
		switch {
		case tok.Start == at && !named: // at end of input
			t.Errorf("%q: %v, and ours is %v", text, failure, tok)
			return
		case tok.Start == at:
			checkTokenText(t, text, src, quoted, tok, failure)
			return
		case tok.Kind == "number" && tok.Start < at && at < tok.End:
			return // versions differ in the junk behind numbers
		case tok.Start < at && at < tok.End:
			t.Errorf("%q: %v at byte %d, inside of our %s %q", text, failure, at, tok.Kind, src)
			return
		}
	}
	if at != len(text) {
		t.Errorf("%q: %v at byte %d of %d", text, failure, at, len(text))
	}
}

func checkTokenText(t *testing.T, text, src, quoted string, tok sqltext.Token, failure *pgtest.ServerError) {
	t.Helper()
	same := src == quoted
	switch tok.Kind {
	case "other", "number", "positional":
		// Operators are bytes here; of junk, versions name more or less.
		same = strings.HasPrefix(quoted, src) || strings.HasPrefix(src, quoted)
	case "named":
		same = quoted == "$" // the server knows no names
	case "word":
		same = same || strings.HasPrefix(quoted, src) // two words that the grammar reads as one
	case "quoted":
		// The server names one part of a continued string as it scans it.
		same = same || strings.HasPrefix(quoted, src) || strings.HasPrefix(src, quoted)
	}
	if !same {
		t.Errorf("%q: %v, and ours is %s %q", text, failure, tok.Kind, src)
	}
	if strings.HasPrefix(failure.Message, "unterminated") && tok.End != len(text) {
		t.Errorf("%q: %v, and ours ends: %q", text, failure, src)
	}
}

// TestRewritingAgreesWithServer sends random texts rewritten: the server must
// see as many parameters as we do, and never a $ that we took for none.
func TestRewritingAgreesWithServer(t *testing.T) {
	modes(t, func(t *testing.T, c *pgtest.Conn, std bool) {
		r := rand.New(rand.NewPCG(3, 4))
		prepared, n := 0, texts()
		for range n {
			text := expressions(r)
			p, err := sqltext.Parse(text, std)
			var mixed *sqltext.ParameterError
			if errors.As(err, &mixed) {
				continue
			}
			params, failure := prepare(t, c, p.Text)
			want := max(p.Positional, len(p.Names))
			switch {
			case failure == nil:
				prepared++
				if params != want {
					t.Errorf("%q, rewritten to %q: the server sees %d parameters, we see %d", text, p.Text, params, want)
				}
				if sts := sqltext.Count(p.Text, std, 0); sts > 1 {
					t.Errorf("%q: one statement for the server, %d for us", p.Text, sts)
				}
			case failure.Message == "cannot insert multiple commands into a prepared statement":
				if sts := sqltext.Count(p.Text, std, 0); sts < 2 {
					t.Errorf("%q: several statements for the server, %d for us", p.Text, sts)
				}
			case strings.HasPrefix(failure.Message, "unterminated"):
				checkErrorToken(t, p.Text, std, failure)
			}
		}
		t.Logf("%d texts, %d of them prepared", n, prepared)
		if prepared < n/20 {
			t.Errorf("only %d of %d texts could be prepared", prepared, n)
		}
	})
}

// expressions is a text that is likely to be right: a list of constants and
// parameters in all spellings, with what may stand between them.
func expressions(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	inside := func() string {
		var b strings.Builder
		for range r.IntN(4) {
			b.WriteString(pick("$a", "$b$", "$$", ";", "''", `\\`, `\`, `"`, "--", "/*", "*/", " ", "é", "$1", "\n"))
		}
		return b.String()
	}
	gap := func() string {
		return pick("", "", " ", "\n", "--"+pick("", "$a", "'", "/*", ";")+"\n", "/*"+pick("", "$a'", "/*$b;*/", "\"", "*")+"*/")
	}
	atom := func() string {
		switch r.IntN(9) {
		case 0:
			return "'" + inside() + "'"
		case 1:
			return pick("E", "e") + "'" + inside() + "'" + pick("", "\n", "--$a\n") + pick("", "'"+inside()+"'")
		case 2:
			tag := pick("", "a", "é", "b1", "_")
			return "$" + tag + "$" + inside() + "$" + tag + "$"
		case 3:
			return "1 AS \"x" + strings.ReplaceAll(inside(), `"`, `""`) + "\""
		case 4:
			return pick("U&", "N", "n") + "'" + inside() + "'"
		case 5:
			return pick("1", "1.", ".5", "1e5", "1e+5", "2.5e-1") + pick("", "", " ") + pick("", "-$a::int", "+$b::int")
		case 6:
			return pick("B'01'", "x'ff'", "B'0'\n'1'")
		case 7:
			return "1 AS " + pick("a$b", "é$a", "_$1", "ea", "u", "b")
		default:
			return pick("$a", "$b", "$größe", "$_") + pick("::text", "::int + 1", "::text || 'x'")
		}
	}
	var b strings.Builder
	b.WriteString("SELECT" + pick(" ", "\n", "/**/"))
	for i := range 1 + r.IntN(4) {
		if i > 0 {
			b.WriteString(gap() + "," + gap())
		}
		b.WriteString(atom())
	}
	b.WriteString(gap() + pick("", "", ";", ";;"+gap()+";", "; SELECT 1"))
	return b.String()
}

// TestCorpusAgreesWithServer prepares each text of the table tests.
func TestCorpusAgreesWithServer(t *testing.T) {
	c := connect(t, true)
	for _, tc := range parseCases {
		if !utf8.ValidString(tc.text) {
			continue // the server takes UTF-8 alone
		}
		if _, failure := prepare(t, c, tc.text); failure != nil && failure.Code == "42601" && failure.Position > 0 {
			checkErrorToken(t, tc.text, true, failure)
		}
	}
	for _, tc := range statementCases {
		for _, part := range tc.want {
			if !strings.HasPrefix(part, "CREATE FUNCTION f() RETURNS") && part != routineBody {
				continue // no SQL
			}
			if _, failure := prepare(t, c, part); failure != nil && failure.Code == "42601" {
				t.Errorf("%q is one statement to us; the server says %v", part, failure)
			}
		}
	}
}

func TestErrorPositionsComeBack(t *testing.T) {
	c := connect(t, true)
	text := "SELECT $größe::text,\n $größe || $name FROM nowhere"
	p, err := sqltext.Parse(text, true)
	if err != nil {
		t.Fatal(err)
	}
	_, failure := prepare(t, c, p.Text)
	if failure == nil || failure.Code != "42P01" {
		t.Fatalf("got %v, want 42P01", failure)
	}
	got := caret.Show(text, p.OriginalPosition(failure.Position))
	want := "LINE 2:  $größe || $name FROM nowhere\n" + strings.Repeat(" ", 8+22) + "^"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestCaretAgreesWithPsql lets psql draw the same carets.
func TestCaretAgreesWithPsql(t *testing.T) {
	s := pgtest.Shared(t)
	psql := filepath.Join(s.BinDir(), "psql")
	if _, err := os.Stat(psql); err != nil || s.BinDir() == "" {
		t.Skipf("skipped: no psql beside the server: %v", err)
	}
	words := []string{"é", "名", "\t", "\n", "\r\n", "1,", "'x',", "/* 名前 */", "-- c\n", "2", "                ", "'0123456789012345678901234567890',"}
	r := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		var before, after strings.Builder
		for range r.IntN(8) {
			before.WriteString(strings.ReplaceAll(words[r.IntN(len(words))], "é", "'é',"))
			after.WriteString(words[r.IntN(len(words))])
		}
		text := "SELECT " + strings.ReplaceAll(before.String(), "名", "'名',") + "nothing " + after.String()
		want, pos := psqlCaret(t, psql, s.DSN(), text)
		if got := caret.Show(text, pos); got != want {
			t.Errorf("%q at %d\ngot\n%s\nwant\n%s", text, pos, got, want)
		}
	}
}

// psqlCaret runs a text that has an error and returns the caret that psql
// draws, and the error's position.
func psqlCaret(t *testing.T, psql, dsn, text string) (caret string, pos int) {
	t.Helper()
	c, err := pgtest.Dial(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, failure := prepare(t, c, text)
	if failure == nil || failure.Position == 0 {
		t.Fatalf("%q: %v, want an error with a position", text, failure)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, psql, "-X", "-d", dsn, "-c", text)
	cmd.Env = append(os.Environ(), "PGCLIENTENCODING=UTF8", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil || !utf8.Valid(out) {
		t.Fatalf("psql: %q, %v", out, err)
	}
	i := strings.Index(string(out), "LINE ")
	if i < 0 {
		t.Fatalf("psql shows no line: %s", out)
	}
	lines := strings.SplitN(string(out)[i:], "\n", 3)
	if len(lines) < 2 {
		t.Fatalf("psql shows no caret: %s", out)
	}
	return lines[0] + "\n" + lines[1], failure.Position
}
