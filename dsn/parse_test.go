package dsn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

func TestParseOnly(t *testing.T) {
	type values = map[string]string
	for _, c := range []struct {
		dsn  string
		want values
	}{
		{"", values{}},
		{"host=a port=1", values{"host": "a", "port": "1"}},
		{"host = a\nport\t=\r1", values{"host": "a", "port": "1"}},
		{`user='it\'s' password='a\\b'`, values{"user": "it's", "password": `a\b`}},
		{`user=a\ b dbname=`, values{"user": "a b", "dbname": ""}},
		{"host=a host=b", values{"host": "b"}},
		{"requiressl=1", values{"sslmode": "require"}},
		{"dbname=postgres://u:p@h/d", values{"dbname": "postgres://u:p@h/d"}},
		{"postgres://", values{}},
		{"postgres://anna:p%40ss@h:1/shop?sslmode=require", values{"user": "anna", "password": "p@ss", "host": "h", "port": "1", "dbname": "shop", "sslmode": "require"}},
		{"postgresql://a:1,b,[::1]:3/", values{"host": "a,b,::1", "port": "1,,3"}},
		{"postgres://[fe80::1%25eth0]:1", values{"host": "fe80::1%eth0", "port": "1"}},
		{"postgres://%2Ftmp%2Fsockets/shop", values{"host": "/tmp/sockets", "dbname": "shop"}},
		{"postgres://%40abstract", values{"host": "@abstract"}},
		{"postgres://h?ssl=true", values{"host": "h", "sslmode": "require"}},
		{"postgres://h/a+b?user=c+d", values{"host": "h", "dbname": "a+b", "user": "c+d"}},
	} {
		t.Run(c.dsn, func(t *testing.T) {
			got, err := dsn.ParseOnly(c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		dsn     string
		keyword string
		offset  int
		text    string // that the message has
	}{
		{"host", "host", 0, `"=" is missing`},
		{"user=a hosst=b", "", 7, `unknown key "hosst"; did you mean host?`},
		{"nonsense=b", "", 0, `unknown key "nonsense"`},
		{"user='a", "user", 5, "no end"},
		{"user=a\x00b", "user", 5, "NUL"},
		{"us\x00er=a", "", 0, "unknown key"},
		{"mysql://h", "", 0, "scheme"},
		{"postgres://u%zz@h", "user", 12, "percent-encoding"},
		{"postgres://u:p%00@h", "password", 14, "%00"},
		{"postgres://u:p%0@h", "password", 14, "percent-encoding"},
		{"postgres://a%,b", "host", 12, "percent-encoding"},
		{"postgres://[::1", "host", 11, `"]"`},
		{"postgres://[]", "host", 11, "empty"},
		{"postgres://[::1]x", "host", 16, `after the "]"`},
		{"postgres://h:x", "port", 13, "not a number"},
		{"postgres://h/d%zz", "dbname", 14, "percent-encoding"},
		{"postgres://h\x00/d", "host", 11, "NUL"},
		{"postgres://h/d?user", "", 15, `"=" is missing`},
		{"postgres://h/d?user=a=b", "user", 20, `second "="`},
		{"postgres://h/d?user=a&nosuch=b", "", 22, `unknown key "nosuch"`},
		{"postgres://h/d?ssl=false", "", 15, `unknown key "ssl"`},
	} {
		t.Run(c.dsn, func(t *testing.T) {
			_, err := dsn.ParsePostgres(c.dsn, world{}.environment())
			var e *dsn.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *dsn.Error", err)
			}
			if e.Keyword != c.keyword || e.Offset != c.offset {
				t.Errorf("keyword %q at %d, want %q at %d", e.Keyword, e.Offset, c.keyword, c.offset)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not contain %q", err, c.text)
			}
		})
	}
}

// TestErrorsHidePasswords tries passwords that were not quoted or encoded, so that
// their pieces end up in the places of other values.
func TestErrorsHidePasswords(t *testing.T) {
	for _, text := range []string{
		"postgres://user:p@CANARY:word@host/db",
		"postgres://user:CANARY@x@host/db",
		"postgres://user:pa/CANARY@host/db",
		"postgres://user:CANARY/x@host/db",
		"postgres://user:CANARY",
		"postgres://user:CANARY/db",
		"postgres://user:x?CANARY",
		"postgres://user:1/x?CANARY=y@host",
		"postgres://user:1@h/x?CANARY=y@host",
		"postgres://user:%zzCANARY@host",
		"postgres://user:CANARY%00@host",
		"postgres://h/d?password=%zzCANARY",
		"postgres://h/d?password=a&CANARY",
		"postgres://h/d?password=a&CANARY=b",
		"postgres://h/d?password=a=CANARY",
		"postgres://user:CANARY@[::1",
		"postgres://user:CANARY@h:x",
		"postgres://user:CANARY@h?nosuch=1",
		"mysql://user:CANARY@host/db",
		"Postgres://user:CANARY@host/db",
		"password='CANARY",
		"password=CANARY' nosuch",
		"password=my CANARY",
		"password=my CANARY=x",
		"password='my'CANARY",
		"password=CANARY nosuch=1",
		"password='CANARY' port=x sslmode=y",
		"password=CANARY\x00",
		"user='a password=CANARY",
		"passwrd CANARY",
		"sslpassword='CANARY",
		"scram_client_key=CANARY",
		"scram_server_key=CANARY",
		"oauth_client_secret='CANARY",
		"port= password=CANARY",
		"service= password='CANARY'",
		"sslmode= sslpassword=CANARY",
		"port=postgres://u:CANARY@h",
		"password=CANARY host=a,b port=1,2,3",
		"password=CANARY sslmode=verify-full sslrootcert=system sslnegotiation=x",
	} {
		t.Run(text, func(t *testing.T) {
			r, err := dsn.ParsePostgres(text, world{}.environment())
			if err == nil {
				_, err = r.Postgres()
			}
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestScheme(t *testing.T) {
	for text, want := range map[string]string{
		"": "postgres", "host=a": "postgres", "postgres://h": "postgres", "postgresql://h": "postgres", "PostgreSQL://h": "postgres",
		"edgedb://h": "edgedb", "gel://h": "gel", "EdgeDB://h": "edgedb", "x+y-z.1://": "x+y-z.1", "1x://h": "postgres",
		"host=a://b": "postgres", "://h": "postgres", "my_instance": "postgres",
	} {
		if got := dsn.Scheme(text); got != want {
			t.Errorf("Scheme(%q) = %q, want %q", text, got, want)
		}
	}
}
