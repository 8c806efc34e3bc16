package dsn

import "strings"

// Scheme gives the name of the backend that a data source name is meant for:
// "postgres" for postgres:// and postgresql:// URIs, for keyword/value strings
// and for the empty string, and otherwise the URI's scheme in lower case, such as
// "edgedb". It looks at nothing but the scheme; the rest may be malformed.
func Scheme(dsn string) string {
	scheme, _, ok := strings.Cut(dsn, "://")
	if !ok || !isScheme(scheme) {
		return "postgres"
	}
	scheme = strings.ToLower(scheme)
	if scheme == "postgresql" {
		return "postgres"
	}
	return scheme
}

// isScheme reports whether s is a URI scheme (RFC 3986, section 3.1). A
// keyword/value string never is: its "=" comes before any "://".
func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		other := '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != ""
}
