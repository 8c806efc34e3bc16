package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type shownValue struct{ Value, Source string }

func dsnJSON(t *testing.T, args ...string) map[string]shownValue {
	t.Helper()
	r := duetRun(t, append([]string{"dsn", "--json"}, args...)...)
	r.want(t, exitOK, "", "")
	if strings.Count(r.out, "\n") != 1 {
		t.Fatalf("want one line:\n%s", r.out)
	}
	values := map[string]shownValue{}
	if err := json.Unmarshal([]byte(r.out), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestDSNJSON(t *testing.T) {
	plainEnvironment(t)
	t.Setenv("PGAPPNAME", "shop")
	t.Setenv("PGPASSWORD", "fromenv")
	got := dsnJSON(t, "postgres://anna:s3cr3t@db1,db2:6432/orders?sslmode=require")
	want := map[string]shownValue{
		"host":             {"db1,db2", "dsn"},
		"port":             {",6432", "dsn"},
		"user":             {"anna", "dsn"},
		"password":         {"********", "dsn"},
		"dbname":           {"orders", "dsn"},
		"sslmode":          {"require", "dsn"},
		"application_name": {"shop", "environment PGAPPNAME"},
		"gssencmode":       {"prefer", "default"},
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
	if got := dsnJSON(t, "--show-secrets", "host=h password='p w'"); got["password"].Value != "p w" {
		t.Errorf("--show-secrets masks: %v", got["password"])
	}
	if got := dsnJSON(t, "--show-secrets", `host=h`)["password"]; got != (shownValue{"fromenv", "environment PGPASSWORD"}) {
		t.Errorf("the password of the environment is %v", got)
	}
}

func TestDSNTable(t *testing.T) {
	plainEnvironment(t)
	t.Setenv("PGTZ", "Europe/Rome")
	t.Setenv("PGPASSWORD", "fr0menv")
	r := duetRun(t, "dsn", "host=h user=anna application_name='a\tb'")
	r.want(t, exitOK, "keyword ", "")
	lines := map[string][]string{}
	for line := range strings.Lines(r.out) {
		fields := strings.Fields(line)
		lines[fields[0]] = fields[1:]
	}
	for key, want := range map[string]string{
		"user": "anna dsn", "password": "******** environment PGPASSWORD", "timezone": "Europe/Rome environment PGTZ",
		"application_name": `a\tb dsn`, "dbname": "anna default",
	} {
		if got := strings.Join(lines[key], " "); got != want {
			t.Errorf("the line of %s says %q, want %q", key, got, want)
		}
	}
	if strings.Contains(r.out, "fr0menv") {
		t.Errorf("the password is shown:\n%s", r.out)
	}
	duetRun(t, "dsn", "--show-secrets", "host=h").want(t, exitOK, "fr0menv", "")
}

func TestDSNWithoutArgument(t *testing.T) {
	plainEnvironment(t)
	t.Setenv("PGHOST", "db9")
	if got := dsnJSON(t)["host"]; got != (shownValue{"db9", "environment PGHOST"}) {
		t.Errorf("host is %v", got)
	}
}

func TestDSNWarnings(t *testing.T) {
	plainEnvironment(t)
	path := filepath.Join(t.TempDir(), "pass\nword")
	if err := os.WriteFile(path, []byte("*:*:*:*:s3cr3t\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", path)
	r := duetRun(t, "dsn", "host=h", "--json", "--show-secrets")
	r.want(t, exitOK, "", "duet: warning: ")
	if strings.Contains(r.out+r.err, "s3cr3t") || strings.Count(r.err, "\n") != 1 {
		t.Errorf("want one warning and no password of a file that all can read:\n%s%s", r.out, r.err)
	}
}

func TestDSNOfEdgeDB(t *testing.T) {
	plainEnvironment(t)
	t.Setenv("GEL_CLIENT_SECURITY", "default")
	for _, scheme := range []string{"edgedb", "gel"} {
		got := dsnJSON(t, scheme+"://anna:s3cr3t@db1:1234/shop?tls_security=insecure")
		want := map[string]shownValue{
			"host": {"db1", "dsn host"}, "port": {"1234", "dsn port"}, "user": {"anna", "dsn user"}, "password": {"********", "dsn password"},
			"branch": {"shop", "dsn path"}, "tls_security": {"insecure", "dsn query tls_security"}, "wait_until_available": {"PT30S", "default"},
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %v, want %v", scheme, key, got[key], value)
			}
		}
	}
	r := duetRun(t, "dsn", "edgedb://anna:s3cr3t@db1/shop")
	r.want(t, exitOK, "\npassword  ", "")
	if strings.Contains(r.out, "s3cr3t") {
		t.Errorf("the password is shown:\n%s", r.out)
	}
	duetRun(t, "dsn", "--show-secrets", "edgedb://anna:s3cr3t@db1/shop").want(t, exitOK, "s3cr3t", "")
}
