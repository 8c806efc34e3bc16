//go:build unix

package dsn_test

import (
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/duetdb/duet/dsn"
)

// TestEdgeDBFileSystems puts the manifest beyond the border of a file system.
func TestEdgeDBFileSystems(t *testing.T) {
	for _, c := range []struct {
		inner, outer any
		kind         dsn.EdgeDBErrorKind
	}{
		{&syscall.Stat_t{Dev: 1}, &syscall.Stat_t{Dev: 1}, dsn.EdgeDBProjectNotInitialised},
		{&syscall.Stat_t{Dev: 2}, &syscall.Stat_t{Dev: 1}, dsn.EdgeDBNoOptions},
		{nil, &syscall.Stat_t{Dev: 1}, dsn.EdgeDBProjectNotInitialised},
	} {
		files := fstest.MapFS{
			"p":          {Mode: fs.ModeDir, Sys: c.outer},
			"p/gel.toml": {Sys: c.outer},
			"p/a":        {Mode: fs.ModeDir, Sys: c.inner},
			"p/a/b":      {Mode: fs.ModeDir, Sys: c.inner},
		}
		environment := edgeWorld{cwd: "/p/a/b", home: "/h"}.environment()
		environment.Stat = func(path string) (fs.FileInfo, error) { return files.Stat(path[1:]) }
		_, err := dsn.ParseEdgeDB("", dsn.EdgeDBOptions{}, environment)
		if problem, ok := err.(*dsn.EdgeDBError); !ok || problem.Kind != c.kind {
			t.Errorf("%v and %v: %v, want %s", c.inner, c.outer, err, c.kind)
		}
	}
}
