package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// The protocol's versions, as the startup message has them: the major version
// in the upper 16 bits, the minor one in the lower.
const (
	// Protocol30 is spoken by every server since 7.4.
	Protocol30 uint32 = 3 << 16
	// Protocol32 is spoken by servers from 18 on; its cancel keys are longer.
	Protocol32 uint32 = 3<<16 | 2
)

// DefaultMaxSCRAMIterations is what Config.MaxSCRAMIterations defaults to: a
// fraction of a second of computing, and 244 times what a server stores by
// default.
const DefaultMaxSCRAMIterations = 1_000_000

// maxStartupPacket is the longest startup packet that a server takes.
const maxStartupPacket = 10_000

// TLSMode says whether a connection is encrypted. What is checked of the
// server's certificate is the TLSConfig's business.
type TLSMode uint8

// The modes; they are libpq's (PostgreSQL documentation, "SSL Mode
// Descriptions"). Unix sockets never use TLS, as with libpq.
const (
	// TLSDisable never uses TLS. It is the zero value.
	TLSDisable TLSMode = iota
	// TLSAllow begins without TLS, and connects again with it where the server
	// turns the user away with SQLSTATE 28000 (no matching pg_hba.conf line).
	TLSAllow
	// TLSPrefer begins with TLS, goes on without it where the server has none,
	// and connects again without it where the TLS handshake fails or the server
	// turns the user away with SQLSTATE 28000.
	TLSPrefer
	// TLSRequire uses TLS or fails.
	TLSRequire
)

// ChannelBinding says whether SCRAM authentication is tied to the TLS
// connection, so that nobody can sit between client and server.
type ChannelBinding uint8

// The values; they are libpq's.
const (
	// ChannelBindingPrefer binds where TLS is used and the server can. It is the
	// zero value.
	ChannelBindingPrefer ChannelBinding = iota
	// ChannelBindingDisable never binds.
	ChannelBindingDisable
	// ChannelBindingRequire binds or fails: the server must ask for
	// SCRAM-SHA-256-PLUS. It makes TLSAllow and TLSPrefer mean TLSRequire, and
	// is an error with TLSDisable and with Unix sockets.
	ChannelBindingRequire
)

// Config says how to make one connection to one host. It is read only, and may
// be shared by any number of connections. Printing it shows no secret: the
// password is behind a function.
type Config struct {
	// Network and Address are what the dialer gets: "tcp" and
	// "127.0.0.1:5432", or "unix" and "/run/postgresql/.s.PGSQL.5432".
	Network, Address string
	// DialFunc makes the byte stream. It must honour ctx; its net.Conn must
	// honour deadlines. Nil: a net.Dialer with its default keep-alive.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// DialsDirectly says that DialFunc connects to the server itself, not to
	// something on the way, and takes a number for Address's name: a CancelRequest
	// then goes to the connection's remote address, since the name may lead
	// to another server by then.
	DialsDirectly bool

	// TLS says whether to encrypt.
	TLS TLSMode
	// TLSConfig says how, and what is checked of the server's certificate. It
	// is not changed. Without a ServerName and without InsecureSkipVerify, the
	// host of Address is verified. Nil: that, with the system's authorities.
	TLSConfig *tls.Config
	// TLSDirect begins with TLS from the first byte, with the ALPN name
	// "postgresql" (sslnegotiation=direct; servers from 17 on). It needs
	// TLSRequire.
	TLSDirect bool

	// User is the role to log in as. It must not be empty.
	User string
	// Database is where to; "" is the server's default, the role's name.
	Database string
	// Password gives the password. It is called at most once per connection
	// that is made, and only when the server asks. Nil: there is none.
	Password func(ctx context.Context) (string, error)
	// Params are run-time parameters of the startup message:
	// application_name, client_encoding, options and so on.
	Params map[string]string
	// MinProtocol and MaxProtocol bound the version of the protocol. The
	// higher one is asked for, and the server may come back with a lower one.
	// 0 is Protocol30.
	MinProtocol, MaxProtocol uint32

	// ChannelBinding says whether SCRAM is bound to the TLS connection.
	ChannelBinding ChannelBinding
	// RequireAuth are the authentication methods that are accepted, as libpq's
	// require_auth has them: password, md5, scram-sha-256, gss, sspi, oauth and
	// none (the server asks for nothing); all of them with "!" in front, or
	// none. Empty: every method.
	RequireAuth []string
	// MinSCRAMIterations and MaxSCRAMIterations bound the work that a server
	// may ask for in SCRAM: fewer iterations make a captured exchange cheaper to
	// crack, more of them keep this machine busy. 0 is 1, as for libpq, and
	// DefaultMaxSCRAMIterations.
	MinSCRAMIterations, MaxSCRAMIterations int

	// OnNotice gets the server's notices. It is called by the goroutine that
	// connects or reads, and must not use the connection. Nil: they are dropped.
	OnNotice func(*pgproto3.NoticeResponse)
	// CancelTimeout is how long an abandoned flight may take to end, with the
	// server asked to cancel it, before the connection is closed. 0 is 5 seconds.
	CancelTimeout time.Duration
}

// validate finds what cannot work before anything is dialled. It names keys,
// never values.
func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Network == "" || c.Address == "" {
		bad("Network and Address must say where to connect to")
	}
	if c.User == "" {
		bad("User must not be empty")
	}
	if c.TLSDirect && c.TLS != TLSRequire && !c.local() {
		bad("TLSDirect needs TLSRequire: a server that has no TLS cannot say so")
	}
	if c.ChannelBinding == ChannelBindingRequire && c.encryptions()[0] == plain {
		bad("required channel binding needs TLS, which is not used here")
	}
	if c.minProtocol() > c.maxProtocol() || c.minProtocol() < Protocol30 || c.maxProtocol()>>16 != 3 {
		bad("MinProtocol and MaxProtocol must be versions of protocol 3, in order")
	}
	if c.minIterations() < 1 || c.minIterations() > c.maxIterations() {
		bad("MinSCRAMIterations and MaxSCRAMIterations must be positive and in order")
	}
	known := []string{"password", "md5", "scram-sha-256", "gss", "sspi", "oauth", "none"}
	negated := 0
	for _, m := range c.RequireAuth {
		name, not := strings.CutPrefix(m, "!")
		if not {
			negated++
		}
		if !slices.Contains(known, name) {
			bad("RequireAuth has the unknown method %q: use %s", m, strings.Join(known, ", "))
		}
	}
	if negated != 0 && negated != len(c.RequireAuth) {
		bad("RequireAuth mixes methods with ! and without")
	}
	return errors.Join(append(errs, c.validateParams())...)
}

// validateParams keeps one startup value from becoming several: the packet is
// a list of NUL-terminated strings (PostgreSQL documentation, "Message
// Formats", StartupMessage).
func (c *Config) validateParams() error {
	var errs []error
	size := len(c.User) + len(c.Database) + len("user")*2 + len("database") + 16
	check := func(name, value string) {
		if strings.IndexByte(value, 0) >= 0 {
			errs = append(errs, fmt.Errorf("the value of %s has a NUL byte, which the protocol cannot carry", name))
		}
	}
	check("User", c.User)
	check("Database", c.Database)
	for key, value := range c.Params {
		size += len(key) + len(value) + 2
		switch {
		case key == "" || strings.IndexByte(key, 0) >= 0:
			errs = append(errs, fmt.Errorf("the name of a startup parameter is empty or has a NUL byte: %q", key))
		case key == "user" || key == "database":
			errs = append(errs, fmt.Errorf("the startup parameter %q must be given in its own field", key))
		default:
			check(fmt.Sprintf("the startup parameter %q", key), value)
		}
	}
	if size > maxStartupPacket {
		errs = append(errs, fmt.Errorf("the startup parameters take %d bytes, and a server takes at most %d: shorten them", size, maxStartupPacket))
	}
	return errors.Join(errs...)
}

// startupMessage is the first message of the dialogue proper.
func (c *Config) startupMessage() *pgproto3.StartupMessage {
	params := make(map[string]string, len(c.Params)+2)
	for k, v := range c.Params {
		params[k] = v
	}
	params["user"] = c.User
	if c.Database != "" {
		params["database"] = c.Database
	}
	return &pgproto3.StartupMessage{ProtocolVersion: c.maxProtocol(), Parameters: params}
}

func (c *Config) dial(ctx context.Context, address string) (net.Conn, error) {
	if c.DialFunc != nil {
		return c.DialFunc(ctx, c.Network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, c.Network, address)
}

// local says whether the connection cannot leave this machine, so that TLS is
// not used.
func (c *Config) local() bool { return strings.HasPrefix(c.Network, "unix") }

func (c *Config) minProtocol() uint32 { return max(c.MinProtocol, Protocol30) }

func (c *Config) maxProtocol() uint32 { return max(c.MaxProtocol, Protocol30) }

func (c *Config) minIterations() int { return orDefault(c.MinSCRAMIterations, 1) }

func (c *Config) maxIterations() int {
	return orDefault(c.MaxSCRAMIterations, DefaultMaxSCRAMIterations)
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// allowsAuth says whether RequireAuth has a method.
func (c *Config) allowsAuth(method string) bool {
	switch {
	case len(c.RequireAuth) == 0:
		return true
	case strings.HasPrefix(c.RequireAuth[0], "!"):
		return !slices.Contains(c.RequireAuth, "!"+method)
	default:
		return slices.Contains(c.RequireAuth, method)
	}
}
