package dsn_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/duetdb/duet/dsn"
)

func TestConfigDefaults(t *testing.T) {
	got := world{}.config(t, "")
	want := &dsn.Config{
		Hosts:              []dsn.Host{{Network: "unix", Address: "/run/.s.PGSQL.5432", Name: "/run", Port: 5432}},
		User:               "anna",
		Database:           "anna",
		RuntimeParams:      map[string]string{},
		TargetSessionAttrs: dsn.TargetAny,
		LoadBalanceHosts:   dsn.BalanceDisable,
		ChannelBinding:     dsn.BindingPrefer,
		GSSEncMode:         dsn.GSSPrefer,
		MinProtocol:        dsn.Protocol30,
		MaxProtocol:        dsn.Protocol30,
		TCP:                dsn.TCPOptions{Keepalives: true},
		TLS: dsn.TLSOptions{
			Mode: dsn.SSLPrefer, Negotiation: dsn.NegotiatePostgres, CertMode: dsn.CertAllow, SNI: true,
			RootCert: "/home/anna/.postgresql/root.crt", CRL: "/home/anna/.postgresql/root.crl",
			Cert: "/home/anna/.postgresql/postgresql.crt", Key: "/home/anna/.postgresql/postgresql.key",
			MinVersion: tls.VersionTLS12,
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(dsn.Config{}), cmp.Comparer(func(a, b dsn.RequireAuth) bool { return a == b })); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestConfigValues(t *testing.T) {
	w := world{env: map[string]string{"PGTZ": "UTC"}}
	c := w.config(t, `postgres://bert:pw@h/shop?connect_timeout=7&keepalives=0&keepalives_idle=3&keepalives_interval=4&keepalives_count=5`+
		`&tcp_user_timeout=600&target_session_attrs=primary&load_balance_hosts=random&channel_binding=require&options=-c%20geqo%3Doff`+
		`&fallback_application_name=fb&client_encoding=auto&replication=database&requirepeer=postgres&min_protocol_version=3.2`+
		`&sslmode=verify-full&sslnegotiation=direct&sslrootcert=system&sslsni=0&sslcert=c&sslkey=k&sslpassword=s&sslcrldir=d`+
		`&ssl_max_protocol_version=tlsv1.3&sslcertmode=disable&sslkeylogfile=l`)
	if c.User != "bert" || c.Password.Reveal() != "pw" || c.Database != "shop" || c.ConnectTimeout != 7*time.Second || c.RequirePeer != "postgres" {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(dsn.TCPOptions{KeepaliveIdle: 3 * time.Second, KeepaliveInterval: 4 * time.Second, KeepaliveCount: 5, UserTimeout: 600 * time.Millisecond}, c.TCP); diff != "" {
		t.Errorf("TCP: want (-), got (+):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"timezone": "UTC", "options": "-c geqo=off", "application_name": "fb", "client_encoding": "UTF8", "replication": "database"}, c.RuntimeParams); diff != "" {
		t.Errorf("RuntimeParams: want (-), got (+):\n%s", diff)
	}
	tlsWant := dsn.TLSOptions{Mode: dsn.SSLVerifyFull, Negotiation: dsn.NegotiateDirect, CertMode: dsn.CertDisable, RootCert: "system", CRLDir: "d",
		Cert: "c", Key: "k", KeyPassword: dsn.NewSecret("s"), MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, KeyLogFile: "l"}
	if diff := cmp.Diff(tlsWant, c.TLS); diff != "" {
		t.Errorf("TLS: want (-), got (+):\n%s", diff)
	}
	if c.TargetSessionAttrs != dsn.TargetPrimary || c.LoadBalanceHosts != dsn.BalanceRandom || c.ChannelBinding != dsn.BindingRequire ||
		c.MinProtocol != dsn.Protocol32 || c.MaxProtocol != dsn.Protocol32 {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]time.Duration{"": 0, "connect_timeout=0": 0, "connect_timeout=-1": 0, "connect_timeout=1": time.Second, "connect_timeout=' +2 '": 2 * time.Second} {
		if got := w.config(t, text).ConnectTimeout; got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if c := w.config(t, "application_name='' fallback_application_name=x"); c.RuntimeParams["application_name"] != "" {
		t.Error("an empty application_name hides the fallback")
	}
	if c := w.config(t, "sslrootcert=system"); c.TLS.Mode != dsn.SSLVerifyFull {
		t.Errorf("sslrootcert=system: sslmode %s", c.TLS.Mode)
	}
}

func TestHosts(t *testing.T) {
	tcp := func(address, name string, port uint16) dsn.Host {
		return dsn.Host{Network: "tcp", Address: address, Name: name, Port: port}
	}
	unix := func(address, name string, port uint16) dsn.Host {
		return dsn.Host{Network: "unix", Address: address, Name: name, Port: port}
	}
	for text, want := range map[string][]dsn.Host{
		"host=h":                                    {tcp("h:5432", "h", 5432)},
		"host=a,b port=1":                           {tcp("a:1", "a", 1), tcp("b:1", "b", 1)},
		"host=a,b port=1,":                          {tcp("a:1", "a", 1), tcp("b:5432", "b", 5432)},
		"host=::1":                                  {tcp("[::1]:5432", "::1", 5432)},
		"postgres://[fe80::1%25e0]:3":               {tcp("[fe80::1%e0]:3", "fe80::1%e0", 3)},
		"hostaddr=1.2.3.4":                          {tcp("1.2.3.4:5432", "", 5432)},
		"hostaddr=1.2.3.4,::2 host=a,b":             {tcp("1.2.3.4:5432", "a", 5432), tcp("[::2]:5432", "b", 5432)},
		"hostaddr=,::2 host=a,":                     {tcp("a:5432", "a", 5432), tcp("[::2]:5432", "", 5432)},
		"host=/tmp":                                 {unix("/tmp/.s.PGSQL.5432", "/tmp", 5432)},
		"host=@name port=9":                         {unix("@name/.s.PGSQL.9", "@name", 9)},
		"host=h,,/x port=1,2,3":                     {tcp("h:1", "h", 1), unix("/run/.s.PGSQL.2", "/run", 2), unix("/x/.s.PGSQL.3", "/x", 3)},
		"postgres://%2Ftmp:7,h:8":                   {unix("/tmp/.s.PGSQL.7", "/tmp", 7), tcp("h:8", "h", 8)},
		"host='' hostaddr='' port=''":               {unix("/run/.s.PGSQL.5432", "/run", 5432)},
		"postgres://:1,:2":                          {unix("/run/.s.PGSQL.1", "/run", 1), unix("/run/.s.PGSQL.2", "/run", 2)},
		"postgres://h:1/db?host=/sock&hostaddr=::1": {tcp("[::1]:1", "/sock", 1)},
	} {
		t.Run(text, func(t *testing.T) {
			got := world{}.config(t, text).Hosts
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestInvalidValues(t *testing.T) {
	for text, want := range map[string]string{
		"sslmode=requrie":                    `dsn: sslmode: invalid value "requrie": use disable, allow, prefer, require, verify-ca, verify-full (at byte 8 of the dsn)`,
		"sslmode=":                           `invalid value "": use`,
		"port=abc":                           `dsn: port: invalid value "abc": a port is a number from 1 to 65535`,
		"port=0":                             "dsn: port: 0 is out of range",
		"port=65536":                         "dsn: port: 65536 is out of range",
		"port=99999999999":                   "dsn: port: invalid value",
		"host=a,b port=1,2,3":                "3 ports do not match 2 hosts",
		"host=a hostaddr=::1,::2":            "1 host names do not match 2 hostaddr values",
		"hostaddr=localhost":                 `dsn: hostaddr: invalid value "localhost"`,
		"connect_timeout=soon":               `dsn: connect_timeout: invalid value "soon"`,
		"connect_timeout=":                   "dsn: connect_timeout: invalid value",
		"keepalives=yes":                     "dsn: keepalives: invalid value",
		"keepalives_idle=x":                  "dsn: keepalives_idle: invalid value",
		"tcp_user_timeout=1s":                "dsn: tcp_user_timeout: invalid value",
		"target_session_attrs=master":        "dsn: target_session_attrs: invalid value",
		"load_balance_hosts=yes":             "use disable, random",
		"channel_binding=on":                 "use disable, prefer, require",
		"gssencmode=require":                 "GSSAPI encryption is not supported",
		"sslnegotiation=direct":              "direct needs sslmode",
		"sslnegotiation=x":                   "use postgres, direct",
		"sslcertmode=x":                      "use disable, allow, require",
		"sslrootcert=system sslmode=require": "system needs sslmode verify-full",
		"ssl_min_protocol_version=SSLv3":     "use TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3",
		"ssl_max_protocol_version=TLSv1":     "less than ssl_min_protocol_version",
		"min_protocol_version=2.0":           "use 3.0, 3.2 or latest",
		"min_protocol_version=3.2 max_protocol_version=3.0": "less than min_protocol_version",
		"require_auth=md5,nosuch":                           `dsn: require_auth: invalid method "nosuch"`,
		"require_auth=md5,!password":                        "cannot be mixed",
		"require_auth=md5,md5":                              "more than once",
		"scram_client_key=AAAA":                             "dsn: scram_client_key: not the base64 of 32 bytes",
		"host=/" + strings.Repeat("x", 107):                 "at most 107",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := world{}.parse(t, text).Postgres()
			var e *dsn.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *dsn.Error", err)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestAllInvalidValuesAtOnce(t *testing.T) {
	w := world{env: map[string]string{"PGSSLMODE": "x", "PGCONNECT_TIMEOUT": strings.Repeat("9", 5000)}}
	_, err := w.parse(t, "port=y gssencmode=z").Postgres()
	for _, want := range []string{`sslmode: invalid value "x"`, "(environment PGSSLMODE)", `port: invalid value "y"`, "gssencmode: invalid value", "connect_timeout: invalid value"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s too", err, want)
		}
	}
	if len(err.Error()) > 2000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestNoUser(t *testing.T) {
	env := world{}.environment()
	env.UserName = func() (string, error) { return "", errors.New("no such user") }
	r, err := dsn.ParsePostgres("", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Postgres(); err == nil || !strings.Contains(err.Error(), "dsn: user:") {
		t.Errorf("got %v", err)
	}
}

func TestRequireAuth(t *testing.T) {
	all := []dsn.AuthMethod{dsn.AuthPassword, dsn.AuthMD5, dsn.AuthGSS, dsn.AuthSSPI, dsn.AuthSCRAM, dsn.AuthOAuth, dsn.AuthNone}
	for list, want := range map[string]string{
		"":               "password md5 gss sspi scram-sha-256 oauth none",
		"scram-sha-256":  "scram-sha-256",
		"md5,none":       "md5 none",
		"!password,!md5": "gss sspi scram-sha-256 oauth none",
		"!none":          "password md5 gss sspi scram-sha-256 oauth",
	} {
		r := world{}.config(t, "require_auth="+list).RequireAuth
		var got []string
		for _, m := range all {
			if r.Allows(m) {
				got = append(got, string(m))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q allows %v, want %s", list, got, want)
		}
		if again := (world{}).config(t, "require_auth="+r.String()).RequireAuth; again != r {
			t.Errorf("%q: %q reads back as %v", list, r, again)
		}
		if r.Allows("telepathy") != (list == "") {
			t.Errorf("%q allows an unknown method: %v", list, r.Allows("telepathy"))
		}
	}
}
