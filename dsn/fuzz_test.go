package dsn_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

// canary is a password that must never be in an error.
const canary = "cAnArY-7f3a"

// FuzzParse checks, for any string: parsing ends soon and without a panic; what
// was parsed, written by Format and parsed again, is the same; and a password put
// into the string, well or badly encoded, is in no error and in no output.
func FuzzParse(f *testing.F) {
	for _, text := range corpus {
		f.Add(text)
	}
	environment := world{files: map[string]string{"/home/anna/.pg_service.conf": pgServices}}.environment()
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		r, err := dsn.ParsePostgres(text, environment)
		if err == nil {
			roundTrip(t, r, environment)
			_, _ = r.Postgres()
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		for _, with := range withPassword(text) {
			r, err := dsn.ParsePostgres(with, environment)
			if err == nil {
				// What libpq takes for something else than a password is shown
				// as what it is; errors about it are not the parser's.
				if r.Reveal("password") != canary {
					continue
				}
				if shown := r.String(); strings.Contains(shown, canary) && !strings.Contains(text, canary) {
					t.Errorf("%q: shown as %s", with, shown)
				}
				_, err = r.Postgres()
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%q: the error shows the password: %v", with, err)
			}
		}
	})
}

// withPassword puts the canary into text as a password in several ways.
func withPassword(text string) []string {
	if strings.Contains(text, canary) {
		return nil
	}
	forms := []string{
		"password=" + canary + " " + text,
		"password='" + canary + "' " + text,
		text + " password=" + canary,
		text + " password='" + canary,
		"postgres://u:" + canary + "@" + text,
		"postgres://u:" + canary + text + "@h/db",
		"postgres://h/db?password=" + canary + "&" + text,
		"postgres://h/db?" + text + "&password=" + canary,
	}
	if !strings.ContainsAny(text, "=") {
		// Not encoded, so that it goes on where other values should be. A text
		// with "=" could make any value of it.
		forms = append(forms, "postgres://u:"+text+canary+"@h/db", "postgres://u:"+text+canary+"=x@h/db", "password="+text+canary, "password="+text+canary+" x")
	}
	if at := strings.Index(text, "://"); at >= 0 {
		forms = append(forms, text[:at+3]+"u:"+canary+"@"+text[at+3:])
	}
	return append(forms, "postgres://"+url.UserPassword(text, canary).String()+"@h")
}

// roundTrip writes all values and reads them again.
func roundTrip(t *testing.T, r *dsn.Resolved, environment dsn.Environment) {
	t.Helper()
	text := dsn.Format(r.AllRevealed())
	again, err := dsn.ParsePostgres(text, environment)
	if err != nil {
		t.Fatalf("%q does not parse: %v", text, err)
	}
	if diff := cmp.Diff(plain(r), plain(again)); diff != "" {
		t.Errorf("%q reads back differently, first (-), again (+):\n%s", text, diff)
	}
}

func plain(r *dsn.Resolved) map[string]string {
	values := map[string]string{}
	for _, v := range r.AllRevealed() {
		values[v.Keyword] = v.Value
	}
	return values
}

// FuzzPasswordFile checks that a line written by its rules is found again,
// whatever stands in front of it and in its fields.
func FuzzPasswordFile(f *testing.F) {
	f.Add("", "h", "db", "user", "pw")
	f.Add("x:y:z\n#comment\n::::q\n", `a:b\c`, "*", "ü", `p:w\`)
	f.Add("\\\n:::::\n\x00\n", "localhost", "a b", "\xff", "")
	f.Fuzz(func(t *testing.T, before, host, database, user, password string) {
		for _, field := range []string{host, database, user, password} {
			if strings.ContainsAny(field, "\x00\r\n,") || len(field) > 1000 {
				t.Skip()
			}
		}
		if host == "" || database == "" || user == "" || strings.Contains(before, "*") || strings.HasPrefix(host, "#") || host == "*" {
			t.Skip()
		}
		escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace
		line := escape(host) + ":5432:" + escape(database) + ":" + escape(user) + ":" + escape(password)
		if strings.Contains(before, escape(host)) {
			t.Skip() // it may match first
		}
		w := world{files: map[string]string{"/home/anna/.pgpass": before + "\n" + line + "\n*:*:*:*:other"}}
		r, err := dsn.ParsePostgres(dsn.Format(dsn.Values{{Keyword: "host", Value: host}, {Keyword: "dbname", Value: database}, {Keyword: "user", Value: user}}), w.environment())
		if err != nil {
			t.Fatal(err)
		}
		if host == "/run" {
			t.Skip() // the default folder is looked up as localhost
		}
		if got := r.Reveal("password"); got != password {
			t.Errorf("line %q for host %q database %q user %q: got %q", line, host, database, user, got)
		}
	})
}
