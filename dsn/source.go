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

	SourceOption          // an option of the program, such as a field of [EdgeDBOptions]
	SourceFile            // a file that holds this one value
	SourceCredentialsFile // a key of a JSON file of credentials
	SourceCloud           // derived from a cloud instance's name and its secret key
)

// Source says where a value came from. The zero value is the built-in default.
//
// Section is also the part of an EdgeDB DSN ("host", "port", "user", "password",
// "path" or "query NAME") that was given as such or by a variable, and the key of
// credentials.
type Source struct {
	Kind    SourceKind // which of the fields below are set depends on it
	Name    string     // environment: the variable's name; option: the option's; cloud: the instance's
	Path    string     // service file, password file, file, credentials file: the file's path
	Section string     // service file: the section, which is the service's name; see below for the others
	Line    int        // service file, password file: the line, counted from 1
	// Via is what pointed to the variable or file, such as "dsn query
	// password_env", or "" where nothing did.
	Via string
}

// String describes the source: "default", "dsn", "environment PGHOST", "service
// file /path section name", "password file /path line 3", "os user", and for
// EdgeDB "dsn query user", "option user", "environment GEL_DSN query user",
// "environment NAME (dsn query user_env)", "file /path (dsn query user_file)",
// "credentials file /path key user" or "cloud instance org/name".
func (s Source) String() string {
	text := s.place()
	if s.Via != "" {
		text += " (" + s.Via + ")"
	}
	return text
}

func (s Source) place() string {
	switch s.Kind {
	case SourceDSN:
		return joinWords("dsn", s.Section)
	case SourceEnvironment:
		return joinWords("environment "+s.Name, s.Section)
	case SourceServiceFile:
		return "service file " + s.Path + " section " + s.Section
	case SourcePasswordFile:
		return "password file " + s.Path + " line " + strconv.Itoa(s.Line)
	case SourceOSUser:
		return "os user"
	case SourceOption:
		return joinWords("option "+s.Name, s.Section)
	case SourceFile:
		return "file " + s.Path
	case SourceCredentialsFile:
		return joinWords("credentials file "+s.Path, s.Section)
	case SourceCloud:
		return "cloud instance " + s.Name
	default:
		return "default"
	}
}

func joinWords(first, second string) string {
	if second == "" {
		return first
	}
	return first + " " + second
}

// MarshalText gives what [Source.String] does, so that a source is a string in
// JSON.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
