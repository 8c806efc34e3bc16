package dsn_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/dsn"
)

// TestServerCertificate lets every sslmode meet certificates that are right,
// from elsewhere, or for another host.
func TestServerCertificate(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	type certificate struct {
		from      *authority
		common    string
		names     []string
		addresses []string
	}
	good := certificate{from: ca, common: "ignored", names: []string{"db.example", "*.wild.example"}, addresses: []string{"10.0.0.1"}}
	foreign := certificate{from: stranger, names: []string{"db.example"}}
	common := certificate{from: ca, common: "db.example"}
	for _, c := range []struct {
		name string
		dsn  string
		root bool // whether root.crt exists
		cert certificate
		want string // in the error, "" for success
	}{
		{"prefer without roots", "host=db.example sslmode=prefer", false, foreign, ""},
		{"require without roots", "host=db.example sslmode=require", false, foreign, ""},
		{"prefer with roots", "host=db.example sslmode=prefer", true, foreign, "not trusted"},
		{"require with roots", "host=db.example sslmode=require", true, foreign, "not trusted"},
		{"require with roots, any name", "host=other.example sslmode=require", true, good, ""},
		{"verify-ca, foreign", "host=db.example sslmode=verify-ca", true, foreign, "not trusted"},
		{"verify-ca, any name", "host=other.example sslmode=verify-ca", true, good, ""},
		{"verify-full", "host=db.example sslmode=verify-full", true, good, ""},
		{"verify-full, capitals", "host=DB.Example sslmode=verify-full", true, good, ""},
		{"verify-full, foreign", "host=db.example sslmode=verify-full", true, foreign, "not trusted"},
		{"verify-full, other name", "host=other.example sslmode=verify-full", true, good, "db.example"},
		{"verify-full, wildcard", "host=a.wild.example sslmode=verify-full", true, good, ""},
		{"verify-full, wildcard is one label", "host=a.b.wild.example sslmode=verify-full", true, good, "verify-full"},
		{"verify-full, common name", "host=db.example sslmode=verify-full", true, common, ""},
		{"verify-full, other common name", "host=other.example sslmode=verify-full", true, common, `for "db.example", not for "other.example"`},
		{"verify-full, common name beside others", "host=ignored sslmode=verify-full", true, good, "verify-full"},
		{"verify-full, address", "host=10.0.0.1 sslmode=verify-full", true, good, ""},
		{"verify-full, other address", "host=10.0.0.2 sslmode=verify-full", true, good, "verify-full"},
		{"verify-full, address as common name", "host=10.0.0.3 sslmode=verify-full", true, certificate{from: ca, common: "10.0.0.3"}, ""},
		{"verify-full, address as a name", "host=10.0.0.4 sslmode=verify-full", true, certificate{from: ca, names: []string{"10.0.0.4"}}, ""},
		{"verify-full, name counts, not address", "host=db.example hostaddr=10.9.9.9 sslmode=verify-full", true, good, ""},
		{"verify-full, self-signed and trusted elsewhere", "host=db.example sslmode=verify-full", true, certificate{from: stranger, common: "db.example"}, "not trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t)
			if c.root {
				h.write(t, "root.crt", certificatePEM(ca.certificate), 0o644)
			}
			config, err := h.tlsConfig(t, c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			leaf, key := c.cert.from.issue(t, 7, c.cert.common, c.cert.names, c.cert.addresses...)
			_, err = server{certificate: leaf, key: key}.shake(t, config)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name string
		list []byte
		want string
	}{
		{"none revoked", ca.revoke(t, later), ""},
		{"other revoked", ca.revoke(t, later, 8, 9), ""},
		{"revoked", ca.revoke(t, later, 8, 7), "it was revoked"},
		{"too old", ca.revoke(t, earlier), "not valid now"},
		{"of another issuer", other.revoke(t, later), "no revocation list of its issuer"},
		{"of a forger", (&authority{ca.certificate, other.key}).forge(t, later), "no revocation list of its issuer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf, key := ca.issue(t, 7, "db.example", nil)
			for place, text := range map[string]string{"root.crl": "", "named": "sslcrl=~/.postgresql/named", "0a1b2c3d.r0": "sslcrldir=~/.postgresql"} {
				h := newHome(t)
				h.write(t, "root.crt", certificatePEM(ca.certificate), 0o644)
				h.write(t, place, c.list, 0o644)
				config, err := h.tlsConfig(t, "host=db.example sslmode=verify-full "+strings.ReplaceAll(text, "~", string(h)))
				if err != nil {
					t.Fatal(err)
				}
				_, err = server{certificate: leaf, key: key}.shake(t, config)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want %q", place, err, c.want)
				}
			}
		})
	}
}

// forge signs a list in the name of one authority with the key of another.
func (a *authority) forge(t *testing.T, until time.Time) []byte {
	t.Helper()
	imposter := newAuthority(t, a.certificate.Subject.CommonName)
	return imposter.revoke(t, until)
}

func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t, "ca")
	leaf, key := ca.issue(t, 7, "db.example", nil)
	client, clientKey := ca.issue(t, 8, "anna", nil)
	for _, c := range []struct {
		name string
		key  []byte
		want string
	}{
		{"PKCS#8", keyPEM(t, clientKey), ""},
		{"DER", keyDER(t, clientKey), ""},
		{"of another certificate", keyPEM(t, key), "cannot be used"},
		{"junk", []byte("junk"), "cannot be used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t)
			h.write(t, "postgresql.crt", certificatePEM(client), 0o644)
			h.write(t, "postgresql.key", c.key, 0o600)
			config, err := h.tlsConfig(t, "host=db.example")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err != nil {
				return
			}
			state, err := server{certificate: leaf, key: key, clients: tls.RequireAnyClientCert}.shake(t, config)
			if err != nil || len(state.PeerCertificates) != 1 || !state.PeerCertificates[0].Equal(client) {
				t.Errorf("the server saw %d certificates, error %v", len(state.PeerCertificates), err)
			}
		})
	}
}

func TestClientCertificateFiles(t *testing.T) {
	ca := newAuthority(t, "ca")
	client, key := ca.issue(t, 8, "anna", nil)
	for _, c := range []struct {
		name string
		dsn  string
		mode os.FileMode // of the key; 0 for no key
		want string
	}{
		{"no certificate", "sslcert=/nosuch", 0, "none"},
		{"no certificate, required", "sslcert=/nosuch sslcertmode=require", 0, "sslcertmode is require"},
		{"a file as a folder", "sslcert=~/.postgresql/postgresql.crt/x", 0o600, "none"},
		{"disabled", "sslcertmode=disable", 0, "none"},
		{"key missing", "", 0, "dsn: sslkey: the key of the certificate"},
		{"key 0600", "", 0o600, ""},
		{"key 0400", "", 0o400, ""},
		{"key readable by others", "", 0o644, "group or others have access"},
		{"key writable by group", "", 0o660, "group or others have access"},
		{"key is a folder", "sslkey=~", 0o600, "not a plain file"},
		{"key in an engine", "sslkey=pkcs11:x", 0o600, "engines are not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t)
			h.write(t, "postgresql.crt", certificatePEM(client), 0o644)
			if c.mode != 0 {
				h.write(t, "postgresql.key", keyPEM(t, key), c.mode)
			}
			config, err := h.tlsConfig(t, "host=h "+strings.ReplaceAll(c.dsn, "~", string(h)))
			switch {
			case c.want == "" || c.want == "none":
				if err != nil || (config.GetClientCertificate == nil) != (c.want == "none") {
					t.Errorf("error %v, certificate %v", err, err == nil && config.GetClientCertificate != nil)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("group of root may read", func(t *testing.T) {
		h := newHome(t)
		h.write(t, "postgresql.crt", certificatePEM(client), 0o644)
		h.write(t, "postgresql.key", keyPEM(t, key), 0o640)
		_, err := h.tlsConfig(t, "host=h")
		if ok := os.Geteuid() == 0; ok != (err == nil) {
			t.Errorf("owned by root: %v, got %v", ok, err)
		}
	})
}

func TestEncryptedKeys(t *testing.T) {
	ca := newAuthority(t, "ca")
	client, key := ca.issue(t, 8, "anna", nil)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 Such files exist.
	block, err := x509.EncryptPEMBlock(strings.NewReader(strings.Repeat("random", 9)), "EC PRIVATE KEY", der, []byte("pw"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"PEM": pem.EncodeToMemory(block)}
	plain := newHome(t).write(t, "plain.key", keyPEM(t, key), 0o600)
	if openssl, err := exec.LookPath("openssl"); err == nil {
		for name, options := range map[string][]string{
			"PKCS#8": nil, "PKCS#8 AES-128 SHA-512": {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"}, "PKCS#8 AES-192 SHA-1": {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"},
			"PKCS#8 triple DES": {"-v2", "des3"}, "PKCS#8 iterations": {"-iter", "10000"},
		} {
			out, err := exec.Command(openssl, append([]string{"pkcs8", "-topk8", "-in", plain, "-passout", "pass:pw"}, options...)...).Output()
			if err != nil {
				t.Fatalf("openssl pkcs8 %v: %v", options, err)
			}
			files[name] = out
		}
	} else {
		t.Log("openssl is not installed: PKCS#8 is not tried")
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.write(t, "postgresql.crt", certificatePEM(client), 0o644)
			h.write(t, "postgresql.key", data, 0o600)
			if _, err := h.tlsConfig(t, "host=h sslpassword=pw"); err != nil {
				t.Errorf("right password: %v", err)
			}
			if _, err := h.tlsConfig(t, "host=h"); err == nil || !strings.Contains(err.Error(), "is encrypted: set sslpassword") {
				t.Errorf("no password: %v", err)
			}
			_, err := h.tlsConfig(t, "host=h sslpassword=CANARY")
			if err == nil || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
}

func TestTLSConfigShape(t *testing.T) {
	h := newHome(t)
	for text, want := range map[string]string{
		"host=db.example": "db.example", "host=db.example sslsni=0": "", "host=10.0.0.1": "", "host=::1": "", "host=db.example hostaddr=10.0.0.1": "db.example", "hostaddr=10.0.0.1": "",
	} {
		config, err := h.tlsConfig(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if config.ServerName != want {
			t.Errorf("%s: server name %q, want %q", text, config.ServerName, want)
		}
		if config.MinVersion != tls.VersionTLS12 || config.MaxVersion != 0 || len(config.NextProtos) != 1 {
			t.Errorf("%s: %v to %v, %v", text, config.MinVersion, config.MaxVersion, config.NextProtos)
		}
	}
	for _, text := range []string{"host=h sslmode=disable", "host=/tmp sslmode=verify-full", "host=@x sslmode=require"} {
		if config, err := h.tlsConfig(t, text); config != nil || err != nil {
			t.Errorf("%s: got %v, %v; want no TLS", text, config, err)
		}
	}
	for text, want := range map[string]string{
		"host=h sslmode=verify-ca":                               "does not exist",
		"host=h sslmode=verify-full sslrootcert=/nosuch":         `the file "/nosuch" does not exist`,
		"host=h sslmode=require sslrootcert=testdata/conninfo.c": "no certificate in PEM",
		"hostaddr=10.0.0.1 sslrootcert=system":                   "needs a host name",
		"host=h sslrootcert=system sslcrl=testdata/conninfo.c":   "not a revocation list",
	} {
		if _, err := h.tlsConfig(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestDirectNegotiation(t *testing.T) {
	ca := newAuthority(t, "ca")
	leaf, key := ca.issue(t, 7, "h", nil)
	config, err := newHome(t).tlsConfig(t, "host=h sslmode=require sslnegotiation=direct")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (server{certificate: leaf, key: key, protocols: []string{"postgresql"}}).shake(t, config); err != nil {
		t.Errorf("a server that speaks PostgreSQL: %v", err)
	}
	if _, err := (server{certificate: leaf, key: key}).shake(t, config); err == nil || !strings.Contains(err.Error(), "ALPN") {
		t.Errorf("a server that does not: %v", err)
	}
}

func TestKeyLog(t *testing.T) {
	ca := newAuthority(t, "ca")
	leaf, key := ca.issue(t, 7, "h", nil)
	path := filepath.Join(t.TempDir(), "keys")
	config, err := newHome(t).tlsConfig(t, "host=h sslmode=require sslkeylogfile="+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (server{certificate: leaf, key: key}).shake(t, config); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), "CLIENT_TRAFFIC_SECRET_0 ") {
		t.Errorf("key log: %q, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key log: %v, %v", info.Mode(), err)
	}
}

// TestHostileEncryptedKey feeds what would take for ever, or is no key at all.
func TestHostileEncryptedKey(t *testing.T) {
	for _, der := range []string{"", "0", "0\x80", "\x30\x03\x30\x01\x00", strings.Repeat("\x30\x82\xff\xff", 100)} {
		if _, err := dsn.DecryptPKCS8([]byte(der), "pw"); err == nil {
			t.Errorf("%q: no error", der)
		}
	}
}
