package dsn

import "strconv"

// SourceKind is the kind of place that a value came from.
type SourceKind uint8

// The kinds of places, from the least to the most specific in no particular
// order of precedence. The zero value is the default that is built in.
const (
	SourceDefault      SourceKind = iota // built in, or derived from another value
	SourceDSN                            // the data source name itself
	SourceEnvironment                    // an environment variable
	SourceServiceFile                    // a section of a connection service file
	SourcePasswordFile                   // a line of a password file
	SourceOSUser                         // the name of the operating system's user
)

// Source says where a value came from. The zero value is the built-in default.
type Source struct {
	Kind    SourceKind // which of the fields below are set depends on it
	Name    string     // environment: the variable's name
	Path    string     // service file, password file: the file's path
	Section string     // service file: the section, which is the service's name
	Line    int        // service file, password file: the line, counted from 1
}

// String describes the source: "default", "dsn", "environment PGHOST", "service
// file /path section name", "password file /path line 3" or "os user".
func (s Source) String() string {
	switch s.Kind {
	case SourceDSN:
		return "dsn"
	case SourceEnvironment:
		return "environment " + s.Name
	case SourceServiceFile:
		return "service file " + s.Path + " section " + s.Section
	case SourcePasswordFile:
		return "password file " + s.Path + " line " + strconv.Itoa(s.Line)
	case SourceOSUser:
		return "os user"
	default:
		return "default"
	}
}

// MarshalText gives what [Source.String] does, so that a source is a string in
// JSON.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
