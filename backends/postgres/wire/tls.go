package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

// alpn is the name of the protocol inside TLS (PostgreSQL documentation, "SSL
// Session Encryption").
const alpn = "postgresql"

// startTLS encrypts nc, or gives it back as it is where the server has no TLS
// and enc allows for that.
func (c *Config) startTLS(ctx context.Context, nc net.Conn, enc encryption) (net.Conn, error) {
	if !c.TLSDirect {
		answer, err := askForTLS(nc)
		switch {
		case err != nil:
			return nil, err
		case answer == 'N' && enc == tlsIfOffered:
			return nc, nil
		case answer == 'N':
			return nil, errors.New("the server does not support TLS, which is required here: switch ssl on in the server's configuration, or do not require TLS")
		}
	}
	tc := tls.Client(nc, c.clientTLS())
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, &otherEncryption{readError(err)}
	}
	if c.TLSDirect && tc.ConnectionState().NegotiatedProtocol != alpn {
		return nil, fmt.Errorf("the server does not speak %q behind direct TLS (no ALPN): connect without direct negotiation", alpn)
	}
	return tc, nil
}

// askForTLS sends an SSLRequest and reads the answer, 'S' or 'N'. More than
// that one byte was put there by somebody who wants it to pass for the encrypted
// server's, and is refused. The text behind an 'E' is not shown: nobody vouches
// for it.
func askForTLS(nc net.Conn) (answer byte, err error) {
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return 0, err
	}
	if _, err := nc.Write(request); err != nil {
		return 0, err
	}
	var buf [2]byte
	n, err := nc.Read(buf[:])
	switch {
	case n == 0 && err == nil:
		return 0, io.ErrNoProgress
	case n == 0:
		return 0, readError(err)
	case buf[0] == 'E':
		return 0, &otherEncryption{errors.New("the server answers the request for TLS with an error: see the server's log")}
	case buf[0] != 'S' && buf[0] != 'N':
		return 0, protocolErrorf("the answer to the request for TLS is %q, not 'S' or 'N'", buf[0])
	case n > 1:
		return 0, protocolErrorf("unencrypted bytes follow the answer %q to the request for TLS: somebody may be tampering with the connection", buf[0])
	}
	return buf[0], nil
}

// clientTLS is the user's TLS configuration with what is missing.
func (c *Config) clientTLS() *tls.Config {
	config := &tls.Config{}
	if c.TLSConfig != nil {
		config = c.TLSConfig.Clone()
	}
	if config.ServerName == "" && !config.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(c.Address)
		if err != nil {
			host = c.Address
		}
		config.ServerName = host
	}
	if c.TLSDirect && !slices.Contains(config.NextProtos, alpn) {
		config.NextProtos = []string{alpn}
	}
	return config
}
