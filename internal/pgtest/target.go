package pgtest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// target is what a DSN says, as far as this package's own small client goes:
// one host, no service file, no password file. The library's own parser is not
// used: its tests depend on this package.
type target struct {
	network, address string
	host             string
	user, password   string
	database         string
	tls              *tls.Config // nil: no TLS
}

// parseDSN reads a DSN in URI or keyword/value form. Its errors never hold the
// DSN, which may hold a password.
func parseDSN(dsn string) (target, error) {
	values, err := dsnValues(dsn)
	if err != nil {
		return target{}, err
	}
	get := func(key, env, fallback string) string {
		if v := values[key]; v != "" {
			return v
		}
		if v := os.Getenv(env); v != "" {
			return v
		}
		return fallback
	}
	t := target{
		host:     get("host", "PGHOST", "127.0.0.1"),
		user:     get("user", "PGUSER", Superuser),
		password: get("password", "PGPASSWORD", ""),
	}
	t.database = get("dbname", "PGDATABASE", t.user)
	port := get("port", "PGPORT", "5432")
	if strings.ContainsAny(t.host+port, ",") {
		return target{}, fmt.Errorf("pgtest: the DSN names several hosts; name one")
	}
	if strings.HasPrefix(t.host, "/") {
		t.network, t.address = "unix", filepath.Join(t.host, ".s.PGSQL."+port)
		return t, nil
	}
	t.network, t.address = "tcp", net.JoinHostPort(t.host, port)
	t.tls, err = tlsConfig(get("sslmode", "PGSSLMODE", "prefer"), values["sslrootcert"], t.host)
	if err != nil || t.tls == nil || values["sslcert"] == "" {
		return t, err
	}
	cert, err := tls.LoadX509KeyPair(values["sslcert"], values["sslkey"])
	if err != nil {
		return target{}, fmt.Errorf("pgtest: reading the DSN's sslcert and sslkey: %w", err)
	}
	t.tls.Certificates = []tls.Certificate{cert}
	return t, nil
}

// tlsConfig is nil for the modes that do without TLS.
func tlsConfig(mode, rootFile, host string) (*tls.Config, error) {
	switch mode {
	case "disable", "allow", "prefer":
		return nil, nil
	case "require":
		return &tls.Config{InsecureSkipVerify: true}, nil // as libpq's require
	case "verify-ca", "verify-full": // verify-ca is checked as verify-full
	default:
		return nil, fmt.Errorf("pgtest: the DSN's sslmode %q is unknown", mode)
	}
	c := &tls.Config{ServerName: host}
	if rootFile == "" || rootFile == "system" {
		return c, nil
	}
	pem, err := os.ReadFile(rootFile)
	if err != nil {
		return nil, fmt.Errorf("pgtest: reading the DSN's sslrootcert: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("pgtest: the DSN's sslrootcert %s holds no certificate", rootFile)
	}
	return c, nil
}

func isURI(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func dsnValues(dsn string) (map[string]string, error) {
	if !isURI(dsn) {
		return keywordValues(dsn)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("pgtest: the DSN is no valid URI")
	}
	values := map[string]string{
		"host":   u.Hostname(),
		"port":   u.Port(),
		"user":   u.User.Username(),
		"dbname": strings.TrimPrefix(u.Path, "/"),
	}
	values["password"], _ = u.User.Password()
	for key, vs := range u.Query() {
		values[key] = vs[len(vs)-1]
	}
	return values, nil
}

// keywordValues reads "key=value key = 'quoted \' value'".
func keywordValues(dsn string) (map[string]string, error) {
	values := map[string]string{}
	rest := strings.TrimSpace(dsn)
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, " \t\n'") {
			return nil, fmt.Errorf("pgtest: the DSN is neither a URI nor keyword=value pairs")
		}
		after = strings.TrimLeft(after, " \t\n")
		quoted := strings.HasPrefix(after, "'")
		i := 0
		if quoted {
			i = 1
		}
		var value strings.Builder
		closed := false
		for ; i < len(after) && !closed; i++ {
			switch ch := after[i]; {
			case ch == '\\' && i+1 < len(after):
				i++
				value.WriteByte(after[i])
			case quoted && ch == '\'', !quoted && strings.IndexByte(" \t\n", ch) >= 0:
				closed = true
			default:
				value.WriteByte(ch)
			}
		}
		if quoted && !closed {
			return nil, fmt.Errorf("pgtest: the DSN's value of %s has no closing quote", key)
		}
		values[key] = value.String()
		rest = strings.TrimLeft(after[i:], " \t\n")
	}
	return values, nil
}

// withDatabase is dsn with another database.
func withDatabase(dsn, db string) string {
	if !isURI(dsn) {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(db)
		return dsn + " dbname='" + quoted + "'" // the last value counts
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn // whoever connects with it gets the error
	}
	u.Path = "/" + db
	q := u.Query()
	q.Del("dbname")
	u.RawQuery = q.Encode()
	return u.String()
}
