package dsn

import "strings"

// AuthMethod is a way in which a server authenticates a client.
type AuthMethod string

// The methods that require_auth can name (PostgreSQL documentation, "Parameter Key
// Words").
const (
	AuthPassword AuthMethod = "password" // in cleartext
	AuthMD5      AuthMethod = "md5"
	AuthGSS      AuthMethod = "gss"
	AuthSSPI     AuthMethod = "sspi"
	AuthSCRAM    AuthMethod = "scram-sha-256"
	AuthOAuth    AuthMethod = "oauth"
	AuthNone     AuthMethod = "none" // the server asks for nothing
)

var authMethods = []AuthMethod{AuthPassword, AuthMD5, AuthGSS, AuthSSPI, AuthSCRAM, AuthOAuth, AuthNone}

// RequireAuth is a set of authentication methods that the client accepts. The
// zero value accepts all.
type RequireAuth struct{ rejected uint8 }

// Allows reports whether the client accepts method. A server that lets the client
// in without asking for anything uses [AuthNone].
func (r RequireAuth) Allows(method AuthMethod) bool {
	for i, m := range authMethods {
		if m == method {
			return r.rejected&(1<<i) == 0
		}
	}
	return r.rejected == 0
}

// String lists the methods that are accepted, in require_auth's syntax, or gives
// "" if all are.
func (r RequireAuth) String() string {
	if r.rejected == 0 {
		return ""
	}
	var names []string
	for _, m := range authMethods {
		if r.Allows(m) {
			names = append(names, string(m))
		}
	}
	return strings.Join(names, ",")
}

// parseRequireAuth reads a list of methods, all of them with "!" in front or none.
// A non-empty problem says what is wrong.
func parseRequireAuth(list string) (r RequireAuth, problem string) {
	if list == "" {
		return RequireAuth{}, ""
	}
	var named uint8
	negated := strings.HasPrefix(list, "!")
	for name := range strings.SplitSeq(list, ",") {
		method, not := strings.CutPrefix(name, "!")
		if not != negated {
			return r, "methods with ! and without cannot be mixed"
		}
		bit := uint8(0)
		for i, m := range authMethods {
			if string(m) == method {
				bit = 1 << i
			}
		}
		switch {
		case bit == 0:
			return r, "invalid method " + shown(method) + ": use " + strings.Join(names(authMethods), ", ")
		case named&bit != 0:
			return r, "method " + shown(method) + " is given more than once"
		}
		named |= bit
	}
	if negated {
		return RequireAuth{rejected: named}, ""
	}
	return RequireAuth{rejected: 1<<len(authMethods) - 1 - named}, ""
}

// names gives the texts of a list of values.
func names[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}
