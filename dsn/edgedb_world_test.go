package dsn_test

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/duetdb/duet/dsn"
)

// edgeWorld is an environment in memory, with paths of any platform.
type edgeWorld struct {
	platform string // "" is linux
	env      map[string]string
	files    map[string]string // by absolute path
	dirs     []string
	home     string // "" is none
	cwd      string
}

func (w edgeWorld) environment() dsn.Environment {
	separator := "/"
	if w.platform == "windows" {
		separator = `\`
	}
	// The names of fstest's files may not begin with a slash, nor hold other
	// things that paths of Windows hold.
	name := func(path string) string { return "f" + hex.EncodeToString([]byte(path)) }
	files := fstest.MapFS{}
	for path, text := range w.files {
		files[name(path)] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
		for i := strings.LastIndex(path, separator); i > 0; i = strings.LastIndex(path[:i], separator) {
			files[name(path[:i])] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
		}
	}
	for _, path := range w.dirs {
		files[name(path)] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
	}
	folder := func(path string) func() (string, error) {
		return func() (string, error) {
			if path == "" {
				return "", errors.New("there is none")
			}
			return path, nil
		}
	}
	platform := w.platform
	if platform == "" {
		platform = "linux"
	}
	return dsn.Environment{
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		HomeDir:   folder(w.home),
		WorkDir:   folder(w.cwd),
		UserName:  func() (string, error) { return "anna", nil },
		Stat:      func(path string) (fs.FileInfo, error) { return files.Stat(name(path)) },
		Open: func(path string) (fs.File, error) {
			f, err := files.Open(name(path))
			if err != nil {
				err = &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist} // with the path, as the system's
			}
			return f, err
		},
		ReadDir:  func(path string) ([]fs.DirEntry, error) { return files.ReadDir(name(path)) },
		Platform: platform,
	}
}

// parse must succeed.
func (w edgeWorld) parse(t *testing.T, text string, opt dsn.EdgeDBOptions) *dsn.EdgeDBResolved {
	t.Helper()
	r, err := dsn.ParseEdgeDB(text, opt, w.environment())
	if err != nil {
		t.Fatalf("ParseEdgeDB(%q): %v", text, err)
	}
	return r
}

// fail must fail, with an error of that kind.
func (w edgeWorld) fail(t *testing.T, text string, opt dsn.EdgeDBOptions, kind dsn.EdgeDBErrorKind) *dsn.EdgeDBError {
	t.Helper()
	r, err := dsn.ParseEdgeDB(text, opt, w.environment())
	if err == nil {
		t.Fatalf("ParseEdgeDB(%q) gave %v, want an error of kind %s", text, r, kind)
	}
	problem, ok := errors.AsType[*dsn.EdgeDBError](err)
	if !ok {
		t.Fatalf("ParseEdgeDB(%q): %T %v, want an *EdgeDBError", text, err, err)
	}
	if problem.Kind != kind {
		t.Fatalf("ParseEdgeDB(%q): kind %s (%v), want %s", text, problem.Kind, err, kind)
	}
	return problem
}
