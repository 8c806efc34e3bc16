package dsn

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
)

// Environment is everything outside the data source name that a configuration
// is resolved from. The zero value is the process's own environment; a field that
// is set replaces that part of it, for tests and for programs that run on behalf
// of others. The functions must be safe for concurrent use.
type Environment struct {
	// LookupEnv finds an environment variable. Nil is [os.LookupEnv].
	LookupEnv func(name string) (value string, ok bool)
	// HomeDir gives the folder that holds .pgpass, .pg_service.conf and
	// .postgresql. Nil is libpq's choice: $HOME, else the home of the effective
	// user; on Windows %APPDATA%\postgresql. For EdgeDB it is the folder that
	// EdgeDB's configuration is under; there nil is the same but for Windows,
	// where it is %USERPROFILE%.
	HomeDir func() (string, error)
	// UserName gives the default of the keyword user. Nil is the name of the
	// effective user of the process.
	UserName func() (string, error)
	// Stat, Open and ReadDir read files, by absolute or relative paths of the
	// operating system. Nil is [os.Stat], [os.Open] and [os.ReadDir].
	Stat    func(path string) (fs.FileInfo, error)
	Open    func(path string) (fs.File, error)
	ReadDir func(path string) ([]fs.DirEntry, error)
	// SocketDir is where Unix sockets are when no host is named. "" is the first
	// of /var/run/postgresql and /tmp that exists. On Windows, where libpq
	// has none, "" is TCP to localhost.
	SocketDir string
	// SystemConfigDirs are searched for pg_service.conf when PGSYSCONFDIR is not
	// set. Nil is a list of the usual places.
	SystemConfigDirs []string
	// WorkDir gives the folder in which the search for an EdgeDB project begins,
	// and that relative paths of EdgeDB's parameters are relative to. Nil is
	// [os.Getwd].
	WorkDir func() (string, error)
	// EvalSymlinks gives the canonical path of an EdgeDB project's folder. Nil is
	// [filepath.EvalSymlinks], or no change where Stat is set.
	EvalSymlinks func(path string) (string, error)
	// Platform says where EdgeDB's configuration is and how paths are written: a
	// GOOS such as linux, darwin or windows. "" is [runtime.GOOS].
	Platform string
}

// withDefaults fills what is nil.
func (e Environment) withDefaults() Environment {
	if e.LookupEnv == nil {
		e.LookupEnv = os.LookupEnv
	}
	if e.Stat == nil {
		e.Stat = os.Stat
	}
	if e.Open == nil {
		e.Open = func(path string) (fs.File, error) { return os.Open(path) }
	}
	if e.ReadDir == nil {
		e.ReadDir = os.ReadDir
	}
	if e.HomeDir == nil {
		e.HomeDir = e.homeDir
	}
	if e.UserName == nil {
		e.UserName = osUserName
	}
	if e.SocketDir == "" {
		e.SocketDir = e.defaultSocketDir()
	}
	if e.SystemConfigDirs == nil {
		e.SystemConfigDirs = []string{"/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc", "/etc"}
	}
	return e
}

func (e Environment) homeDir() (string, error) {
	if runtime.GOOS == "windows" {
		if dir, ok := e.LookupEnv("APPDATA"); ok && dir != "" {
			return filepath.Join(dir, "postgresql"), nil
		}
		return "", errors.New("APPDATA is not set")
	}
	if dir, ok := e.LookupEnv("HOME"); ok && dir != "" {
		return dir, nil
	}
	u, err := osUser()
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}

func osUserName() (string, error) {
	u, err := osUser()
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

// osUser is the effective user, as in libpq.
func osUser() (*user.User, error) {
	if id := os.Geteuid(); id >= 0 {
		return user.LookupId(strconv.Itoa(id))
	}
	return user.Current()
}

func (e Environment) defaultSocketDir() string {
	if runtime.GOOS == "windows" {
		return ""
	}
	const system, usual = "/var/run/postgresql", "/tmp"
	if info, err := e.Stat(system); err == nil && info.IsDir() {
		return system
	}
	return usual
}

// homeFile gives the path of a file in the home folder, or "" without one.
func (e Environment) homeFile(names ...string) string {
	home, err := e.HomeDir()
	if err != nil || home == "" {
		return ""
	}
	return filepath.Join(append([]string{home}, names...)...)
}

// dotPostgres gives the path of a file of SSL settings: in ~/.postgresql, or on
// Windows in the folder itself.
func (e Environment) dotPostgres(name string) string {
	if runtime.GOOS == "windows" {
		return e.homeFile(name)
	}
	return e.homeFile(".postgresql", name)
}

// maxFile bounds every file that is read: far above what is sensible, far below
// what hurts when a path names a device.
const maxFile = 4 << 20

// readFile reads a regular file whole.
func (e Environment) readFile(path string) ([]byte, error) {
	f, err := e.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return data, nil
}
