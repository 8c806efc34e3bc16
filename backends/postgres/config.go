package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
)

// Config is what a client can be told beside the DSN. The zero value works. It
// is read when the client is made, and must not be changed afterwards.
type Config struct {
	// MinConns is how many connections are kept open. Default 0.
	MinConns int32
	// MaxConns is the most that are open at once. Default: 4, or the number of
	// processors if that is more.
	MaxConns int32
	// MaxConnLifetime is when a connection is replaced, give or take a tenth.
	// Default an hour; negative: never.
	MaxConnLifetime time.Duration
	// MaxConnIdleTime is when an idle connection is closed. Default 30 minutes;
	// negative: never.
	MaxConnIdleTime time.Duration
	// MaxConnUses is after how many loans a connection is replaced. Default 0:
	// never.
	MaxConnUses int64
	// AcquireTimeout bounds the wait for a connection beside ctx. Default 0:
	// only ctx bounds it.
	AcquireTimeout time.Duration
	// CancelTimeout is how long a statement whose ctx has ended may keep its
	// connection: it is asked to stop, and the connection is closed if it does
	// not. Nobody waits for it. Default 5 seconds.
	CancelTimeout time.Duration

	// OnConnect is called with each new connection before its first use. What it
	// prepares or makes stays, but a session's reset undoes its SETs, too:
	// settings belong into the DSN's options, or into Options.Settings. An error
	// closes the connection and fails the call that needed it.
	OnConnect func(ctx context.Context, conn duet.Conn) error
	// OnAcquire is called each time a connection is lent; an error fails the
	// call and closes the connection.
	OnAcquire func(ctx context.Context, conn duet.Conn) error
	// OnRelease is called each time a connection comes back, before its session
	// is reset; an error closes the connection.
	OnRelease func(conn duet.Conn) error

	// Options are the client's options; views made by With inherit them.
	Options duet.Options
	// Hooks watch the client.
	Hooks duet.Hooks

	// StatementCache says how statements are prepared. Default CacheNamed.
	StatementCache StatementCache
	// StatementCacheSize is how many named statements a connection keeps; the
	// least recently used one makes room. Default 256; negative: none are kept.
	StatementCacheSize int
	// MaxCachedText is the longest text, in bytes, that is cached. Default 16384.
	MaxCachedText int

	// DialFunc makes the byte stream. Default: a net.Dialer with the DSN's
	// keepalives.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// LookupFunc resolves host names, as net.Resolver's LookupHost does. Default:
	// the dialer resolves.
	LookupFunc func(ctx context.Context, host string) ([]string, error)
	// TLSConfig replaces what the DSN's files and sslmode say about how the
	// server is verified. Whether TLS is used is still sslmode's.
	TLSConfig *tls.Config
	// Password gives the password for each new connection, such as a token that
	// expires. Default: the DSN's.
	Password func(ctx context.Context) (string, error)
	// Environment is where the DSN's gaps are filled from. The zero value is the
	// process's environment, home folder and user.
	Environment dsn.Environment
}

// StatementCache says how statements are prepared.
type StatementCache uint8

// The values of StatementCache.
const (
	// CacheNamed prepares each text once on a connection, under a name.
	CacheNamed StatementCache = iota
	// CacheUnnamed prepares with each use, in the same flight. It is for poolers
	// that give each transaction another server connection.
	CacheUnnamed
)

func (c Config) withDefaults() Config {
	if c.MaxConnLifetime == 0 {
		c.MaxConnLifetime = time.Hour
	}
	if c.MaxConnIdleTime == 0 {
		c.MaxConnIdleTime = 30 * time.Minute
	}
	if c.StatementCacheSize == 0 {
		c.StatementCacheSize = 256
	}
	if c.MaxCachedText == 0 {
		c.MaxCachedText = 16 << 10
	}
	return c
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.MinConns < 0 || c.MaxConns < 0 {
		bad("MinConns and MaxConns must not be negative")
	}
	if c.MaxConns > 0 && c.MinConns > c.MaxConns {
		bad("MinConns (%d) is more than MaxConns (%d)", c.MinConns, c.MaxConns)
	}
	if c.AcquireTimeout < 0 || c.CancelTimeout < 0 {
		bad("AcquireTimeout and CancelTimeout must not be negative")
	}
	if c.StatementCache > CacheUnnamed {
		bad("StatementCache has the unknown value %d", c.StatementCache)
	}
	if err := unsupportedOptions(&c.Options); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
