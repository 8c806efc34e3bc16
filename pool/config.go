package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Defaults of [Config]. MaxSize is 4, or the number of CPUs that Go may use where
// that is more; MaxLifetimeJitter is a tenth of MaxLifetime.
const (
	DefaultMaxLifetime       = time.Hour
	DefaultMaxIdleTime       = 30 * time.Minute
	DefaultHealthCheckPeriod = time.Minute
	DefaultCloseTimeout      = 5 * time.Second
)

// Config describes a pool. Connect is required; every other field may be zero.
// The functions are called from many goroutines at once, but for one connection
// from one at a time, save Terminate.
type Config[T any] struct {
	// MinSize is how many connections the pool tries to keep, from its making
	// on, in the background. Default 0.
	MinSize int32
	// MaxSize bounds the connections. Default: 4, or the number of CPUs that Go
	// may use where that is more.
	MaxSize int32
	// MaxLifetime is the age at which a connection is replaced, when it is
	// released or idle. Default [DefaultMaxLifetime]; negative: no limit.
	MaxLifetime time.Duration
	// MaxLifetimeJitter is the upper bound of a random time that is added to the
	// MaxLifetime of each connection, so that they do not all end together.
	// Default: a tenth of MaxLifetime; negative: none.
	MaxLifetimeJitter time.Duration
	// MaxIdleTime is after how long without use a connection above MinSize is
	// closed. Default [DefaultMaxIdleTime]; negative: no limit.
	MaxIdleTime time.Duration
	// HealthCheckPeriod is how often idle connections are looked through for
	// MaxLifetime and MaxIdleTime, and the pool is filled to MinSize where that
	// failed before. Default [DefaultHealthCheckPeriod].
	HealthCheckPeriod time.Duration
	// AcquireTimeout bounds the wait of each Acquire, beside its context.
	// Default 0: no bound of its own.
	AcquireTimeout time.Duration
	// CloseTimeout bounds Close for one connection. Default
	// [DefaultCloseTimeout].
	CloseTimeout time.Duration
	// MaxUses is after how many acquisitions a connection is replaced. Default 0:
	// no limit.
	MaxUses int64

	// Connect makes a connection. Its ctx has the values of the acquirer's, but
	// ends only with the pool: Connect must bound its own time. Its error is
	// given to the acquirer as it is.
	Connect func(ctx context.Context) (T, error)
	// Close closes a connection in good order, within ctx. It is used for
	// connections that are too old, idle, expired or left when the pool closes;
	// where ctx ends before it returns, Terminate follows. nil: Terminate is used.
	Close func(ctx context.Context, v T)
	// Terminate closes a connection by force and at once. It is called at most
	// once per connection, and possibly while its holder or Close uses it. nil:
	// Close is used, with a context that has ended.
	Terminate func(v T)

	// Healthy is a quick look at an idle connection before it is lent. Where it
	// says false, the connection is terminated and another one taken.
	Healthy func(v T) bool
	// OnConnect is called with each new connection, under Connect's rules. Its
	// error terminates the connection and reaches the acquirer as a [*HookError].
	OnConnect func(ctx context.Context, v T) error
	// OnAcquire is called before a connection is lent, with the acquirer's ctx.
	// Its error terminates the connection and reaches the acquirer as a
	// [*HookError].
	OnAcquire func(ctx context.Context, v T) error
	// OnRelease is called when a connection comes back. Its error terminates the
	// connection.
	OnRelease func(v T) error
	// Reset is called after OnRelease, to bring the connection back to its first
	// state. It must not block for long. Its error terminates the connection.
	Reset func(v T) error

	// OnWait is called, in the acquirer's goroutine, after each Acquire that found
	// no idle connection, with the time it waited and its error, nil where it
	// got a connection.
	OnWait func(ctx context.Context, waited time.Duration, err error)
	// OnClose is called after a connection was closed, before its slot is free,
	// with the reason, the connection's age, and the hook's error that led to
	// it, where one did.
	OnClose func(reason Reason, age time.Duration, err error)

	// CaptureStacks records the stack of each acquirer for [Holder]. It costs
	// some microseconds per Acquire. Default off.
	CaptureStacks bool
}

// withDefaults gives the complete configuration, or all that is wrong with it.
func (c Config[T]) withDefaults() (Config[T], error) {
	if c.MaxSize == 0 {
		c.MaxSize = max(4, int32(min(runtime.GOMAXPROCS(0), 1<<20)), c.MinSize)
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("pool: "+format, args...)) }
	if c.Connect == nil {
		bad("Connect is missing")
	}
	if c.MaxSize < 0 {
		bad("MaxSize is %d, must be positive", c.MaxSize)
	}
	if c.MinSize < 0 {
		bad("MinSize is %d, must not be negative", c.MinSize)
	}
	if c.MaxSize > 0 && c.MinSize > c.MaxSize {
		bad("MinSize %d is above MaxSize %d", c.MinSize, c.MaxSize)
	}
	if c.HealthCheckPeriod < 0 {
		bad("HealthCheckPeriod is %v, must not be negative", c.HealthCheckPeriod)
	}
	if c.AcquireTimeout < 0 {
		bad("AcquireTimeout is %v, must not be negative", c.AcquireTimeout)
	}
	if c.CloseTimeout < 0 {
		bad("CloseTimeout is %v, must not be negative", c.CloseTimeout)
	}
	if c.MaxUses < 0 {
		bad("MaxUses is %d, must not be negative", c.MaxUses)
	}
	fill := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	fill(&c.MaxLifetime, DefaultMaxLifetime)
	fill(&c.MaxLifetimeJitter, c.MaxLifetime/10)
	fill(&c.MaxIdleTime, DefaultMaxIdleTime)
	fill(&c.HealthCheckPeriod, DefaultHealthCheckPeriod)
	fill(&c.CloseTimeout, DefaultCloseTimeout)
	return c, errors.Join(errs...)
}

// Reason is why a connection was closed.
type Reason uint8

// The reasons.
const (
	// ReasonShutdown: the pool was closed or terminated.
	ReasonShutdown Reason = iota
	// ReasonLifetime: it was older than MaxLifetime.
	ReasonLifetime
	// ReasonIdle: it was idle for longer than MaxIdleTime.
	ReasonIdle
	// ReasonUses: it was lent MaxUses times.
	ReasonUses
	// ReasonExpired: Expire, or ExpireWhere for it, was called after it was made.
	ReasonExpired
	// ReasonUnhealthy: Healthy said false.
	ReasonUnhealthy
	// ReasonHook: OnAcquire, OnRelease or Reset failed.
	ReasonHook
	// ReasonDestroyed: its holder called Destroy.
	ReasonDestroyed

	reasons = iota
)

// String gives the reason in lower case.
func (r Reason) String() string {
	names := [reasons]string{"shutdown", "lifetime", "idle", "uses", "expired", "unhealthy", "hook", "destroyed"}
	if int(r) >= len(names) {
		return fmt.Sprintf("reason(%d)", uint8(r))
	}
	return names[r]
}

// graceful says whether the connection is still in a state to be closed in good
// order.
func (r Reason) graceful() bool { return r <= ReasonExpired }
