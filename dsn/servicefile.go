package dsn

import (
	"path/filepath"
	"strconv"
	"strings"
)

// applyService fills what the string left open from the service that it or
// PGSERVICE names (PostgreSQL documentation, "The Connection Service File"):
// PGSERVICEFILE or ~/.pg_service.conf first, then pg_service.conf in PGSYSCONFDIR
// or the system's folder. A service that is named must exist.
func (r *resolver) applyService() error {
	service := r.values.entry("service")
	if !service.set {
		value, ok := r.env.LookupEnv("PGSERVICE")
		if !ok {
			return nil
		}
		r.values.store("service", value, Source{Kind: SourceEnvironment, Name: "PGSERVICE"}, -1)
	}
	if strings.IndexByte(service.value, 0) >= 0 {
		return &Error{Keyword: "service", Source: service.source, Offset: -1, Problem: "the name holds a NUL byte"}
	}
	paths, err := r.serviceFiles(service.source)
	if err != nil {
		return err
	}
	for _, path := range paths {
		data, err := r.env.readFile(path)
		if err != nil {
			return &Error{Keyword: "service", Source: service.source, Offset: service.offset, Problem: "the service file cannot be read", Err: err}
		}
		found, err := r.readService(path, string(data), service.value)
		if found || err != nil {
			return err
		}
	}
	problem := "there is no service " + shown(service.value)
	if len(paths) == 0 {
		problem += ", as there is no service file: set PGSERVICEFILE, or create ~/.pg_service.conf"
	} else {
		problem += " in " + strings.Join(paths, " or ")
	}
	return &Error{Keyword: "service", Source: service.source, Offset: service.offset, Problem: problem}
}

// serviceFiles gives the files to search: those that exist, and PGSERVICEFILE,
// which must.
func (r *resolver) serviceFiles(source Source) ([]string, error) {
	var paths []string
	if path, ok := r.env.LookupEnv("PGSERVICEFILE"); ok {
		if _, err := r.env.Stat(path); err != nil {
			return nil, &Error{Keyword: "service", Source: source, Offset: -1, Problem: "the file that PGSERVICEFILE names cannot be read", Err: err}
		}
		paths = append(paths, path)
	} else if path := r.env.homeFile(".pg_service.conf"); path != "" {
		if _, err := r.env.Stat(path); err == nil {
			paths = append(paths, path)
		}
	}
	dirs := r.env.SystemConfigDirs
	if dir, ok := r.env.LookupEnv("PGSYSCONFDIR"); ok {
		dirs = []string{dir}
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "pg_service.conf")
		if _, err := r.env.Stat(path); err == nil {
			return append(paths, path), nil
		}
	}
	return paths, nil
}

// readService takes the lines of one section, up to the next. What is set already
// stays, so that the first of two equal keys counts.
func (r *resolver) readService(path, data, service string) (found bool, err error) {
	fail := func(keyword string, line int, problem string) error {
		source := Source{Kind: SourceServiceFile, Path: path, Section: service, Line: line}
		return &Error{Keyword: keyword, Source: source, Offset: -1, Problem: problem}
	}
	line := 0
	for text := range strings.Lines(data) {
		line++
		text = strings.TrimFunc(text, func(c rune) bool { return c < 128 && isSpace(byte(c)) })
		switch {
		case text == "" || text[0] == '#':
			continue
		case text[0] == '[':
			if found {
				return true, nil
			}
			found = strings.HasPrefix(text[1:], service+"]")
			continue
		case !found:
			continue
		case strings.HasPrefix(text, "ldap"):
			return true, fail("service", line, "LDAP lookups are not supported: write the parameters into the service file")
		}
		key, value, ok := strings.Cut(text, "=")
		switch i := keywordIndex(key); {
		case !ok:
			return true, fail("", line, "a line that is neither key=value, [section] nor a comment")
		case key == "service":
			return true, fail(key, line, "a service cannot name another service")
		case i < 0:
			return true, fail("", line, "unknown key "+serviceKey(key)+" (there may be no spaces around =)")
		case strings.IndexByte(value, 0) >= 0:
			return true, fail(key, line, "the value holds a NUL byte")
		case !r.values[i].set:
			r.values[i] = entry{value: value, set: true, offset: -1,
				source: Source{Kind: SourceServiceFile, Path: path, Section: service, Line: line}}
		}
	}
	return found, nil
}

// serviceKey shows an unknown key, unless it looks like more than a key.
func serviceKey(key string) string {
	for i := 0; i < len(key); i++ {
		if c := key[i]; c != '_' && c != ' ' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "of " + strconv.Itoa(len(key)) + " bytes"
		}
	}
	return shown(key)
}
