package postgres

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/dsn"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

// db is what all views of one client share.
type db struct {
	cfg        Config
	dialer     *dialer
	pool       *pool.Pool[*session]
	control    *pool.Control
	types      *codec.Types
	statements *statements
	budget     retry.Budget
	version    atomic.Pointer[string]
	noIDs      atomic.Bool // the server has no ids of transactions
	hasIDs     atomic.Bool // it has been seen to have them
	witnessed  atomic.Bool // a second connection is kept
	pruner     committoken.Pruner
}

// Connect makes a client for the database that dsn, the environment and the
// files of libpq's users name (PostgreSQL documentation, chapter "libpq",
// section "Database Connection Control Functions"). It makes one connection
// before it returns, so that a wrong DSN or password is found here; ctx bounds
// that, not the client's life. The client must be closed.
//
// Of several hosts, each new connection goes to the first that will do. Each has
// connect_timeout to answer, or where that is not set 2 seconds, the only one 30
// seconds; one that let it pass is asked last for the next 10 seconds. Where
// target_session_attrs is read-write or primary, all connections to a host are
// given up, idle ones at once and lent ones when they come back, when it refuses
// to write (SQLSTATE 25006) though the caller did not ask for a read-only
// transaction, and when connecting finds another primary. Such a refusal is
// ErrUnavailable and ErrReadOnly at once, and RetryingTx begins again elsewhere.
// Where the server reports that it is not any more what target_session_attrs
// wants, which it does with its next answer, the connections to it go, too.
//
// Errors are *duet.Error: KindConfig for a DSN or Config that is wrong,
// ErrAuthentication, ErrUnavailable.
func Connect(ctx context.Context, connString string, cfg Config) (duet.Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhasePrepare, Err: err}
	}
	cfg = cfg.withDefaults()
	target, err := resolve(connString, cfg)
	if err != nil {
		return nil, &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhasePrepare, Err: err}
	}
	d := &db{
		cfg: cfg, dialer: newDialer(cfg, target), types: codec.NewTypes(),
		statements: &statements{maxText: cfg.MaxCachedText, byText: map[statementKey]*statement{}},
	}
	if d.pool, err = pool.New(d.poolConfig()); err != nil {
		return nil, &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhasePrepare, Err: err}
	}
	d.control = d.pool.Control()
	c := newClient(d, cfg.Options)
	if err := c.Ping(ctx); err != nil {
		ended, stop := context.WithCancel(context.WithoutCancel(ctx))
		stop()
		_ = d.pool.Close(ended)
		return nil, err
	}
	return c, nil
}

// resolve reads the DSN and everything that fills its gaps.
func resolve(connString string, cfg Config) (*dsn.Config, error) {
	resolved, err := dsn.ParsePostgres(connString, cfg.Environment)
	if err != nil {
		return nil, err
	}
	target, err := resolved.Postgres()
	if err != nil {
		return nil, err
	}
	if target.RuntimeParams["client_encoding"] == "" {
		target.RuntimeParams["client_encoding"] = "UTF8"
	}
	return target, nil
}

// poolConfig is how the pool treats sessions.
func (d *db) poolConfig() pool.Config[*session] {
	c := pool.Config[*session]{
		MinSize: d.cfg.MinConns, MaxSize: d.cfg.MaxConns,
		MaxLifetime: d.cfg.MaxConnLifetime, MaxLifetimeJitter: d.cfg.MaxConnLifetime / 10,
		MaxIdleTime: d.cfg.MaxConnIdleTime, AcquireTimeout: d.cfg.AcquireTimeout, MaxUses: d.cfg.MaxConnUses,
		Connect: d.connect,
		Close:   func(ctx context.Context, s *session) { _ = s.wc.Close(ctx) },
		Terminate: func(s *session) {
			s.wc.Fail(wire.ErrClosed)
			_ = s.wc.Close(context.Background())
		},
		Healthy: func(s *session) bool { return s.wc.Err() == nil && !s.fallen() },
	}
	if c.MaxSize == 0 {
		c.MaxSize = max(4, int32(runtime.GOMAXPROCS(0)), c.MinSize)
	}
	if hook := d.cfg.Hooks.PoolWait; hook != nil {
		c.OnWait = func(ctx context.Context, waited time.Duration, err error) {
			hook(ctx, duet.PoolWaitInfo{Name: nameOf(ctx), Waited: waited, Err: err})
		}
	}
	return c
}

type nameKey struct{}

// nameOf is Options.Name of the call that ctx belongs to.
func nameOf(ctx context.Context) string {
	name, _ := ctx.Value(nameKey{}).(string)
	return name
}

// connect makes a connection for the pool.
func (d *db) connect(ctx context.Context) (*session, error) {
	s, gone, err := d.dialer.connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range gone {
		d.giveUp(h, h.epoch.Load())
	}
	version := serverVersion(s.wc)
	d.version.Store(&version)
	if hook := d.cfg.OnConnect; hook != nil {
		kept := false
		defer func() {
			if !kept { // the hook may have panicked
				s.wc.Fail(wire.ErrClosed)
				_ = s.wc.Close(ctx)
			}
		}()
		c := newConn(d, s, &d.cfg.Options, &loan{})
		if err := hook(ctx, c); err != nil {
			return nil, &duet.Error{Kind: duet.KindOf(err), Backend: backendName, Phase: duet.PhaseConnect, Message: "OnConnect failed", Err: err}
		}
		c.lent.ended = true
		s.dirty, s.own = false, s.maySet()
		kept = true
	}
	return s, nil
}

// acquire borrows a session.
func (d *db) acquire(ctx context.Context, opt *duet.Options, cmd string) (*pool.Lease[*session], error) {
	if d.cfg.Hooks.PoolWait != nil && opt.Name != "" {
		ctx = context.WithValue(ctx, nameKey{}, opt.Name)
	}
	lease, err := d.pool.AcquireAs(marked(ctx), opt.Name)
	if err != nil {
		return nil, acquireError(err, cmd)
	}
	if hook := d.cfg.OnAcquire; hook != nil {
		fit := false
		defer func() {
			if !fit { // the hook may have panicked
				lease.Destroy()
			}
		}()
		c := newConn(d, lease.Value(), &d.cfg.Options, &loan{})
		if err := hook(ctx, c); err != nil {
			return nil, &duet.Error{Kind: duet.KindOf(err), Backend: backendName, Phase: duet.PhasePool, Message: "OnAcquire failed", Err: err}
		}
		fit = true
	}
	return lease, nil
}

// acquireAlone is acquire as a call of its own, which Options.Timeout bounds.
func (d *db) acquireAlone(ctx context.Context, opt *duet.Options) (*pool.Lease[*session], error) {
	if opt.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, opt.Timeout)
		defer stop()
	}
	return d.acquire(ctx, opt, "")
}

// release gives a session back once nothing is outstanding on it.
func (d *db) release(lease *pool.Lease[*session]) {
	s := lease.Value()
	if s.wc.Busy() {
		s.wc.WhenIdle(func() {
			if d.dismissAlone(lease) {
				d.giveBack(lease)
			}
		})
		return
	}
	if d.dismiss(lease) {
		d.giveBack(lease)
	}
}

// releaseWithin is release for a call. Where locks of the session are to be let
// go of, that is waited for no longer than ctx lasts, and goes on in the
// background.
func (d *db) releaseWithin(ctx context.Context, lease *pool.Lease[*session]) {
	if s := lease.Value(); !s.locks || ctx.Done() == nil || s.wc.Busy() {
		d.release(lease)
		return
	}
	if !d.dismiss(lease) {
		return
	}
	released := make(chan struct{})
	go func() { defer close(released); d.giveBack(lease) }()
	select {
	case <-released:
	case <-ctx.Done():
	}
}

// dismiss calls OnRelease. Where it says false, or panics, the session is gone.
func (d *db) dismiss(lease *pool.Lease[*session]) (ok bool) {
	hook := d.cfg.OnRelease
	if hook == nil {
		return true
	}
	s := lease.Value()
	if s.wc.Err() != nil {
		return true
	}
	defer func() {
		if !ok {
			lease.Destroy()
		}
	}()
	return hook(newConn(d, s, &d.cfg.Options, &loan{})) == nil
}

// dismissAlone is dismiss where nobody is there to be told about a panic.
func (d *db) dismissAlone(lease *pool.Lease[*session]) (ok bool) {
	defer func() { _ = recover() }()
	return d.dismiss(lease)
}

// giveBack brings a session to its first state, or ends it.
func (d *db) giveBack(lease *pool.Lease[*session]) {
	s := lease.Value()
	d.judge(s)
	if !s.clean() {
		lease.Destroy()
		return
	}
	lease.Release()
}

// backend says what the client is connected to.
func (d *db) backend() duet.Backend {
	b := duet.Backend{Name: backendName, Dialect: duet.SQL, Abilities: abilities}
	if v := d.version.Load(); v != nil {
		b.ServerVersion = *v
	}
	return b
}

var abilities = duet.Abilities(duet.NestedTx, duet.WeakIsolation, duet.DeferrableTx, duet.RowCounts, duet.Streaming,
	duet.SessionState, duet.SessionSettings, duet.ServerCancel, duet.TxCommands, duet.TransactionIDs)

// close drains the pool, bounded by ctx.
func (d *db) close(ctx context.Context) error {
	err := d.pool.Close(ctx)
	if err == nil || errors.Is(err, pool.ErrClosed) {
		return nil
	}
	return &duet.Error{Kind: duet.KindOther, Backend: backendName, Message: "closing the client", Err: err}
}
