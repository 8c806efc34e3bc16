package dsn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates and revocation lists.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return &authority{certificate: create(t, template, template, &key.PublicKey, key), key: key}
}

func create(t *testing.T, template, parent *x509.Certificate, public *ecdsa.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// issue gives a certificate with a common name and alternative names.
func (a *authority) issue(t *testing.T, serial int64, common string, names []string, addresses ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: common}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return create(t, template, a.certificate, &key.PublicKey, a.key), key
}

// revoke gives a revocation list in PEM.
func (a *authority) revoke(t *testing.T, until time.Time, serials ...int64) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: until}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: time.Now().Add(-time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.certificate, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func certificatePEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

func keyDER(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func keyPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER(t, key)})
}

// home is a home folder on disk.
type home string

func newHome(t *testing.T) home {
	t.Helper()
	h := home(t.TempDir())
	if err := os.Mkdir(filepath.Join(string(h), ".postgresql"), 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

// write puts a file into .postgresql.
func (h home) write(t *testing.T, name string, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(string(h), ".postgresql", name)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask says
		t.Fatal(err)
	}
	return path
}

func (h home) tlsConfig(t *testing.T, text string) (*tls.Config, error) {
	t.Helper()
	_, config, err := resolve(text, map[string]string{"HOME": string(h)})
	if err != nil {
		t.Fatal(err)
	}
	return config.TLSConfig(config.Hosts[0])
}

// server is the other side of a handshake.
type server struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	clients     tls.ClientAuthType
	protocols   []string
}

// shake lets client and server shake hands. It gives what the server saw, and the
// client's error.
func (s server) shake(t *testing.T, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	// Sockets, as a pipe has no buffer: an alert in the middle of a flight blocks.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	other := tls.Server(far, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{s.certificate.Raw}, PrivateKey: s.key}},
		ClientAuth:   s.clients, NextProtos: s.protocols,
	})
	deadline := time.Now().Add(20 * time.Second)
	near.SetDeadline(deadline)
	far.SetDeadline(deadline)
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		err := other.Handshake()
		if err == nil {
			_, err = other.Write([]byte("x"))
		}
		done <- err
	}()
	client := tls.Client(near, config)
	err = client.Handshake()
	if err == nil {
		// The first byte shows that the server accepted too.
		_, err = client.Read(make([]byte, 1))
	} else {
		near.Close()
	}
	<-done
	return other.ConnectionState(), err
}
