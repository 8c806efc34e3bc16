package dsn

// keyword is one connection parameter of libpq.
type keyword struct {
	name       string
	env        string // the variable that supplies it, or ""
	value      string // the built-in default, where hasDefault
	hasDefault bool
	secret     bool
	since      int // the first libpq that knows it, where that is after 15
}

// keywords are all parameters in the order in which libpq lists them
// (PostgreSQL documentation, "Parameter Key Words" and "Environment
// Variables"). Nothing writes to it.
var keywords = []keyword{
	{name: "service", env: "PGSERVICE"},
	{name: "user", env: "PGUSER"},
	{name: "password", env: "PGPASSWORD", secret: true},
	{name: "passfile", env: "PGPASSFILE"},
	{name: "channel_binding", env: "PGCHANNELBINDING", value: "prefer", hasDefault: true},
	{name: "connect_timeout", env: "PGCONNECT_TIMEOUT"},
	{name: "dbname", env: "PGDATABASE"},
	{name: "host", env: "PGHOST"},
	{name: "hostaddr", env: "PGHOSTADDR"},
	{name: "port", env: "PGPORT", value: defaultPort, hasDefault: true},
	{name: "client_encoding", env: "PGCLIENTENCODING"},
	{name: "options", env: "PGOPTIONS", value: "", hasDefault: true},
	{name: "application_name", env: "PGAPPNAME"},
	{name: "fallback_application_name"},
	{name: "keepalives"},
	{name: "keepalives_idle"},
	{name: "keepalives_interval"},
	{name: "keepalives_count"},
	{name: "tcp_user_timeout"},
	{name: "sslmode", env: "PGSSLMODE", value: string(SSLPrefer), hasDefault: true},
	{name: "sslnegotiation", env: "PGSSLNEGOTIATION", value: string(NegotiatePostgres), hasDefault: true, since: 17},
	{name: "sslcompression", env: "PGSSLCOMPRESSION", value: "0", hasDefault: true},
	{name: "sslcert", env: "PGSSLCERT"},
	{name: "sslkey", env: "PGSSLKEY"},
	{name: "sslcertmode", env: "PGSSLCERTMODE", since: 16},
	{name: "sslpassword", secret: true},
	{name: "sslrootcert", env: "PGSSLROOTCERT"},
	{name: "sslcrl", env: "PGSSLCRL"},
	{name: "sslcrldir", env: "PGSSLCRLDIR"},
	{name: "sslsni", env: "PGSSLSNI", value: "1", hasDefault: true},
	{name: "requirepeer", env: "PGREQUIREPEER"},
	{name: "require_auth", env: "PGREQUIREAUTH", since: 16},
	{name: "min_protocol_version", env: "PGMINPROTOCOLVERSION", since: 18},
	{name: "max_protocol_version", env: "PGMAXPROTOCOLVERSION", since: 18},
	{name: "ssl_min_protocol_version", env: "PGSSLMINPROTOCOLVERSION", value: "TLSv1.2", hasDefault: true},
	{name: "ssl_max_protocol_version", env: "PGSSLMAXPROTOCOLVERSION"},
	{name: "gssencmode", env: "PGGSSENCMODE", value: string(GSSPrefer), hasDefault: true},
	{name: "krbsrvname", env: "PGKRBSRVNAME", value: "postgres", hasDefault: true},
	{name: "gsslib", env: "PGGSSLIB"},
	{name: "gssdelegation", env: "PGGSSDELEGATION", value: "0", hasDefault: true, since: 16},
	{name: "replication"},
	{name: "target_session_attrs", env: "PGTARGETSESSIONATTRS", value: string(TargetAny), hasDefault: true},
	{name: "load_balance_hosts", env: "PGLOADBALANCEHOSTS", value: string(BalanceDisable), hasDefault: true, since: 16},
	{name: "scram_client_key", secret: true, since: 18},
	{name: "scram_server_key", secret: true, since: 18},
	{name: "oauth_issuer", since: 18},
	{name: "oauth_client_id", since: 18},
	{name: "oauth_client_secret", secret: true, since: 18},
	{name: "oauth_scope", since: 18},
	{name: "sslkeylogfile", since: 18},
}

// settingVariables are the variables that libpq turns into settings of the
// session rather than into parameters (PostgreSQL documentation, "Environment
// Variables").
var settingVariables = []struct{ env, setting string }{
	{"PGDATESTYLE", "datestyle"},
	{"PGTZ", "timezone"},
	{"PGGEQO", "geqo"},
}

const (
	defaultPort = "5432"
	defaultHost = "localhost"
)

// keywordIndex gives the place of name in keywords, or -1.
func keywordIndex(name string) int {
	for i := range keywords {
		if keywords[i].name == name {
			return i
		}
	}
	return -1
}

// entry is what is known of one keyword's value.
type entry struct {
	value  string
	set    bool
	source Source
	offset int // where in the dsn, or -1
}

// settings holds one entry for each of keywords, in the same order.
type settings []entry

func newSettings() settings { return make(settings, len(keywords)) }

// get gives the value of a keyword, or "".
func (s settings) get(name string) string { return s.entry(name).value }

// entry gives the entry of a keyword that exists.
func (s settings) entry(name string) *entry { return &s[keywordIndex(name)] }

// store sets a keyword, translating the old requiressl as libpq does: 1 is
// sslmode=require, all else is sslmode=prefer. It reports whether the keyword is
// known.
func (s settings) store(name, value string, source Source, offset int) bool {
	if name == "requiressl" {
		name = "sslmode"
		if value != "" && value[0] == '1' {
			value = string(SSLRequire)
		} else {
			value = string(SSLPrefer)
		}
	}
	i := keywordIndex(name)
	if i < 0 {
		return false
	}
	s[i] = entry{value: value, set: true, source: source, offset: offset}
	return true
}

// storeDSN sets a keyword found at offset in the data source name.
func (s settings) storeDSN(name, value string, offset int) bool {
	return s.store(name, value, Source{Kind: SourceDSN}, offset)
}

// isSecret reports whether the value of name must not be shown.
func isSecret(name string) bool {
	i := keywordIndex(name)
	return i >= 0 && keywords[i].secret
}
