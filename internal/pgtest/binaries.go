package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// binaries are the programs of one PostgreSQL.
type binaries struct {
	dir     string
	version string // "15.13", "18beta1"
	source  string // for people: "installed /usr/lib/postgresql/15/bin"
}

// findBinaries finds what cfg asks for: its own folder, else an installed
// PostgreSQL, else the downloaded one.
func findBinaries(ctx context.Context, cfg Config, user *runAs) (binaries, error) {
	if cfg.BinDir != "" {
		return inspect(ctx, cfg.BinDir, user)
	}
	if !cfg.Embedded {
		for _, dir := range installedDirs(ctx) {
			b, err := inspect(ctx, dir, user)
			if err == nil && versionMatches(b.version, cfg.Version) {
				return b, nil
			}
		}
	}
	if err := ctx.Err(); err != nil { // which makes every program look broken
		return binaries{}, fmt.Errorf("pgtest: looking for the server's programs: %w", err)
	}
	b, err := embedded(ctx, cfg, user)
	if err != nil {
		return binaries{}, fmt.Errorf("pgtest: %w: no server programs were found (looked at pg_config --bindir, the usual folders and PATH), and the download failed: %w; install PostgreSQL, or set DUET_TEST_POSTGRES to the DSN of a server", ErrNoPostgres, err)
	}
	return b, nil
}

// installedDirs lists the folders where the server's programs may be, the most
// likely first.
func installedDirs(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Library/PostgreSQL/*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		`C:\Program Files\PostgreSQL\*\bin`,
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well formed
		slices.SortFunc(found, func(a, b string) int { return number(b) - number(a) })
		dirs = append(dirs, found...)
	}
	dirs = append(dirs, "/usr/local/pgsql/bin", "/usr/bin", "/usr/local/bin")
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

// number is the first number in a path, which is the major version in the
// patterns above; 0 where there is none.
func number(path string) int {
	start := strings.IndexAny(path, "0123456789")
	if start < 0 {
		return 0
	}
	digits := path[start:]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, _ := strconv.Atoi(digits) // digits alone; too many of them sort last
	return n
}

// inspect holds that a folder has the programs that we need, that the server's
// user may run them, and reads their version.
func inspect(ctx context.Context, dir string, user *runAs) (binaries, error) {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, program+suffix)); err != nil {
			return binaries{}, fmt.Errorf("pgtest: looking for the server's programs: %w", err)
		}
	}
	if !user.canReach(dir) {
		return binaries{}, fmt.Errorf("pgtest: the user %s, who is to run the server, cannot read %s", user.name, dir)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	cmd.Dir = string(os.PathSeparator)
	cmd.Env = serverEnv(os.Environ())
	user.apply(cmd)
	out, err := cmd.Output()
	if err != nil {
		return binaries{}, fmt.Errorf("pgtest: running %s --version: %w", cmd.Path, err)
	}
	// "postgres (PostgreSQL) 15.13 (Debian 15.13-1)"
	fields := strings.Fields(string(out))
	if len(fields) < 3 || fields[0] != "postgres" {
		return binaries{}, fmt.Errorf("pgtest: %s --version says %q, which is no PostgreSQL", cmd.Path, out)
	}
	return binaries{dir: dir, version: fields[2], source: "installed " + dir}, nil
}

// versionMatches says whether a version is the wanted one: equal, or of the
// wanted major version. An empty wish is met by all.
func versionMatches(version, want string) bool {
	rest, ok := strings.CutPrefix(version, want)
	if !ok || want == "" || rest == "" {
		return ok
	}
	return rest[0] < '0' || rest[0] > '9'
}
