package dsn

import (
	"maps"
	"slices"
	"strings"
)

// EdgeDBOptions are what a program says beside the connection string. All are
// texts, as in a DSN or the environment; nil is an option that is not given, so
// that "" is a mistake where nothing may be empty. new("text") makes a pointer.
//
// At most one of the connection string, DSN, Instance, Credentials,
// CredentialsFile, and Host with Port may be given. The others replace what these
// say. An option wins over the environment, which wins over the project.
type EdgeDBOptions struct {
	DSN             *string // a URI, or an instance's name
	Instance        *string // a local instance's name, or org/name in the cloud
	Credentials     *string // the JSON text of a file of credentials
	CredentialsFile *string // the path of one
	Host            *string
	Port            *string

	User     *string
	Password *string
	// SecretKey is the token for a cloud instance.
	SecretKey *string
	Database  *string // what a branch was called before EdgeDB 5
	Branch    *string // excludes Database
	TLSCA     *string // certificates in PEM form
	TLSCAFile *string // the path of such a file; excludes TLSCA
	// TLSSecurity is insecure, no_host_verification, strict, or default.
	TLSSecurity   *string
	TLSServerName *string
	// WaitUntilAvailable is a duration such as PT30S or "30 seconds".
	WaitUntilAvailable *string
	// ServerSettings add to those of the DSN, and win over them.
	ServerSettings map[string]string

	// SeveralHosts allows a list of hosts, separated by commas, wherever a host may
	// be. Each may carry its own port (host:port, [address]:port). This is an
	// extension: EdgeDB's own clients take one host and refuse a list, and so does
	// ParseEdgeDB without it.
	SeveralHosts bool
}

// edgeSlot is one of the parameters that are resolved.
type edgeSlot int

const (
	edgeInstance edgeSlot = iota
	edgeCloudProfile
	edgeHost
	edgePort
	edgeUser
	edgePassword
	edgeSecretKey
	edgeBranch // or the database: they share what they are given
	edgeTLSCA
	edgeTLSSecurity
	edgeTLSServerName
	edgeWait
	edgeClientSecurity
	edgeSlots
)

// edgeNames are the parameters' names in lists and errors.
var edgeNames = [edgeSlots]string{"instance", "cloud_profile", "host", "port", "user", "password", "secret_key", "branch", "tls_ca",
	"tls_security", "tls_server_name", "wait_until_available", "client_security"}

// edgeValue is what one slot holds.
type edgeValue struct {
	text   string
	set    bool
	source Source
}

// edgeResolver is an EdgeDBResolved in the making.
type edgeResolver struct {
	edgeState
	opt    EdgeDBOptions
	env    edgeEnvironment
	warned map[string]bool // the variables that were warned about
	named  map[string]bool // the server settings that there are
}

// ParseEdgeDB resolves what an EdgeDB or Gel server's clients need to connect, as
// EdgeDB's own clients do (EdgeDB documentation, "Connection parameters" and "DSN
// specification"). connString is a URI with the scheme edgedb or gel, the name of
// an instance, or "" where opt, the environment (GEL_NAME, else EDGEDB_NAME) or
// the project of the working folder says what to connect to. The result is
// complete: nothing else is to be looked up.
//
// It fails with an [*EdgeDBError]. It reads files, but opens no connection and
// resolves no host name. A variable that is set but empty counts as set.
func ParseEdgeDB(connString string, opt EdgeDBOptions, env Environment) (*EdgeDBResolved, error) {
	r := &edgeResolver{opt: opt, env: newEdgeEnvironment(env), warned: map[string]bool{}, named: map[string]bool{}}
	err := r.resolve(connString)
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		err.Warnings = r.warnings
		return nil, err
	}
	return &EdgeDBResolved{&r.edgeState}, nil
}

// resolve fills the slots in the order of precedence: the first value of a slot
// stays.
func (r *edgeResolver) resolve(connString string) *EdgeDBError {
	connect, err := r.compound(connString)
	if err != nil {
		return err
	}
	if err := r.applyOptions(); err != nil {
		return err
	}
	if connect != nil {
		return connect()
	}
	found, err := r.applyEnvironment()
	if found || err != nil {
		return err
	}
	return r.applyProject()
}

// compound gives the step that resolves the one option that says what to connect
// to, or nil without one.
func (r *edgeResolver) compound(connString string) (connect func() *EdgeDBError, err *EdgeDBError) {
	var names []string
	add := func(name string, text *string, step func() *EdgeDBError) {
		if text != nil {
			names, connect = append(names, name), step
		}
	}
	opt := &r.opt
	if connString != "" {
		add("the connection string", &connString, func() *EdgeDBError { return r.applyDSNOrName(connString, Source{Kind: SourceDSN}) })
	}
	add("DSN", opt.DSN, func() *EdgeDBError { return r.applyDSNOrName(*opt.DSN, Source{Kind: SourceDSN}) })
	add("Instance", opt.Instance, func() *EdgeDBError { return r.applyInstance(*opt.Instance, option("instance")) })
	add("Credentials", opt.Credentials, func() *EdgeDBError {
		return r.applyCredentials([]byte(*opt.Credentials), option("credentials"))
	})
	add("CredentialsFile", opt.CredentialsFile, func() *EdgeDBError {
		return r.applyCredentialsFile(*opt.CredentialsFile, option("credentials_file"))
	})
	nothing := func() *EdgeDBError { return nil }
	if add("Host", opt.Host, nothing); opt.Host == nil {
		add("Port", opt.Port, nothing)
	}
	if len(names) > 1 {
		return nil, edgeError(EdgeDBMultipleOptions, "", Source{},
			"more than one option says what to connect to: "+strings.Join(names, ", ")+"; give one")
	}
	return connect, nil
}

func option(name string) Source { return Source{Kind: SourceOption, Name: name} }

// applyOptions takes the options that replace what others say.
func (r *edgeResolver) applyOptions() *EdgeDBError {
	opt := &r.opt
	if opt.TLSCA != nil && opt.TLSCAFile != nil {
		return edgeError(EdgeDBExclusive, "tls_ca", option("tls_ca_file"), "TLSCA and TLSCAFile exclude each other: give one")
	}
	if opt.Branch != nil && opt.Database != nil {
		return edgeError(EdgeDBExclusive, "branch", option("database"), "Branch and Database exclude each other: give one")
	}
	for _, o := range []struct {
		slot edgeSlot
		name string
		text *string
	}{
		{edgeHost, "host", opt.Host}, {edgePort, "port", opt.Port}, {edgeUser, "user", opt.User}, {edgePassword, "password", opt.Password},
		{edgeSecretKey, "secret_key", opt.SecretKey}, {edgeBranch, "branch", opt.Branch}, {edgeBranch, "database", opt.Database},
		{edgeTLSCA, "tls_ca", opt.TLSCA}, {edgeTLSSecurity, "tls_security", opt.TLSSecurity},
		{edgeTLSServerName, "tls_server_name", opt.TLSServerName}, {edgeWait, "wait_until_available", opt.WaitUntilAvailable},
	} {
		if o.text == nil {
			continue
		}
		if err := r.set(o.slot, *o.text, option(o.name)); err != nil {
			return err
		}
	}
	if opt.TLSCAFile != nil {
		if err := r.setTLSCAFile(*opt.TLSCAFile, option("tls_ca_file")); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(opt.ServerSettings)) {
		r.addSetting(name, opt.ServerSettings[name], option("server_settings"))
	}
	return nil
}

// set fills a slot, unless it is filled: then the text does not matter, and may be
// wrong, as for EdgeDB's clients.
func (r *edgeResolver) set(slot edgeSlot, text string, source Source) *EdgeDBError {
	if r.slots[slot].set {
		return nil
	}
	if kind, problem := r.check(slot, text); problem != "" {
		return edgeError(kind, edgeNames[slot], source, problem)
	}
	r.slots[slot] = edgeValue{text: text, set: true, source: source}
	return nil
}

// setTLSCAFile fills the authorities from a file, whose path came from source.
func (r *edgeResolver) setTLSCAFile(path string, source Source) *EdgeDBError {
	if r.slots[edgeTLSCA].set {
		return nil
	}
	data, err := r.env.read(path)
	if err != nil {
		return edgeError(EdgeDBFileNotFound, edgeNames[edgeTLSCA], source, "the file of authorities cannot be read").because(err)
	}
	return r.set(edgeTLSCA, string(data), Source{Kind: SourceFile, Path: path, Via: source.String()})
}

// addSetting adds a server setting, unless there is one of that name.
func (r *edgeResolver) addSetting(name, text string, source Source) {
	if !r.named[name] {
		r.named[name] = true
		r.settings = append(r.settings, Value{Keyword: name, Value: text, Source: source, Secret: secretSetting(name, text)})
	}
}

// secretSetting reports whether a server setting may be a secret under a wrong
// name, or a piece of a badly encoded one. No server setting is a secret itself.
func secretSetting(name, text string) bool {
	lower := strings.ToLower(name)
	for _, word := range []string{"pass", "pwd", "secret", "token", "key"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	// Bounded, as the name is from outside and the distance costs its length.
	return len(name) < 40 && editDistance(lower, "password") <= 3 || strings.Contains(name+text, "@") || mayHoldSecret(text)
}
