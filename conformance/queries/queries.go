// Package queries holds the statements of the conformance suite: each is a pair
// of texts, one in SQL and one in EdgeQL, with a header that declares arguments
// and the shape of the result. README.md describes the files.
package queries

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/duetdb/duet"
)

//go:embed *.sql *.edgeql
var files embed.FS

// extensions of the files, by dialect.
var extensions = map[duet.Dialect]string{duet.SQL: ".sql", duet.EdgeQL: ".edgeql"}

// Statement is one statement of the suite. It is never changed and safe for
// concurrent use.
type Statement struct {
	// Name is the files' name without the extension.
	Name string
	// Args are the arguments, in order where they are positional.
	Args []Arg
	// Named says that the arguments are named.
	Named bool
	// Cardinality is how many rows there are.
	Cardinality Cardinality
	// Shape is a row's shape; nil where Cardinality is None.
	Shape *Shape
	// Unproven says why the EdgeQL text is not known to compile and run on a
	// real server; "" for those that are.
	Unproven string

	texts map[duet.Dialect]string
	none  map[duet.Dialect]string
}

// Arg is an argument of a statement.
type Arg struct {
	Name  string
	Shape *Shape
}

// Text gives the statement in a dialect, without the header, as it is to be
// sent. It is "" where the dialect has none, and for a nil Statement.
func (s *Statement) Text(d duet.Dialect) string {
	if s == nil {
		return ""
	}
	return s.texts[d]
}

// None says why the statement has no text in a dialect; "" where it has one.
func (s *Statement) None(d duet.Dialect) string { return s.none[d] }

// Get gives the statement with that name, nil where there is none.
func Get(name string) *Statement {
	all, err := catalog()
	if err != nil {
		return nil
	}
	return all[name]
}

// Names gives the names of all statements, sorted.
func Names() []string {
	all, err := catalog()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check gives what is wrong with the files: a header that does not parse, a
// text without its twin, two headers that differ. It is nil in a released
// version.
func Check() error {
	_, err := catalog()
	return err
}

// catalog reads the files once.
var catalog = sync.OnceValues(func() (map[string]*Statement, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		texts[e.Name()] = string(data)
	}
	return load(texts)
})

// load makes statements of files, given as texts by name.
func load(texts map[string]string) (map[string]*Statement, error) {
	all := map[string]*Statement{}
	var errs []error
	for file := range texts {
		name := strings.TrimSuffix(file, path.Ext(file))
		if all[name] != nil {
			continue
		}
		s, err := pair(name, texts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[name] = s
	}
	return all, errors.Join(errs...)
}

// pair makes a statement of its two files.
func pair(name string, texts map[string]string) (*Statement, error) {
	s := &Statement{Name: name, texts: map[duet.Dialect]string{}, none: map[duet.Dialect]string{}}
	var headers [2]string
	for i, d := range []duet.Dialect{duet.SQL, duet.EdgeQL} {
		file := name + extensions[d]
		text, ok := texts[file]
		if !ok {
			return nil, fmt.Errorf("queries: %s is missing: its twin is there", file)
		}
		h, err := parseHeader(text, d)
		if err == nil && h.values["name"] != name {
			err = fmt.Errorf("the header names it %q", h.values["name"])
		}
		if err == nil {
			err = s.add(h, d)
		}
		if err != nil {
			return nil, fmt.Errorf("queries: %s: %w", file, err)
		}
		headers[i] = h.shared()
	}
	if headers[0] != headers[1] {
		return nil, fmt.Errorf("queries: the headers of %s differ: %s and %s", name, headers[0], headers[1])
	}
	return s, nil
}

// add takes over what one file says.
func (s *Statement) add(h header, d duet.Dialect) error {
	var err error
	args := h.values["args"]
	if named, ok := h.values["named"]; ok {
		s.Named, args = true, named
	}
	if s.Args, err = parseArgs(args); err != nil {
		return err
	}
	if s.Cardinality, s.Shape, err = parseResult(h.values["result"]); err != nil {
		return err
	}
	if reason := h.values["unproven"]; reason != "" {
		s.Unproven = reason
	}
	if reason := h.values["none"]; reason != "" {
		s.none[d] = reason
		return nil
	}
	s.texts[d] = h.body
	return nil
}
