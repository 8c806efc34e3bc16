package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// maxStartupMessages and maxStartupBytes bound what a server may say before
	// ReadyForQuery. An ordinary one sends about 20 messages, 500 bytes.
	maxStartupMessages = 1_000
	maxStartupBytes    = 256 << 10

	// maxSecret is the longest cancel key (protocol 3.2).
	maxSecret = 256
)

// dialogue is the exchange from the startup message to ReadyForQuery.
type dialogue struct {
	*session
	cfg      *Config
	stage    Stage
	auth     authenticator
	messages int // received so far
	bytes    int
}

// run leads the dialogue. Nothing of it is retried.
func (d *dialogue) run(ctx context.Context) error {
	d.stage = StageStartup
	d.rd = newReader(d.nc)
	d.params = make(map[string]string)
	d.protocol = d.cfg.maxProtocol()
	d.auth = authenticator{cfg: d.cfg, tls: d.tlsState(), send: d.send}
	message, err := d.cfg.startupMessage().Encode(nil)
	if err != nil {
		return err
	}
	err = d.send(message)
	if err == nil {
		err = d.authenticate(ctx)
	}
	if err != nil {
		return d.rejectedByAlert(err)
	}
	d.stage = StageStartup
	if err := d.awaitReady(); err != nil {
		return err
	}
	d.rd.limit = messageLimit
	return nil
}

// send writes a message. A server that has left may have said why before.
func (d *dialogue) send(message []byte) error {
	_, err := d.nc.Write(message)
	if err == nil {
		return nil
	}
	_, _, why := d.receive()
	if _, ok := errors.AsType[*ServerError](why); ok || isAlert(why) {
		return why
	}
	return err
}

// isAlert says whether the other side has ended TLS.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// receive gives the next message that is neither a notice nor an error.
func (d *dialogue) receive() (typ byte, body []byte, err error) {
	for {
		typ, body, err = d.rd.next()
		if err != nil {
			return 0, nil, readError(err)
		}
		d.messages++
		d.bytes += headerSize + len(body)
		if d.messages > maxStartupMessages || d.bytes > maxStartupBytes {
			return 0, nil, protocolErrorf("more than %d messages or %d bytes before the connection was ready", maxStartupMessages, maxStartupBytes)
		}
		switch typ {
		case 'E':
			return 0, nil, decodeServerError(body)
		case 'N':
			var notice pgproto3.NoticeResponse
			if err := notice.Decode(body); err != nil {
				return 0, nil, protocolErrorf("a notice without its end")
			}
			if d.cfg.OnNotice != nil {
				d.cfg.OnNotice(&notice)
			}
		default:
			return typ, body, nil
		}
	}
}

// authenticate answers until AuthenticationOk.
func (d *dialogue) authenticate(ctx context.Context) error {
	negotiated := false
	for {
		typ, body, err := d.receive()
		if err != nil {
			return err
		}
		switch {
		case typ == 'v' && !negotiated && d.auth.state == authFresh:
			negotiated = true
			if err := d.negotiate(body); err != nil {
				return err
			}
		case typ == 'R':
			d.stage = StageAuthentication
			done, err := d.auth.answer(ctx, body)
			if err != nil || done {
				return err
			}
		default:
			return protocolErrorf("message %q where an authentication request was expected", typ)
		}
	}
}

// negotiate takes the server's answer to a version or an option that it does
// not know (NegotiateProtocolVersion).
func (d *dialogue) negotiate(body []byte) error {
	var m pgproto3.NegotiateProtocolVersion
	if err := m.Decode(body); err != nil {
		return protocolErrorf("a negotiation of the protocol's version that cannot be read")
	}
	// Servers give the whole version; the documentation speaks of the minor one.
	version := m.NewestMinorProtocol
	if version < Protocol30 {
		version |= Protocol30
	}
	if version > d.cfg.maxProtocol() {
		return protocolErrorf("the server wants protocol %d.%d, newer than the one asked for", version>>16, version&0xffff)
	}
	if version < d.cfg.minProtocol() {
		return fmt.Errorf("the server speaks protocol %d.%d at most, and MinProtocol asks for more", version>>16, version&0xffff)
	}
	if len(m.UnrecognizedOptions) > 0 {
		return fmt.Errorf("the server does not know the protocol options %q: leave them out", strings.Join(m.UnrecognizedOptions, ", "))
	}
	d.protocol = version
	return nil
}

// awaitReady reads what the server tells about itself up to ReadyForQuery.
func (d *dialogue) awaitReady() error {
	for {
		typ, body, err := d.receive()
		if err != nil {
			return err
		}
		switch typ {
		case 'S':
			var m pgproto3.ParameterStatus
			if err := m.Decode(body); err != nil {
				return protocolErrorf("a parameter status without its end")
			}
			d.params[m.Name] = m.Value
		case 'K':
			if len(body) < 8 || len(body) > 4+maxSecret {
				return protocolErrorf("a cancel key of %d bytes", max(0, len(body)-4))
			}
			d.pid = binary.BigEndian.Uint32(body)
			d.secret = append([]byte(nil), body[4:]...)
		case 'Z':
			if len(body) != 1 || body[0] != 'I' {
				return protocolErrorf("a new connection that is not idle: ready for query with %q", body)
			}
			return nil
		default:
			return protocolErrorf("message %q before the connection was ready", typ)
		}
	}
}

// rejectedByAlert explains a TLS alert that comes when the handshake is already
// over, which is how TLS 1.3 refuses a client certificate.
func (d *dialogue) rejectedByAlert(err error) error {
	if isAlert(err) {
		d.stage = StageTLS
		return &otherEncryption{fmt.Errorf("the server refuses the TLS connection, maybe for its client certificate: %w", err)}
	}
	return err
}
