package dsn

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// crlFileName is how OpenSSL finds revocation lists in a folder: a hash of the
// issuer, and a number.
var crlFileName = regexp.MustCompile(`^[0-9a-fA-F]{8}\.r[0-9]+$`)

// loadRevocationLists reads the lists in a file and a folder. What does not
// exist is no error, as in libpq: lists are optional.
func loadRevocationLists(env Environment, file, dir string) ([]*x509.RevocationList, error) {
	var lists []*x509.RevocationList
	read := func(keyword, path string) error {
		data, err := env.readFile(path)
		if err != nil {
			return fileError(keyword, "the revocation list cannot be read", err)
		}
		parsed, err := parseRevocationLists(data)
		if err != nil {
			return fileError(keyword, fmt.Sprintf("%q is not a revocation list in PEM", path), err)
		}
		lists = append(lists, parsed...)
		return nil
	}
	if file != "" && exists(env, file) {
		if err := read("sslcrl", file); err != nil {
			return nil, err
		}
	}
	if dir == "" || !exists(env, dir) {
		return lists, nil
	}
	files, err := env.ReadDir(dir)
	if err != nil {
		return nil, fileError("sslcrldir", "the folder cannot be read", err)
	}
	for _, f := range files {
		if !crlFileName.MatchString(f.Name()) {
			continue
		}
		if err := read("sslcrldir", filepath.Join(dir, f.Name())); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

func parseRevocationLists(data []byte) ([]*x509.RevocationList, error) {
	var lists []*x509.RevocationList
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, errors.New("no X509 CRL block")
	}
	return lists, nil
}

// checkRevocation accepts if one chain has a valid list from the issuer of each
// of its certificates, none of which names it. Without any list it accepts.
func checkRevocation(chains [][]*x509.Certificate, lists []*x509.RevocationList, now time.Time) error {
	if len(lists) == 0 {
		return nil
	}
	var first error
	for _, chain := range chains {
		err := checkChain(chain, lists, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("dsn: sslcrl: %w", first)
}

func checkChain(chain []*x509.Certificate, lists []*x509.RevocationList, now time.Time) error {
	for i, certificate := range chain {
		issuer := chain[min(i+1, len(chain)-1)]
		if err := checkCertificate(certificate, issuer, lists, now); err != nil {
			return fmt.Errorf("certificate of %q: %w", certificate.Subject.String(), err)
		}
	}
	return nil
}

func checkCertificate(certificate, issuer *x509.Certificate, lists []*x509.RevocationList, now time.Time) error {
	problem := errors.New("there is no revocation list of its issuer")
	for _, list := range lists {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || list.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if now.Before(list.ThisUpdate) || !list.NextUpdate.IsZero() && now.After(list.NextUpdate) {
			problem = errors.New("the revocation list of its issuer is not valid now: renew it")
			continue
		}
		for _, entry := range list.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(certificate.SerialNumber) == 0 {
				return errors.New("it was revoked")
			}
		}
		problem = nil
	}
	return problem
}
