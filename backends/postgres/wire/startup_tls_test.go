package wire_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
)

// certificate makes a self-signed certificate.
func certificate(t testing.TB, key crypto.Signer, algorithm x509.SignatureAlgorithm) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cert_user"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// selfSigned is a certificate of Ed25519, for which no channel binding exists.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key, x509.PureEd25519)
}

func ecdsaCertificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key, x509.ECDSAWithSHA384)
}

// tlsServer speaks TLS on a loopback port: it answers the request for TLS with
// hello, and each message with what answer makes of it. It gives a Config.
func tlsServer(t *testing.T, hello string, config *tls.Config, answer func([]byte) []byte) *wire.Config {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		done.Wait()
	})
	done.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer nc.Close()
				serveTLS(nc, hello, config, answer)
			})
		}
	})
	return &wire.Config{
		Network: "tcp", Address: listener.Addr().String(), User: "user",
		TLS: wire.TLSRequire, TLSConfig: &tls.Config{InsecureSkipVerify: true},
		Password: func(context.Context) (string, error) { return rightPassword, nil },
	}
}

func serveTLS(nc net.Conn, hello string, config *tls.Config, answer func([]byte) []byte) {
	if hello != "" {
		var request [8]byte
		if _, err := io.ReadFull(nc, request[:]); err != nil {
			return
		}
		if request != [8]byte{0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f} { // no request for TLS: plain
			_, _ = nc.Write(answer(request[:]))
			_, _ = io.Copy(io.Discard, nc)
			return
		}
		if _, err := io.WriteString(nc, hello); err != nil {
			return
		}
	}
	var side net.Conn = nc
	if hello != "N" {
		side = tls.Server(nc, config)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := side.Read(buf)
		if err != nil {
			return
		}
		if _, err := side.Write(answer(buf[:n])); err != nil {
			return
		}
	}
}

func TestChannelBindingFlag(t *testing.T) {
	checkLeaks(t)
	plus := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}
	onlyPlain, onlyPlus := plus[1:], plus[:1]
	bindable, unbindable := ecdsaCertificate(t), selfSigned(t)
	for _, c := range []struct {
		name    string
		cert    tls.Certificate
		offered []string
		binding wire.ChannelBinding
		flag    string // the first message begins with it
		want    string // an error before the first message
	}{
		{"offered", bindable, plus, wire.ChannelBindingPrefer, "p=tls-server-end-point,,", ""},
		{"offered and required", bindable, plus, wire.ChannelBindingRequire, "p=tls-server-end-point,,", ""},
		{"only bound", bindable, onlyPlus, wire.ChannelBindingPrefer, "p=tls-server-end-point,,", ""},
		{"not offered", bindable, onlyPlain, wire.ChannelBindingPrefer, "y,,", ""},
		{"not offered but required", bindable, onlyPlain, wire.ChannelBindingRequire, "", "does not offer"},
		{"disabled", bindable, plus, wire.ChannelBindingDisable, "n,,", ""},
		{"disabled, only bound", bindable, onlyPlus, wire.ChannelBindingDisable, "", "disabled"},
		{"not possible", unbindable, plus, wire.ChannelBindingPrefer, "n,,", ""},
		{"not possible but required", unbindable, plus, wire.ChannelBindingRequire, "", "not possible"},
		{"not possible, only bound", unbindable, onlyPlus, wire.ChannelBindingPrefer, "", "not possible"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &scramServer{mechanisms: c.offered}
			cfg := tlsServer(t, "S", &tls.Config{Certificates: []tls.Certificate{c.cert}}, server.answer)
			cfg.ChannelBinding = c.binding
			_, err := connect(t, cfg)
			if !bytes.HasPrefix(server.first, []byte(c.flag)) {
				t.Errorf("the first message is %q, want it to begin with %q (%v)", server.first, c.flag, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || server.first != nil) {
				t.Errorf("got %v after %q, want %q in it", err, server.first, c.want)
			}
			// The fake knows no binding, and refuses the "y" as it should not.
			if c.flag == "n,," && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDirectTLS(t *testing.T) {
	checkLeaks(t)
	for name, c := range map[string]struct {
		protos []string
		want   string
	}{
		"agreed":           {[]string{"postgresql"}, ""},
		"nothing agreed":   {nil, "no ALPN"},
		"another protocol": {[]string{"h2"}, "no application protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{Certificates: []tls.Certificate{ecdsaCertificate(t)}, NextProtos: c.protos}
			cfg := tlsServer(t, "", config, func([]byte) []byte { return cat(authOk, ending()) })
			cfg.TLSDirect = true
			s, err := connect(t, cfg)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if err == nil && !s.TLSUsed() {
				t.Error("no TLS")
			}
		})
	}
}

// With prefer, a TLS handshake that fails leads to a second connection without
// TLS; with an answer that somebody tampered with, it does not.
func TestPreferFallsBack(t *testing.T) {
	checkLeaks(t)
	for _, c := range []struct {
		hello string
		mode  wire.TLSMode
		ok    bool
	}{
		{"S", wire.TLSPrefer, true},
		{"N", wire.TLSPrefer, true},
		{string(message('E', "SFATAL\x00\x00")), wire.TLSPrefer, true},
		{"S", wire.TLSRequire, false},
		{"X", wire.TLSPrefer, false},
		{"SX", wire.TLSPrefer, false},
	} {
		t.Run(fmt.Sprintf("%.1q %d", c.hello, c.mode), func(t *testing.T) {
			old := &tls.Config{Certificates: []tls.Certificate{ecdsaCertificate(t)}, MaxVersion: tls.VersionTLS11}
			cfg := tlsServer(t, c.hello, old, func([]byte) []byte { return cat(authOk, ending()) })
			cfg.TLS = c.mode
			s, err := connect(t, cfg)
			if (err == nil) != c.ok {
				t.Fatal(err)
			}
			if err == nil && s.TLSUsed() {
				t.Error("TLS is used")
			}
		})
	}
}

// A rejection leads to another connection only where that one would differ.
func TestRejectionRetries(t *testing.T) {
	checkLeaks(t)
	rejection := message('E', "VFATAL\x00C28000\x00Mno\x00\x00")
	for _, c := range []struct {
		name  string
		mode  wire.TLSMode
		bytes []byte
		dials int
	}{
		{"prefer, no TLS offered", wire.TLSPrefer, cat([]byte("N"), rejection), 1},
		{"disable", wire.TLSDisable, rejection, 1},
		{"allow", wire.TLSAllow, rejection, 2},
		{"allow, another code", wire.TLSAllow, message('E', "VFATAL\x00C28P01\x00Mno\x00\x00"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dials := 0
			cfg := fakeConfig(nil)
			cfg.TLS = c.mode
			cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
				dials++
				conn := newFakeConn(c.bytes)
				conn.chunk = 1
				return conn, nil
			}
			if _, err := wire.Handshake(bounded(t), cfg); err == nil {
				t.Error("connected")
			}
			if dials != c.dials {
				t.Errorf("dialled %d times, want %d", dials, c.dials)
			}
		})
	}
}

// testCertificates gives the real server other certificates: the binding must be
// what it computes itself.
func testCertificates(t *testing.T, server *pgtest.Server) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		cert     tls.Certificate
		bindable bool
	}{
		{"ECDSA with SHA-384", ecdsaCertificate(t), true},
		{"RSA with SHA-512", certificate(t, rsaKey, x509.SHA512WithRSA), true},
		{"RSA-PSS with SHA-256", certificate(t, rsaKey, x509.SHA256WithRSAPSS), true},
		{"Ed25519", selfSigned(t), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			install(t, server, c.cert)
			cfg := configFor(server, "scram_user")
			cfg.TLS, cfg.TLSConfig = wire.TLSRequire, &tls.Config{InsecureSkipVerify: true}
			awaitCertificate(t, cfg, c.cert)
			if _, err := connect(t, cfg); err != nil {
				t.Errorf("binding preferred: %v", err)
			}
			cfg.ChannelBinding = wire.ChannelBindingRequire
			if _, err := connect(t, cfg); (err == nil) != c.bindable {
				t.Errorf("binding required: %v", err)
			}
		})
	}
}

// install makes the server itself write the files, as the user that it runs as.
func install(t *testing.T, server *pgtest.Server, cert tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := server.Connect(bounded(t), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for name, block := range map[string]*pem.Block{
		"other.pem": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		"other.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		sql := fmt.Sprintf("COPY (SELECT unnest(string_to_array('%s', E'\\n'))) TO PROGRAM 'umask 077; cat > %s'", pem.EncodeToMemory(block), name)
		if _, err := admin.Exec(bounded(t), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{"ALTER SYSTEM SET ssl_cert_file = 'other.pem'", "ALTER SYSTEM SET ssl_key_file = 'other.key'", "SELECT pg_reload_conf()"} {
		if _, err := admin.Exec(bounded(t), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitCertificate connects until the server has reloaded its configuration.
func awaitCertificate(t *testing.T, cfg *wire.Config, want tls.Certificate) {
	t.Helper()
	trust := *cfg
	trust.User = "trust_user"
	for ctx := bounded(t); ; {
		s, err := wire.Handshake(ctx, &trust)
		if err != nil {
			t.Fatal(err)
		}
		has := s.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
		s.Close()
		if bytes.Equal(has, want.Certificate[0]) {
			return
		}
	}
}

func TestSendCancel(t *testing.T) {
	checkLeaks(t)
	secret := []byte("key!")
	session := func(tlsUsed bool) *wire.Session { return wire.NewKey(newFakeConn(nil), 7, secret, tlsUsed) }
	t.Run("what is sent", func(t *testing.T) {
		var sent []byte
		conn := newFakeConn(nil)
		conn.answer = func(written []byte) []byte { sent = append(sent, written...); return nil }
		if err := wire.SendCancel(bounded(t), fakeConfig(conn), session(false)); err != nil {
			t.Fatal(err)
		}
		if want := "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x07key!"; string(sent) != want {
			t.Errorf("got %q, want %q", sent, want)
		}
		checkClosed(t, conn)
	})
	t.Run("no TLS any more", func(t *testing.T) {
		var sent []byte
		conn := newFakeConn(nil)
		conn.answer = func(written []byte) []byte { sent = append(sent, written...); return []byte("N") }
		cfg := fakeConfig(conn)
		cfg.TLS = wire.TLSPrefer
		err := wire.SendCancel(bounded(t), cfg, session(true))
		if err == nil || bytes.Contains(sent, secret) {
			t.Errorf("got %v, and sent %q", err, sent)
		}
		checkFailure(t, err, conn)
	})
	t.Run("an answer for ever", func(t *testing.T) {
		conn := newFakeConn(bytes.Repeat([]byte("x"), 1<<20))
		err := wire.SendCancel(bounded(t), fakeConfig(conn), session(false))
		if _, ok := errors.AsType[*wire.ProtocolError](err); !ok {
			t.Errorf("got %v", err)
		}
		checkFailure(t, err, conn)
	})
	t.Run("no end", func(t *testing.T) {
		conn := newFakeConn(nil)
		conn.silent = true
		ctx, cancel := context.WithCancel(t.Context())
		conn.onEmpty = cancel
		err := wire.SendCancel(ctx, fakeConfig(conn), session(false))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		checkFailure(t, err, conn)
	})
	t.Run("no key", func(t *testing.T) {
		cfg := fakeConfig(nil)
		cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled")
			return nil, errors.New("no")
		}
		if err := wire.SendCancel(bounded(t), cfg, wire.NewKey(newFakeConn(nil), 7, nil, false)); err == nil {
			t.Error("cancelled without a key")
		}
	})
}
