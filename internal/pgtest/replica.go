package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ReplicaConfig says what replica to start. The zero value is a streaming
// replica that the server does not wait for.
type ReplicaConfig struct {
	// Name is what the replica calls itself: its application_name, for
	// synchronous_standby_names, and its slot. It is made of lower-case letters,
	// digits and _. Default "replica".
	Name string
	// Slot makes a replication slot, so that the server keeps what the replica
	// still needs while that is stopped. A slot is the server's: it stays when the
	// replica is closed.
	Slot bool
	// Settings are server settings, by name, that override what is copied from
	// the server. synchronous_standby_names is empty unless it is here: a replica
	// that was promoted would otherwise wait for itself.
	Settings map[string]string
	// Dir is Config.Dir.
	Dir string
}

// streamTimeout bounds the wait for a replica to stream.
const streamTimeout = time.Minute

// StartReplica copies the server with pg_basebackup, starts the copy as a hot
// standby that streams from it (PostgreSQL documentation, chapter "High
// Availability, Load Balancing, and Replication"), and waits until it does. The
// replica is a server of its own, to be closed like any other. It needs
// PostgreSQL 12 or later; where there is no pg_basebackup, as in what is
// downloaded, the error wraps ErrNoPostgres.
func (s *Server) StartReplica(ctx context.Context, cfg ReplicaConfig) (*Server, error) {
	if s.cluster == nil {
		return nil, errNotOurs("copy", false)
	}
	if _, err := exec.LookPath(filepath.Join(s.cluster.bin.dir, "pg_basebackup")); err != nil {
		return nil, fmt.Errorf("pgtest: %w that can be copied: %w; install PostgreSQL's client programs", ErrNoPostgres, err)
	}
	if cfg.Name == "" {
		cfg.Name = "replica"
	}
	dir, err := makeDir(cfg.Dir, s.cluster.user)
	if err != nil {
		return nil, err
	}
	r := &Server{
		SocketDir: filepath.Join(dir, "s"),
		Version:   s.Version,
		Certs:     s.Certs,
		source:    s.source,
		cluster:   &cluster{dir: dir, bin: s.cluster.bin, user: s.cluster.user},
	}
	if err := r.startAsCopy(ctx, s, cfg); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (s *Server) startAsCopy(ctx context.Context, of *Server, cfg ReplicaConfig) error {
	var err error
	if s.dog, err = startWatchdog(s.cluster.dir, s.cluster.user); err != nil {
		return err
	}
	args := []string{"-D", s.cluster.dataDir(), "-X", "stream", "-c", "fast", "--no-sync", "-d", of.conninfo(cfg.Name)}
	if cfg.Slot {
		args = append(args, "-C", "-S", cfg.Name)
	}
	if err := s.cluster.run(ctx, "pg_basebackup", args...); err != nil {
		return err
	}
	settings := map[string]string{
		"unix_socket_directories":   s.SocketDir,
		"synchronous_standby_names": "",
	}
	if cfg.Slot {
		settings["primary_slot_name"] = cfg.Name
	}
	maps.Copy(settings, cfg.Settings)
	if err := s.follow(of, cfg.Name, settings); err != nil {
		return err
	}
	if s.Port, err = s.cluster.startOnFreePort(ctx); err != nil {
		return err
	}
	return of.AwaitReplica(ctx, cfg.Name)
}

// conninfo is how a replica of that name connects.
func (s *Server) conninfo(name string) string {
	return fmt.Sprintf("host=%s port=%d user=%s application_name=%s", s.SocketDir, s.Port, Superuser, name)
}

// follow makes a stopped server a standby of another at its next start.
func (s *Server) follow(of *Server, name string, settings map[string]string) error {
	all := map[string]string{
		"primary_conninfo":            of.conninfo(name),
		"recovery_target_timeline":    "latest",
		"wal_retrieve_retry_interval": "100ms",
	}
	maps.Copy(all, settings)
	path := filepath.Join(s.cluster.dataDir(), "postgresql.auto.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("pgtest: configuring the replica: %w", err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		_, replaced := all[name]
		return replaced || line == ""
	})
	return errors.Join(
		s.cluster.write("postgresql.auto.conf", strings.Join(lines, "\n")+"\n"+settingLines(all)),
		s.cluster.write("standby.signal", ""),
	)
}

// Follow makes the server, which must be stopped, a standby of another one from
// its next Start on: an old primary, say, of the replica that took its place.
// name is as ReplicaConfig.Name. It can follow only where it has nothing that
// the other has not, as after a Stop in mode fast, for which it waits until its
// replicas have everything.
func (s *Server) Follow(primary *Server, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil || s.closed || primary.cluster == nil {
		return errNotOurs("demote", s.closed)
	}
	if s.cluster.pid() != 0 {
		return errors.New("pgtest: demote: the server is running: stop it first")
	}
	return s.follow(primary, name, map[string]string{"synchronous_standby_names": "", "primary_slot_name": ""})
}

// Promote makes a standby a primary, and waits until it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil || s.closed {
		return errNotOurs("promote", s.closed)
	}
	return s.cluster.run(ctx, "pg_ctl", "promote", "-w", "-t", "60", "-D", s.cluster.dataDir())
}

// Start starts the server after Stop, on the same port and socket and with the
// same data. Starting a running server is no error.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil || s.closed {
		return errNotOurs("start", s.closed)
	}
	if s.cluster.pid() != 0 {
		return nil
	}
	return s.cluster.start(ctx, s.Port)
}

// Configure changes server settings (ALTER SYSTEM) and has the server read them
// again. It returns when a new session finds them; sessions that are idle read
// them with their next command. Some settings need a Restart.
func (s *Server) Configure(ctx context.Context, settings map[string]string) error {
	c, err := s.Connect(ctx, Superuser)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if _, err := c.Exec(ctx, "ALTER SYSTEM SET "+name+" = "+settingValue(settings[name])); err != nil {
			return fmt.Errorf("pgtest: setting %s: %w", name, err)
		}
	}
	const loaded = "SELECT extract(epoch FROM pg_conf_load_time())"
	before, err := s.ask(ctx, loaded)
	if err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return fmt.Errorf("pgtest: reloading the configuration: %w", err)
	}
	return s.await(ctx, "the configuration was not read again", func() (bool, error) {
		now, err := s.ask(ctx, loaded)
		return now != before, err
	})
}

// AwaitReplica waits until a replica of that name streams from the server, and
// is waited for where synchronous_standby_names has it.
func (s *Server) AwaitReplica(ctx context.Context, name string) error {
	return s.await(ctx, "the replica "+name+" does not stream", func() (bool, error) {
		n, err := s.ask(ctx, "SELECT count(*) FROM pg_stat_replication WHERE application_name = "+settingValue(name)+
			" AND state = 'streaming' AND (sync_state <> 'async' OR current_setting('synchronous_standby_names') = '')")
		return n == "1", err
	})
}

// ask gives the first value of a query, over a connection of its own.
func (s *Server) ask(ctx context.Context, sql string) (string, error) {
	c, err := s.Connect(ctx, Superuser)
	if err != nil {
		return "", err
	}
	defer c.Close()
	rows, err := c.Exec(ctx, sql)
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 || rows[0][0] == nil {
		return "", err
	}
	return *rows[0][0], nil
}

// await asks until the answer is yes.
func (s *Server) await(ctx context.Context, otherwise string, ok func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, streamTimeout)
	defer stop()
	for {
		if yes, err := ok(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("pgtest: %s: %w", otherwise, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
