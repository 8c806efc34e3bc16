package wire

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
)

// authState is where the authentication stands. Each request of the server is
// possible in one state alone, so that none comes twice and none is skipped.
type authState uint8

const (
	authFresh    authState = iota // nothing was asked
	authSent                      // a password was sent
	authFirst                     // SASL: our first message was sent
	authProof                     // SASL: our proof was sent
	authVerified                  // SASL: the server has proved that it knows us
)

// The requests (PostgreSQL documentation, "Message Formats", Authentication…).
const (
	requestOk           = 0
	requestKerberosV5   = 2
	requestCleartext    = 3
	requestMD5          = 5
	requestSCM          = 6
	requestGSS          = 7
	requestGSSContinue  = 8
	requestSSPI         = 9
	requestSASL         = 10
	requestSASLContinue = 11
	requestSASLFinal    = 12
)

// authenticator answers the server's authentication requests.
type authenticator struct {
	cfg   *Config
	tls   *tls.ConnectionState // nil without TLS
	send  func([]byte) error
	state authState
	bound bool // SCRAM is bound to the TLS connection
	conv  *scram.ClientConversation
}

// tlsState is nil without TLS.
func (s *session) tlsState() *tls.ConnectionState {
	if tc, ok := s.nc.(*tls.Conn); ok && s.tlsUsed {
		state := tc.ConnectionState()
		return &state
	}
	return nil
}

// answer answers one request; done is AuthenticationOk.
func (a *authenticator) answer(ctx context.Context, body []byte) (done bool, err error) {
	if len(body) < 4 {
		return false, protocolErrorf("an authentication request of %d bytes", len(body))
	}
	request := binary.BigEndian.Uint32(body)
	if !a.expects(request) {
		return false, protocolErrorf("authentication request %d out of turn", request)
	}
	switch request {
	case requestOk:
		return true, a.accept()
	case requestCleartext:
		return false, a.cleartext(ctx)
	case requestMD5:
		return false, a.md5(ctx, body)
	case requestSASL:
		return false, a.startSASL(ctx, body)
	case requestSASLContinue:
		return false, a.prove(ctx, body[4:])
	case requestSASLFinal:
		return false, a.verify(body[4:])
	case requestKerberosV5, requestSCM, requestGSS, requestGSSContinue, requestSSPI:
		return false, errors.New("the server asks for Kerberos, GSSAPI, SSPI or SCM credentials, which are not supported here: let its pg_hba.conf ask for scram-sha-256 or a client certificate")
	default:
		return false, fmt.Errorf("the server asks for the unknown authentication method %d", request)
	}
}

// expects says whether a request may come in the present state. When
// AuthenticationOk may come is for accept to say.
func (a *authenticator) expects(request uint32) bool {
	switch request {
	case requestCleartext, requestMD5, requestSASL:
		return a.state == authFresh
	case requestSASLContinue:
		return a.state == authFirst
	case requestSASLFinal:
		return a.state == authProof
	default:
		return true
	}
}

// accept judges AuthenticationOk: the server must have done what we require of
// it, and must have ended what it began.
func (a *authenticator) accept() error {
	switch {
	case a.state == authFirst || a.state == authProof:
		return protocolErrorf("the server ends the SCRAM exchange without proving that it knows the password")
	case a.state == authFresh && !a.cfg.allowsAuth("none"):
		return fmt.Errorf("the server lets us in without authentication, and only %s is accepted", a.accepted())
	case a.cfg.ChannelBinding == ChannelBindingRequire && !(a.state == authVerified && a.bound):
		return errors.New("the server lets us in without channel binding, which is required")
	}
	return nil
}

func (a *authenticator) accepted() string { return strings.Join(a.cfg.RequireAuth, ",") }

// require refuses a method before anything is sent for it.
func (a *authenticator) require(method string, canBind bool) error {
	if !a.cfg.allowsAuth(method) {
		return fmt.Errorf("the server asks for the authentication method %s, and only %s is accepted", method, a.accepted())
	}
	if a.cfg.ChannelBinding == ChannelBindingRequire && !canBind {
		return fmt.Errorf("the server asks for the authentication method %s, which has no channel binding, and that is required", method)
	}
	return nil
}

// password asks the user for the password.
func (a *authenticator) password(ctx context.Context) (string, error) {
	password := ""
	if a.cfg.Password != nil {
		var err error
		if password, err = a.cfg.Password(ctx); err != nil {
			return "", fmt.Errorf("getting the password: %w", err)
		}
	}
	switch {
	case password == "":
		return "", errors.New("the server asks for a password, and none was given")
	case strings.IndexByte(password, 0) >= 0:
		return "", errors.New("the password has a NUL byte, which the protocol cannot carry")
	}
	return password, nil
}

func (a *authenticator) cleartext(ctx context.Context) error {
	if err := a.require("password", false); err != nil {
		return err
	}
	password, err := a.password(ctx)
	if err != nil {
		return err
	}
	return a.sendPassword(password)
}

func (a *authenticator) md5(ctx context.Context, body []byte) error {
	if err := a.require("md5", false); err != nil {
		return err
	}
	var m pgproto3.AuthenticationMD5Password
	if err := m.Decode(body); err != nil {
		return protocolErrorf("a request for an MD5 password of %d bytes", len(body))
	}
	if fips140.Enforced() {
		return errors.New("the server asks for MD5, which FIPS 140 forbids here: store the password as scram-sha-256")
	}
	password, err := a.password(ctx)
	if err != nil {
		return err
	}
	inner := hexMD5([]byte(password + a.cfg.User))
	return a.sendPassword("md5" + hexMD5(append([]byte(inner), m.Salt[:]...)))
}

func hexMD5(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func (a *authenticator) sendPassword(text string) error {
	message, err := (&pgproto3.PasswordMessage{Password: text}).Encode(nil)
	if err != nil {
		return errors.New("the password is too long to be sent")
	}
	a.state = authSent
	return a.send(message)
}
