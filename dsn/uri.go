package dsn

import (
	"strconv"
	"strings"
)

// uriPrefixes are the only two that libpq takes, in this spelling.
var uriPrefixes = []string{"postgresql://", "postgres://"}

// uriPrefix gives the length of the prefix that makes s a URI, or 0.
func uriPrefix(s string) int {
	for _, prefix := range uriPrefixes {
		if strings.HasPrefix(s, prefix) {
			return len(prefix)
		}
	}
	return 0
}

// uriParser walks one connection URI (PostgreSQL documentation, "Connection
// URIs"): //[user[:password]@][host][:port][,...][/dbname][?key=value[&...]].
type uriParser struct {
	s    string
	i    int // the next byte
	into settings
	// suspect is set when an "@" follows the credentials: perhaps the password
	// goes on where its "@" or "/" was not encoded, so that a key may be a part
	// of it.
	suspect bool
}

func parseURI(s string, into settings) error {
	p := &uriParser{s: s, i: uriPrefix(s), into: into}
	if err := p.credentials(); err != nil {
		return err
	}
	p.suspect = strings.IndexByte(s[p.i:], '@') >= 0
	if err := p.hosts(); err != nil {
		return err
	}
	if p.i < len(s) && s[p.i] == '/' {
		if err := p.database(); err != nil {
			return err
		}
	}
	if p.i < len(s) {
		p.i++ // the question mark
		return p.parameters()
	}
	return nil
}

// credentials reads up to the first "@", where that comes before any "/".
func (p *uriParser) credentials() error {
	end := strings.IndexAny(p.s[p.i:], "@/")
	if end < 0 || p.s[p.i+end] != '@' {
		return nil
	}
	text := p.s[p.i : p.i+end]
	user, password, _ := strings.Cut(text, ":")
	if err := p.decodeAndStore("user", user, p.i); err != nil {
		return err
	}
	if err := p.decodeAndStore("password", password, p.i+len(user)+1); err != nil {
		return err
	}
	p.i += end + 1
	return nil
}

// hosts reads the comma-separated list of host[:port] and leaves p.i at the "/"
// or "?" after it, or at the end.
func (p *uriParser) hosts() error {
	start := p.i
	var hosts, ports strings.Builder
	for {
		hostStart := p.i
		host, err := p.host()
		if err != nil {
			return err
		}
		if _, err := decodeURI("host", host, hostStart); err != nil {
			return err
		}
		hosts.WriteString(host)
		if p.i < len(p.s) && p.s[p.i] == ':' {
			p.i++
			port := p.until("/?,")
			if err := p.checkPort(port); err != nil {
				return err
			}
			ports.WriteString(port)
		}
		if p.i == len(p.s) || p.s[p.i] != ',' {
			break
		}
		p.i++
		hosts.WriteByte(',')
		ports.WriteByte(',')
	}
	// libpq decodes the joined lists: an encoded comma separates hosts too.
	if err := p.decodeAndStore("host", hosts.String(), start); err != nil {
		return err
	}
	return p.decodeAndStore("port", ports.String(), start)
}

// host reads one host, without the brackets of an IPv6 address.
func (p *uriParser) host() (string, error) {
	start := p.i
	if p.i == len(p.s) || p.s[p.i] != '[' {
		host := p.until(":/?,")
		if strings.IndexByte(host, '@') >= 0 {
			return "", strayAt(start)
		}
		return host, nil
	}
	end := strings.IndexByte(p.s[p.i:], ']')
	switch {
	case end < 0:
		return "", syntaxError("host", start, `"]" is missing after an IPv6 address`)
	case end == 1:
		return "", syntaxError("host", start, "the IPv6 address in brackets is empty")
	}
	host := p.s[p.i+1 : p.i+end]
	p.i += end + 1
	if p.i < len(p.s) && strings.IndexByte(":/?,", p.s[p.i]) < 0 {
		return "", syntaxError("host", p.i, `after the "]" of an IPv6 address only ":", "/", "?" or "," may follow`)
	}
	return host, nil
}

// checkPort rejects what cannot be a port before anything can print it: in a URI
// whose password holds an unencoded "@", ":" or "/", the port's place is where
// pieces of the password end up.
func (p *uriParser) checkPort(port string) error {
	start := p.i - len(port)
	if strings.IndexByte(port, '@') >= 0 {
		return strayAt(start)
	}
	decoded, err := decodeURI("port", port, start)
	if err != nil {
		return err
	}
	for i := 0; i < len(decoded); i++ {
		if c := decoded[i]; !isSpace(c) && c != '+' && c != '-' && c != ',' && (c < '0' || c > '9') {
			return syntaxError("port", start, `not a number (not shown: it may be a part of a password; ":", "/" and "@" in a password must be written as %3A, %2F and %40)`)
		}
	}
	return nil
}

func strayAt(offset int) *Error {
	return syntaxError("host", offset, `a second "@" in front of the path: an "@" in the user name or password must be written as %40`)
}

// until reads up to one of stops, or to the end.
func (p *uriParser) until(stops string) string {
	rest := p.s[p.i:]
	if end := strings.IndexAny(rest, stops); end >= 0 {
		rest = rest[:end]
	}
	p.i += len(rest)
	return rest
}

// database reads the path. An empty one does not set dbname, so that PGDATABASE
// still counts.
func (p *uriParser) database() error {
	p.i++
	start := p.i
	return p.decodeAndStore("dbname", p.until("?"), start)
}

// parameters reads key=value pairs up to the end.
func (p *uriParser) parameters() error {
	afterSecret := false
	for p.i < len(p.s) {
		start := p.i
		pair := p.until("&")
		if p.i < len(p.s) {
			p.i++
		}
		rawKey, rawValue, ok := strings.Cut(pair, "=")
		valueStart := start + len(rawKey) + 1
		mayShow := !p.suspect && !afterSecret
		switch {
		case !ok && mayShow:
			return syntaxError("", start, `"=" is missing in a query parameter: write key=value, with "&" in a value as %26`)
		case !ok:
			return syntaxError("", start, `"=" is missing in a query parameter: "&", "@", "/" and "?" in a password must be percent-encoded`)
		}
		key, err := decodeURI("", rawKey, start)
		if err != nil {
			return err
		}
		if strings.IndexByte(rawValue, '=') >= 0 {
			return syntaxError(knownOrEmpty(key), valueStart, `a second "=" in a query parameter: write it as %3D`)
		}
		value, err := decodeURI(knownOrEmpty(key), rawValue, valueStart)
		if err != nil {
			return err
		}
		if key == "ssl" && value == "true" { // JDBC's spelling
			key, value = "sslmode", string(SSLRequire)
		}
		if !p.into.storeDSN(key, value, valueStart) {
			return unknownKeyword(key, start, mayShow)
		}
		afterSecret = isSecret(key)
	}
	return nil
}

func knownOrEmpty(key string) string {
	if keywordIndex(key) < 0 {
		return ""
	}
	return key
}

// decodeAndStore sets keyword to raw after decoding, unless raw is empty.
func (p *uriParser) decodeAndStore(keyword, raw string, offset int) error {
	if raw == "" {
		return nil
	}
	value, err := decodeURI(keyword, raw, offset)
	if err != nil {
		return err
	}
	p.into.storeDSN(keyword, value, offset)
	return nil
}

// decodeURI replaces each %xy by its byte. Nothing else is special: "+" stays.
func decodeURI(keyword, raw string, offset int) (string, error) {
	if strings.IndexByte(raw, 0) >= 0 {
		return "", nulError(keyword, offset)
	}
	if strings.IndexByte(raw, '%') < 0 {
		return raw, nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		if len(raw)-i < 3 {
			return "", syntaxError(keyword, offset+i, "an incomplete percent-encoding: two hexadecimal digits must follow %, and % itself is %25")
		}
		c, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
		if err != nil {
			return "", syntaxError(keyword, offset+i, "a bad percent-encoding: two hexadecimal digits must follow %, and % itself is %25")
		}
		if c == 0 {
			return "", syntaxError(keyword, offset+i, "%00 is forbidden: PostgreSQL cannot take a NUL byte")
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}
