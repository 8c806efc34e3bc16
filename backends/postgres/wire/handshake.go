package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// session is a connection that has reached its first ReadyForQuery.
type session struct {
	nc       net.Conn // what is read and written: raw, or a *tls.Conn over it
	raw      net.Conn // the socket itself; closing it never blocks
	rd       *reader  // behind ReadyForQuery; may hold more bytes
	pid      uint32
	secret   []byte // the cancel key; nil where the server (a pooler) gave none
	params   map[string]string
	protocol uint32 // the version spoken
	tlsUsed  bool
}

// encryption is what one attempt does about TLS.
type encryption uint8

const (
	plain encryption = iota
	tlsIfOffered
	tlsOnly
)

// encryptions gives the attempts of the mode, the first one first.
func (c *Config) encryptions() []encryption {
	switch {
	case c.local() || c.TLS == TLSDisable:
		return []encryption{plain}
	case c.ChannelBinding == ChannelBindingRequire:
		return []encryption{tlsOnly} // there must be TLS to bind to
	case c.TLS == TLSAllow:
		return []encryption{plain, tlsOnly}
	case c.TLS == TLSPrefer:
		return []encryption{tlsIfOffered, plain}
	default:
		return []encryption{tlsOnly}
	}
}

// handshake connects and goes on up to the first ReadyForQuery (PostgreSQL
// documentation, "Start-up"). ctx bounds all of it, except that one computation
// of SCRAM is not broken off. On failure, a *ConnectError, the socket is closed;
// no goroutine is left in any case.
func handshake(ctx context.Context, cfg *Config) (*session, error) {
	if err := cfg.validate(); err != nil {
		return nil, &ConnectError{Address: cfg.Address, Stage: StageConfig, Err: err}
	}
	var first *ConnectError
	for _, enc := range cfg.encryptions() {
		s, err := attempt(ctx, cfg, enc)
		if err == nil {
			return s, nil
		}
		if first != nil {
			err.Err = fmt.Errorf("%w; before that, %s: %s: %w", err.Err, encryptionName(enc == plain), first.Stage, first.Err)
			return nil, err
		}
		if _, retry := errors.AsType[*otherEncryption](err); !retry || ctx.Err() != nil {
			return nil, err
		}
		first = err
	}
	return nil, first
}

func encryptionName(encrypted bool) string {
	if encrypted {
		return "with TLS"
	}
	return "without TLS"
}

// otherEncryption marks a failure that may not happen with TLS, or without.
type otherEncryption struct{ error }

func (e *otherEncryption) Unwrap() error { return e.error }

// rejected is the SQLSTATE of a server that has no pg_hba.conf line for this
// user, database, address and encryption.
const rejected = "28000"

// attempt makes one connection.
func attempt(ctx context.Context, cfg *Config, enc encryption) (*session, *ConnectError) {
	if err := ctx.Err(); err != nil {
		return nil, connectError(ctx, cfg.Address, StageDial, err)
	}
	raw, err := cfg.dial(ctx, cfg.Address)
	if err != nil {
		return nil, connectError(ctx, cfg.Address, StageDial, err)
	}
	release := interruptOn(ctx, raw)
	ready := false
	defer func() { // deferred, since the user's functions may panic
		if release(); !ready {
			_ = raw.Close() // never the *tls.Conn's: that one would write first
		}
	}()
	s := &session{nc: raw, raw: raw}
	if enc != plain {
		if s.nc, err = cfg.startTLS(ctx, raw, enc); err != nil {
			return nil, connectError(ctx, cfg.Address, StageTLS, err)
		}
		s.tlsUsed = s.nc != raw
	}
	d := &dialogue{cfg: cfg, session: s}
	if err := d.run(ctx); err != nil {
		se, ok := errors.AsType[*ServerError](err)
		if ok && se.Code == rejected && s.tlsUsed == (enc == tlsIfOffered) {
			err = &otherEncryption{err}
		}
		return nil, connectError(ctx, cfg.Address, d.stage, err)
	}
	if interrupted := release(); interrupted {
		return nil, connectError(ctx, cfg.Address, StageStartup, ctx.Err())
	}
	// A DialFunc may have left a deadline.
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, connectError(ctx, cfg.Address, StageStartup, err)
	}
	ready = true
	return s, nil
}

// interruptOn makes reads and writes of nc fail once ctx ends. release ends
// that: when it has returned, nothing touches nc any more; it says whether ctx
// had ended before, and may be called again.
func interruptOn(ctx context.Context, nc net.Conn) (release func() (interrupted bool)) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		if err := nc.SetDeadline(time.Unix(1, 0)); err != nil {
			_ = nc.Close() // a connection without deadlines
		}
	})
	return sync.OnceValue(func() bool {
		if stop() {
			return false
		}
		<-done
		return true
	})
}
