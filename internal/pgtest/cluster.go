package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cluster is a data directory and the programs that run it. Its folder holds
// data (the data directory), s (the socket), tls, log and start.log.
type cluster struct {
	dir  string
	bin  binaries
	user *runAs
}

// maxSocketDir is how long the socket's folder may be: sun_path holds 104 bytes
// on BSD and macOS, 108 on Linux, and "/.s.PGSQL.65535" and a NUL come after it.
const maxSocketDir = 104 - 16

// stopTimeout bounds a stop that no ctx bounds.
const stopTimeout = 60 * time.Second

func (c *cluster) dataDir() string { return filepath.Join(c.dir, "data") }
func (c *cluster) logFile() string { return filepath.Join(c.dir, "log") }

// makeDir makes the server's folder, where its user can reach it and where the
// socket's path is short enough.
func makeDir(parent string, user *runAs) (string, error) {
	parents := []string{parent}
	if parent == "" {
		parents = []string{os.TempDir()}
		if os.PathSeparator == '/' {
			parents = append(parents, "/tmp")
		}
	}
	var errs []error
	for _, p := range parents {
		p, err := filepath.Abs(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !user.canReach(p) {
			errs = append(errs, fmt.Errorf("%s: the user %s, who is to run the server, cannot reach it", p, user.name))
			continue
		}
		dir, err := os.MkdirTemp(p, "duet-pg-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(dir)+len("/s") > maxSocketDir {
			errs = append(errs, fmt.Errorf("%s: too long for a Unix socket's path", dir), os.Remove(dir))
			continue
		}
		sockets := filepath.Join(dir, "s")
		if err := errors.Join(os.Mkdir(sockets, 0o700), user.own(sockets), user.own(dir)); err != nil {
			return "", errors.Join(fmt.Errorf("pgtest: making the server's folder: %w", err), os.RemoveAll(dir))
		}
		return dir, nil
	}
	return "", fmt.Errorf("pgtest: making the server's folder: %w", errors.Join(errs...))
}

// initialize makes the data directory and writes its configuration.
func (c *cluster) initialize(ctx context.Context, cfg Config, certs *Certs) error {
	err := c.run(ctx, "initdb", "-D", c.dataDir(), "--no-sync", "-A", "trust",
		"-U", Superuser, "-E", "UTF8", "--locale=C")
	if err != nil {
		return err
	}
	if err := c.write("postgresql.auto.conf", settings(cfg, certs, filepath.Join(c.dir, "s"))); err != nil {
		return err
	}
	return c.write("pg_hba.conf", hba(cfg))
}

func settings(cfg Config, certs *Certs, sockets string) string {
	all := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": sockets,
		"max_connections":         "250",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"shared_buffers":          "64MB",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"lc_messages":             "C",
		"logging_collector":       "off",
	}
	if certs != nil {
		all["ssl"] = "on"
		all["ssl_ca_file"] = certs.CAFile
		all["ssl_cert_file"] = certs.ServerCertFile
		all["ssl_key_file"] = certs.serverKeyFile
	}
	maps.Copy(all, cfg.Settings)
	return settingLines(all)
}

// settingLines are settings as postgresql.conf has them.
func settingLines(settings map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = %s\n", name, strings.ReplaceAll(settingValue(settings[name]), `\`, `\\`))
	}
	return b.String()
}

// settingValue quotes a setting's value as SQL does.
func settingValue(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

func hba(cfg Config) string {
	lines := cfg.HBA
	if len(lines) == 0 {
		lines = []string{
			"local all all trust",
			"host all all all trust",
			"local replication all trust",
			"host replication all all trust",
		}
	}
	return "local all " + Superuser + " trust\nlocal replication " + Superuser + " trust\n" + strings.Join(lines, "\n") + "\n"
}

func (c *cluster) write(name, text string) error {
	path := filepath.Join(c.dataDir(), name)
	err := errors.Join(os.WriteFile(path, []byte(text), 0o600), c.user.own(path))
	if err != nil {
		return fmt.Errorf("pgtest: configuring the server: %w", err)
	}
	return nil
}

// startOnFreePort starts the server on a free port. Another process may take
// the port between our look and the server's bind: then another is tried.
func (c *cluster) startOnFreePort(ctx context.Context) (int, error) {
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return 0, err
		}
		err = c.start(ctx, port)
		if err == nil {
			return port, nil
		}
		taken := strings.Contains(tail(c.logFile(), 4096), "could not bind")
		if !taken || try == 5 || ctx.Err() != nil {
			return 0, err
		}
		if err := os.Remove(c.logFile()); err != nil {
			return 0, fmt.Errorf("pgtest: removing the failed start's log: %w", err)
		}
	}
}

// freePort finds a TCP port of 127.0.0.1 that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("pgtest: looking for a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("pgtest: looking for a free port: %w", err)
	}
	return port, nil
}

// start starts the server and waits until it accepts connections. The waiting
// pg_ctl is not killed when ctx ends, which would leave a server that has not
// written its pid file yet and so cannot be found: the server is stopped
// instead, and where it is too young for that, its start is awaited.
func (c *cluster) start(ctx context.Context, port int) error {
	path := filepath.Join(c.dir, "start.log")
	// A file, since the server would inherit a pipe and keep it open.
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("pgtest: starting the server: %w", err)
	}
	defer out.Close()
	cmd := c.command(ctx, "pg_ctl", "start", "-w", "-t", "60", "-D", c.dataDir(),
		"-l", c.logFile(), "-o", "-p "+strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return c.stop(context.Background(), "immediate") }
	if err := cmd.Run(); err != nil {
		return c.failure(ctx, cmd, err, tail(path, 2048)+"\nend of the server's log:\n"+tail(c.logFile(), 4096))
	}
	return nil
}

// stop stops the server; a stopped one is no error.
func (c *cluster) stop(ctx context.Context, mode string) error {
	switch mode {
	case "fast", "immediate", "smart":
	default:
		return fmt.Errorf("pgtest: stop: mode %q is not fast, immediate or smart", mode)
	}
	if c.pid() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return c.run(ctx, "pg_ctl", "stop", "-w", "-t", "60", "-D", c.dataDir(), "-m", mode)
}

// pid reads the postmaster's process id, which is the first line of its pid
// file; 0 where there is none.
func (c *cluster) pid() int {
	b, err := os.ReadFile(filepath.Join(c.dataDir(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return pid
}

// run runs one of the server's programs to its end. When ctx ends, it is killed
// together with what it started, and the output's pipe is read until all of
// them are gone: nothing writes to the folder any more when run returns.
func (c *cluster) run(ctx context.Context, program string, args ...string) error {
	cmd := c.command(ctx, program, args...)
	cmd.Cancel = func() error { return killGroup(cmd) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		return c.failure(ctx, cmd, err, string(out))
	}
	return nil
}

func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin.dir, program), args...)
	cmd.Dir = c.dir
	cmd.Env = serverEnv(os.Environ())
	c.user.apply(cmd)
	return cmd
}

func (c *cluster) failure(ctx context.Context, cmd *exec.Cmd, err error, output string) error {
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
		err = fmt.Errorf("%w (%w)", ctxErr, err)
	}
	return fmt.Errorf("pgtest: %s of %s: %w\n%s",
		filepath.Base(cmd.Path), c.bin.source, err, strings.TrimSpace(output))
}

// serverEnv is the environment without what would change the server's
// programs: libpq's variables, the locale and the timezone.
func serverEnv(env []string) []string {
	kept := make([]string, 0, len(env)+2)
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") ||
			name == "LANG" || name == "LANGUAGE" || name == "TZ" || name == "HOME" {
			continue
		}
		kept = append(kept, kv)
	}
	return append(kept, "LC_ALL=C", "TZ=UTC")
}

// tail reads the last n bytes of a file; nothing where it cannot be read.
func tail(path string, n int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		if _, err := f.Seek(-n, io.SeekEnd); err != nil {
			return ""
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, n))
	if err != nil {
		return ""
	}
	return string(b)
}
