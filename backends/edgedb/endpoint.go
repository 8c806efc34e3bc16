package edgedb

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/edgedb/edgedb-go"
)

// endpoint is one host to connect to and all that is needed for it.
type endpoint struct {
	host string // a name or an address, an IPv6 one without brackets
	port int

	user, password, secretKey string
	branch                    string // "" is the server's default
	security                  string // strict, no_host_verification or insecure
	serverName                string // to verify instead of host; "" is host
	ca                        []byte // PEM; nil is the system's
	timeout                   time.Duration
}

// String gives host and port.
func (e endpoint) String() string {
	return e.literalHost() + ":" + strconv.Itoa(e.port)
}

// literalHost is the host as it stands in an address.
func (e endpoint) literalHost() string {
	if strings.Contains(e.host, ":") {
		return "[" + e.host + "]"
	}
	return e.host
}

// options are edgedb-go's, complete, so that it looks for nothing anywhere else:
// not in the environment (but for EDGEDB_CLIENT_SECURITY, which it always
// checks), nor in credentials and projects.
//
// Part of them must be a DSN: as fields of Options, edgedb-go refuses TLS
// security beside a TLS server name, and a host that is an IPv6 address must have
// brackets, which a DSN keeps in its query alone.
func (e endpoint) options() (dsn string, o edgedb.Options) {
	query := url.Values{
		"host":         {e.literalHost()},
		"port":         {strconv.Itoa(e.port)},
		"tls_security": {e.security},
	}
	if e.serverName != "" {
		query.Set("tls_server_name", e.serverName)
	}
	o = edgedb.Options{
		User: e.user, Branch: e.branch, SecretKey: e.secretKey,
		Password:           edgedb.NewOptionalStr(e.password),
		TLSOptions:         edgedb.TLSOptions{CA: e.ca},
		ConnectTimeout:     e.timeout,
		WaitUntilAvailable: 1, // one attempt: edgedb-go would sleep without looking at ctx
		Concurrency:        1,
	}
	return "edgedb://?" + query.Encode(), o
}
