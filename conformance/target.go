package conformance

import (
	"context"
	"time"

	"github.com/duetdb/duet"
)

// Target is what the suite runs against.
type Target struct {
	// Name is the backend's name, such as "postgres".
	Name string

	// Connect makes a client for the database that the suite owns. The suite
	// closes it.
	Connect func(ctx context.Context, opt ConnectOptions) (duet.Client, error)

	// Kill ends, on the server, all connections of clients that were made with
	// that label, and returns when those have ended; new ones may come
	// meanwhile. nil skips the scenarios that need it.
	Kill func(ctx context.Context, label string) error

	// Skips declares the scenarios that are skipped on this target, by ID, each
	// with its reason. Run fails where another set is skipped.
	Skips map[string]string

	// Patience is how long one scenario may take. Default: 30 seconds.
	Patience time.Duration
}

func (t Target) patience() time.Duration {
	if t.Patience <= 0 {
		return 30 * time.Second
	}
	return t.Patience
}

// ConnectOptions are what a scenario wants of its client. The zero value of
// each field leaves it to the target.
type ConnectOptions struct {
	// MaxConns is the most connections that the pool may hold.
	MaxConns int
	// AcquireTimeout bounds the wait for a connection; 0: only ctx does.
	AcquireTimeout time.Duration
	// Hooks are the client's.
	Hooks duet.Hooks
	// Label marks the client's connections for [Target].Kill; on PostgreSQL it
	// is the application_name.
	Label string
}
