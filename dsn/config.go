package dsn

import "time"

// Config is a checked configuration with Go's types. [Resolved.Postgres] makes it;
// it may be changed before it is used, and must not be changed afterwards. It
// prints without secrets. Only the fields of a Config that was made by
// [Resolved.Postgres] carry libpq's defaults.
type Config struct {
	Hosts    []Host // where to connect to, in the order to try; at least one
	User     string
	Password Secret // what was given; [Config.PasswordFor] adds the password file
	Database string
	// RuntimeParams are sent with the startup message: application_name,
	// client_encoding, options, replication, and the settings of PGDATESTYLE,
	// PGTZ and PGGEQO. Never nil from [Resolved.Postgres].
	RuntimeParams map[string]string
	// ConnectTimeout bounds the attempt for each host. 0 is no bound.
	ConnectTimeout     time.Duration
	TargetSessionAttrs TargetSessionAttrs
	LoadBalanceHosts   LoadBalanceHosts
	TLS                TLSOptions
	TCP                TCPOptions
	ChannelBinding     ChannelBinding
	RequireAuth        RequireAuth
	GSSEncMode         GSSEncMode
	// RequirePeer is the operating system user that a server behind a Unix
	// socket must run as. "" is any.
	RequirePeer string
	// MinProtocol and MaxProtocol bound the protocol to ask for.
	MinProtocol, MaxProtocol ProtocolVersion
	// ScramClientKey and ScramServerKey replace the password in SCRAM, in base64.
	ScramClientKey, ScramServerKey Secret

	env Environment
}

// PasswordFor gives the password for one of the hosts: the one that was given,
// else the one that the password file has for this host, else an empty one.
func (c *Config) PasswordFor(h Host) Secret {
	if !c.Password.IsZero() {
		return c.Password
	}
	return h.Password
}

// TLSOptions are the parameters of TLS. Paths of files may be defaults, so that
// the files need not exist; [Config.TLSConfig] looks.
type TLSOptions struct {
	Mode        SSLMode
	Negotiation SSLNegotiation
	CertMode    SSLCertMode
	SNI         bool   // whether the host name is sent to the server
	RootCert    string // a file of authorities, or "system" for the system's
	CRL         string // a file of revocation lists, or ""
	CRLDir      string // a folder of revocation lists, named as OpenSSL does, or ""
	Cert        string // the client's certificate, or ""
	Key         string // its key, or ""
	KeyPassword Secret // decrypts the key
	// MinVersion and MaxVersion are crypto/tls versions; 0 is Go's own bound.
	MinVersion, MaxVersion uint16
	// KeyLogFile receives the keys of each session, for tools that decrypt
	// recorded traffic. "" is none.
	KeyLogFile string
}

// TCPOptions are the parameters of TCP. Unix sockets have none.
type TCPOptions struct {
	Keepalives bool
	// KeepaliveIdle, KeepaliveInterval and KeepaliveCount: 0 is the system's.
	KeepaliveIdle     time.Duration
	KeepaliveInterval time.Duration
	KeepaliveCount    int
	UserTimeout       time.Duration // how long sent data may stay unacknowledged; 0 is the system's
}
