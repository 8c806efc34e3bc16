package dsn

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// edgeEnvironment is an Environment with its defaults for EdgeDB, and the paths of
// its platform. path/filepath knows the paths of the platform it runs on alone.
type edgeEnvironment struct {
	Environment
	windows bool
}

func newEdgeEnvironment(e Environment) edgeEnvironment {
	if e.Platform == "" {
		e.Platform = runtime.GOOS
	}
	if e.WorkDir == nil {
		e.WorkDir = os.Getwd
	}
	if e.EvalSymlinks == nil {
		e.EvalSymlinks = filepath.EvalSymlinks
		if e.Stat != nil { // paths that are not the process's
			e.EvalSymlinks = func(path string) (string, error) { return path, nil }
		}
	}
	given := e.HomeDir
	e = e.withDefaults()
	if given == nil && e.Platform == "windows" {
		e.HomeDir = e.windowsHome
	}
	return edgeEnvironment{Environment: e, windows: e.Platform == "windows"}
}

func (e Environment) windowsHome() (string, error) {
	if dir, ok := e.LookupEnv("USERPROFILE"); ok && dir != "" {
		return dir, nil
	}
	return "", errors.New("USERPROFILE is not set")
}

func (e edgeEnvironment) separators() string {
	if e.windows {
		return `\/`
	}
	return "/"
}

// join puts the platform's separator between names.
func (e edgeEnvironment) join(dir string, names ...string) string {
	separator := e.separators()[:1]
	for _, name := range names {
		if !strings.HasSuffix(dir, separator) {
			dir += separator
		}
		dir += name
	}
	return dir
}

// parent gives the folder that holds path, and path's own name in it. The parent
// of a root is the root.
func (e edgeEnvironment) parent(path string) (dir, name string) {
	root := len(path) - len(e.relative(path))
	path = path[:root] + strings.TrimRight(path[root:], e.separators())
	cut := strings.LastIndexAny(path, e.separators()) + 1
	if cut <= root {
		return path[:root], path[root:]
	}
	return path[:root] + strings.TrimRight(path[root:cut], e.separators()), path[cut:]
}

// relative is path without its root: "/", a volume such as C:\, or a server's
// share \\server\share\.
func (e edgeEnvironment) relative(path string) string {
	if !e.windows {
		return strings.TrimLeft(path, "/")
	}
	switch {
	case strings.HasPrefix(path, `\\`):
		rest := path[2:]
		for range 2 {
			_, after, ok := strings.Cut(rest, `\`)
			if !ok {
				return ""
			}
			rest = after
		}
		return rest
	case len(path) >= 2 && path[1] == ':':
		return strings.TrimLeft(path[2:], e.separators())
	}
	return strings.TrimLeft(path, e.separators())
}

func (e edgeEnvironment) absolute(path string) bool {
	if e.windows {
		return strings.HasPrefix(path, `\\`) || len(path) > 2 && path[1] == ':' && strings.IndexByte(e.separators(), path[2]) >= 0
	}
	return strings.HasPrefix(path, "/")
}

// read reads a file; a relative path is relative to the working folder.
func (e edgeEnvironment) read(path string) ([]byte, error) {
	if path == "" {
		return nil, os.ErrNotExist
	}
	if strings.IndexByte(path, 0) >= 0 {
		return nil, os.ErrInvalid
	}
	if !e.absolute(path) {
		dir, err := e.WorkDir()
		if err != nil {
			return nil, err
		}
		path = e.join(dir, path)
	}
	return e.readFile(path)
}

func (e edgeEnvironment) exists(path string) bool {
	_, err := e.Stat(path)
	return err == nil
}

// configDirs are the folders that hold EdgeDB's credentials and projects, in the
// order to search them: the platform's own, the same under Gel's name, and the one
// that early versions used.
func (e edgeEnvironment) configDirs() []string {
	home, err := e.HomeDir()
	if err != nil {
		home = ""
	}
	var dirs []string
	under := func(base string, names ...string) {
		if base != "" {
			dirs = append(dirs, e.join(base, names...))
		}
	}
	switch e.Platform {
	case "windows":
		local, _ := e.LookupEnv("LOCALAPPDATA")
		if local == "" && home != "" {
			local = e.join(home, "AppData", "Local")
		}
		under(local, "EdgeDB", "config")
		under(local, "Gel", "config")
	case "darwin":
		under(home, "Library", "Application Support", "edgedb")
		under(home, "Library", "Application Support", "gel")
	default:
		base, _ := e.LookupEnv("XDG_CONFIG_HOME")
		if !e.absolute(base) { // the XDG specification has relative ones ignored
			base = ""
			if home != "" {
				base = e.join(home, ".config")
			}
		}
		under(base, "edgedb")
		under(base, "gel")
	}
	under(home, ".edgedb")
	return dirs
}

// findConfig gives the first of the configuration folders' files or folders of
// that name, or the place where it should be; "" without any folder.
func (e edgeEnvironment) findConfig(names ...string) (path string, found bool) {
	for _, dir := range e.configDirs() {
		candidate := e.join(dir, names...)
		if e.exists(candidate) {
			return candidate, true
		}
		if path == "" {
			path = candidate
		}
	}
	return path, false
}
