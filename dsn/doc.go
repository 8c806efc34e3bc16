// Package dsn resolves a data source name into a complete configuration, for
// PostgreSQL or EdgeDB, in which every value says where it came from.
//
// For PostgreSQL the meaning is libpq's: the connection string formats, keywords, environment
// variables, password file, service file, defaults and their precedence are
// those of the PostgreSQL documentation, chapter "libpq - C Library", sections
// "Database Connection Control Functions", "Environment Variables", "The
// Password File", "The Connection Service File" and "SSL Support". A value in
// the string wins over one in the service file, which wins over the environment,
// which wins over the default.
//
// [ParsePostgres] reads the string and everything around it, and gives a
// [Resolved]: keywords, values and sources, secrets masked. [Resolved.Postgres]
// checks the values as libpq does when it connects, and gives a typed [Config].
// [Config.TLSConfig] builds the TLS settings for one host from it.
//
// # Differences from libpq 15
//
//   - Keywords and variables that came with libpq 16 to 18 are known:
//     require_auth, sslcertmode, load_balance_hosts, gssdelegation,
//     sslnegotiation, min_protocol_version, max_protocol_version,
//     sslkeylogfile, scram_client_key, scram_server_key and oauth_issuer,
//     oauth_client_id, oauth_client_secret, oauth_scope. sslrootcert=system
//     means the system's roots, and makes verify-full the default sslmode, as
//     from libpq 16 on.
//   - In a URI, a port that is not a number, and an "@" that is not written as
//     %40 in a host or port, are rejected while parsing: there they are pieces
//     of a password that was not percent-encoded, and are not shown.
//   - A value that holds "=" or a URI is not shown in errors, and is masked where it
//     seems to hold a password: after "port= password=x", port is "password=x".
//   - A NUL byte is an error; for libpq it ends the string.
//   - Blanks in a URI belong to the values, as up to libpq 17.
//   - krbsrvname, gsslib, gssdelegation, sslcompression and oauth_* are accepted and
//     have no effect: the methods that they are for are not there.
//   - connect_timeout=1 means one second. libpq before 17 made it two, since its
//     clock counted whole seconds.
//   - LDAP lookups in a service file, OpenSSL engines ("engine:id" in sslkey),
//     and GSSAPI encryption are not supported, and say so.
//   - Where neither the string nor the environment name a host, the socket
//     directory is the first of /var/run/postgresql and /tmp that exists; libpq
//     has one of them compiled in.
//   - sslcertmode=require fails where there is no certificate to send; whether
//     the server asked for it is not checked.
//
// # EdgeDB
//
// [ParseEdgeDB] resolves what EdgeDB's and Gel's own clients do: URIs, instances'
// names, credentials, projects, and the variables GEL_NAME and EDGEDB_NAME, of
// which the former count. [EdgeDBResolved] says where each value came from, and
// [EdgeDBResolved.Config] gives them with their types. The test cases that
// EdgeDB's clients share all hold. Beyond them:
//
//   - Several hosts are an extension that [EdgeDBOptions.SeveralHosts] turns on.
//   - Unix sockets, and so a server's admin socket, are refused, as by EdgeDB's
//     clients.
//   - In a URI, an "@" in the path or in a parameter's name and any "#" are
//     rejected: there they are pieces of a password that was not percent-encoded.
//   - The end of a line at the end of a file that holds one value does not count.
//   - Authorities must have a certificate in them, and no value may hold a NUL byte
//     or be other than UTF-8.
//   - Instances and projects are looked up in EdgeDB's, Gel's and the old
//     configuration folder (~/.edgedb), each on its own.
//   - The search for a project ends at the border of a file system.
package dsn
