package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgproto3"
)

// errNoCancelKey is returned by sendCancel for a server that gave no cancel key.
var errNoCancelKey = errors.New("the server gave no key to cancel with")

// maxCancelAnswer bounds what is read while waiting for the end: there should
// be nothing.
const maxCancelAnswer = 4 << 10

// sendCancel asks the server, over a connection of its own, to cancel what s is
// running, and waits until the server has closed that connection (PostgreSQL
// documentation, "Canceling Requests in Progress"). Whether anything was
// cancelled is not known from it; after a *notAsked nothing was. It connects to
// the address that s is connected to, and uses TLS exactly where s does: the key
// is a secret. ctx bounds all of it, and nothing is left behind. s is only read.
func sendCancel(ctx context.Context, cfg *Config, s *session) error {
	address := cancelAddress(cfg, s)
	asked, err := cancelAt(ctx, cfg, s, address)
	if err == nil {
		return nil
	}
	err = connectError(ctx, address, StageCancel, err)
	if !asked {
		return &notAsked{err}
	}
	return err
}

// notAsked is a CancelRequest that failed before a byte of it was sent: no
// signal can come of it.
type notAsked struct{ error }

func (e *notAsked) Unwrap() error { return e.error }

// cancelAt is sendCancel at an address; asked says that the request may have
// arrived.
func cancelAt(ctx context.Context, cfg *Config, s *session, address string) (asked bool, err error) {
	if len(s.secret) == 0 {
		return false, errNoCancelKey
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	raw, err := cfg.dial(ctx, address)
	if err != nil {
		return false, err
	}
	release := interruptOn(ctx, raw)
	defer func() {
		release()
		_ = raw.Close()
	}()
	nc := raw
	if s.tlsUsed {
		if nc, err = cfg.startTLS(ctx, raw, tlsOnly); err != nil {
			return false, err
		}
	}
	message, err := (&pgproto3.CancelRequest{ProcessID: s.pid, SecretKey: s.secret}).Encode(nil)
	if err != nil {
		return false, err
	}
	if n, err := nc.Write(message); err != nil {
		return n > 0 || s.tlsUsed, err
	}
	return true, awaitEnd(nc, s.tlsUsed)
}

// awaitEnd reads until the other side closes. Under TLS a reset is an end, too:
// the server may close without having read all of TLS. Otherwise somebody on the
// way may have reset it, and the signal be yet to come.
func awaitEnd(nc net.Conn, tlsUsed bool) error {
	n, err := io.Copy(io.Discard, io.LimitReader(nc, maxCancelAnswer))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), tlsUsed && errors.Is(err, syscall.ECONNRESET):
		return nil
	case err != nil:
		return fmt.Errorf("waiting for the server to close the connection: %w", err)
	case n == maxCancelAnswer:
		return protocolErrorf("an answer to a cancel request")
	}
	return nil
}

// cancelAddress is the server that s is connected to, which a name may no
// longer lead to. Behind a DialFunc the remote address may be anything, so that
// the name is all there is, unless the Config says otherwise.
func cancelAddress(cfg *Config, s *session) string {
	if remote := s.raw.RemoteAddr(); (cfg.DialFunc == nil || cfg.DialsDirectly) && !cfg.local() && remote != nil {
		return remote.String()
	}
	return cfg.Address
}
