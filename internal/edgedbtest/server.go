package edgedbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	cfg      Config
	certs    *certificate
	listener net.Listener
	login    *verifier
	pg       target
	ownPG    *pgtest.Server // started by Start, else nil
	prefix   string         // of the names of the branches' databases
	catalog  *catalog
	faults   faults

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the accept loop and the sessions
	close  func() error

	mu       sync.Mutex
	branches map[string]*branch
	sockets  map[net.Conn]struct{} // all connections, also those that have not logged in
	closed   bool
	made     uint64 // databases ever made, for their names
}

// Start starts a server. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, branches: map[string]*branch{}, sockets: map[net.Conn]struct{}{}}
	s.prefix = "duet_edgedb_" + strings.ToLower(randomText()[:12]) + "_"
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.close = sync.OnceValue(s.shutdown)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.catalog, err = newCatalog(s.cfg); err != nil {
		return fmt.Errorf("edgedbtest: the statement catalogue: %w", err)
	}
	if s.certs, err = newCertificate(); err != nil {
		return fmt.Errorf("edgedbtest: making a certificate: %w", err)
	}
	if s.login, err = newVerifier(s.cfg.User, s.cfg.Password); err != nil {
		return fmt.Errorf("edgedbtest: %w", err)
	}
	if err := s.findPostgres(ctx); err != nil {
		return err
	}
	if err := s.CreateBranch(ctx, s.cfg.Branch); err != nil {
		return err
	}
	s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("edgedbtest: listening: %w", err)
	}
	s.wg.Go(s.accept)
	return nil
}

// findPostgres settles which PostgreSQL is used, and starts one if need be.
func (s *Server) findPostgres(ctx context.Context) (err error) {
	switch {
	case s.cfg.Postgres != nil:
		s.pg, err = targetOf(s.cfg.Postgres)
	case s.cfg.PostgresDSN != "":
		s.pg, err = parseTarget(s.cfg.PostgresDSN)
	default:
		if s.ownPG, err = pgtest.Open(ctx, pgtest.Config{}); err != nil {
			return fmt.Errorf("edgedbtest: starting PostgreSQL: %w", err)
		}
		s.pg, err = targetOf(s.ownPG)
	}
	return err
}

// accept serves clients until the listener is closed.
func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select { // too many open files, most likely: some will be closed
			case <-s.ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
				continue
			}
		}
		if !s.admit(nc) {
			nc.Close()
			continue
		}
		s.wg.Go(func() { s.serve(nc) })
	}
}

// admit registers a connection, unless the server is closing.
func (s *Server) admit(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sockets[nc] = struct{}{}
	return true
}

// serve runs one client's connection to its end.
func (s *Server) serve(nc net.Conn) {
	defer func() {
		nc.Close()
		s.mu.Lock()
		delete(s.sockets, nc)
		s.mu.Unlock()
	}()
	secured := s.secure(nc)
	if secured == nil {
		return
	}
	c := newClient(s, nc, secured)
	defer c.end()
	if c.login() {
		c.run()
	}
}

// Addr is the address that the server listens on, host and port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// User and Password are what clients log in with.
func (s *Server) User() string { return s.cfg.User }

// Password is User's.
func (s *Server) Password() string { return s.cfg.Password }

// CAFile is the file of the certificate that signs the server's, in PEM. It is
// removed by Close.
func (s *Server) CAFile() string { return s.certs.file }

// DSN is the data source name of the first branch: an edgedb:// URI with the
// password and the file of the server's certificate.
func (s *Server) DSN() string { return s.DSNFor(s.cfg.Branch) }

// DSNFor is DSN for another branch, which need not exist.
func (s *Server) DSNFor(branch string) string {
	u := url.URL{
		Scheme:   "edgedb",
		User:     url.UserPassword(s.cfg.User, s.cfg.Password),
		Host:     s.Addr(),
		Path:     "/" + branch,
		RawQuery: url.Values{"tls_ca_file": {s.certs.file}}.Encode(),
	}
	return u.String()
}

// Close ends all connections, drops the branches' databases, and stops the
// PostgreSQL that Start has started. It is idempotent.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	if s.listener != nil {
		s.listener.Close()
	}
	s.cutAll()
	s.wg.Wait()
	var errs []error
	if s.ownPG != nil {
		errs = append(errs, s.ownPG.Close())
	}
	if s.ownPG == nil || s.ownPG.Source() == pgtest.ServerEnv {
		errs = append(errs, s.dropBranches())
	}
	if s.certs != nil {
		errs = append(errs, os.RemoveAll(s.certs.dir))
	}
	return errors.Join(errs...)
}

// randomText is a secret of 26 letters and digits.
func randomText() string { return rand.Text() }
