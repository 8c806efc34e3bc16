package dsn

import (
	"net"
	"strconv"
	"time"
)

// EdgeDBTLSSecurity says how the server's certificate is checked.
type EdgeDBTLSSecurity string

// The kinds of checks, from the weakest.
const (
	// EdgeDBInsecure checks nothing.
	EdgeDBInsecure EdgeDBTLSSecurity = "insecure"
	// EdgeDBNoHostVerification checks the certificate and not its host name.
	EdgeDBNoHostVerification EdgeDBTLSSecurity = "no_host_verification"
	// EdgeDBStrict checks the certificate and its host name.
	EdgeDBStrict EdgeDBTLSSecurity = "strict"
)

const (
	edgeDefaultSecurity = "default" // strict, or no_host_verification with own authorities
	edgeDevMode         = "insecure_dev_mode"
)

// The defaults of EdgeDB's clients.
const (
	edgeDefaultHost = "localhost"
	edgeDefaultPort = "5656"
	edgeDefaultUser = "edgedb"
	edgeDefaultWait = "PT30S"
)

// EdgeDBConfig is what it takes to connect, with Go's types. [EdgeDBResolved.Config]
// makes it. It prints without secrets. Nothing in it is left to the environment.
type EdgeDBConfig struct {
	// Hosts are where to connect to, in the order to try: one, or several only
	// with [EdgeDBOptions.SeveralHosts]. The network is always tcp.
	Hosts []Host
	User  string
	// Password is for SCRAM. An empty one may have been given: HasPassword.
	Password    Secret
	HasPassword bool
	// SecretKey is the token for a cloud instance, or what was given as one.
	SecretKey Secret
	// Branch and Database are the same name, unless none was given: then Branch is
	// __default__, which the server resolves from EdgeDB 5 on, and Database is
	// edgedb, its default before.
	Branch, Database string
	// TLSCA are the authorities to trust, in PEM form. Nil is the system's.
	TLSCA       []byte
	TLSSecurity EdgeDBTLSSecurity
	// TLSServerName is what the certificate must be for, and the name that is sent
	// to the server, in place of the host. "" is the host.
	TLSServerName string
	// WaitUntilAvailable is how long to go on trying to connect to a server that
	// cannot be reached.
	WaitUntilAvailable time.Duration
	// ServerSettings are sent with the handshake. Never nil.
	ServerSettings map[string]string
	Warnings       []EdgeDBWarning
}

// Config gives the parameters with their types: a copy, which may be changed. It
// gives the zero EdgeDBConfig for a zero EdgeDBResolved.
func (r *EdgeDBResolved) Config() EdgeDBConfig {
	if r.edgeState == nil {
		return EdgeDBConfig{}
	}
	s := r.edgeState
	c := EdgeDBConfig{
		User:           s.slots[edgeUser].text,
		Password:       NewSecret(s.slots[edgePassword].text),
		HasPassword:    s.slots[edgePassword].set,
		SecretKey:      NewSecret(s.slots[edgeSecretKey].text),
		Branch:         s.slots[edgeBranch].text,
		Database:       s.database().text,
		TLSSecurity:    EdgeDBTLSSecurity(s.slots[edgeTLSSecurity].text),
		TLSServerName:  s.slots[edgeTLSServerName].text,
		ServerSettings: map[string]string{},
		Warnings:       append([]EdgeDBWarning(nil), s.warnings...),
	}
	if s.slots[edgeTLSCA].set {
		c.TLSCA = []byte(s.slots[edgeTLSCA].text)
	}
	// What follows was checked when it was stored.
	c.WaitUntilAvailable, _ = parseEdgeDuration(s.slots[edgeWait].text)
	common, _ := edgePortNumber(s.slots[edgePort].text)
	hosts, _ := splitEdgeHosts(s.slots[edgeHost].text)
	for _, h := range hosts {
		if h.port == 0 {
			h.port = common
		}
		c.Hosts = append(c.Hosts, Host{Network: "tcp", Address: net.JoinHostPort(h.host, strconv.Itoa(int(h.port))), Name: h.host, Port: h.port})
	}
	for _, v := range s.settings {
		c.ServerSettings[v.Keyword] = v.Value
	}
	return c
}

// finish fills the slots that are still open, and decides about TLS.
func (r *edgeResolver) finish() *EdgeDBError {
	for slot, text := range map[edgeSlot]string{
		edgeHost: edgeDefaultHost, edgePort: edgeDefaultPort, edgeUser: edgeDefaultUser, edgeBranch: edgeDefaultBranch, edgeWait: edgeDefaultWait,
	} {
		if !r.slots[slot].set {
			r.slots[slot] = edgeValue{text: text, set: true}
		}
	}
	// This one counts whatever else was given.
	if err := r.setVariable(edgeClientSecurity, "CLIENT_SECURITY"); err != nil {
		return err
	}
	return r.decideTLS()
}

// decideTLS makes tls_security one of the three: client_security has a say where
// nothing else was asked for, and a veto.
func (r *edgeResolver) decideTLS() *EdgeDBError {
	tls, client := &r.slots[edgeTLSSecurity], r.slots[edgeClientSecurity]
	if tls.set && tls.text != edgeDefaultSecurity {
		if client.text == string(EdgeDBStrict) && tls.text != string(EdgeDBStrict) {
			return edgeError(EdgeDBInvalidTLSSecurity, "tls_security", tls.source, "it is "+tls.text+", and "+client.source.Name+" allows nothing but strict")
		}
		return nil
	}
	security, source := EdgeDBStrict, Source{}
	switch {
	case client.text == edgeDevMode:
		security, source = EdgeDBInsecure, client.source
	case client.text == string(EdgeDBStrict):
		source = client.source
	case r.slots[edgeTLSCA].set:
		security = EdgeDBNoHostVerification
	}
	*tls = edgeValue{text: string(security), set: true, source: source}
	return nil
}
