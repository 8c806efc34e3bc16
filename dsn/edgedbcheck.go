package dsn

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check says what is wrong with a slot's text, or "". It shows nothing of the
// text: in a DSN, any place may hold a piece of a badly encoded password.
func (r *edgeResolver) check(slot edgeSlot, text string) (kind EdgeDBErrorKind, problem string) {
	kind = edgeKinds[slot]
	if strings.IndexByte(text, 0) >= 0 {
		return kind, "the value holds a NUL byte"
	}
	if !utf8.ValidString(text) {
		return kind, "the value is not UTF-8"
	}
	switch slot {
	case edgeHost:
		return r.checkHosts(text)
	case edgePort:
		if _, ok := edgePortNumber(text); !ok {
			problem = "a port is a number from 1 to 65535"
		}
	case edgeUser, edgeBranch:
		if text == "" {
			problem = "the name is empty"
		}
	case edgeTLSCA:
		if !x509.NewCertPool().AppendCertsFromPEM([]byte(text)) {
			problem = "there is no certificate in PEM form"
		}
	case edgeTLSSecurity:
		switch EdgeDBTLSSecurity(text) {
		case EdgeDBInsecure, EdgeDBNoHostVerification, EdgeDBStrict, edgeDefaultSecurity:
		default:
			problem = "use insecure, no_host_verification, strict or default"
		}
	case edgeClientSecurity:
		switch text {
		case "", edgeDefaultSecurity, edgeDevMode, string(EdgeDBStrict):
		default:
			problem = "use insecure_dev_mode, strict or default"
		}
	case edgeTLSServerName:
		if !isHostName(text) {
			problem = "not the name of a host"
		}
	case edgeWait:
		if _, ok := parseEdgeDuration(text); !ok {
			problem = `not a duration: use ISO 8601 (PT1M30S) or numbers with units (1 minute 30 seconds)`
		}
	}
	return kind, problem
}

// edgeKinds are the errors about wrong values.
var edgeKinds = [edgeSlots]EdgeDBErrorKind{
	edgeInstance: EdgeDBInvalidDSNOrName, edgeCloudProfile: EdgeDBSecretKeyNotFound, edgeHost: EdgeDBInvalidHost, edgePort: EdgeDBInvalidPort,
	edgeUser: EdgeDBInvalidUser, edgePassword: EdgeDBInvalidPassword, edgeSecretKey: EdgeDBInvalidPassword, edgeBranch: EdgeDBInvalidDatabase,
	edgeTLSCA: EdgeDBInvalidTLSCA, edgeTLSSecurity: EdgeDBInvalidTLSSecurity, edgeTLSServerName: EdgeDBInvalidTLSServerName,
	edgeWait: EdgeDBInvalidDuration, edgeClientSecurity: EdgeDBInvalidTLSSecurity,
}

func edgePortNumber(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0
}

// edgeHostPort is one of the hosts; port 0 is the common one.
type edgeHostPort struct {
	host string
	port uint16
}

func (r *edgeResolver) checkHosts(text string) (EdgeDBErrorKind, string) {
	if strings.Contains(text, ",") && !r.opt.SeveralHosts {
		return EdgeDBInvalidHost, "EdgeDB's clients connect to one host, and this is a list"
	}
	hosts, ok := splitEdgeHosts(text)
	if !ok {
		return EdgeDBInvalidHost, "a malformed list of hosts: write host or host:port, separated by commas, and an IPv6 address with a port in brackets"
	}
	for _, h := range hosts {
		switch {
		case strings.HasPrefix(h.host, "/"):
			return EdgeDBUnixSocket, "a path is a Unix socket, and EdgeDB's clients connect by TCP only"
		case !isHostName(h.host):
			return EdgeDBInvalidHost, "neither the name of a host nor an IP address (a port is given apart)"
		}
	}
	return "", ""
}

// splitEdgeHosts splits a list, whose elements may carry ports. One host alone
// cannot: there a port is a parameter of its own.
func splitEdgeHosts(text string) (hosts []edgeHostPort, ok bool) {
	if !strings.Contains(text, ",") {
		return []edgeHostPort{{host: unbracket(text)}}, true
	}
	for element := range strings.SplitSeq(text, ",") {
		h := edgeHostPort{host: unbracket(element)}
		bracketed := strings.HasPrefix(element, "[")
		if strings.Count(element, ":") == 1 || bracketed && !strings.HasSuffix(element, "]") {
			host, port, err := net.SplitHostPort(element)
			if err != nil {
				return nil, false
			}
			h.host = host
			if h.port, ok = edgePortNumber(port); !ok {
				return nil, false
			}
		}
		hosts = append(hosts, h)
	}
	return hosts, true
}

// unbracket takes the brackets off an address that is written as in a URI.
func unbracket(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") && !strings.ContainsAny(inner, "[]") {
			return inner
		}
	}
	return host
}

// isHostName reports whether s can be a host's name or address. What a resolver
// makes of a name is its own affair: only what ends names is refused.
func isHostName(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		// A zone is free text.
		return !strings.ContainsAny(s, "/@ ,[]")
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f || strings.ContainsRune(`/\:@,;=?&#%<>[]{}|^"'`+"`", c) {
			return false
		}
	}
	return s != ""
}
