package dsn

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Resolved is a complete set of parameters, each with its source. Printing or
// marshalling it shows secrets masked. It does not change after [ParsePostgres]
// made it, and is safe for concurrent use. The zero value has no parameters.
type Resolved struct {
	// A pointer behind the pointer: fmt follows one, without calling methods,
	// where a Resolved is in an unexported field.
	*state
}

type state struct {
	env       Environment
	values    settings
	hosts     []hostSpec
	hostsErr  error
	settings  Values
	warnings  []string
	passwords []filePassword // for each of hosts; empty where none was found
}

// filePassword is what the password file gave for one host.
type filePassword struct {
	text string
	line int
}

// resolver is a Resolved in the making.
type resolver struct{ state }

// ParsePostgres reads a data source name, which is a URI with the scheme postgres
// or postgresql, a keyword/value string, or empty, and resolves what it leaves
// open from the service file, the environment, the password file and the defaults.
//
// It fails with an [*Error] where the string is malformed, a key is unknown, or
// the service that was named cannot be found. Whether values make sense is checked
// by [Resolved.Postgres]. It reads files and looks up the user, but opens no
// connection and resolves no host name.
func ParsePostgres(dsn string, env Environment) (*Resolved, error) {
	values, err := parseString(dsn)
	if err != nil {
		return nil, err
	}
	r := &resolver{state{env: env.withDefaults(), values: values}}
	if err := r.applyService(); err != nil {
		return nil, err
	}
	if err := r.applyEnvironment(); err != nil {
		return nil, err
	}
	r.applyDerived()
	r.hosts, r.hostsErr = splitHosts(r.values, r.env.SocketDir)
	r.applyPasswordFile()
	return &Resolved{&r.state}, nil
}

// parseString reads the string alone: libpq's PQconninfoParse.
func parseString(dsn string) (settings, error) {
	values := newSettings()
	if uriPrefix(dsn) > 0 {
		return values, parseURI(dsn, values)
	}
	if strings.Contains(dsn, "://") {
		if scheme, _, _ := strings.Cut(dsn, "://"); isScheme(scheme) {
			return nil, syntaxError("", 0, "the scheme is not postgres:// or postgresql://, which are written in lower case")
		}
	}
	return values, parseKeyValue(dsn, values)
}

// applyEnvironment fills what is still open from the environment and the
// defaults. A variable that is set but empty counts as set, as in libpq.
func (r *resolver) applyEnvironment() error {
	defaultMode := false
	for i := range keywords {
		k, e := &keywords[i], &r.values[i]
		if e.set {
			continue
		}
		if value, ok := r.lookup(k.env); ok {
			if strings.IndexByte(value, 0) >= 0 {
				return &Error{Keyword: k.name, Source: Source{Kind: SourceEnvironment, Name: k.env}, Offset: -1, Problem: "the value holds a NUL byte"}
			}
			*e = entry{value: value, set: true, offset: -1, source: Source{Kind: SourceEnvironment, Name: k.env}}
			continue
		}
		if value, ok := r.lookup("PGREQUIRESSL"); k.name == "sslmode" && ok && strings.HasPrefix(value, "1") {
			*e = entry{value: string(SSLRequire), set: true, offset: -1, source: Source{Kind: SourceEnvironment, Name: "PGREQUIRESSL"}}
			continue
		}
		if k.hasDefault {
			*e = entry{value: k.value, set: true, offset: -1}
			defaultMode = defaultMode || k.name == "sslmode"
		}
	}
	// As from libpq 16 on: whoever trusts every public authority must at least
	// have the name checked.
	if defaultMode && r.values.get("sslrootcert") == systemRoots {
		r.values.entry("sslmode").value = string(SSLVerifyFull)
	}
	for _, v := range settingVariables {
		value, ok := r.lookup(v.env)
		if !ok || strings.EqualFold(value, "default") {
			continue
		}
		if strings.IndexByte(value, 0) >= 0 {
			return &Error{Keyword: v.setting, Source: Source{Kind: SourceEnvironment, Name: v.env}, Offset: -1, Problem: "the value holds a NUL byte"}
		}
		r.settings = append(r.settings, Value{Keyword: v.setting, Value: value, Source: Source{Kind: SourceEnvironment, Name: v.env}})
	}
	return nil
}

func (r *resolver) lookup(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	return r.env.LookupEnv(name)
}

// applyDerived fills what follows from other values: the user from the operating
// system, the database from the user, the password file from the home folder.
func (r *resolver) applyDerived() {
	user := r.values.entry("user")
	if user.value == "" {
		// Without a name, user stays as it is and Postgres reports it.
		if name, err := r.env.UserName(); err == nil && name != "" {
			*user = entry{value: name, set: true, offset: -1, source: Source{Kind: SourceOSUser}}
		}
	}
	if database := r.values.entry("dbname"); database.value == "" && user.value != "" {
		*database = entry{value: user.value, set: true, offset: -1, source: user.source}
		if user.source.Kind != SourceOSUser {
			database.source = Source{}
		}
	}
	if file := r.values.entry("passfile"); r.values.get("password") == "" && file.value == "" {
		if path := r.env.homeFile(passwordFileName()); path != "" {
			*file = entry{value: path, set: true, offset: -1}
		}
	}
}

// applyPasswordFile looks up the password of each host, where none was given.
func (r *resolver) applyPasswordFile() {
	path := r.values.get("passfile")
	if r.values.get("password") != "" || path == "" || len(r.hosts) == 0 {
		return
	}
	file, warning := r.env.openPasswordFile(path)
	if warning != "" {
		r.warnings = append(r.warnings, warning)
	}
	r.passwords = make([]filePassword, len(r.hosts))
	found := -1
	for i, h := range r.hosts {
		text, line := file.lookup(h.passwordKey(r.env.SocketDir), h.portOrDefault(), r.values.get("dbname"), r.values.get("user"))
		r.passwords[i] = filePassword{text, line}
		if found < 0 && line > 0 {
			found = i
		}
	}
	if found >= 0 {
		r.values.store("password", r.passwords[found].text, Source{Kind: SourcePasswordFile, Path: path, Line: r.passwords[found].line}, -1)
	}
}

// All gives the parameters that have a value, in libpq's order, secrets masked.
// The keywords are those of libpq; a host is there only if it was named. With
// several hosts and a password file, password is that of the first host found
// there.
func (r *Resolved) All() Values { return r.list(false) }

// AllRevealed is [Resolved.All] with secrets in the clear. Whoever calls it keeps
// them out of logs.
func (r *Resolved) AllRevealed() Values { return r.list(true) }

func (r *Resolved) list(reveal bool) Values {
	if r.state == nil {
		return nil
	}
	var all Values
	for i := range r.values {
		if r.values[i].set {
			all = append(all, r.value(i, reveal))
		}
	}
	return all
}

func (r *state) value(i int, reveal bool) Value {
	v := Value{Keyword: keywords[i].name, Value: r.values[i].value, Source: r.values[i].source, Secret: keywords[i].secret}
	v.Secret = v.Secret || mayHoldSecret(v.Value)
	if v.Secret && !reveal && v.Value != "" {
		v.Value = mask
	}
	return v
}

// Get gives the value of one keyword, a secret masked; ok says whether it has one.
func (r *Resolved) Get(keyword string) (v Value, ok bool) {
	i := keywordIndex(keyword)
	if r.state == nil || i < 0 || !r.values[i].set {
		return Value{}, false
	}
	return r.value(i, false), true
}

// Reveal gives the value of one keyword in the clear, or "" if it has none.
func (r *Resolved) Reveal(keyword string) string {
	i := keywordIndex(keyword)
	if r.state == nil || i < 0 {
		return ""
	}
	return r.values[i].value
}

// Settings gives what PGDATESTYLE, PGTZ and PGGEQO ask for: settings of the session
// (datestyle, timezone, geqo) that are no keywords.
func (r *Resolved) Settings() Values {
	if r.state == nil {
		return nil
	}
	return slices.Clone(r.settings)
}

// Warnings gives what libpq prints as warnings, such as a password file that is
// ignored because others can read it.
func (r *Resolved) Warnings() []string {
	if r.state == nil {
		return nil
	}
	return slices.Clone(r.warnings)
}

// String gives the parameters as a keyword/value string, secrets masked.
func (r *Resolved) String() string { return Format(r.All()) }

// Format prints what [Resolved.String] gives, whatever the verb.
func (r Resolved) Format(state fmt.State, _ rune) { io.WriteString(state, r.String()) }

// MarshalJSON gives [Resolved.All] as one object: each keyword with its value and
// source, secrets masked.
func (r *Resolved) MarshalJSON() ([]byte, error) { return r.All().MarshalJSON() }
