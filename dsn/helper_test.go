package dsn_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/duetdb/duet/dsn"
)

// world is an environment in memory.
type world struct {
	env   map[string]string
	files map[string]string // by absolute path, mode 0600
	modes map[string]fs.FileMode
}

func (w world) environment() dsn.Environment {
	files := fstest.MapFS{"run": {Mode: fs.ModeDir | 0o755}}
	for path, text := range w.files {
		mode, ok := w.modes[path]
		if !ok {
			mode = 0o600
		}
		files[strings.TrimPrefix(path, "/")] = &fstest.MapFile{Data: []byte(text), Mode: mode}
	}
	name := func(path string) string { return strings.TrimPrefix(path, "/") }
	return dsn.Environment{
		LookupEnv:        func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		HomeDir:          func() (string, error) { return "/home/anna", nil },
		UserName:         func() (string, error) { return "anna", nil },
		Stat:             func(path string) (fs.FileInfo, error) { return files.Stat(name(path)) },
		Open:             func(path string) (fs.File, error) { return files.Open(name(path)) },
		ReadDir:          func(path string) ([]fs.DirEntry, error) { return files.ReadDir(name(path)) },
		SocketDir:        "/run",
		SystemConfigDirs: []string{"/etc/pg"},
	}
}

// parse must succeed.
func (w world) parse(t *testing.T, text string) *dsn.Resolved {
	t.Helper()
	r, err := dsn.ParsePostgres(text, w.environment())
	if err != nil {
		t.Fatalf("ParsePostgres(%q): %v", text, err)
	}
	return r
}

// config must succeed.
func (w world) config(t *testing.T, text string) *dsn.Config {
	t.Helper()
	c, err := w.parse(t, text).Postgres()
	if err != nil {
		t.Fatalf("Postgres of %q: %v", text, err)
	}
	return c
}
