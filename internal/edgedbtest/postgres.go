package edgedbtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
)

// target is where PostgreSQL is.
type target struct {
	dsn              string // for pgtest's client
	network, address string
	user, password   string
	mode             wire.TLSMode
}

// targetOf is a server of pgtest: over the Unix socket where there is one.
func targetOf(pg *pgtest.Server) (target, error) {
	t, err := parseTarget(pg.DSN())
	if err == nil && pg.SocketDir != "" {
		t.network, t.address = "unix", filepath.Join(pg.SocketDir, ".s.PGSQL."+strconv.Itoa(pg.Port))
	}
	return t, err
}

// parseTarget reads a DSN with one host, a URI or key=value pairs without
// quotes. Its errors never hold the DSN, which may hold a password.
func parseTarget(dsn string) (target, error) {
	values, err := dsnValues(dsn)
	if err != nil {
		return target{}, err
	}
	or := func(key, fallback string) string {
		if v := values[key]; v != "" {
			return v
		}
		return fallback
	}
	t := target{dsn: dsn, user: or("user", pgtest.Superuser), password: values["password"]}
	host, port := or("host", "127.0.0.1"), or("port", "5432")
	if strings.Contains(host, ",") {
		return target{}, errors.New("edgedbtest: the PostgreSQL DSN names several hosts; name one")
	}
	t.network, t.address = "tcp", net.JoinHostPort(host, port)
	if strings.HasPrefix(host, "/") {
		t.network, t.address = "unix", filepath.Join(host, ".s.PGSQL."+port)
	}
	switch mode := or("sslmode", "prefer"); mode {
	case "disable", "allow", "prefer":
	case "require":
		t.mode = wire.TLSRequire
	default:
		return target{}, fmt.Errorf("edgedbtest: sslmode %q of the PostgreSQL DSN is not supported; take disable or require", mode)
	}
	return t, nil
}

func dsnValues(dsn string) (map[string]string, error) {
	values := map[string]string{}
	if !strings.Contains(dsn, "://") {
		for pair := range strings.FieldsSeq(dsn) {
			key, value, ok := strings.Cut(pair, "=")
			if !ok || strings.Contains(value, "'") {
				return nil, errors.New("edgedbtest: the PostgreSQL DSN is neither a URI nor key=value pairs without quotes")
			}
			values[key] = value
		}
		return values, nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("edgedbtest: the PostgreSQL DSN is no valid URI")
	}
	values["host"], values["port"], values["user"] = u.Hostname(), u.Port(), u.User.Username()
	values["password"], _ = u.User.Password()
	for key, vs := range u.Query() {
		values[key] = vs[len(vs)-1]
	}
	return values, nil
}

// connect makes the PostgreSQL connection of one session. Whatever runs outside
// of a transaction that the client began runs serializable, as on EdgeDB.
func (t target) connect(ctx context.Context, database string) (*wire.Conn, error) {
	cfg := &wire.Config{
		Network: t.network, Address: t.address, TLS: t.mode, User: t.user, Database: database,
		Params: map[string]string{
			"application_name": "edgedbtest", "client_encoding": "UTF8", "TimeZone": "UTC", "IntervalStyle": "iso_8601",
			"default_transaction_isolation": "serializable", "extra_float_digits": "1",
		},
	}
	if t.mode == wire.TLSRequire {
		cfg.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	}
	if t.password != "" {
		cfg.Password = func(context.Context) (string, error) { return t.password, nil }
	}
	return wire.Connect(ctx, cfg)
}
