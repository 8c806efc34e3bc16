package dsn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"syscall"
)

// loadClientCertificate gives the client's certificate and key, or nil where there
// is none: a certificate file that does not exist is no error, even if it was
// named, but a certificate without its key is (PostgreSQL documentation, "Client
// Certificates").
func loadClientCertificate(env Environment, o TLSOptions) (*tls.Certificate, error) {
	if o.CertMode == CertDisable {
		return nil, nil
	}
	certificate, err := readCertificate(env, o.Cert)
	if err != nil {
		return nil, err
	}
	if certificate == nil {
		if o.CertMode == CertRequire {
			return nil, fileError("sslcert", fmt.Sprintf("sslcertmode is require, and the certificate file %q does not exist", o.Cert), nil)
		}
		return nil, nil
	}
	key, err := readKey(env, o)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fileError("sslcert", fmt.Sprintf("the certificate %q and the key %q cannot be used", o.Cert, o.Key), err)
	}
	return &pair, nil
}

func readCertificate(env Environment, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := env.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil, nil
		}
		return nil, fileError("sslcert", "the certificate cannot be read", err)
	}
	data, err := env.readFile(path)
	if err != nil {
		return nil, fileError("sslcert", "the certificate cannot be read", err)
	}
	return data, nil
}

// readKey gives the key in PEM, decrypted.
func readKey(env Environment, o TLSOptions) ([]byte, error) {
	if runtime.GOOS != "windows" && strings.Contains(o.Key, ":") && !strings.HasPrefix(o.Key, "/") {
		return nil, fileError("sslkey", "keys in OpenSSL engines are not supported: name a file", nil)
	}
	if o.Key == "" {
		return nil, fileError("sslkey", fmt.Sprintf("there is a certificate %q but no key: set sslkey", o.Cert), nil)
	}
	info, err := env.Stat(o.Key)
	if err != nil {
		return nil, fileError("sslkey", fmt.Sprintf("the key of the certificate %q cannot be read", o.Cert), err)
	}
	if err := checkKeyFile(o.Key, info); err != nil {
		return nil, err
	}
	data, err := env.readFile(o.Key)
	if err != nil {
		return nil, fileError("sslkey", "the key cannot be read", err)
	}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return decryptKey(block, o)
		}
	}
	// Not PEM: libpq takes DER too.
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}), nil
}

// checkKeyFile wants what libpq wants: nobody but the owner can read the key, or,
// where root owns it, its group.
func checkKeyFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fileError("sslkey", fmt.Sprintf("the key %q is not a plain file", path), nil)
	}
	forbidden := fs.FileMode(0o077)
	if ownedByRoot(info) {
		forbidden = 0o037
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&forbidden != 0 {
		return fileError("sslkey", fmt.Sprintf("group or others have access to the key %q: set its permissions to 0600 or less, or 0640 or less if root owns it", path), nil)
	}
	return nil
}

// decryptKey gives block in the clear.
func decryptKey(block *pem.Block, o TLSOptions) ([]byte, error) {
	wrong := func(err error) error {
		return fileError("sslpassword", fmt.Sprintf("the key %q cannot be decrypted with it", o.Key), err)
	}
	encryptedPKCS8 := block.Type == "ENCRYPTED PRIVATE KEY"
	//lint:ignore SA1019 The old encryption of PEM is weak, but libpq reads it and such files exist.
	encryptedPEM := x509.IsEncryptedPEMBlock(block)
	if (encryptedPKCS8 || encryptedPEM) && o.KeyPassword.IsZero() {
		return nil, fileError("sslpassword", fmt.Sprintf("the key %q is encrypted: set sslpassword", o.Key), nil)
	}
	switch {
	case encryptedPKCS8:
		der, err := decryptPKCS8(block.Bytes, o.KeyPassword.Reveal())
		if err != nil {
			return nil, wrong(err)
		}
		block = &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	case encryptedPEM:
		//lint:ignore SA1019 As above.
		der, err := x509.DecryptPEMBlock(block, []byte(o.KeyPassword.Reveal()))
		if err != nil {
			return nil, wrong(err)
		}
		block = &pem.Block{Type: block.Type, Bytes: der}
	}
	return pem.EncodeToMemory(block), nil
}
