package edgedbtest

import (
	"fmt"

	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/pgtest"
)

// Protocol is a version of EdgeDB's protocol: the major version in the upper 16
// bits, the minor one in the lower.
type Protocol uint32

// The versions that the server speaks.
const (
	Protocol10 Protocol = 1 << 16
	Protocol20 Protocol = 2 << 16
)

// String gives "2.0".
func (p Protocol) String() string { return fmt.Sprintf("%d.%d", p>>16, p&0xffff) }

// What Config's fields default to.
const (
	DefaultUser   = "edgedb"
	DefaultBranch = "main"
)

// Config says what server to start. The zero value works.
type Config struct {
	// PostgresDSN is where the branches' databases are made, as a URI or as
	// key=value pairs, with one host; the role must be allowed to create
	// databases. Empty: a server of its own is started with pgtest.
	PostgresDSN string
	// Postgres is a running server to use instead of PostgresDSN. It is not
	// stopped by Close.
	Postgres *pgtest.Server

	// User and Password are what clients log in with. User defaults to
	// DefaultUser, Password to a random one: see Server.DSN.
	User, Password string
	// Branch is the name of the branch that is there from the start. It
	// defaults to DefaultBranch.
	Branch string
	// Protocol is the highest version that is spoken, and the version that a
	// client gets who asks for more. 0 is Protocol20. Protocol10 is the lowest.
	Protocol Protocol
	// Listen is the TCP address to listen on. Empty: 127.0.0.1, any free port.
	Listen string
	// Version is what sys::get_version_as_str() says. Empty: "5.8+local".
	Version string
	// Statements are added to the catalogue, or stand in for those of the same
	// name: for tests that need another text, or plant a fault.
	Statements []*queries.Statement
}

// filled is the configuration with its defaults.
func (c Config) filled() (Config, error) {
	defaults := []struct {
		field *string
		value string
	}{
		{&c.User, DefaultUser}, {&c.Branch, DefaultBranch}, {&c.Listen, "127.0.0.1:0"}, {&c.Version, "5.8+local"}, {&c.Password, randomText()},
	}
	for _, d := range defaults {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.Protocol == 0 {
		c.Protocol = Protocol20
	}
	if c.Protocol != Protocol10 && c.Protocol != Protocol20 {
		return c, fmt.Errorf("edgedbtest: protocol %s is not spoken: take %s or %s", c.Protocol, Protocol10, Protocol20)
	}
	return c, nil
}
