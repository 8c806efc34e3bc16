package dsn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

// table gives one line for each parameter and setting, as a command prints them.
func table(r *dsn.EdgeDBResolved) string {
	var b strings.Builder
	for _, v := range append(r.All(), r.Settings()...) {
		fmt.Fprintf(&b, "%s | %s | %s\n", v.Keyword, v.Value, v.Source)
	}
	return b.String()
}

func checkTable(t *testing.T, r *dsn.EdgeDBResolved, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), table(r)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// TestEdgeDBSources checks that each value says where it came from.
func TestEdgeDBSources(t *testing.T) {
	w := edgeWorld{
		home: "/home/anna", cwd: "/home/anna/shop",
		env:   map[string]string{"GEL_CLIENT_SECURITY": "insecure_dev_mode", "USER_NAME": "berta", "GEL_WAIT_UNTIL_AVAILABLE": "5 s"},
		files: map[string]string{"/home/anna/shop/pw": "s3cret\n"},
	}
	t.Run("dsn", func(t *testing.T) {
		r := w.parse(t, "gel://db1:5657/main?user_env=USER_NAME&password_file=pw&apples=3", dsn.EdgeDBOptions{
			SecretKey: new("s3cret-key"), ServerSettings: map[string]string{"pears": "4"},
		})
		checkTable(t, r, `
host | db1 | dsn host
port | 5657 | dsn port
user | berta | environment USER_NAME (dsn query user_env)
password | ******** | file pw (dsn query password_file)
secret_key | ******** | option secret_key
database | main | dsn path
branch | main | dsn path
tls_security | insecure | environment GEL_CLIENT_SECURITY
wait_until_available | PT30S | default
client_security | insecure_dev_mode | environment GEL_CLIENT_SECURITY
pears | 4 | option server_settings
apples | 3 | dsn query apples
`)
		if got := r.Reveal("password"); got != "s3cret" {
			t.Errorf("password %q", got)
		}
	})
	t.Run("environment", func(t *testing.T) {
		w := w
		w.env = map[string]string{"EDGEDB_DSN": "edgedb://anna@db1", "EDGEDB_BRANCH": "b2"}
		checkTable(t, w.parse(t, "", dsn.EdgeDBOptions{User: new("carla")}), `
host | db1 | environment EDGEDB_DSN host
port | 5656 | default
user | carla | option user
database | b2 | environment EDGEDB_BRANCH
branch | b2 | environment EDGEDB_BRANCH
tls_security | strict | default
wait_until_available | PT30S | default
`)
	})
	t.Run("project", func(t *testing.T) {
		w := w
		stash := dsn.EdgeDBStash("/home/anna/shop", w.environment())
		w.files = map[string]string{
			"/home/anna/shop/gel.toml":                      "",
			stash + "/instance-name":                        "local_one\n",
			stash + "/branch":                               "feature\n",
			"/home/anna/.edgedb/credentials/local_one.json": `{"port": 10700, "user": "u", "password": "s3cret", "branch": "main"}`,
		}
		checkTable(t, w.parse(t, "", dsn.EdgeDBOptions{}), strings.ReplaceAll(`
instance | local_one | file STASH/instance-name (project)
host | localhost | default
port | 10700 | credentials file /home/anna/.edgedb/credentials/local_one.json key port (file STASH/instance-name (project))
user | u | credentials file /home/anna/.edgedb/credentials/local_one.json key user (file STASH/instance-name (project))
password | ******** | credentials file /home/anna/.edgedb/credentials/local_one.json key password (file STASH/instance-name (project))
database | feature | file STASH/branch (project)
branch | feature | file STASH/branch (project)
tls_security | insecure | environment GEL_CLIENT_SECURITY
wait_until_available | 5 s | environment GEL_WAIT_UNTIL_AVAILABLE
client_security | insecure_dev_mode | environment GEL_CLIENT_SECURITY
`, "STASH", stash))
	})
	t.Run("defaults", func(t *testing.T) {
		checkTable(t, edgeWorld{}.parse(t, "edgedb://", dsn.EdgeDBOptions{}), `
host | localhost | default
port | 5656 | default
user | edgedb | default
database | edgedb | default
branch | __default__ | default
tls_security | strict | default
wait_until_available | PT30S | default
`)
	})
}

// TestEdgeDBForms checks the forms of a parameter that the shared cases leave out.
func TestEdgeDBForms(t *testing.T) {
	certificate := someCertificate(t)
	w := edgeWorld{cwd: "/w", env: map[string]string{"CA": certificate, "CA_PATH": "/w/ca.pem", "PW_PATH": "pw", "EMPTY": ""}, files: map[string]string{
		"/w/ca.pem": certificate, "/w/path": "/w/ca.pem\n", "/w/pw": "a b\r\n", "/w/lines": "x\n\n", "/w/port": "77\n",
	}}
	for query, want := range map[string]string{
		"tls_ca_env=CA":             "tls_ca=" + certificate,
		"tls_ca_file=ca.pem":        "tls_ca=" + certificate,
		"tls_ca_file_env=CA_PATH":   "tls_ca=" + certificate,
		"tls_ca_file_file=path":     "tls_ca=" + certificate,
		"password_file_env=PW_PATH": "password=a b",
		"password_file=lines":       "password=x\n",
		"password_env=EMPTY":        "password=",
		"password=a+b%2Bc":          "password=a b+c",
		"port_file=port":            "port=77",
		"host=%5B::1%5D":            "host=[::1]",
		"&&user=u&&":                "user=u",
		"user=a=b":                  "user=a=b",
		"branch=/x/y":               "branch=x/y",
		"database_file=/w/port":     "database=77",
	} {
		keyword, value, _ := strings.Cut(want, "=")
		r := w.parse(t, "edgedb://?"+query, dsn.EdgeDBOptions{})
		if got := r.Reveal(keyword); got != value {
			t.Errorf("%s: %s is %q, want %q", query, keyword, got, value)
		}
	}
	if c := w.parse(t, "edgedb://?host=%5B::1%5D", dsn.EdgeDBOptions{}).Config(); c.Hosts[0].Address != "[::1]:5656" {
		t.Errorf("address %s", c.Hosts[0].Address)
	}
	if r := w.parse(t, "edgedb://u:@h", dsn.EdgeDBOptions{}); !r.Config().HasPassword {
		t.Error("an empty password in front of the host was not taken")
	}
}

// TestEdgeDBMalformed holds each kind of mistake to its kind of error, and its
// text to showing nothing of a password that ended up in the wrong place.
func TestEdgeDBMalformed(t *testing.T) {
	const dsnOrName, invalid, host = dsn.EdgeDBInvalidDSNOrName, dsn.EdgeDBInvalidDSN, dsn.EdgeDBInvalidHost
	w := edgeWorld{home: "/home/anna", cwd: "/w", files: map[string]string{"/w/nul": "a\x00b", "/w/latin1": "\xe9"}}
	for text, kind := range map[string]dsn.EdgeDBErrorKind{
		"postgres://h/db":                           invalid,
		"edgedb://u:" + canary + "#x@h":             invalid,
		"edgedb://u:12/" + canary + "@h/db":         invalid,
		"edgedb://u:12?" + canary + "@h/db":         invalid,
		"edgedb://u:a/" + canary + "@h/db":          invalid,
		"edgedb://u:" + canary:                      dsnOrName,
		"edgedb://u:" + canary + ":x@h:1:2":         invalid,
		"edgedb://::1":                              invalid,
		"edgedb://[::1":                             invalid,
		"edgedb://[::1]x":                           invalid,
		"edgedb://[" + canary + "]":                 host,
		"edgedb://x[::1]":                           invalid,
		"edgedb://h%zz":                             invalid,
		"edgedb://u:" + canary + "%@h":              invalid,
		"edgedb://h?a=%":                            invalid,
		"edgedb://h?a%=b":                           invalid,
		"edgedb://h?=b":                             invalid,
		"edgedb://h?a=1&a=2":                        invalid,
		"edgedb://h?host=x":                         invalid,
		"edgedb://u@h?user_env=X":                   invalid,
		"edgedb://?user=u&user_env=X":               invalid,
		"edgedb://?tls_ca=x&tls_ca_file=y":          invalid,
		"edgedb://h/b?database=b":                   invalid,
		"edgedb://h/b?branch_env=X":                 invalid,
		"edgedb://h:0":                              dsn.EdgeDBInvalidPort,
		"edgedb://h:65536":                          dsn.EdgeDBInvalidPort,
		"edgedb://h:99999999999999999999":           dsn.EdgeDBInvalidPort,
		"edgedb://?port=+1":                         dsn.EdgeDBInvalidPort,
		"edgedb://%2Ftmp":                           dsn.EdgeDBUnixSocket,
		"edgedb://a%20b":                            host,
		"edgedb://?host=h:1":                        host,
		"edgedb://%00":                              host,
		"edgedb://?user=%00":                        dsn.EdgeDBInvalidUser,
		"edgedb://?user=%ff":                        dsn.EdgeDBInvalidUser,
		"edgedb://?password=" + canary + "%00":      dsn.EdgeDBInvalidPassword,
		"edgedb://?secret_key=" + canary + "%ff":    dsn.EdgeDBInvalidPassword,
		"edgedb://?password_file=nul":               dsn.EdgeDBInvalidPassword,
		"edgedb://?password_file=latin1":            dsn.EdgeDBInvalidPassword,
		"edgedb://?password_file=%00":               dsn.EdgeDBFileNotFound,
		"edgedb://?password_file=" + canary:         dsn.EdgeDBFileNotFound,
		"edgedb://?password_file_env=" + canary:     dsn.EdgeDBEnvNotFound,
		"edgedb://?password_env=" + canary:          dsn.EdgeDBEnvNotFound,
		"edgedb://?password_env=%00":                dsn.EdgeDBEnvNotFound,
		"edgedb://?tls_ca=" + canary:                dsn.EdgeDBInvalidTLSCA,
		"edgedb://?tls_ca_file=" + canary:           dsn.EdgeDBFileNotFound,
		"edgedb://?tls_ca_file_file=" + canary:      dsn.EdgeDBFileNotFound,
		"edgedb://?tls_server_name=" + canary + "/": dsn.EdgeDBInvalidTLSServerName,
		"edgedb://?tls_security=" + canary:          dsn.EdgeDBInvalidTLSSecurity,
		"edgedb://?wait_until_available=" + canary:  dsn.EdgeDBInvalidDuration,
		"edgedb:" + canary:                          dsnOrName,
		"u:" + canary + "@h":                        dsnOrName,
		"a--b":                                      dsnOrName,
		"-a":                                        dsnOrName,
		"a-":                                        dsnOrName,
		"a/b/c":                                     dsnOrName,
		"/b":                                        dsnOrName,
		"a/":                                        dsnOrName,
		"../x":                                      dsnOrName,
		" a":                                        dsnOrName,
		"nosuch":                                    dsn.EdgeDBCredentialsNotFound,
	} {
		err := w.fail(t, text, dsn.EdgeDBOptions{}, kind)
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows the secret: %v", text, err)
		}
		if _, ok := errors.AsType[*dsn.Error](err); !ok {
			t.Errorf("%s: there is no *Error in %v", text, err)
		}
	}
	err := w.fail(t, "edgedb://?password_file=nosuch", dsn.EdgeDBOptions{}, dsn.EdgeDBFileNotFound)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	edgeWorld{}.fail(t, "nohome", dsn.EdgeDBOptions{}, dsn.EdgeDBCredentialsNotFound)
	edgeWorld{}.fail(t, "org/nohome", dsn.EdgeDBOptions{}, dsn.EdgeDBSecretKeyNotFound)
	edgeWorld{}.fail(t, "x", dsn.EdgeDBOptions{Port: new("1")}, dsn.EdgeDBMultipleOptions)
	edgeWorld{}.fail(t, "x", dsn.EdgeDBOptions{DSN: new("edgedb://")}, dsn.EdgeDBMultipleOptions)
	edgeWorld{}.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBNoOptions)
}

// TestEdgeDBSeveralHosts checks the extension, and that it must be asked for.
func TestEdgeDBSeveralHosts(t *testing.T) {
	several := dsn.EdgeDBOptions{SeveralHosts: true}
	addresses := func(r *dsn.EdgeDBResolved) (list []string) {
		for _, h := range r.Config().Hosts {
			list = append(list, h.Address)
		}
		return list
	}
	for text, want := range map[string][]string{
		"edgedb://u:p,w@h1,h2:5657/db":          {"h1:5656", "h2:5657"},
		"edgedb://h1,h2:5657/db?port=7000":      {"h1:7000", "h2:5657"},
		"edgedb://[::1],[fe80::1%25e0]:2,::2,x": {"[::1]:5656", "[fe80::1%e0]:2", "[::2]:5656", "x:5656"},
		"edgedb://?host=a:1,b":                  {"a:1", "b:5656"},
		"edgedb://only:3":                       {"only:3"},
		"edgedb://[::1]:3":                      {"[::1]:3"},
	} {
		if diff := cmp.Diff(want, addresses(edgeWorld{}.parse(t, text, several))); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", text, diff)
		}
	}
	w := edgeWorld{env: map[string]string{"GEL_HOST": "a,b:2", "GEL_PORT": "9"}}
	if diff := cmp.Diff([]string{"a:9", "b:2"}, addresses(w.parse(t, "", several))); diff != "" {
		t.Errorf("of the environment, want (-), got (+):\n%s", diff)
	}
	for _, text := range []string{"edgedb://a,,b", "edgedb://a,", "edgedb://,", "edgedb://a:,b", "edgedb://a:0,b", "edgedb://a:x,b", "edgedb://a,b:99999", "edgedb://[::1]x,b",
		"edgedb://?host=a%20,b", "edgedb://?host=a:1", "edgedb://[::1,b"} {
		edgeWorld{}.fail(t, text, several, dsn.EdgeDBInvalidHost)
	}
	edgeWorld{}.fail(t, "edgedb://?host=a,/tmp", several, dsn.EdgeDBUnixSocket)
	edgeWorld{}.fail(t, "edgedb://a,b", dsn.EdgeDBOptions{}, dsn.EdgeDBInvalidHost)
}

// TestEdgeDBCredentialsHostile gives credentials that no tool writes.
func TestEdgeDBCredentialsHostile(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}x`, `{"port":0}`, `{"port":65536}`, `{"port":1.5}`, `{"port":"1"}`, `{"port":-1}`, `{"port":1e3}`, `{"port":true}`,
		`{"user":""}`, `{"user":[]}`, `{"host":""}`, `{"host":"a,b"}`, `{"host":"\u0000"}`, `{"password":1}`, `{"password":"` + canary + `\u0000"}`,
		`{"tls_ca":"` + canary + `"}`, `{"tls_ca":"a","tls_cert_data":"b"}`, `{"branch":"a","database":"b"}`, `{"branch":"edgedb","database":"__default__"}`,
		`{"tls_security":"` + canary + `"}`, `{"tls_verify_hostname":"yes"}`, `{"tls_verify_hostname":true,"tls_security":"insecure"}`,
		`{"tls_verify_hostname":false,"tls_security":"strict"}`, `{"secret_key":{"a":"` + canary + `"}}`, strings.Repeat(`{"a":`, 20000),
	} {
		err := edgeWorld{}.fail(t, "", dsn.EdgeDBOptions{Credentials: &text}, dsn.EdgeDBInvalidCredentials)
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	edgeWorld{}.fail(t, "", dsn.EdgeDBOptions{Credentials: new(`{"host":"/tmp"}`)}, dsn.EdgeDBUnixSocket)
	for text, want := range map[string]dsn.EdgeDBTLSSecurity{
		`{"tls_verify_hostname":false,"tls_security":"default"}`: dsn.EdgeDBNoHostVerification,
		`{"tls_verify_hostname":null,"tls_security":null}`:       dsn.EdgeDBStrict,
		`{"tls_verify_hostname":false}`:                          dsn.EdgeDBNoHostVerification,
		`{"unknown":1,"USER":2}`:                                 dsn.EdgeDBStrict,
	} {
		c := edgeWorld{}.parse(t, "", dsn.EdgeDBOptions{Credentials: &text}).Config()
		if c.TLSSecurity != want || c.User != "edgedb" {
			t.Errorf("%s: %s, user %s", text, c.TLSSecurity, c.User)
		}
	}
}

// TestEdgeDBPrinting prints a result in every way: no way shows a secret.
func TestEdgeDBPrinting(t *testing.T) {
	r := edgeWorld{}.parse(t, "edgedb://u:"+canary+"@h?secret_key="+canary+"&pasword="+canary+"&x=y@"+canary, dsn.EdgeDBOptions{})
	asJSON, err := json.Marshal(struct{ R *dsn.EdgeDBResolved }{r})
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ r *dsn.EdgeDBResolved }{r}
	settings, _ := json.Marshal(r.Settings())
	c := r.Config()
	for _, text := range []string{r.String(), fmt.Sprintf("%v %+v %#v %s %x", r, *r, r, r, r), fmt.Sprintf("%v %+v %#v", hidden, hidden, hidden), string(asJSON), string(settings),
		r.All().String(), fmt.Sprintf("%v %#v", c.Password, c.SecretKey)} {
		if strings.Contains(text, canary) {
			t.Errorf("the secret is in %s", text)
		}
	}
	if c.Password.Reveal() != canary || c.ServerSettings["pasword"] != canary || r.Reveal("secret_key") != canary {
		t.Error("what was asked for in the clear is not there")
	}
	if got, _ := r.Get("password"); !got.Secret || got.Value == "" {
		t.Errorf("password: %+v", got)
	}
	if _, ok := r.Get("nosuch"); ok || r.Reveal("nosuch") != "" {
		t.Error("a parameter that there is not has a value")
	}
}

// TestEdgeDBZero uses what nobody made.
func TestEdgeDBZero(t *testing.T) {
	var r dsn.EdgeDBResolved
	if r.All() != nil || r.Settings() != nil || r.Warnings() != nil || r.String() != "" || len(r.Config().Hosts) != 0 || r.Reveal("host") != "" {
		t.Error("the zero EdgeDBResolved has something")
	}
	if text := (&dsn.EdgeDBError{Kind: "x"}).Error(); text != "dsn: x" || errors.Unwrap(&dsn.EdgeDBError{}) != nil {
		t.Errorf("the zero EdgeDBError is %q", text)
	}
	// The process's own environment, whatever that holds: no panic.
	_, _ = dsn.ParseEdgeDB("", dsn.EdgeDBOptions{}, dsn.Environment{})
}

// TestEdgeDBCopies changes what Config and Settings gave: the next are as before.
func TestEdgeDBCopies(t *testing.T) {
	certificate := someCertificate(t)
	r := edgeWorld{env: map[string]string{"GEL_PORT": "1", "EDGEDB_PORT": "2"}}.parse(t, "", dsn.EdgeDBOptions{TLSCA: &certificate, ServerSettings: map[string]string{"a": "b"}})
	c := r.Config()
	c.TLSCA[0], c.ServerSettings["a"], c.Warnings[0].Text, c.Hosts[0].Port = 'x', "c", "", 9
	r.Settings()[0].Value = "c"
	again := r.Config()
	if string(again.TLSCA) != certificate || again.ServerSettings["a"] != "b" || again.Warnings[0].Text == "" || again.Hosts[0].Port != 1 || r.Settings()[0].Value != "b" {
		t.Errorf("changed through a copy: %+v", again)
	}
	if len(r.Warnings()) != 1 || !strings.Contains(r.Warnings()[0], "EDGEDB_PORT is ignored") {
		t.Errorf("warnings %q", r.Warnings())
	}
}

// TestEdgeDBRealFiles resolves a project on the disk, through a symbolic link.
func TestEdgeDBRealFiles(t *testing.T) {
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	environment := dsn.Environment{
		LookupEnv: func(string) (string, bool) { return "", false },
		HomeDir:   func() (string, error) { return home, nil },
		WorkDir:   func() (string, error) { return filepath.Join(home, "link", "sub"), nil },
		Platform:  "linux",
	}
	stash := dsn.EdgeDBStash(home+"/project", environment)
	for path, text := range map[string]string{
		home + "/project/edgedb.toml": "", home + "/project/sub/x": "", stash + "/instance-name": "one", home + "/.config/edgedb/credentials/one.json": `{"port":5}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(home+"/project", home+"/link"); err != nil {
		t.Skip(err)
	}
	r, err := dsn.ParseEdgeDB("", dsn.EdgeDBOptions{}, environment)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Config(); c.Hosts[0].Port != 5 {
		t.Errorf("%v", r)
	}
}
