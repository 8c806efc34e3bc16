package dsn

import (
	"errors"
	"io/fs"
)

// EdgeDBErrorKind says which rule of EdgeDB's connection parameters was broken.
// The names are those that EdgeDB's clients share in their test cases.
type EdgeDBErrorKind string

// The kinds of errors.
const (
	// EdgeDBNoOptions: neither an option nor a variable says what to connect to,
	// and no project does.
	EdgeDBNoOptions EdgeDBErrorKind = "no_options_or_toml"
	// EdgeDBMultipleOptions: more than one option says what to connect to.
	EdgeDBMultipleOptions EdgeDBErrorKind = "multiple_compound_opts"
	// EdgeDBMultipleVariables: more than one variable says what to connect to.
	EdgeDBMultipleVariables EdgeDBErrorKind = "multiple_compound_env"
	// EdgeDBExclusive: two parameters that exclude each other are both given.
	EdgeDBExclusive EdgeDBErrorKind = "exclusive_options"
	// EdgeDBInvalidDSN: the DSN is malformed, or has one parameter twice.
	EdgeDBInvalidDSN EdgeDBErrorKind = "invalid_dsn"
	// EdgeDBInvalidDSNOrName: the text is neither a DSN nor an instance's name.
	EdgeDBInvalidDSNOrName EdgeDBErrorKind = "invalid_dsn_or_instance_name"
	// EdgeDBInvalidInstanceName: the cloud instance's name is too long.
	EdgeDBInvalidInstanceName EdgeDBErrorKind = "invalid_instance_name"
	// EdgeDBInvalidHost: not a host name nor an address, or several of them.
	EdgeDBInvalidHost EdgeDBErrorKind = "invalid_host"
	// EdgeDBUnixSocket: the host is a path. EdgeDB's clients have no Unix sockets.
	EdgeDBUnixSocket EdgeDBErrorKind = "unix_socket_unsupported"
	// EdgeDBInvalidPort: not a number from 1 to 65535.
	EdgeDBInvalidPort EdgeDBErrorKind = "invalid_port"
	// EdgeDBInvalidUser: an empty user name.
	EdgeDBInvalidUser EdgeDBErrorKind = "invalid_user"
	// EdgeDBInvalidDatabase: an empty name of a database or branch.
	EdgeDBInvalidDatabase EdgeDBErrorKind = "invalid_database"
	// EdgeDBInvalidTLSSecurity: an unknown word for the security of TLS or of the
	// client, or two that contradict each other.
	EdgeDBInvalidTLSSecurity EdgeDBErrorKind = "invalid_tls_security"
	// EdgeDBInvalidSecretKey: no JSON web token that names its issuer, where a
	// cloud instance needs one.
	EdgeDBInvalidSecretKey EdgeDBErrorKind = "invalid_secret_key"
	// EdgeDBInvalidCredentials: credentials that cannot be read or understood.
	EdgeDBInvalidCredentials EdgeDBErrorKind = "invalid_credentials_file"
	// EdgeDBCredentialsNotFound: an instance has no file of credentials.
	EdgeDBCredentialsNotFound EdgeDBErrorKind = "credentials_file_not_found"
	// EdgeDBSecretKeyNotFound: a cloud instance is named, and there is no secret
	// key for it.
	EdgeDBSecretKeyNotFound EdgeDBErrorKind = "secret_key_not_found"
	// EdgeDBEnvNotFound: the DSN names a variable that is not set.
	EdgeDBEnvNotFound EdgeDBErrorKind = "env_not_found"
	// EdgeDBFileNotFound: a file that a parameter names cannot be read.
	EdgeDBFileNotFound EdgeDBErrorKind = "file_not_found"
	// EdgeDBProjectNotInitialised: a project's folder is not linked to an instance.
	EdgeDBProjectNotInitialised EdgeDBErrorKind = "project_not_initialised"

	// The shared test cases have no names for the following.

	// EdgeDBInvalidPassword: a password or secret key with a NUL byte.
	EdgeDBInvalidPassword EdgeDBErrorKind = "invalid_password"
	// EdgeDBInvalidTLSCA: no certificate in PEM form.
	EdgeDBInvalidTLSCA EdgeDBErrorKind = "invalid_tls_ca"
	// EdgeDBInvalidTLSServerName: not a host name.
	EdgeDBInvalidTLSServerName EdgeDBErrorKind = "invalid_tls_server_name"
	// EdgeDBInvalidDuration: neither ISO 8601 nor numbers with units.
	EdgeDBInvalidDuration EdgeDBErrorKind = "invalid_duration"
)

// EdgeDBError is what [ParseEdgeDB] fails with. Its text never holds a secret nor
// the data source name. [errors.As] finds the [*Error] inside too.
type EdgeDBError struct {
	Kind     EdgeDBErrorKind
	Warnings []EdgeDBWarning // what was noticed before it
	Err      *Error          // the parameter, the place and the problem
}

// Error gives the parameter, the problem and the place.
func (e *EdgeDBError) Error() string {
	if e.Err == nil {
		return "dsn: " + string(e.Kind)
	}
	return e.Err.Error()
}

// Unwrap gives Err.
func (e *EdgeDBError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// EdgeDBWarningKind says what a warning is about, in the words of the test cases
// that EdgeDB's clients share.
type EdgeDBWarningKind string

// The kinds of warnings.
const (
	// EdgeDBBothPrefixes: a variable is set as GEL_NAME, which counts, and as
	// EDGEDB_NAME, which is ignored.
	EdgeDBBothPrefixes EdgeDBWarningKind = "gel_and_edgedb"
	// EdgeDBDockerPort: a port variable is ignored, since docker set it for a
	// linked container: it looks like tcp://host:port.
	EdgeDBDockerPort EdgeDBWarningKind = "docker_tcp_port"
)

// EdgeDBWarning is something that does not keep anyone from connecting and may
// not be what was meant.
type EdgeDBWarning struct {
	Kind EdgeDBWarningKind
	Text string // one line, without secrets
}

// String gives the text.
func (w EdgeDBWarning) String() string { return w.Text }

func edgeError(kind EdgeDBErrorKind, keyword string, source Source, problem string) *EdgeDBError {
	return &EdgeDBError{Kind: kind, Err: &Error{Keyword: keyword, Source: source, Offset: -1, Problem: problem}}
}

// because adds a file's error without the path, which for a badly encoded DSN
// could be a piece of a password.
func (e *EdgeDBError) because(err error) *EdgeDBError {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	e.Err.Err = err
	return e
}
