package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// server is a server with the tables of the workloads in it.
type server struct {
	target     Target
	version    string
	durability map[string]string
	source     string
	close      func(ctx context.Context) error
}

// durabilitySettings say what a commit waits for and writes.
var durabilitySettings = []string{"fsync", "synchronous_commit", "full_page_writes"}

// serverSettings keep the server's own work even from one round to the next.
func serverSettings(o options) map[string]string {
	settings := map[string]string{
		"default_transaction_isolation":   o.isolation,
		"shared_buffers":                  "256MB",
		"autovacuum":                      "off",
		"jit":                             "off",
		"max_parallel_workers_per_gather": "0",
		"synchronize_seqscans":            "off",
		"checkpoint_timeout":              "1h",
		"max_wal_size":                    "4GB",
	}
	for _, name := range durabilitySettings {
		settings[name] = "off"
		if o.durable {
			settings[name] = "on"
		}
	}
	return settings
}

// openServer takes the server of dsn, or starts one.
func openServer(ctx context.Context, o options) (*server, error) {
	s := &server{source: "--dsn", close: func(context.Context) error { return nil }}
	dsn := o.dsn
	if dsn == "" {
		started, err := pgtest.Start(ctx, pgtest.Config{Settings: serverSettings(o)})
		if err != nil {
			return nil, err
		}
		s.source = strings.Join(strings.Fields(started.Source())[:1], "") + ", started for this run"
		s.close = func(context.Context) error { return started.Close() }
		host := "127.0.0.1"
		if o.network == "unix" {
			host = started.SocketDir
		}
		dsn = fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=disable", host, started.Port, pgtest.Superuser)
	}
	var err error
	if s.target, err = newTarget(dsn); err == nil {
		err = s.setUp(ctx, o.scale)
	}
	if err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

func newTarget(dsn string) (Target, error) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return Target{}, err
	}
	if config.TLSConfig != nil {
		return Target{}, usageError{errors.New("--dsn must say sslmode=disable: the null client has no TLS, and all drivers must have the same connection")}
	}
	port := strconv.Itoa(int(config.Port))
	t := Target{DSN: dsn, Network: "tcp", Address: net.JoinHostPort(config.Host, port)}
	if strings.HasPrefix(config.Host, "/") {
		t.Network, t.Address = "unix", filepath.Join(config.Host, ".s.PGSQL."+port)
	}
	t.Params = map[string]string{}
	maps.Copy(t.Params, config.RuntimeParams)
	t.Params["user"], t.Params["database"] = config.User, config.Database
	return t, nil
}

// setUp makes the tables. It does not touch a schema that is there already.
func (s *server) setUp(ctx context.Context, scale Scale) error {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "show server_version").Scan(&s.version); err != nil {
		return err
	}
	s.durability = map[string]string{}
	for _, name := range durabilitySettings {
		var value string
		if err := conn.QueryRow(ctx, "show "+name).Scan(&value); err != nil {
			return err
		}
		s.durability[name] = value
	}
	script := strings.NewReplacer("$accounts", strconv.FormatInt(scale.Accounts, 10),
		"$events", strconv.FormatInt(scale.Events, 10), "$purses", strconv.Itoa(purses)).Replace(schema)
	// A script is one implicit transaction: there are all tables, or none.
	if err := conn.PgConn().Exec(ctx, script).Close(); err != nil {
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == "42P06" {
			return fmt.Errorf("the schema duet_bench is there already; drop it if an interrupted run left it: %w", err)
		}
		return fmt.Errorf("making the tables of the benchmark: %w", err)
	}
	stop := s.close
	s.close = func(ctx context.Context) error { return errors.Join(s.dropTables(ctx), stop(ctx)) }
	for _, table := range []string{"duet_bench.account", "duet_bench.event", "duet_bench.purse"} {
		if _, err := conn.Exec(ctx, "vacuum (analyze, freeze) "+table); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "checkpoint")
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "42501" {
		return nil // only a superuser may; it is for quiet alone
	}
	return err
}

func (s *server) dropTables(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "drop schema duet_bench cascade")
	return err
}
