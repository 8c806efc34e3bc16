package dsn

import "strings"

// lookup finds a variable by the part of its name that EdgeDB and Gel share. Gel's
// counts; that both are set is worth a warning, once.
func (r *edgeResolver) lookup(name string) (text string, source Source, ok bool) {
	gel, edgedb := "GEL_"+name, "EDGEDB_"+name
	text, ok = r.env.LookupEnv(gel)
	old, both := r.env.LookupEnv(edgedb)
	switch {
	case !ok:
		return old, Source{Kind: SourceEnvironment, Name: edgedb}, both
	case both && !r.warned[name]:
		r.warned[name] = true
		r.warnings = append(r.warnings, EdgeDBWarning{EdgeDBBothPrefixes,
			"both " + gel + " and " + edgedb + " are set: " + edgedb + " is ignored"})
	}
	return text, Source{Kind: SourceEnvironment, Name: gel}, true
}

// setVariable fills a slot from a variable, where that is set.
func (r *edgeResolver) setVariable(slot edgeSlot, name string) *EdgeDBError {
	text, source, ok := r.lookup(name)
	if !ok {
		return nil
	}
	return r.set(slot, text, source)
}

// applyEnvironment takes the variables. found says whether one of them says what
// to connect to.
func (r *edgeResolver) applyEnvironment() (found bool, err *EdgeDBError) {
	connect, err := r.compoundVariable()
	if err != nil {
		return false, err
	}
	if err := r.applyVariables(); err != nil {
		return false, err
	}
	if connect == nil {
		return false, nil
	}
	return true, connect()
}

// compoundVariable gives the step that resolves the one variable that says what to
// connect to, or nil without one.
func (r *edgeResolver) compoundVariable() (connect func() *EdgeDBError, err *EdgeDBError) {
	var names []string
	var last Source
	add := func(name string, step func(text string, source Source) *EdgeDBError) {
		if text, source, ok := r.lookup(name); ok {
			names, last = append(names, source.Name), source
			connect = func() *EdgeDBError { return step(text, source) }
		}
	}
	add("DSN", r.applyDSNOrName)
	add("INSTANCE", r.applyInstance)
	add("CREDENTIALS_FILE", r.applyCredentialsFile)
	host, hostSource, hasHost := r.lookup("HOST")
	port, portSource, hasPort := r.lookup("PORT")
	if hasPort && strings.HasPrefix(port, "tcp://") {
		hasPort = false
		r.warnings = append(r.warnings, EdgeDBWarning{EdgeDBDockerPort,
			portSource.Name + " is ignored: it looks like tcp://host:port, as docker sets it for linked containers"})
	}
	if hasHost || hasPort {
		last = hostSource
		if !hasHost {
			last = portSource
		}
		names = append(names, last.Name)
		connect = func() *EdgeDBError {
			if hasHost {
				if err := r.set(edgeHost, host, hostSource); err != nil {
					return err
				}
			}
			if hasPort {
				return r.set(edgePort, port, portSource)
			}
			return nil
		}
	}
	if len(names) > 1 {
		return nil, edgeError(EdgeDBMultipleVariables, "", last,
			"more than one variable says what to connect to: "+strings.Join(names, ", ")+"; set one")
	}
	return connect, nil
}

// applyVariables takes the variables that replace what others say.
func (r *edgeResolver) applyVariables() *EdgeDBError {
	for _, pair := range [][2]string{{"BRANCH", "DATABASE"}, {"TLS_CA", "TLS_CA_FILE"}} {
		_, first, hasFirst := r.lookup(pair[0])
		_, second, hasSecond := r.lookup(pair[1])
		if hasFirst && hasSecond {
			return edgeError(EdgeDBExclusive, strings.ToLower(pair[0]), second, first.Name+" and "+second.Name+" exclude each other: set one")
		}
	}
	for _, v := range []struct {
		slot edgeSlot
		name string
	}{
		{edgeBranch, "BRANCH"}, {edgeBranch, "DATABASE"}, {edgeUser, "USER"}, {edgePassword, "PASSWORD"}, {edgeSecretKey, "SECRET_KEY"},
		{edgeTLSCA, "TLS_CA"}, {edgeTLSSecurity, "CLIENT_TLS_SECURITY"}, {edgeTLSServerName, "TLS_SERVER_NAME"},
		{edgeWait, "WAIT_UNTIL_AVAILABLE"}, {edgeCloudProfile, "CLOUD_PROFILE"},
	} {
		if err := r.setVariable(v.slot, v.name); err != nil {
			return err
		}
	}
	if path, source, ok := r.lookup("TLS_CA_FILE"); ok {
		return r.setTLSCAFile(path, source)
	}
	return nil
}
