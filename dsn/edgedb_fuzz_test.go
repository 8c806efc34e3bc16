package dsn_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/dsn"
)

// FuzzParseEdgeDB checks, for any text as connection string, option, credentials,
// secret key and variable: resolving ends soon and without a panic, fails with an
// *EdgeDBError of a kind, gives a configuration that can be used, and shows a
// password, well or badly encoded, in no error and in no output.
func FuzzParseEdgeDB(f *testing.F) {
	for _, text := range []string{
		"", "edgedb://", "gel://u:p@h:1/b?tls_security=insecure&a=b", "edgedb://[::1]:5656", "edgedb://a,b:2/x", "edgedb://?host_env=GEL_HOST&password_file=/f", "name", "org/name",
		"edgedb://h?wait_until_available=1h 2min", "edgedb://h?port=1&branch=x&secret_key_file_env=X", `{"port":1,"user":"u","tls_ca":"x"}`, "nbwt_a.eyJpc3MiOiJhLmIifQ.c", "PT1H2M3.5S",
		"edgedb://u:p%40@h%25", "edgedb://h/b?database=c", "edgedb://h#x", "edgedb://@", "edgedb://:@:/?&=", "tcp://1", "1?tls_ca=", "12/", "?a&b", "[", "]:,", "%zz", "\xff\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		world := edgeWorld{home: "/h", cwd: "/w", env: map[string]string{"X": text}, files: map[string]string{"/f": text, "/w/gel.toml": ""}}
		world.files[dsn.EdgeDBStash("/w", world.environment())+"/instance-name"] = text
		world.files["/h/.config/edgedb/credentials/name.json"] = text
		plain := world.environment()
		for _, opt := range []dsn.EdgeDBOptions{{}, {SeveralHosts: true}} {
			tryEdgeDB(t, text, opt, plain)
		}
		for _, opt := range []dsn.EdgeDBOptions{{DSN: &text}, {Instance: &text}, {Credentials: &text}, {Host: &text, SeveralHosts: true}, {Port: &text}, {CredentialsFile: new("/f")}} {
			tryEdgeDB(t, "", opt, plain)
		}
		tryEdgeDB(t, "org/name", dsn.EdgeDBOptions{SecretKey: &text}, plain)
		for _, name := range []string{"DSN", "HOST", "PORT", "INSTANCE", "CREDENTIALS_FILE", "TLS_CA", "BRANCH", "WAIT_UNTIL_AVAILABLE", "CLIENT_SECURITY", "CLOUD_PROFILE"} {
			w := world
			w.env = map[string]string{"GEL_" + name: text}
			tryEdgeDB(t, "", dsn.EdgeDBOptions{}, w.environment())
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if strings.Contains(text, canary) {
			return
		}
		for _, with := range withEdgePassword(text) {
			for _, opt := range []dsn.EdgeDBOptions{{}, {SeveralHosts: true}} {
				r, err := dsn.ParseEdgeDB(with, opt, plain)
				checkHidden(t, with, r, err)
			}
		}
		for _, with := range []string{`{"password":"` + canary + `",` + text, `{"secret_key":"` + canary + `","user":` + text + `}`, text + `{"password":"` + canary + `"}`} {
			r, err := dsn.ParseEdgeDB("", dsn.EdgeDBOptions{Credentials: &with}, plain)
			checkHidden(t, with, r, err)
		}
		key := text + canary
		r, err := dsn.ParseEdgeDB("org/name", dsn.EdgeDBOptions{SecretKey: &key, Password: &key}, plain)
		checkHidden(t, key, r, err)
	})
}

// tryEdgeDB checks what holds for every result.
func tryEdgeDB(t *testing.T, text string, opt dsn.EdgeDBOptions, environment dsn.Environment) {
	t.Helper()
	r, err := dsn.ParseEdgeDB(text, opt, environment)
	if err != nil {
		if problem, ok := err.(*dsn.EdgeDBError); !ok || problem.Kind == "" || problem.Err == nil || r != nil {
			t.Errorf("%q: the error is %T %v, beside %v", text, err, err, r)
		}
		return
	}
	c := r.Config()
	if len(c.Hosts) == 0 || len(c.Hosts) > 1 && !opt.SeveralHosts || c.User == "" || c.Branch == "" || c.Database == "" || c.WaitUntilAvailable < 0 {
		t.Errorf("%q: %v", text, r)
	}
	for _, h := range c.Hosts {
		if h.Port == 0 || h.Name == "" || h.Network != "tcp" || strings.ContainsAny(h.Name, "/, @\x00") {
			t.Errorf("%q: host %+v", text, h)
		}
	}
	switch c.TLSSecurity {
	case dsn.EdgeDBInsecure, dsn.EdgeDBNoHostVerification, dsn.EdgeDBStrict:
	default:
		t.Errorf("%q: TLS security %q", text, c.TLSSecurity)
	}
}

// checkHidden holds errors to show the canary never, and outputs where it is the
// password or secret key.
func checkHidden(t *testing.T, text string, r *dsn.EdgeDBResolved, err error) {
	t.Helper()
	if err != nil {
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error shows the password: %v", text, err)
		}
		return
	}
	if r.Reveal("password") != canary && r.Reveal("secret_key") != canary {
		return // it is what the text says, such as a branch's name
	}
	asJSON, err := json.Marshal(r)
	if shown := r.String() + string(asJSON) + r.Settings().String(); err != nil || strings.Contains(shown, canary) {
		t.Errorf("%q: shown as %s (%v)", text, shown, err)
	}
}

// withEdgePassword puts the canary into text as a password in several ways.
func withEdgePassword(text string) []string {
	forms := []string{
		"edgedb://u:" + canary + "@" + text,
		"edgedb://u:" + canary + text + "@h/db",
		"edgedb://u:" + text + canary + "@h/db",
		"edgedb://h/db?password=" + canary + "&" + text,
		"edgedb://h/db?" + text + "&secret_key=" + canary,
		"edgedb://h/db?password_env=" + canary + "&" + text,
		"u:" + canary + "@" + text,
		"u:" + text + canary,
	}
	if at := strings.Index(text, "://"); at >= 0 {
		forms = append(forms, text[:at+3]+"u:"+canary+"@"+text[at+3:])
	}
	return forms
}
