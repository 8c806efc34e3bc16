package dsn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
)

// hostSpec is one of the places to connect to, as it was written.
type hostSpec struct{ host, addr, port string }

// splitHosts pairs the lists of host, hostaddr and port: as many hosts as
// addresses if both are given, and as many ports as either, or one for all
// (PostgreSQL documentation, "Specifying Multiple Hosts"). An empty place means
// the default socket folder.
func splitHosts(values settings, socketDir string) ([]hostSpec, error) {
	hosts, addrs := splitList(values.get("host")), splitList(values.get("hostaddr"))
	n := max(len(hosts), len(addrs), 1)
	if len(hosts) > 0 && len(addrs) > 0 && len(hosts) != len(addrs) {
		return nil, valueError(values, "host", fmt.Sprintf("%d host names do not match %d hostaddr values: give as many of each", len(hosts), len(addrs)))
	}
	ports := splitList(values.get("port"))
	if len(ports) > 1 && len(ports) != n {
		return nil, valueError(values, "port", fmt.Sprintf("%d ports do not match %d hosts: give one for each, or one for all", len(ports), n))
	}
	specs := make([]hostSpec, n)
	for i := range specs {
		s := &specs[i]
		if len(hosts) > 0 {
			s.host = hosts[i]
		}
		if len(addrs) > 0 {
			s.addr = addrs[i]
		}
		if s.host == "" && s.addr == "" {
			s.host = socketDir
			if s.host == "" {
				s.host = defaultHost
			}
		}
		if len(ports) == 1 {
			s.port = ports[0]
		} else if len(ports) > 1 {
			s.port = ports[i]
		}
	}
	return specs, nil
}

// splitList splits at commas; the empty string has no elements.
func splitList(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// isSocket reports whether a host is the folder of a Unix socket: an absolute
// path, or "@" for Linux's abstract names.
func isSocket(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	return runtime.GOOS == "windows" && (strings.HasPrefix(host, `\`) || len(host) > 2 && host[1] == ':' && (host[2] == '\\' || host[2] == '/'))
}

func (h hostSpec) portOrDefault() string {
	if h.port == "" {
		return defaultPort
	}
	return h.port
}

// passwordKey is what the first field of the password file must match.
func (h hostSpec) passwordKey(socketDir string) string {
	switch {
	case h.host == "":
		return h.addr
	case isSocket(h.host) && h.host == socketDir:
		return defaultHost
	default:
		return h.host
	}
}

// Host is one place to connect to.
type Host struct {
	Network string // "tcp" or "unix", for net.Dial
	// Address is for net.Dial: host:port, or the path of a socket. A path that
	// begins with "@" is an abstract name.
	Address string
	// Name is the host as it was named, for TLS and for messages: a host name,
	// an IP address, a folder of sockets, or "" if only hostaddr was given.
	Name string
	Port uint16
	// Password is what the password file has for this host.
	Password Secret
}

// String gives the place without its password: "host:port", or a socket's path.
func (h Host) String() string {
	if h.Network == "tcp" && h.Name != "" {
		return net.JoinHostPort(h.Name, strconv.Itoa(int(h.Port)))
	}
	return h.Address
}

// typed checks the host's parts and gives the Host.
func (h hostSpec) typed(values settings) (Host, error) {
	port, err := parseInt(h.portOrDefault())
	if err != nil {
		return Host{}, valueError(values, "port", "invalid value "+shown(h.port)+": a port is a number from 1 to 65535")
	}
	if port < 1 || port > 65535 {
		return Host{}, valueError(values, "port", fmt.Sprintf("%d is out of range: a port is a number from 1 to 65535", port))
	}
	host := Host{Network: "tcp", Name: h.host, Port: uint16(port)}
	switch {
	case h.addr != "":
		if _, err := netip.ParseAddr(h.addr); err != nil {
			return Host{}, valueError(values, "hostaddr", "invalid value "+shown(h.addr)+": it must be a numeric IPv4 or IPv6 address; names belong into host")
		}
		host.Address = net.JoinHostPort(h.addr, strconv.Itoa(port))
	case isSocket(h.host):
		host.Network = "unix"
		host.Address = h.host + "/.s.PGSQL." + strconv.Itoa(port)
		if len(host.Address) > maxSocketPath {
			return Host{}, valueError(values, "host", fmt.Sprintf("the path of the Unix socket has %d bytes; at most %d are possible", len(host.Address), maxSocketPath))
		}
	default:
		host.Address = net.JoinHostPort(h.host, strconv.Itoa(port))
	}
	return host, nil
}

// maxSocketPath is what sockaddr_un holds on Linux; other systems have up to four
// bytes less, and say so when dialling.
const maxSocketPath = 107

var errNotInteger = errors.New("not an integer")

// parseInt reads an integer of 32 bits as libpq does: blanks around it and a sign
// are fine.
func parseInt(text string) (int, error) {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, errNotInteger
	}
	return int(n), nil
}

// valueError is an error about the value of a keyword.
func valueError(values settings, keyword, problem string) *Error {
	e := values.entry(keyword)
	return &Error{Keyword: keyword, Source: e.source, Offset: e.offset, Problem: problem}
}
