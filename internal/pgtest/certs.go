package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certs are the certificates of a server started with Config.TLS. The server's
// certificate is valid for localhost, 127.0.0.1 and ::1; the client's has the
// common name of Superuser, for pg_hba lines with cert or clientcert.
type Certs struct {
	// CAFile is the authority's certificate, in PEM.
	CAFile string
	// ServerCertFile is the server's certificate, in PEM.
	ServerCertFile string
	// ClientCertFile and ClientKeyFile are the client's certificate and its
	// private key, in PEM; the key's file is readable for its owner alone.
	ClientCertFile, ClientKeyFile string
	// Pool holds the authority.
	Pool *x509.CertPool
	// Client is the client's certificate with its key.
	Client tls.Certificate

	dir           string
	serverKeyFile string
	ca            *x509.Certificate
	caKey         *ecdsa.PrivateKey
}

// NewClient makes one more client certificate, for another role, and returns
// the files of certificate and key.
func (c *Certs) NewClient(commonName string) (certFile, keyFile string, err error) {
	return c.issue(fmt.Sprintf("client-%x", commonName), &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// makeCerts makes an authority and both certificates below dir.
func makeCerts(dir string, user *runAs) (*Certs, error) {
	c := &Certs{dir: dir, CAFile: filepath.Join(dir, "ca.pem"), Pool: x509.NewCertPool()}
	err := c.make(user)
	if err != nil {
		return nil, fmt.Errorf("pgtest: making certificates: %w", err)
	}
	return c, nil
}

func (c *Certs) make(user *runAs) error {
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return err
	}
	if err := c.makeCA(); err != nil {
		return err
	}
	var err error
	c.ServerCertFile, c.serverKeyFile, err = c.issue("server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	if err := user.own(c.serverKeyFile); err != nil {
		return err
	}
	c.ClientCertFile, c.ClientKeyFile, err = c.NewClient(Superuser)
	if err != nil {
		return err
	}
	c.Client, err = tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
	return err
}

func (c *Certs) makeCA() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "duet test authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	validity(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	c.caKey = key
	c.Pool.AddCert(c.ca)
	return writePEM(c.CAFile, 0o644, "CERTIFICATE", der)
}

// issue signs a certificate for a new key and writes both.
func (c *Certs) issue(name string, template *x509.Certificate) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100)); err != nil {
		return "", "", err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	validity(template)
	der, err := x509.CreateCertificate(rand.Reader, template, c.ca, key.Public(), c.caKey)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	certFile = filepath.Join(c.dir, name+".pem")
	keyFile = filepath.Join(c.dir, name+".key")
	return certFile, keyFile, errors.Join(
		writePEM(certFile, 0o644, "CERTIFICATE", der),
		writePEM(keyFile, 0o600, "PRIVATE KEY", keyDER),
	)
}

func validity(template *x509.Certificate) {
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
}

func writePEM(path string, mode os.FileMode, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
