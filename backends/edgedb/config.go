package edgedb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
)

// Config is what a client can be told beside the connection string. The zero
// value works. It is read when the client is made, and must not be changed
// afterwards.
type Config struct {
	// MinConns is how many connections are kept open. Default 0. Those that were
	// idle for 25 seconds are replaced when they are needed.
	MinConns int32
	// MaxConns is the most that are open at once, whatever kinds of transactions
	// they are for; a server may see one more until it has read the goodbye of one
	// that was replaced. Default: 4, or the number of processors if that is more.
	MaxConns int32
	// MaxConnLifetime is when a connection is replaced, give or take a tenth.
	// Default an hour; negative: never.
	MaxConnLifetime time.Duration
	// MaxConnIdleTime is when an idle connection is closed. Default, and at most,
	// 25 seconds: edgedb-go closes idle connections by itself, after the server's
	// session_idle_timeout, or after 30 seconds where the server tells none.
	MaxConnIdleTime time.Duration
	// MaxConnUses is after how many loans a connection is replaced. Default 0:
	// never.
	MaxConnUses int64
	// AcquireTimeout bounds the wait for a connection beside ctx. Default 0:
	// only ctx bounds it.
	AcquireTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect to one host. Default 10
	// seconds.
	ConnectTimeout time.Duration
	// WaitUntilAvailable is for how long connecting is tried again where the
	// server cannot be reached or is not ready. Default: the connection string's,
	// which is 30 seconds where it says nothing; negative: one attempt.
	WaitUntilAvailable time.Duration

	// OnConnect is called with each new connection before its first use. An
	// error closes the connection and fails the call that needed it.
	OnConnect func(ctx context.Context, conn duet.Conn) error
	// OnAcquire is called each time a connection is lent; an error fails the
	// call and closes the connection.
	OnAcquire func(ctx context.Context, conn duet.Conn) error
	// OnRelease is called each time a connection comes back; an error closes the
	// connection. Where the last call was left while the server was still at it,
	// that is when the server has answered, in a goroutine of the client.
	OnRelease func(conn duet.Conn) error

	// Options are the client's options; views made by With inherit them.
	Options duet.Options
	// Hooks watch the client.
	Hooks duet.Hooks

	// Password gives the password for each new connection. Default: the
	// connection string's.
	Password func(ctx context.Context) (string, error)
	// SecretKey gives the secret key, a token, for each new connection. Default:
	// the connection string's.
	SecretKey func(ctx context.Context) (string, error)
	// Target replaces or completes what the connection string says. Several hosts
	// are allowed, there and here: they are tried in turn.
	Target dsn.EdgeDBOptions
	// Environment is where gaps are filled from: variables, credentials,
	// projects. The zero value is the process's environment, home and working
	// folder.
	Environment dsn.Environment
}

// mostIdle is less than the 30 seconds after which edgedb-go closes an idle
// connection by itself, and the 60 of a server that was not told otherwise.
const mostIdle = 25 * time.Second

const defaultConnectTimeout = 10 * time.Second

func (c Config) withDefaults() Config {
	if c.MaxConnLifetime == 0 {
		c.MaxConnLifetime = time.Hour
	}
	if c.MaxConnIdleTime <= 0 || c.MaxConnIdleTime > mostIdle {
		c.MaxConnIdleTime = mostIdle
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
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
	if c.AcquireTimeout < 0 || c.ConnectTimeout < 0 {
		bad("AcquireTimeout and ConnectTimeout must not be negative")
	}
	if err := unsupportedOptions(&c.Options); err != nil {
		errs = append(errs, err)
	}
	if _, err := newState(&c.Options); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
