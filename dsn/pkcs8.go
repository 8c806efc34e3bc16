package dsn

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// The parts of an encrypted key (RFC 5958, section 3; RFC 8018, appendix A).
type (
	encryptedPrivateKeyInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params  struct{ Derivation, Encryption pkix.AlgorithmIdentifier }
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// maxIterations bounds the work that a key file can ask for; OpenSSL writes 2048.
const maxIterations = 10_000_000

var (
	errKeyEncryption = errors.New("its encryption is not supported: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc")
	errKeyPassword   = errors.New("the password is wrong, or the file is damaged")
)

// decryptPKCS8 decrypts what OpenSSL writes by default: PBES2 with PBKDF2, and AES
// or triple DES in CBC mode. Older schemes are refused.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var info encryptedPrivateKeyInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, errors.New("it is not an encrypted key")
	}
	if info.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" { // PBES2
		return nil, errKeyEncryption
	}
	var scheme pbes2Params
	var derivation pbkdf2Params
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, errKeyEncryption
	}
	if scheme.Derivation.Algorithm.String() != "1.2.840.113549.1.5.12" { // PBKDF2
		return nil, errKeyEncryption
	}
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, errKeyEncryption
	}
	newHash := pseudoRandomHash(derivation.PRF.Algorithm)
	newCipher, keyLength := blockCipher(scheme.Encryption.Algorithm)
	var iv []byte
	if _, err := asn1.Unmarshal(scheme.Encryption.Parameters.FullBytes, &iv); err != nil || newHash == nil || newCipher == nil {
		return nil, errKeyEncryption
	}
	if derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return nil, errKeyEncryption
	}
	key, err := pbkdf2.Key(newHash, password, derivation.Salt, derivation.Iterations, keyLength)
	if err != nil {
		return nil, err
	}
	block, err := newCipher(key)
	if err != nil {
		return nil, err
	}
	return decryptCBC(block, iv, info.Data)
}

func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errKeyPassword
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		return nil, errKeyPassword
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, errKeyPassword
		}
	}
	plain = plain[:len(plain)-padding]
	// A wrong password passes the padding once in 256 times, but not this.
	var key asn1.RawValue
	if rest, err := asn1.Unmarshal(plain, &key); err != nil || len(rest) > 0 {
		return nil, errKeyPassword
	}
	return plain, nil
}

// pseudoRandomHash gives the hash below PBKDF2's HMAC; none named is SHA-1.
func pseudoRandomHash(id asn1.ObjectIdentifier) func() hash.Hash {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

func blockCipher(id asn1.ObjectIdentifier) (newCipher func([]byte) (cipher.Block, error), keyLength int) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}
