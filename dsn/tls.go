package dsn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// systemRoots is the value of sslrootcert that means the system's authorities.
const systemRoots = "system"

// protocolName is PostgreSQL's name in ALPN (PostgreSQL documentation,
// "Message Flow", "SSL Session Encryption").
const protocolName = "postgresql"

// TLSConfig gives the settings for TLS with host, or nil where TLS is never used:
// with sslmode disable, and on Unix sockets. Whether TLS is tried first, or at
// all, is for the caller to decide by [TLSOptions].Mode.
//
// The certificates are checked as libpq does (PostgreSQL documentation, "SSL
// Support"): against the root file where it exists, whatever the mode; against
// revocation lists where they exist; and with verify-full for the host's name,
// in the subject's common name too where no alternative name is a DNS name. The
// standard library's own check is therefore off (InsecureSkipVerify) and
// VerifyConnection does the work. It reads files each time, so that renewed ones
// are seen, and fails naming the keyword whose file is wrong.
func (c *Config) TLSConfig(host Host) (*tls.Config, error) {
	o := c.TLS
	if o.Mode == SSLDisable || host.Network == "unix" {
		return nil, nil
	}
	env := c.env.withDefaults()
	v := verifier{options: o, name: host.Name, now: time.Now}
	if err := v.loadRoots(env); err != nil {
		return nil, err
	}
	if o.Mode == SSLVerifyFull && host.Name == "" {
		return nil, fileError("sslmode", "verify-full needs a host name to check: set host beside hostaddr", nil)
	}
	certificate, err := loadClientCertificate(env, o)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:         o.MinVersion,
		MaxVersion:         o.MaxVersion,
		InsecureSkipVerify: true, // VerifyConnection checks instead
		VerifyConnection:   v.verify,
		NextProtos:         []string{protocolName},
	}
	if o.SNI && !looksLikeAddress(host.Name) {
		config.ServerName = host.Name
	}
	if certificate != nil {
		// Sent whatever authorities the server lists, as OpenSSL does.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		}
	}
	if o.KeyLogFile != "" {
		config.KeyLogWriter = keyLog(o.KeyLogFile)
	}
	return config, nil
}

// looksLikeAddress reports what must not be sent as a server name (RFC 6066).
func looksLikeAddress(name string) bool {
	return strings.Trim(name, "0123456789.") == "" || strings.Contains(name, ":")
}

// fileError is an error about a file of TLS.
func fileError(keyword, problem string, err error) *Error {
	return &Error{Keyword: keyword, Offset: -1, Problem: problem, Err: err}
}

// verifier checks what the server presents.
type verifier struct {
	options TLSOptions
	name    string
	verifyChain
	now func() time.Time
}

// verifyChain is what certificates are checked against.
type verifyChain struct {
	check bool           // whether there are authorities to check against
	roots *x509.CertPool // nil with check set: the system's
	lists []*x509.RevocationList
}

// loadRoots reads the authorities and, with them, the revocation lists.
func (v *verifier) loadRoots(env Environment) error {
	path := v.options.RootCert
	switch {
	case path == systemRoots:
		v.check = true
	case path != "" && exists(env, path):
		data, err := env.readFile(path)
		if err != nil {
			return fileError("sslrootcert", "the file cannot be read", err)
		}
		v.check, v.roots = true, x509.NewCertPool()
		if !v.roots.AppendCertsFromPEM(data) {
			return fileError("sslrootcert", fmt.Sprintf("the file %q has no certificate in PEM", path), nil)
		}
	case v.options.Mode == SSLVerifyCA || v.options.Mode == SSLVerifyFull:
		return fileError("sslrootcert", fmt.Sprintf("the file %q does not exist, and sslmode %s needs it: provide it, use sslrootcert=system, or change sslmode", path, v.options.Mode), nil)
	default:
		return nil
	}
	lists, err := loadRevocationLists(env, v.options.CRL, v.options.CRLDir)
	v.lists = lists
	return err
}

func exists(env Environment, path string) bool {
	_, err := env.Stat(path)
	return err == nil
}

// verify is called in every handshake, resumed ones too.
func (v *verifier) verify(state tls.ConnectionState) error {
	if v.options.Negotiation == NegotiateDirect && state.NegotiatedProtocol != protocolName {
		return errors.New("dsn: sslnegotiation: the server does not speak PostgreSQL over direct TLS (no ALPN)")
	}
	if !v.check {
		return nil
	}
	if len(state.PeerCertificates) == 0 {
		return errors.New("dsn: sslrootcert: the server sent no certificate")
	}
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: v.roots, Intermediates: intermediates, CurrentTime: v.now()})
	if err != nil {
		return fmt.Errorf("dsn: sslmode %s: the server's certificate is not trusted by sslrootcert %s: %w", v.options.Mode, v.options.RootCert, err)
	}
	if err := checkRevocation(chains, v.lists, v.now()); err != nil {
		return err
	}
	if v.options.Mode != SSLVerifyFull {
		return nil
	}
	if err := verifyName(leaf, v.name); err != nil {
		return fmt.Errorf("dsn: sslmode verify-full: %w", err)
	}
	return nil
}

// verifyName checks that a certificate is for a host. Where it has no alternative
// name of the host's kind the subject's common name counts, as in libpq, since
// many certificates of database servers have nothing else.
func verifyName(leaf *x509.Certificate, name string) error {
	err := leaf.VerifyHostname(name)
	if err == nil {
		return nil
	}
	common := leaf.Subject.CommonName
	if _, parseErr := netip.ParseAddr(name); parseErr == nil {
		for _, dns := range leaf.DNSNames {
			if dns == name {
				return nil
			}
		}
		if len(leaf.IPAddresses) == 0 && sameAddress(common, name) {
			return nil
		}
		return err
	}
	if len(leaf.DNSNames) > 0 || common == "" {
		return err
	}
	alone := &x509.Certificate{DNSNames: []string{common}}
	if alone.VerifyHostname(name) == nil {
		return nil
	}
	return fmt.Errorf("the certificate is for %q, not for %q", common, name)
}

func sameAddress(a, b string) bool {
	x, y := net.ParseIP(a), net.ParseIP(b)
	return x != nil && x.Equal(y)
}

// keyLog appends to a file that is open only while it writes: a tls.Config has no
// end at which to close it.
type keyLog string

var _ io.Writer = keyLog("")

func (path keyLog) Write(line []byte) (int, error) {
	f, err := os.OpenFile(string(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(line)
	return n, errors.Join(err, f.Close())
}
