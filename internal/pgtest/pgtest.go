// Package pgtest starts throw-away PostgreSQL servers for tests, the demo and
// the benchmarks.
//
// A server runs from an installed PostgreSQL, else from a downloaded one, in
// a directory of its own that is removed with it, on a free port of 127.0.0.1
// and on a Unix socket. Where the program runs as root, the server runs as an
// unprivileged user, since PostgreSQL refuses to run as root. A server does
// not outlive the program that started it, however that program ends (see
// watchdog.go).
//
// Durability is off, for speed: fsync, synchronous_commit and full_page_writes
// are off unless Config.Settings says otherwise.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// ErrNoPostgres is wrapped by the errors that mean that no PostgreSQL can be
// had: none is installed, and none could be downloaded.
var ErrNoPostgres = errors.New("no PostgreSQL is available")

// Superuser is the name of the superuser of every server that Start starts.
// It has no password, and it always gets in over the Unix socket, whatever
// Config.HBA says.
const Superuser = "postgres"

// Config says what server to start. The zero value starts an installed
// PostgreSQL (the one of pg_config, else the newest in the usual folders), or the
// downloaded one where none is installed.
type Config struct {
	// Embedded takes the downloaded PostgreSQL even where one is installed.
	Embedded bool
	// BinDir is the folder of the server's programs (initdb, postgres,
	// pg_ctl). It comes before anything else. Empty: they are looked for.
	BinDir string
	// Version is a major version such as "16", or a full one. An installed
	// server of another version is not taken. Empty: any.
	Version string
	// Settings are server settings, by name, that override the defaults.
	Settings map[string]string
	// TLS makes a certificate authority, a server's and a client's
	// certificate, and switches the server's ssl on. See Server.Certs.
	TLS bool
	// HBA are the lines of pg_hba.conf. They follow first lines that let
	// Superuser, and its replicas, in over the Unix socket. Empty: everybody is
	// trusted.
	HBA []string
	// InitSQL are scripts that Superuser runs when the server has started,
	// each in one simple query: roles, databases.
	InitSQL []string
	// Dir is the folder in which the server's own folder is made. The
	// server's user must be able to pass through it. Empty: the system's
	// temporary folder.
	Dir string
	// CacheDir keeps what was downloaded. Empty: the user's cache folder where
	// the server's user can read it, else a folder in the temporary one.
	CacheDir string
	// Log gets a line before a step that may take long, such as a download.
	// Nil: nobody is told.
	Log io.Writer
}

// Server is a PostgreSQL server. Its methods are safe for concurrent use;
// Stop, Start, Restart, Promote, Follow and Close wait for each other.
type Server struct {
	// Port is the TCP port on 127.0.0.1.
	Port int
	// SocketDir is the folder of the Unix socket.
	SocketDir string
	// Version is the server's version, such as "15.13".
	Version string
	// Certs are the certificates made for Config.TLS, else nil.
	Certs *Certs

	source string
	dsn    string // of DUET_TEST_POSTGRES; empty for a server of our own

	mu      sync.Mutex
	cluster *cluster
	dog     *watchdog
	closed  bool
}

// Start starts a server of its own and waits until it accepts connections.
// The error holds the end of the server's log where there is one, and wraps
// ErrNoPostgres where no PostgreSQL can be had.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	bin, err := findBinaries(ctx, cfg, user)
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(cfg.Dir, user)
	if err != nil {
		return nil, err
	}
	s := &Server{
		SocketDir: filepath.Join(dir, "s"),
		Version:   bin.version,
		source:    bin.source,
		cluster:   &cluster{dir: dir, bin: bin, user: user},
	}
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg Config) error {
	var err error
	if s.dog, err = startWatchdog(s.cluster.dir, s.cluster.user); err != nil {
		return err
	}
	if cfg.TLS {
		if s.Certs, err = makeCerts(filepath.Join(s.cluster.dir, "tls"), s.cluster.user); err != nil {
			return err
		}
	}
	if err := s.cluster.initialize(ctx, cfg, s.Certs); err != nil {
		return err
	}
	if s.Port, err = s.cluster.startOnFreePort(ctx); err != nil {
		return err
	}
	if len(cfg.InitSQL) == 0 {
		return nil
	}
	c, err := s.Connect(ctx, Superuser)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, sql := range cfg.InitSQL {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("pgtest: running InitSQL %q: %w", sql, err)
		}
	}
	return nil
}

// Source says where the server comes from: "installed DIR", "embedded VERSION"
// or "DUET_TEST_POSTGRES".
func (s *Server) Source() string { return s.source }

// DSN is the data source name of the database postgres: over TCP, as
// Superuser, without TLS. For DUET_TEST_POSTGRES it is that variable's value.
func (s *Server) DSN() string {
	if s.dsn != "" {
		return s.dsn
	}
	return s.DSNFor(Superuser)
}

// DSNFor is DSN for another database.
func (s *Server) DSNFor(db string) string {
	if s.dsn != "" {
		return withDatabase(s.dsn, db)
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(Superuser),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path:     "/" + db,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// DataDir is the server's data directory; empty for DUET_TEST_POSTGRES.
func (s *Server) DataDir() string {
	if s.cluster == nil {
		return ""
	}
	return s.cluster.dataDir()
}

// BinDir is the folder of the server's programs; empty for DUET_TEST_POSTGRES.
func (s *Server) BinDir() string {
	if s.cluster == nil {
		return ""
	}
	return s.cluster.bin.dir
}

// PID is the process id of the running postmaster, or 0 where the server is
// stopped or not our own.
func (s *Server) PID() int {
	if s.cluster == nil {
		return 0
	}
	return s.cluster.pid()
}

// LogTail is the end of the server's log, at most n bytes.
func (s *Server) LogTail(n int64) string {
	if s.cluster == nil {
		return ""
	}
	return tail(s.cluster.logFile(), n)
}

// Stop stops the server and keeps its data. The mode is pg_ctl's: "smart"
// waits for the clients to leave, "fast" ends their sessions, "immediate"
// stops as after a crash. Stopping a stopped server is no error. A server that
// is not our own is not stopped: that is an error.
func (s *Server) Stop(ctx context.Context, mode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil || s.closed {
		return errNotOurs("stop", s.closed)
	}
	return s.cluster.stop(ctx, mode)
}

// Restart stops the server as Stop does and starts it again, on the same port
// and socket and with the same data.
func (s *Server) Restart(ctx context.Context, mode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil || s.closed {
		return errNotOurs("restart", s.closed)
	}
	if err := s.cluster.stop(ctx, mode); err != nil {
		return err
	}
	return s.cluster.start(ctx, s.Port)
}

func errNotOurs(verb string, closed bool) error {
	if closed {
		return fmt.Errorf("pgtest: %s: the server is closed", verb)
	}
	return fmt.Errorf("pgtest: %s: the server of DUET_TEST_POSTGRES is not ours to %s", verb, verb)
}

// Close stops the server at once, as after a crash, and removes its data. It
// is idempotent, and leaves a server that is not our own as it is.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.cluster == nil {
		return nil
	}
	s.closed = true
	stopErr := s.cluster.stop(context.Background(), "immediate")
	s.dog.dismiss()
	return errors.Join(stopErr, os.RemoveAll(s.cluster.dir))
}
