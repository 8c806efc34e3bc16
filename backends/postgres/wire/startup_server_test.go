package wire_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5/pgproto3"
)

// startupHBA gives each role its own method, so that one server is enough.
var startupHBA = []string{
	"host all trust_user 127.0.0.1/32 trust",
	"host all password_user 127.0.0.1/32 password",
	"host all md5_user 127.0.0.1/32 md5",
	"host all scram_user 127.0.0.1/32 scram-sha-256",
	"hostssl all tls_user 127.0.0.1/32 scram-sha-256",
	"hostnossl all plain_user 127.0.0.1/32 scram-sha-256",
	"hostssl all cert_user 127.0.0.1/32 cert",
	"hostssl all both_user 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
}

const rightPassword = "right, horse=staple"

func startServer(t *testing.T) *pgtest.Server {
	t.Helper()
	var sql []string
	for _, role := range []string{"trust", "password", "scram", "tls", "plain", "cert", "both"} {
		sql = append(sql, fmt.Sprintf("CREATE ROLE %s_user LOGIN PASSWORD '%s'", role, rightPassword))
	}
	sql = append(sql, "SET password_encryption = 'md5'; CREATE ROLE md5_user LOGIN PASSWORD '"+rightPassword+"'")
	s, err := pgtest.Start(t.Context(), pgtest.Config{TLS: true, HBA: startupHBA, InitSQL: sql})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return s
}

// configFor is a verified configuration for a role.
func configFor(s *pgtest.Server, role string) *wire.Config {
	return &wire.Config{
		Network: "tcp", Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		TLSConfig: &tls.Config{RootCAs: s.Certs.Pool},
		User:      role, Database: "postgres",
		Password: func(context.Context) (string, error) { return rightPassword, nil },
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// connect makes a session that is closed with the test.
func connect(t *testing.T, cfg *wire.Config) (*wire.Session, error) {
	t.Helper()
	s, err := wire.Handshake(bounded(t), cfg)
	if err == nil {
		t.Cleanup(s.Close)
	}
	return s, err
}

// ask runs one statement and gives its only value, or the error message.
func ask(t *testing.T, s *wire.Session, sql string) string {
	t.Helper()
	value, err := tryAsk(s, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func tryAsk(s *wire.Session, sql string) (value string, err error) {
	message, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		return "", err
	}
	if _, err := s.Conn().Write(message); err != nil {
		return "", err
	}
	for {
		typ, body, err := s.Next()
		if err != nil {
			return "", err
		}
		switch typ {
		case 'D':
			value = string(body[6 : 6+binary.BigEndian.Uint32(body[2:])])
		case 'E':
			value = string(body)
		case 'Z':
			return value, nil
		}
	}
}

func TestStartupServer(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for _, group := range []struct {
		name string
		run  func(*testing.T, *pgtest.Server)
	}{
		{"methods", testMethods},
		{"modes", testModes},
		{"verification", testVerification},
		{"client certificates", testClientCertificates},
		{"channel binding", testChannelBinding},
		{"require auth", testRequireAuth},
		{"passwords", testPasswords},
		{"session", testSession},
		{"socket", testSocket},
		{"cancel", testCancel},
		{"ctx", testCancelledEverywhere},
		{"cut", testCutTranscript},
		{"certificates", testCertificates}, // the last: it changes the server's
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, server) })
	}
}

// serverCode is the SQLSTATE of an error, "" if it has none.
func serverCode(err error) string {
	if e, ok := errors.AsType[*wire.ServerError](err); ok {
		return e.Code
	}
	return ""
}

func testMethods(t *testing.T, server *pgtest.Server) {
	modes := map[string]wire.TLSMode{"disable": wire.TLSDisable, "allow": wire.TLSAllow, "prefer": wire.TLSPrefer, "require": wire.TLSRequire}
	for _, role := range []string{"trust_user", "password_user", "md5_user", "scram_user"} {
		for name, mode := range modes {
			for _, right := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/%t", role, name, right), func(t *testing.T) {
					cfg := configFor(server, role)
					cfg.TLS = mode
					asked := 0
					cfg.Password = func(context.Context) (string, error) {
						asked++
						if right {
							return rightPassword, nil
						}
						return "wrong-" + rightPassword, nil
					}
					s, err := connect(t, cfg)
					wantAsked := 1
					if role == "trust_user" {
						wantAsked = 0
					}
					if asked != wantAsked {
						t.Errorf("the password was asked for %d times, want %d", asked, wantAsked)
					}
					if !right && role != "trust_user" {
						if serverCode(err) != "28P01" {
							t.Fatalf("a wrong password: got %v, want 28P01", err)
						}
						if e, _ := errors.AsType[*wire.ConnectError](err); e.Stage != wire.StageAuthentication {
							t.Errorf("the stage is %q", e.Stage)
						}
						if strings.Contains(err.Error(), rightPassword) {
							t.Errorf("the error shows the password: %v", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if want := mode >= wire.TLSPrefer; s.TLSUsed() != want {
						t.Errorf("TLS used: %t, want %t", s.TLSUsed(), want)
					}
					if got := ask(t, s, "SELECT current_user || ' ' || (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"); got != fmt.Sprintf("%s %t", role, s.TLSUsed()) {
						t.Errorf("the server says %q", got)
					}
				})
			}
		}
	}
}

func testModes(t *testing.T, server *pgtest.Server) {
	for _, c := range []struct {
		name, role string
		mode       wire.TLSMode
		tls        bool
		code       string
	}{
		{"disable against hostssl", "tls_user", wire.TLSDisable, false, "28000"},
		{"allow falls over to TLS", "tls_user", wire.TLSAllow, true, ""},
		{"prefer stays with TLS", "tls_user", wire.TLSPrefer, true, ""},
		{"require", "tls_user", wire.TLSRequire, true, ""},
		{"disable against hostnossl", "plain_user", wire.TLSDisable, false, ""},
		{"allow stays without", "plain_user", wire.TLSAllow, false, ""},
		{"prefer falls back", "plain_user", wire.TLSPrefer, false, ""},
		{"require against hostnossl", "plain_user", wire.TLSRequire, false, "28000"},
		{"nobody with prefer", "nobody", wire.TLSPrefer, false, "28000"},
		{"nobody with allow", "nobody", wire.TLSAllow, false, "28000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := configFor(server, c.role)
			cfg.TLS = c.mode
			s, err := connect(t, cfg)
			if serverCode(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			if err == nil && s.TLSUsed() != c.tls {
				t.Errorf("TLS used: %t, want %t", s.TLSUsed(), c.tls)
			}
			if e, ok := errors.AsType[*wire.ConnectError](err); ok && e.Stage != wire.StageAuthentication {
				t.Errorf("the stage is %q", e.Stage)
			}
			if c.role == "nobody" && (!strings.Contains(err.Error(), "before that, with") || strings.Count(err.Error(), "28000") != 2) {
				t.Errorf("the error does not tell of both attempts: %v", err)
			}
		})
	}
}

func testVerification(t *testing.T, server *pgtest.Server) {
	for _, c := range []struct {
		name   string
		config *tls.Config
		mode   wire.TLSMode
		want   string // in the error; "" is success
		tls    bool
	}{
		{"verified by the address", &tls.Config{RootCAs: server.Certs.Pool}, wire.TLSRequire, "", true},
		{"verified by a name", &tls.Config{RootCAs: server.Certs.Pool, ServerName: "localhost"}, wire.TLSRequire, "", true},
		{"another name", &tls.Config{RootCAs: server.Certs.Pool, ServerName: "example.org"}, wire.TLSRequire, "example.org", false},
		{"unknown authority", &tls.Config{RootCAs: x509.NewCertPool()}, wire.TLSRequire, "unknown authority", false},
		{"no configuration verifies", nil, wire.TLSRequire, "unknown authority", false},
		{"unverified", &tls.Config{InsecureSkipVerify: true}, wire.TLSRequire, "", true},
		{"the authority alone", authorityOnly(server.Certs.Pool), wire.TLSRequire, "", true},
		{"another authority alone", authorityOnly(x509.NewCertPool()), wire.TLSRequire, "unknown authority", false},
		{"prefer goes on without", &tls.Config{RootCAs: x509.NewCertPool()}, wire.TLSPrefer, "", false},
		{"too old a version", &tls.Config{RootCAs: server.Certs.Pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, wire.TLSRequire, "protocol version", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := configFor(server, "scram_user")
			cfg.TLS, cfg.TLSConfig = c.mode, c.config
			s, err := connect(t, cfg)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if s.TLSUsed() != c.tls {
					t.Errorf("TLS used: %t, want %t", s.TLSUsed(), c.tls)
				}
				return
			}
			e, ok := errors.AsType[*wire.ConnectError](err)
			if !ok || e.Stage != wire.StageTLS || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error of TLS with %q", err, c.want)
			}
		})
	}
}

// authorityOnly verifies as sslmode=verify-ca does: by any name.
func authorityOnly(pool *x509.CertPool) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool})
		return err
	}}
}

func testClientCertificates(t *testing.T, server *pgtest.Server) {
	load := func(name string) []tls.Certificate {
		certFile, keyFile, err := server.Certs.NewClient(name)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	for _, c := range []struct {
		name, role string
		certs      []tls.Certificate
		require    []string
		mode       wire.TLSMode
		code       string
		want       string
	}{
		{"its own", "cert_user", load("cert_user"), nil, wire.TLSRequire, "", ""},
		{"its own, nothing asked is accepted", "cert_user", load("cert_user"), []string{"none"}, wire.TLSRequire, "", ""},
		{"somebody's", "cert_user", load("other"), nil, wire.TLSRequire, "28000", "certificate"},
		{"none", "cert_user", nil, nil, wire.TLSRequire, "28000", "certificate"},
		{"with a password", "both_user", load("both_user"), nil, wire.TLSRequire, "", ""},
		{"without, with a password", "both_user", nil, nil, wire.TLSRequire, "28000", "certificate"},
		{"self-signed", "cert_user", []tls.Certificate{selfSigned(t)}, nil, wire.TLSRequire, "", "client certificate"},
		{"self-signed where it is not asked for, prefer", "plain_user", []tls.Certificate{selfSigned(t)}, nil, wire.TLSPrefer, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := configFor(server, c.role)
			cfg.TLS, cfg.RequireAuth = c.mode, c.require
			// GetClientCertificate sends it whatever authorities the server names.
			cfg.TLSConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(c.certs) == 0 {
					return &tls.Certificate{}, nil
				}
				return &c.certs[0], nil
			}
			_, err := connect(t, cfg)
			if serverCode(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func testChannelBinding(t *testing.T, server *pgtest.Server) {
	for _, c := range []struct {
		name, role string
		mode       wire.TLSMode
		binding    wire.ChannelBinding
		want       string
	}{
		{"required over TLS", "scram_user", wire.TLSRequire, wire.ChannelBindingRequire, ""},
		{"required with prefer", "scram_user", wire.TLSPrefer, wire.ChannelBindingRequire, ""},
		{"required with allow", "scram_user", wire.TLSAllow, wire.ChannelBindingRequire, ""},
		{"required with prefer, hostnossl", "plain_user", wire.TLSPrefer, wire.ChannelBindingRequire, "28000"},
		{"required without TLS", "scram_user", wire.TLSDisable, wire.ChannelBindingRequire, "needs TLS"},
		{"disabled over TLS", "scram_user", wire.TLSRequire, wire.ChannelBindingDisable, ""},
		{"required, md5 asked", "md5_user", wire.TLSRequire, wire.ChannelBindingRequire, "md5, which has no channel binding"},
		{"required, password asked", "password_user", wire.TLSRequire, wire.ChannelBindingRequire, "password, which has no channel binding"},
		{"required, nothing asked", "trust_user", wire.TLSRequire, wire.ChannelBindingRequire, "without channel binding"},
		{"preferred, md5 asked", "md5_user", wire.TLSRequire, wire.ChannelBindingPrefer, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := configFor(server, c.role)
			cfg.TLS, cfg.ChannelBinding = c.mode, c.binding
			if c.want != "" {
				cfg.Password = func(context.Context) (string, error) {
					t.Error("the password was asked for")
					return rightPassword, nil
				}
			}
			_, err := connect(t, cfg)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func testRequireAuth(t *testing.T, server *pgtest.Server) {
	for _, c := range []struct {
		role    string
		require []string
		ok      bool
	}{
		{"trust_user", []string{"none"}, true},
		{"trust_user", []string{"scram-sha-256"}, false},
		{"trust_user", []string{"!none"}, false},
		{"trust_user", []string{"!md5", "!password"}, true},
		{"password_user", []string{"password"}, true},
		{"password_user", []string{"md5", "scram-sha-256"}, false},
		{"password_user", []string{"!password"}, false},
		{"md5_user", []string{"md5"}, true},
		{"md5_user", []string{"scram-sha-256"}, false},
		{"md5_user", []string{"!md5"}, false},
		{"scram_user", []string{"scram-sha-256"}, true},
		{"scram_user", []string{"!scram-sha-256"}, false},
		{"scram_user", []string{"gss", "sspi", "oauth"}, false},
	} {
		t.Run(c.role+"/"+strings.Join(c.require, ","), func(t *testing.T) {
			cfg := configFor(server, c.role)
			cfg.RequireAuth = c.require
			if !c.ok {
				cfg.Password = func(context.Context) (string, error) {
					t.Error("the password was asked for")
					return "", nil
				}
			}
			_, err := connect(t, cfg)
			if (err == nil) != c.ok {
				t.Fatalf("got %v, want success: %t", err, c.ok)
			}
			if e, ok := errors.AsType[*wire.ConnectError](err); err != nil && (!ok || e.Stage != wire.StageAuthentication) {
				t.Errorf("not an error of authentication: %v", err)
			}
		})
	}
}

// testPasswords sets passwords through the server, which prepares them itself,
// and logs in with them.
func testPasswords(t *testing.T, server *pgtest.Server) {
	admin, err := server.Connect(bounded(t), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for name, password := range map[string]string{
		"ascii":                        "simple",
		"comma and equals":             "a=b,c=d",
		"control character":            "tab\there",
		"umlaut composed":              "\u00fcber",
		"umlaut decomposed":            "u\u0308ber",
		"ligature":                     "\ufb01sh",
		"ligature beside an emoji":     "\ufb01sh\U0001F41F",
		"no-break space":               "a\u00a0b",
		"zero width space":             "a\u200bb",
		"soft hyphen":                  "a\u00adb",
		"only a soft hyphen":           "\u00ad",
		"prohibited":                   "\ufb01\u200e",
		"deprecated tone mark":         "\ufb01\u0340",
		"right to left":                "\u0627\u0628\u0629",
		"mixed directions":             "\ufb01\u0627\u0628",
		"right to left ends in number": "\u0627\ufb01\u0031",
		"alef symbol":                  "\ufb01\u2135",
		"roman numeral":                "\u2168",
		"fullwidth":                    "\uff41\uff42\uff43",
		"new since Unicode 3.2":        "\ufb01\u0221\u1e9e",
		"private use":                  "\ufb01\ue000",
		"hangul":                       "\u1112\u1161\u11ab",
		"long":                         strings.Repeat("long \u00fc ", 100),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := admin.Exec(bounded(t), "ALTER ROLE scram_user PASSWORD '"+password+"'"); err != nil {
				t.Fatal(err)
			}
			cfg := configFor(server, "scram_user")
			cfg.Password = func(context.Context) (string, error) { return password, nil }
			if _, err := connect(t, cfg); err != nil {
				t.Errorf("%+q: %v", password, err)
			}
		})
	}
	if _, err := admin.Exec(bounded(t), "ALTER ROLE scram_user PASSWORD '"+rightPassword+"'"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		password func(context.Context) (string, error)
		want     string
	}{
		"nil":    {nil, "none was given"},
		"empty":  {func(context.Context) (string, error) { return "", nil }, "none was given"},
		"NUL":    {func(context.Context) (string, error) { return "s3cret\x00", nil }, "NUL byte"},
		"failed": {func(context.Context) (string, error) { return "s3cret", errors.New("no token") }, "getting the password: no token"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, role := range []string{"scram_user", "md5_user", "password_user"} {
				cfg := configFor(server, role)
				cfg.Password = c.password
				_, err := connect(t, cfg)
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: got %v, want %q in it", role, err, c.want)
				}
			}
		})
	}
}

func testSession(t *testing.T, server *pgtest.Server) {
	cfg := configFor(server, "trust_user")
	cfg.Database = ""
	_, err := connect(t, cfg)
	if serverCode(err) != "3D000" {
		t.Errorf("the database of the role's name: got %v, want 3D000", err)
	}
	if e, ok := errors.AsType[*wire.ConnectError](err); !ok || e.Stage != wire.StageStartup {
		t.Errorf("a missing database: %v is not an error of the startup", err)
	}
	cfg.Database = "postgres"
	cfg.Params = map[string]string{
		"application_name": "d'u\\e=t \u00fc", "client_encoding": "UTF8",
		"options": `-c DateStyle=ISO,\ DMY`,
	}
	s, err := connect(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "SHOW DateStyle"); got != "ISO, DMY" {
		t.Errorf("DateStyle is %q", got)
	}
	if got := s.Params(); got["client_encoding"] != "UTF8" || !strings.HasPrefix(got["server_version"], server.Version) {
		t.Errorf("the parameters are %v", got)
	}
	pid, secret := s.Key()
	if got := ask(t, s, "SELECT pg_backend_pid()"); got != strconv.Itoa(int(pid)) || len(secret) != 4 {
		t.Errorf("the key has pid %d and %d bytes, the server says %s", pid, len(secret), got)
	}
	// An older server answers a newer protocol with the one it speaks.
	cfg.Params, cfg.MaxProtocol = nil, wire.Protocol32
	if s, err = connect(t, cfg); err != nil {
		t.Fatal(err)
	}
	if want := protocolOf(server); s.Protocol() != want {
		t.Errorf("protocol %x, want %x", s.Protocol(), want)
	}
	cfg.MinProtocol = wire.Protocol32
	if _, err = connect(t, cfg); (err == nil) != (protocolOf(server) == wire.Protocol32) {
		t.Errorf("MinProtocol 3.2: %v", err)
	}
	cfg.MaxProtocol, cfg.MinProtocol = 0, 0
	cfg.Params = map[string]string{"_pq_.unheard_of": "1"}
	if _, err = connect(t, cfg); err == nil || !strings.Contains(err.Error(), "_pq_.unheard_of") {
		t.Errorf("an unknown protocol option: %v", err)
	}
	cfg.Params = map[string]string{"no_such_setting": "1"}
	if _, err = connect(t, cfg); serverCode(err) != "42704" {
		t.Errorf("an unknown parameter: %v", err)
	}
}

func protocolOf(server *pgtest.Server) uint32 {
	major, _, _ := strings.Cut(server.Version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 18 {
		return wire.Protocol30
	}
	return wire.Protocol32
}

func testSocket(t *testing.T, server *pgtest.Server) {
	cfg := configFor(server, pgtest.Superuser)
	cfg.Network, cfg.Address = "unix", filepath.Join(server.SocketDir, ".s.PGSQL."+strconv.Itoa(server.Port))
	cfg.TLS = wire.TLSRequire // does not apply
	s, err := connect(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.TLSUsed() {
		t.Error("TLS over a Unix socket")
	}
	cfg.Address += ".missing"
	_, err = connect(t, cfg)
	if e, ok := errors.AsType[*wire.ConnectError](err); !ok || e.Stage != wire.StageDial || !strings.Contains(err.Error(), cfg.Address) {
		t.Errorf("got %v", err)
	}
}

func testCancel(t *testing.T, server *pgtest.Server) {
	for _, mode := range []wire.TLSMode{wire.TLSDisable, wire.TLSRequire} {
		cfg := configFor(server, "trust_user")
		cfg.TLS = mode
		s, err := connect(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan string, 1)
		go func() {
			text, err := tryAsk(s, "SELECT pg_sleep(60)")
			answer <- fmt.Sprint(text, err)
		}()
		// A cancel that comes before the statement runs does nothing.
		for got := ""; got == ""; {
			if err := wire.SendCancel(bounded(t), cfg, s); err != nil {
				t.Fatalf("mode %d: %v", mode, err)
			}
			select {
			case got = <-answer:
				if !strings.Contains(got, "57014") {
					t.Errorf("mode %d: the statement gave %q", mode, got)
				}
			case <-time.After(20 * time.Millisecond):
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := wire.SendCancel(ctx, cfg, s); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled cancel: %v", err)
		}
	}
}
