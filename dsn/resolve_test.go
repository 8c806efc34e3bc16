package dsn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

const pgServices = "[shop]\nhost=h1\nport=6000\nuser=bert\nsslmode=require\n[other]\nhost=h2\n"

func TestSources(t *testing.T) {
	w := world{
		env: map[string]string{"PGSERVICE": "shop", "PGHOST": "env", "PGUSER": "env", "PGAPPNAME": "app", "PGSSLMODE": "allow",
			"PGTZ": "UTC", "PGGEQO": "DEFAULT", "PGDATESTYLE": "ISO"},
		files: map[string]string{
			"/home/anna/.pg_service.conf": pgServices,
			"/home/anna/.pgpass":          "# passwords\nh1:6000:mine:bert:pw1\n*:*:*:*:pw2\n",
		},
	}
	r := w.parse(t, "dbname=mine port=6000")
	for keyword, want := range map[string]string{
		"dbname":           "mine (dsn)",
		"port":             "6000 (dsn)",
		"service":          "shop (environment PGSERVICE)",
		"host":             "h1 (service file /home/anna/.pg_service.conf section shop)",
		"user":             "bert (service file /home/anna/.pg_service.conf section shop)",
		"sslmode":          "require (service file /home/anna/.pg_service.conf section shop)",
		"application_name": "app (environment PGAPPNAME)",
		"channel_binding":  "prefer (default)",
		"passfile":         "/home/anna/.pgpass (default)",
		"password":         "******** (password file /home/anna/.pgpass line 2)",
	} {
		v, ok := r.Get(keyword)
		if got := fmt.Sprintf("%s (%s)", v.Value, v.Source); !ok || got != want {
			t.Errorf("%s: got %s, want %s", keyword, got, want)
		}
	}
	if v, ok := r.Get("sslcert"); ok {
		t.Errorf("sslcert has no value, got %v", v)
	}
	if v, ok := r.Get("nosuch"); ok {
		t.Errorf("nosuch is no keyword, got %v", v)
	}
	want := dsn.Values{
		{Keyword: "datestyle", Value: "ISO", Source: dsn.Source{Kind: dsn.SourceEnvironment, Name: "PGDATESTYLE"}},
		{Keyword: "timezone", Value: "UTC", Source: dsn.Source{Kind: dsn.SourceEnvironment, Name: "PGTZ"}},
	}
	if diff := cmp.Diff(want, r.Settings()); diff != "" {
		t.Errorf("settings: want (-), got (+):\n%s", diff)
	}
	if v, _ := (world{}).parse(t, "").Get("user"); v.Value != "anna" || v.Source.String() != "os user" {
		t.Errorf("user without anything: got %v from %v", v.Value, v.Source)
	}
}

func TestMasking(t *testing.T) {
	const password = "CANARY"
	w := world{env: map[string]string{"PGPASSWORD": password}, files: map[string]string{"/home/anna/.pgpass": "*:*:*:*:" + password}}
	for name, text := range map[string]string{
		"dsn": "password=CANARY sslpassword=CANARY oauth_client_secret=CANARY", "environment": "", "password file": "password=",
	} {
		t.Run(name, func(t *testing.T) {
			r := w.parse(t, text)
			c, err := r.Postgres()
			if err != nil {
				t.Fatal(err)
			}
			type nested struct {
				r dsn.Resolved
				c dsn.Config
				s dsn.Secret
			}
			own := nested{r: *r, c: *c, s: c.PasswordFor(c.Hosts[0])}
			if own.s.Reveal() != password || r.Reveal("password") != password {
				t.Fatalf("the password is %q and %q", own.s.Reveal(), r.Reveal("password"))
			}
			for _, value := range []any{r, *r, c, *c, own.c, own.s, &own.s, r.All(), c.Hosts, struct{ S dsn.Secret }{own.s},
				struct{ c dsn.Config }{own.c}, struct{ s dsn.Secret }{own.s}, struct{ r *dsn.Resolved }{r}, struct{ c *dsn.Config }{c}} {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
					if got := fmt.Sprintf(verb, value); strings.Contains(got, password) || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", password)) {
						t.Errorf("%s of %T shows the password: %s", verb, value, got)
					}
				}
			}
			for _, value := range []any{r, c, own.s, r.All()} {
				got, err := json.Marshal(value)
				if err != nil || strings.Contains(string(got), password) {
					t.Errorf("JSON of %T: %s, %v", value, got, err)
				}
			}
			all, err := json.Marshal(r.AllRevealed())
			if err != nil || !strings.Contains(string(all), `"password":{"value":"CANARY","source":"`) {
				t.Errorf("revealed JSON: %s, %v", all, err)
			}
		})
	}
	if s := dsn.NewSecret(""); s.String() != "" || !s.IsZero() || !s.Equal(dsn.Secret{}) || s.Equal(dsn.NewSecret("x")) {
		t.Error("the empty secret is not the zero value")
	}
}

// TestMaskingOfMisplacedPasswords is about shell scripts with an empty variable.
func TestMaskingOfMisplacedPasswords(t *testing.T) {
	r := world{}.parse(t, "port= password=CANARY dbname=postgres://u:CANARY@h user=anna")
	if got := r.String(); strings.Contains(got, "CANARY") {
		t.Errorf("shown: %s", got)
	}
	if got := r.Reveal("port"); got != "password=CANARY" {
		t.Errorf("port: got %q", got)
	}
	if v, ok := r.All().Get("dbname"); !ok || !v.Secret || v.Value != "********" {
		t.Errorf("dbname: got %v, %v", v, ok)
	}
	if v, ok := r.All().Get("hostaddr"); ok {
		t.Errorf("hostaddr: got %v", v)
	}
}

func TestSecretInLog(t *testing.T) {
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("x", "secret", dsn.NewSecret("CANARY"), "config", world{}.config(t, "password=CANARY"))
	if strings.Contains(b.String(), "CANARY") || !strings.Contains(b.String(), "secret=********") {
		t.Error(b.String())
	}
}

// TestProcessEnvironment reads the real environment, which a zero Environment is.
func TestProcessEnvironment(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PGPASSFILE", filepath.Join(home, "passwords"))
	t.Setenv("PGHOST", "db1")
	t.Setenv("PGUSER", "bert")
	t.Setenv("PGDATABASE", "shop")
	if err := os.WriteFile(filepath.Join(home, "passwords"), []byte("db1:*:shop:bert:pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := dsn.ParsePostgres("port=1", dsn.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Postgres()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Hosts[0]; got.String() != "db1:1" || c.PasswordFor(got).Reveal() != "pw" {
		t.Errorf("got %v with password %q", got, c.PasswordFor(got).Reveal())
	}
}

func TestPasswordFilePermissions(t *testing.T) {
	const path = "/home/anna/.pgpass"
	for _, c := range []struct {
		mode    fs.FileMode
		found   bool
		warning string
	}{
		{0o600, true, ""}, {0o400, true, ""}, {0o640, false, "0600"}, {0o604, false, "0600"}, {0o610, false, "0600"},
		{0o600 | fs.ModeNamedPipe, false, "not a plain file"},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			w := world{files: map[string]string{path: "*:*:*:*:pw"}, modes: map[string]fs.FileMode{path: c.mode}}
			r := w.parse(t, "")
			if got := r.Reveal("password") == "pw"; got != c.found {
				t.Errorf("password found: %v, want %v", got, c.found)
			}
			warnings := strings.Join(r.Warnings(), "\n")
			if (c.warning == "") != (warnings == "") || !strings.Contains(warnings, c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
		})
	}
}

func TestPasswordPerHost(t *testing.T) {
	w := world{files: map[string]string{"/home/anna/.pgpass": strings.Join([]string{
		`h2:5432:shop:anna:two`, `h3:7:*:*:three`, `localhost:5432:shop:anna:local`, `\*:*:*:*:star`, "h5:5432:shop:anna:crlf\r", `h6:*:*:a\:b\\c:odd`,
	}, "\n")}}
	c := w.config(t, "host=h1,h2,h3,,h5 port=5432,5432,7,,5432 dbname=shop")
	var got []string
	for _, h := range c.Hosts {
		got = append(got, h.Password.Reveal())
	}
	if diff := cmp.Diff([]string{"", "two", "three", "local", "crlf"}, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if !c.Password.IsZero() {
		t.Error("Config.Password is not for what the file has")
	}
	if got := w.config(t, `host=h6 user='a:b\\c'`).Hosts[0].Password.Reveal(); got != "odd" {
		t.Errorf("escaped user: got %q", got)
	}
	if got := w.config(t, `host=h2 dbname=shop password=given`); got.PasswordFor(got.Hosts[0]).Reveal() != "given" {
		t.Error("a password that is given wins")
	}
}

func TestServiceErrors(t *testing.T) {
	w := world{files: map[string]string{
		"/home/anna/.pg_service.conf": "[nested]\nservice=x\n[unknown]\nhosst=x\n[junk]\nwhat\n[ldap]\nldap://x\n[nul]\nuser=a\x00\n",
		"/etc/pg/pg_service.conf":     "[system]\nport=1\n",
	}}
	for service, want := range map[string]string{
		"nested":  "dsn: service: a service cannot name another service (service file /home/anna/.pg_service.conf section nested line 2)",
		"unknown": `dsn: unknown key "hosst" (there may be no spaces around =) (service file /home/anna/.pg_service.conf section unknown line 4)`,
		"junk":    "line 6",
		"ldap":    "LDAP lookups are not supported",
		"nul":     "dsn: user: the value holds a NUL byte",
		"none":    `dsn: service: there is no service "none" in /home/anna/.pg_service.conf or /etc/pg/pg_service.conf (at byte 8 of the dsn)`,
	} {
		t.Run(service, func(t *testing.T) {
			_, err := dsn.ParsePostgres("service="+service, w.environment())
			var e *dsn.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	if v, _ := w.parse(t, "service=system").Get("port"); v.Value != "1" || v.Source.Path != "/etc/pg/pg_service.conf" {
		t.Errorf("port of the system's service: %v from %v", v.Value, v.Source)
	}
	w.env = map[string]string{"PGSERVICEFILE": "/missing"}
	if _, err := dsn.ParsePostgres("service=system", w.environment()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing PGSERVICEFILE: got %v", err)
	}
	if _, err := dsn.ParsePostgres("service=x", world{}.environment()); err == nil || !strings.Contains(err.Error(), "no service file") {
		t.Errorf("no service file at all: got %v", err)
	}
}

func TestNULInEnvironment(t *testing.T) {
	for _, name := range []string{"PGUSER", "PGTZ", "PGSERVICE"} {
		w := world{env: map[string]string{name: "a\x00b"}}
		if _, err := dsn.ParsePostgres("", w.environment()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHugeFile(t *testing.T) {
	w := world{files: map[string]string{"/home/anna/.pg_service.conf": strings.Repeat("#\n", 4<<20)}}
	if _, err := dsn.ParsePostgres("service=x", w.environment()); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestZeroResolved(t *testing.T) {
	var r dsn.Resolved
	if got := r.String(); got != "" {
		t.Errorf("String: %q", got)
	}
	if _, ok := r.Get("host"); ok || r.Reveal("host") != "" {
		t.Error("the zero Resolved has a host")
	}
	if _, err := r.Postgres(); err == nil {
		t.Error("Postgres of the zero Resolved succeeds")
	}
}

func TestFormat(t *testing.T) {
	values := dsn.Values{{Keyword: "host", Value: "/a b"}, {Keyword: "user", Value: `it's\`}, {Keyword: "dbname"}, {Keyword: "port", Value: "1"}}
	const want = `host='/a b' user='it\'s\\' dbname='' port=1`
	if got := dsn.Format(values); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
