package dsn

import (
	"net/url"
	"strings"
)

// applyDSNOrName resolves a text that is a URI or an instance's name.
func (r *edgeResolver) applyDSNOrName(text string, source Source) *EdgeDBError {
	if scheme, _, ok := strings.Cut(text, "://"); ok && isScheme(scheme) {
		return r.applyDSN(text, source)
	}
	return r.applyInstance(text, source)
}

// edgeDSN is a URI in parts: edgedb://[user[:password]@][host][:port][/branch][?query].
// A part that is not there is nil.
type edgeDSN struct {
	host, port, user, password, path *string

	query map[string]string
	order []string // the query's names, in the order of the text
}

// splitEdgeDSN splits a URI and decodes its parts. Errors show nothing of it.
func splitEdgeDSN(text string, several bool) (d edgeDSN, kind EdgeDBErrorKind, problem string) {
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme = strings.ToLower(scheme); scheme != "edgedb" && scheme != "gel" {
		return d, EdgeDBInvalidDSN, "the scheme is not edgedb:// or gel://"
	}
	if strings.IndexByte(rest, '#') >= 0 {
		return d, EdgeDBInvalidDSN, `a "#", which ends a URI, must be written as %23`
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.IndexByte(path, '@') >= 0 {
		return d, EdgeDBInvalidDSN, `an "@" after the first "/" or "?": in a password "/", "?" and "@" must be written as %2F, %3F and %40`
	}
	parts := edgeParts{}
	if path != "" {
		d.path = parts.decode(path)
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, ok := strings.Cut(authority[:at], ":")
		if user != "" {
			d.user = parts.decode(user)
		}
		if ok {
			d.password = parts.decode(password)
		}
		authority = authority[at+1:]
	}
	if kind, problem = d.splitHost(authority, several, &parts); problem != "" {
		return d, kind, problem
	}
	if problem = d.splitQuery(query, &parts); problem == "" && parts.bad {
		problem = `a bad percent-encoding: two hexadecimal digits must follow "%", and "%" itself is %25`
	}
	return d, EdgeDBInvalidDSN, problem
}

// edgeParts decodes the parts of a URI, and remembers whether one was malformed.
type edgeParts struct{ bad bool }

func (p *edgeParts) decode(raw string) *string {
	text, err := url.PathUnescape(raw)
	p.bad = p.bad || err != nil
	return &text
}

// splitHost takes host and port. A list of hosts stays one text with its ports.
func (d *edgeDSN) splitHost(authority string, several bool, parts *edgeParts) (EdgeDBErrorKind, string) {
	host, port, hasPort := authority, "", false
	end := strings.LastIndexByte(authority, ']') + 1
	switch colons := strings.Count(authority[end:], ":"); {
	case several && strings.Contains(authority, ","):
	case colons > 1 || end == 0 && colons > 0 && strings.Contains(authority, ","):
		return EdgeDBInvalidDSN, `more than one ":" after the credentials: in a password ":" must be written as %3A, and an IPv6 address in brackets`
	case colons == 1:
		host, port, hasPort = strings.Cut(authority[end:], ":")
		host = authority[:end] + host
	}
	if bracket := strings.IndexAny(host, "[]"); !strings.Contains(host, ",") && bracket >= 0 && (bracket > 0 || end != len(host)) {
		return EdgeDBInvalidDSN, "a malformed address in brackets"
	}
	if host != "" {
		d.host = parts.decode(unbracket(host))
	}
	if hasPort && port != "" {
		for i := range len(port) {
			if port[i] < '0' || port[i] > '9' {
				return EdgeDBInvalidDSNOrName,
					`the port is not a number (not shown: it may be a part of a password; ":", "/" and "@" in a password must be written as %3A, %2F and %40)`
			}
		}
		d.port = &port
	}
	return "", ""
}

// splitQuery takes name=value pairs; a name alone has the empty value, and "+" is
// a blank, as in forms.
func (d *edgeDSN) splitQuery(query string, parts *edgeParts) string {
	d.query = map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		rawName, rawText, _ := strings.Cut(pair, "=")
		if strings.IndexByte(rawName, '@') >= 0 {
			return `an "@" in the name of a query parameter: in a password "?" and "&" must be written as %3F and %26`
		}
		name, err := url.QueryUnescape(rawName)
		text, textErr := url.QueryUnescape(rawText)
		if parts.bad = parts.bad || err != nil || textErr != nil; parts.bad {
			return ""
		}
		if name == "" {
			return "a query parameter has no name"
		}
		if _, ok := d.query[name]; ok {
			return "a query parameter is there twice"
		}
		d.query[name] = text
		d.order = append(d.order, name)
	}
	return ""
}

// applyDSN resolves a URI. base is where it came from.
func (r *edgeResolver) applyDSN(text string, base Source) *EdgeDBError {
	d, kind, problem := splitEdgeDSN(text, r.opt.SeveralHosts)
	if problem != "" {
		return edgeError(kind, "", base, problem)
	}
	branch := "database"
	if d.gives("branch") {
		branch = "branch"
		if d.gives("database") || d.path != nil {
			return edgeError(EdgeDBInvalidDSN, "branch", base, "the branch is given twice: as a query parameter, and as database or as the path")
		}
	}
	for _, p := range []edgeParam{
		{slot: edgeHost, name: "host", part: d.host},
		{slot: edgePort, name: "port", part: d.port},
		{slot: edgeBranch, name: branch, part: d.path, partName: "path"},
		{slot: edgeUser, name: "user", part: d.user},
		{slot: edgePassword, name: "password", part: d.password},
		{slot: edgeSecretKey, name: "secret_key"},
		{slot: edgeTLSCA, name: "tls_ca"},
		{slot: edgeTLSSecurity, name: "tls_security"},
		{slot: edgeTLSServerName, name: "tls_server_name"},
		{slot: edgeWait, name: "wait_until_available"},
	} {
		if err := r.applyParam(&d, p, base); err != nil {
			return err
		}
	}
	for _, name := range d.order {
		if value, ok := d.query[name]; ok {
			r.addSetting(name, value, queryOf(base, name))
		}
	}
	return nil
}

func queryOf(base Source, name string) Source {
	base.Section = "query " + name
	return base
}
