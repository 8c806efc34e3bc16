package dsn

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
)

// Postgres checks the values, as libpq does when it connects, and gives them with
// their types. All that is wrong is reported at once: an [errors.Join] of
// [*Error], one for each keyword.
func (r *Resolved) Postgres() (*Config, error) {
	if r.state == nil {
		return nil, errors.New("dsn: nothing was resolved: make a Resolved with ParsePostgres")
	}
	p := &checker{values: r.values}
	c := &Config{env: r.env}
	c.Hosts = p.hosts(r.state)
	c.User, c.Database = r.values.get("user"), r.values.get("dbname")
	if c.User == "" {
		p.fail("user", "no user name: the operating system has none for this process; set user or PGUSER")
	}
	if r.values.entry("password").source.Kind != SourcePasswordFile {
		c.Password = NewSecret(r.values.get("password"))
	}
	c.RuntimeParams = r.runtimeParams()
	c.ConnectTimeout = time.Duration(max(p.integer("connect_timeout", 0), 0)) * time.Second
	c.TargetSessionAttrs = oneOf(p, "target_session_attrs", TargetAny, TargetReadWrite, TargetReadOnly, TargetPrimary, TargetStandby, TargetPreferStandby)
	c.LoadBalanceHosts = oneOf(p, "load_balance_hosts", BalanceDisable, BalanceRandom)
	c.ChannelBinding = oneOf(p, "channel_binding", BindingDisable, BindingPrefer, BindingRequire)
	c.GSSEncMode = oneOf(p, "gssencmode", GSSDisable, GSSPrefer, GSSRequire)
	if c.GSSEncMode == GSSRequire {
		p.fail("gssencmode", "GSSAPI encryption is not supported: use disable or prefer, and TLS by sslmode")
	}
	c.RequirePeer = r.values.get("requirepeer")
	c.TCP = p.tcp()
	c.TLS = p.tls(r.env)
	c.MinProtocol, c.MaxProtocol = p.protocols()
	c.ScramClientKey, c.ScramServerKey = p.scramKey("scram_client_key"), p.scramKey("scram_server_key")
	var problem string
	if c.RequireAuth, problem = parseRequireAuth(r.values.get("require_auth")); problem != "" {
		p.fail("require_auth", problem)
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return c, nil
}

// runtimeParams gives what goes into the startup message besides user and
// database. An application_name that is set but empty hides the fallback.
func (r *state) runtimeParams() map[string]string {
	params := map[string]string{}
	for _, v := range r.settings {
		params[v.Keyword] = v.Value
	}
	name := r.values.entry("application_name")
	if !name.set {
		name = r.values.entry("fallback_application_name")
	}
	encoding := r.values.get("client_encoding")
	if encoding == "auto" { // libpq asks the locale; Go's strings are UTF-8
		encoding = "UTF8"
	}
	for key, value := range map[string]string{
		"application_name": name.value,
		"client_encoding":  encoding,
		"options":          r.values.get("options"),
		"replication":      r.values.get("replication"),
	} {
		if value != "" {
			params[key] = value
		}
	}
	return params
}

// checker collects what is wrong.
type checker struct {
	values settings
	errs   []error
}

func (p *checker) fail(keyword, problem string) {
	p.errs = append(p.errs, valueError(p.values, keyword, problem))
}

// oneOf gives the value of a keyword that is one of a few, which it must be when
// it is set: an empty one is wrong too, as in libpq.
func oneOf[T ~string](p *checker, keyword string, accepted ...T) T {
	e := p.values.entry(keyword)
	if e.set && !slices.Contains(accepted, T(e.value)) {
		p.fail(keyword, "invalid value "+shown(e.value)+": use "+strings.Join(names(accepted), ", "))
	}
	return T(e.value)
}

// integer gives the value of a keyword that is an integer, or fallback where it
// is not set.
func (p *checker) integer(keyword string, fallback int) int {
	e := p.values.entry(keyword)
	if !e.set {
		return fallback
	}
	n, err := parseInt(e.value)
	if err != nil {
		p.fail(keyword, "invalid value "+shown(e.value)+": use an integer")
	}
	return n
}

func (p *checker) hosts(r *state) []Host {
	if r.hostsErr != nil {
		p.errs = append(p.errs, r.hostsErr)
	}
	hosts := make([]Host, 0, len(r.hosts))
	for i, spec := range r.hosts {
		host, err := spec.typed(r.values)
		if err != nil {
			p.errs = append(p.errs, err)
			continue
		}
		if len(r.passwords) > i {
			host.Password = NewSecret(r.passwords[i].text)
		}
		hosts = append(hosts, host)
	}
	return hosts
}

func (p *checker) tcp() TCPOptions {
	return TCPOptions{
		Keepalives:        p.integer("keepalives", 1) != 0,
		KeepaliveIdle:     time.Duration(max(p.integer("keepalives_idle", 0), 0)) * time.Second,
		KeepaliveInterval: time.Duration(max(p.integer("keepalives_interval", 0), 0)) * time.Second,
		KeepaliveCount:    max(p.integer("keepalives_count", 0), 0),
		UserTimeout:       time.Duration(max(p.integer("tcp_user_timeout", 0), 0)) * time.Millisecond,
	}
}

// protocols gives the range of versions. Without a higher minimum the maximum
// is 3.0, which every server and pooler knows.
func (p *checker) protocols() (lowest, highest ProtocolVersion) {
	lowest = p.protocol("min_protocol_version", Protocol30)
	fallback := Protocol30
	if lowest > Protocol30 {
		fallback = Protocol32
	}
	highest = p.protocol("max_protocol_version", fallback)
	if lowest > highest {
		p.fail("max_protocol_version", "it is less than min_protocol_version")
	}
	return lowest, highest
}

func (p *checker) protocol(keyword string, fallback ProtocolVersion) ProtocolVersion {
	e := p.values.entry(keyword)
	switch {
	case !e.set:
		return fallback
	case e.value == "3.0":
		return Protocol30
	case e.value == "3.2", e.value == "latest":
		return Protocol32
	}
	p.fail(keyword, "invalid value "+shown(e.value)+": use 3.0, 3.2 or latest")
	return fallback
}

// scramKey checks a key without showing it.
func (p *checker) scramKey(keyword string) Secret {
	e := p.values.entry(keyword)
	if !e.set {
		return Secret{}
	}
	if key, err := base64.StdEncoding.DecodeString(e.value); err != nil || len(key) != 32 {
		p.fail(keyword, "not the base64 of 32 bytes")
	}
	return NewSecret(e.value)
}

// tls gives the options of TLS with the default paths in the home folder.
func (p *checker) tls(env Environment) TLSOptions {
	o := TLSOptions{
		Mode:        oneOf(p, "sslmode", SSLDisable, SSLAllow, SSLPrefer, SSLRequire, SSLVerifyCA, SSLVerifyFull),
		Negotiation: oneOf(p, "sslnegotiation", NegotiatePostgres, NegotiateDirect),
		CertMode:    oneOf(p, "sslcertmode", CertDisable, CertAllow, CertRequire),
		SNI:         strings.HasPrefix(p.values.get("sslsni"), "1"),
		RootCert:    p.pathOr("sslrootcert", env, "root.crt"),
		CRL:         p.values.get("sslcrl"),
		CRLDir:      p.values.get("sslcrldir"),
		Cert:        p.pathOr("sslcert", env, "postgresql.crt"),
		Key:         p.pathOr("sslkey", env, "postgresql.key"),
		KeyPassword: NewSecret(p.values.get("sslpassword")),
		MinVersion:  p.tlsVersion("ssl_min_protocol_version"),
		MaxVersion:  p.tlsVersion("ssl_max_protocol_version"),
		KeyLogFile:  p.values.get("sslkeylogfile"),
	}
	if o.CertMode == "" {
		o.CertMode = CertAllow
	}
	if o.CRL == "" && o.CRLDir == "" {
		o.CRL = env.dotPostgres("root.crl")
	}
	strong := o.Mode == SSLRequire || o.Mode == SSLVerifyCA || o.Mode == SSLVerifyFull
	if o.Negotiation == NegotiateDirect && !strong {
		p.fail("sslnegotiation", "direct needs sslmode require, verify-ca or verify-full")
	}
	if o.RootCert == systemRoots && o.Mode != SSLVerifyFull {
		p.fail("sslrootcert", "system needs sslmode verify-full: public authorities give certificates to anyone")
	}
	if o.MinVersion != 0 && o.MaxVersion != 0 && o.MinVersion > o.MaxVersion {
		p.fail("ssl_max_protocol_version", "it is less than ssl_min_protocol_version")
	}
	return o
}

func (p *checker) pathOr(keyword string, env Environment, name string) string {
	if path := p.values.get(keyword); path != "" {
		return path
	}
	return env.dotPostgres(name)
}

func (p *checker) tlsVersion(keyword string) uint16 {
	value := p.values.get(keyword)
	switch strings.ToLower(value) {
	case "":
		return 0
	case "tlsv1":
		return tls.VersionTLS10
	case "tlsv1.1":
		return tls.VersionTLS11
	case "tlsv1.2":
		return tls.VersionTLS12
	case "tlsv1.3":
		return tls.VersionTLS13
	}
	p.fail(keyword, "invalid value "+shown(value)+": use TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3")
	return 0
}
