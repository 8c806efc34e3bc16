package pgtest

// ParsedDSN opens the reading of DSNs to the tests: address, user, password
// and database.
func ParsedDSN(dsn string) ([]string, error) {
	t, err := parseDSN(dsn)
	return []string{t.network, t.address, t.user, t.password, t.database}, err
}

// Doors for table tests.
var (
	VersionMatches = versionMatches
	ResolveVersion = resolveVersion
	WithDatabase   = withDatabase
	CheckPrivate   = checkPrivate
)
