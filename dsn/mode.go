package dsn

// SSLMode says whether TLS is used and what is checked of the server's
// certificate (PostgreSQL documentation, "SSL Mode Descriptions").
type SSLMode string

// The values of sslmode, from the weakest to the strongest.
const (
	SSLDisable    SSLMode = "disable"     // never TLS
	SSLAllow      SSLMode = "allow"       // first without TLS, then with
	SSLPrefer     SSLMode = "prefer"      // first with TLS, then without; the default
	SSLRequire    SSLMode = "require"     // only TLS
	SSLVerifyCA   SSLMode = "verify-ca"   // only TLS, from a trusted authority
	SSLVerifyFull SSLMode = "verify-full" // and with the certificate for this host
)

// SSLNegotiation says how TLS begins.
type SSLNegotiation string

// The values of sslnegotiation.
const (
	NegotiatePostgres SSLNegotiation = "postgres" // ask with an SSLRequest; the default
	NegotiateDirect   SSLNegotiation = "direct"   // TLS from the first byte; servers from 17 on
)

// SSLCertMode says whether a client certificate is sent.
type SSLCertMode string

// The values of sslcertmode.
const (
	CertDisable SSLCertMode = "disable" // never
	CertAllow   SSLCertMode = "allow"   // if there is one and the server asks; the default
	CertRequire SSLCertMode = "require" // there must be one
)

// ChannelBinding says whether SCRAM is bound to the TLS connection.
type ChannelBinding string

// The values of channel_binding.
const (
	BindingDisable ChannelBinding = "disable"
	BindingPrefer  ChannelBinding = "prefer" // the default
	BindingRequire ChannelBinding = "require"
)

// GSSEncMode says whether GSSAPI encryption is used. This library has none, so
// that [Resolved.Postgres] rejects require.
type GSSEncMode string

// The values of gssencmode.
const (
	GSSDisable GSSEncMode = "disable"
	GSSPrefer  GSSEncMode = "prefer" // the default
	GSSRequire GSSEncMode = "require"
)

// TargetSessionAttrs says which of several servers will do.
type TargetSessionAttrs string

// The values of target_session_attrs.
const (
	TargetAny           TargetSessionAttrs = "any" // the default
	TargetReadWrite     TargetSessionAttrs = "read-write"
	TargetReadOnly      TargetSessionAttrs = "read-only"
	TargetPrimary       TargetSessionAttrs = "primary"
	TargetStandby       TargetSessionAttrs = "standby"
	TargetPreferStandby TargetSessionAttrs = "prefer-standby"
)

// LoadBalanceHosts says in which order several hosts are tried.
type LoadBalanceHosts string

// The values of load_balance_hosts.
const (
	BalanceDisable LoadBalanceHosts = "disable" // as they were written; the default
	BalanceRandom  LoadBalanceHosts = "random"
)

// ProtocolVersion is a version of the wire protocol as the startup message has
// it: the major version in the upper 16 bits, the minor one in the lower.
type ProtocolVersion uint32

// The versions that min_protocol_version and max_protocol_version can name;
// "latest" is the last.
const (
	Protocol30 ProtocolVersion = 3 << 16
	Protocol32 ProtocolVersion = 3<<16 | 2
)
