package dsn

import (
	"fmt"
	"runtime"
	"strings"
)

// passwordFile is a password file that may be used, or an empty one.
type passwordFile struct {
	path  string
	lines []string
}

// openPasswordFile reads the password file at path. What libpq ignores gives an
// empty file, and a warning where libpq prints one (PostgreSQL documentation, "The
// Password File").
func (e Environment) openPasswordFile(path string) (file passwordFile, warning string) {
	file.path = path
	info, err := e.Stat(path)
	if err != nil {
		return file, ""
	}
	if !info.Mode().IsRegular() {
		return file, fmt.Sprintf("password file %q is ignored: it is not a plain file", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return file, fmt.Sprintf("password file %q is ignored: group or others have access to it; set its permissions to 0600 or less", path)
	}
	data, err := e.readFile(path)
	if err != nil {
		return file, fmt.Sprintf("password file %q is ignored: %v", path, err)
	}
	file.lines = strings.Split(string(data), "\n")
	return file, ""
}

// lookup gives the password of the first line that matches, and its number from
// 1, or 0.
func (f passwordFile) lookup(host, port, database, user string) (password string, line int) {
	if database == "" || user == "" {
		return "", 0
	}
	for i, text := range f.lines {
		text = strings.TrimRight(text, "\r\n")
		if text == "" || text[0] == '#' || strings.IndexByte(text, 0) >= 0 {
			continue
		}
		rest, ok := text, true
		for _, want := range []string{host, port, database, user} {
			if rest, ok = matchPasswordField(rest, want); !ok {
				break
			}
		}
		if ok {
			return unescapePassword(rest), i + 1
		}
	}
	return "", 0
}

// matchPasswordField compares the first field of text, which is * or a literal
// with backslashes, and gives what follows its colon.
func matchPasswordField(text, want string) (rest string, ok bool) {
	if rest, ok := strings.CutPrefix(text, "*:"); ok {
		return rest, true
	}
	matched := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == ':' {
			return text[i+1:], matched == len(want)
		}
		if c == '\\' {
			i++
			if i == len(text) {
				return "", false
			}
			c = text[i]
		}
		if matched == len(want) || want[matched] != c {
			return "", false
		}
		matched++
	}
	return "", false
}

// unescapePassword reads the last field. A further colon ends it, as in libpq.
func unescapePassword(text string) string {
	var b strings.Builder
	for i := 0; i < len(text) && text[i] != ':'; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// passwordFileName is the password file's name in the home folder.
func passwordFileName() string {
	if runtime.GOOS == "windows" {
		return "pgpass.conf"
	}
	return ".pgpass"
}
