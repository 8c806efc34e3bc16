package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
)

const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
)

// startSASL chooses a mechanism and sends the first message (PostgreSQL
// documentation, "SASL Authentication").
func (a *authenticator) startSASL(ctx context.Context, body []byte) error {
	if err := a.require("scram-sha-256", true); err != nil {
		return err
	}
	var m pgproto3.AuthenticationSASL
	if err := m.Decode(body); err != nil {
		return protocolErrorf("a list of SASL mechanisms without its end")
	}
	begin, err := a.chooseMechanism(m.AuthMechanisms)
	if err != nil {
		return err
	}
	password, err := a.password(ctx)
	if err != nil {
		return err
	}
	// The server knows the user's name from the startup message and ignores
	// the one in here.
	client, err := scram.SHA256.NewClientUnprepped("", prepared(password), "")
	if err != nil {
		return errors.New("the SCRAM exchange could not be begun")
	}
	a.conv = begin(client.WithMinIterations(a.cfg.minIterations()))
	first, err := a.conv.Step("")
	if err != nil {
		return fmt.Errorf("beginning the SCRAM exchange: %w", err)
	}
	response := &pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: []byte(first)}
	if a.bound {
		response.AuthMechanism = mechanismPlus
	}
	message, err := response.Encode(nil)
	if err != nil {
		return err
	}
	a.state = authFirst
	return a.send(message)
}

// chooseMechanism says how the exchange is bound to the TLS connection. The
// first message carries a flag that the server checks: "p", bound; "y", we would
// have been bound and the server did not offer it (if it had, somebody took the
// offer out of its message); "n", we cannot.
func (a *authenticator) chooseMechanism(offered []string) (func(*scram.Client) *scram.ClientConversation, error) {
	hasPlus, hasPlain := slices.Contains(offered, mechanismPlus), slices.Contains(offered, mechanism)
	required := a.cfg.ChannelBinding == ChannelBindingRequire
	switch {
	case !hasPlus && !hasPlain:
		return nil, fmt.Errorf("the server offers the SASL mechanisms %q, and %s is not among them", shorten(strings.Join(offered, " ")), mechanism)
	case hasPlus && a.tls == nil:
		return nil, protocolErrorf("%s is offered without TLS", mechanismPlus)
	case required && !hasPlus:
		return nil, fmt.Errorf("channel binding is required, and the server does not offer %s", mechanismPlus)
	}
	if a.tls == nil || a.cfg.ChannelBinding == ChannelBindingDisable {
		if !hasPlain {
			return nil, fmt.Errorf("channel binding is disabled, and the server offers nothing but %s", mechanismPlus)
		}
		return (*scram.Client).NewConversation, nil
	}
	// RFC 5929 defines the binding by the hash of the certificate's signature.
	// Ed25519 has none, and neither has the server then: it would fail, so that
	// such a certificate is used without binding unless that is required.
	binding, err := scram.NewTLSServerEndpointBinding(a.tls)
	switch {
	case err == nil && hasPlus:
		a.bound = true
		return func(c *scram.Client) *scram.ClientConversation { return c.NewConversationWithChannelBinding(binding) }, nil
	case err == nil:
		return (*scram.Client).NewConversationAdvertisingChannelBinding, nil
	case required || !hasPlain:
		return nil, fmt.Errorf("channel binding to the server's certificate is not possible: %w; use a certificate signed with RSA or ECDSA", err)
	default:
		return (*scram.Client).NewConversation, nil
	}
}

// prove answers the server's challenge.
func (a *authenticator) prove(ctx context.Context, challenge []byte) error {
	// Computing cannot be broken off: it is bounded, and not begun in vain.
	if err := ctx.Err(); err != nil {
		return err
	}
	if n, ok := iterations(string(challenge)); ok && n > a.cfg.maxIterations() {
		return fmt.Errorf("the server asks for %d iterations in the SCRAM exchange, and MaxSCRAMIterations is %d", n, a.cfg.maxIterations())
	}
	proof, err := a.conv.Step(string(challenge))
	if err != nil {
		return fmt.Errorf("the server's challenge in the SCRAM exchange: %s", shorten(err.Error()))
	}
	message, err := (&pgproto3.SASLResponse{Data: []byte(proof)}).Encode(nil)
	if err != nil {
		return err
	}
	a.state = authProof
	return a.send(message)
}

// iterations reads the count out of a challenge "r=…,s=…,i=…" (RFC 5802). One
// that cannot be read is the conversation's to refuse.
func iterations(challenge string) (n int, ok bool) {
	fields := strings.Split(challenge, ",")
	if len(fields) < 3 {
		return 0, false
	}
	digits, ok := strings.CutPrefix(fields[2], "i=")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// verify checks the server's own proof: without it, whoever answers may have
// learned the password's hash from us and know nothing else.
func (a *authenticator) verify(final []byte) error {
	if _, err := a.conv.Step(string(final)); err != nil || !a.conv.Valid() {
		return errors.New("the server did not prove that it knows the password: it is not the server that the password was set on, or somebody sits in between")
	}
	a.state = authVerified
	return nil
}

// prepared is the password as the server prepared it when it was set: with
// SASLprep (RFC 4013), or as it is where SASLprep does not take it. The checks
// come before the normalization, and a zero width space is a space before it is
// nothing, since the server does both in this order.
func prepared(password string) string {
	ascii := strings.IndexFunc(password, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if ascii || !utf8.ValidString(password) {
		return password
	}
	mappings := slices.Clone(stringprep.SASLprep.Mappings)
	slices.Reverse(mappings)
	checked := stringprep.SASLprep
	checked.Mappings, checked.Normalize = mappings, false
	mapped, err := checked.Prepare(password)
	if err != nil || mapped == "" {
		return password
	}
	normalized, err := stringprep.Profile{Normalize: true}.Prepare(mapped)
	if err != nil {
		return password
	}
	return normalized
}

// shorten keeps a text of the server readable in an error.
func shorten(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
