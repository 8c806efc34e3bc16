package edgedb

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

// db is what all views of one client share.
type db struct {
	cfg     Config
	dialer  *dialer
	pool    *pool.Pool[*slot]
	control *pool.Control
	shapes  *decode.Cache
	texts   texts
	budget  retry.Budget
	version atomic.Pointer[string]

	pruner  committoken.Pruner
	pruning pruning
	closing atomic.Bool // Close was called: it may still wait
}

// Connect makes a client for the EdgeDB or Gel server that connString, the
// environment, credentials and projects name (EdgeDB documentation, "Connection
// parameters"): a URI with the scheme edgedb or gel, an instance's name, or "".
// It makes one connection before it returns, so that a wrong address or password
// is found here; ctx bounds that, not the client's life. The client must be
// closed.
//
// The client works through edgedb-go, each connection of its pool being one of
// edgedb-go's. That gives no way to a socket in use: where a call's ctx ends the
// call returns at once, and its connection stays lent until the server has
// answered, or the ctx's deadline has passed. For the same reason Close by force
// and Pool().Terminate return at once, while a statement that is running goes on
// until the server has answered.
//
// Errors are *duet.Error: KindConfig for a connection string or Config that is
// wrong, ErrAuthentication, ErrUnavailable.
func Connect(ctx context.Context, connString string, cfg Config) (duet.Client, error) {
	return connect(ctx, connString, cfg, openDriver)
}

func connect(ctx context.Context, connString string, cfg Config, open opener) (duet.Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, configError(err)
	}
	cfg = cfg.withDefaults()
	to, err := resolve(connString, cfg)
	if err != nil {
		return nil, configError(err)
	}
	d := &db{cfg: cfg, dialer: &dialer{cfg: cfg, target: to, open: open}, shapes: decode.NewCache()}
	if d.pool, err = pool.New(d.poolConfig()); err != nil {
		return nil, configError(err)
	}
	d.control = d.pool.Control()
	c := newClient(d, newView(cfg.Options))
	if err := c.Ping(ctx); err != nil {
		ended, stop := context.WithCancel(context.WithoutCancel(ctx))
		stop()
		_ = d.pool.Close(ended)
		return nil, err
	}
	return c, nil
}

func configError(err error) error {
	return &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhasePrepare, Err: err}
}

// poolConfig is how the pool treats connections.
func (d *db) poolConfig() pool.Config[*slot] {
	c := pool.Config[*slot]{
		MinSize: d.cfg.MinConns, MaxSize: d.cfg.MaxConns,
		MaxLifetime: d.cfg.MaxConnLifetime, MaxLifetimeJitter: d.cfg.MaxConnLifetime / 10,
		MaxIdleTime: d.cfg.MaxConnIdleTime, AcquireTimeout: d.cfg.AcquireTimeout, MaxUses: d.cfg.MaxConnUses,
		HealthCheckPeriod: 5 * time.Second, // idle times are short here
		Connect:           d.connect,
		Close:             func(ctx context.Context, s *slot) { s.shut(ctx, pool.DefaultCloseTimeout) },
		Terminate:         func(s *slot) { s.shut(context.Background(), closePatience) },
		Healthy:           (*slot).fresh,
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

type (
	nameKey struct{}
	kindKey struct{}
)

// nameOf is Options.Name of the call that ctx belongs to.
func nameOf(ctx context.Context) string {
	name, _ := ctx.Value(nameKey{}).(string)
	return name
}

// connect makes a connection for the pool, of the kind that the acquirer wants.
func (d *db) connect(ctx context.Context) (*slot, error) {
	k, _ := ctx.Value(kindKey{}).(kind)
	ses, err := d.dial(ctx, k)
	if err != nil {
		return nil, err
	}
	s := newSlot(ses, k)
	if err := d.greet(ctx, s); err != nil {
		s.shut(ctx, closePatience)
		return nil, err
	}
	return s, nil
}

// dial makes a connection, and with the first one learns the server's version.
func (d *db) dial(ctx context.Context, k kind) (session, error) {
	ses, err := d.dialer.connect(ctx, k)
	if err != nil || d.version.Load() != nil {
		return ses, err
	}
	work := &workContext{}
	deadline, _ := ctx.Deadline()
	work.begin(sooner(deadline, time.Now().Add(d.cfg.ConnectTimeout)))
	var version string
	asked := make(chan error, 1)
	go func() {
		asked <- guarded(func() error {
			return ses.executor(nil).QuerySingle(work, "select sys::get_version_as_str()", &version)
		})
	}()
	select {
	case err = <-asked:
	case <-ctx.Done():
		go func() { discarded(ses, <-asked) }()
		return nil, connectError(ctx.Err(), "")
	}
	switch {
	case err == nil:
		d.version.CompareAndSwap(nil, &version)
	case connectionLost(err):
		discarded(ses, err)
		return nil, connectError(err, "")
	}
	return ses, nil
}

// discarded gets rid of a session after what was last asked of it, which gave err.
func discarded(ses session, err error) {
	if _, panicked := errors.AsType[*duet.Error](err); panicked {
		ses.abandon()
		return
	}
	ses.close()
}

// sooner is the earlier of two times, of which the first may be none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// greet calls OnConnect.
func (d *db) greet(ctx context.Context, s *slot) error {
	hook := d.cfg.OnConnect
	if hook == nil {
		return nil
	}
	c := newConn(d, s, newView(d.cfg.Options), &loan{})
	if err := hook(ctx, c); err != nil {
		return &duet.Error{Kind: duet.KindOf(err), Backend: backendName, Phase: duet.PhaseConnect, Message: "OnConnect failed", Err: err}
	}
	c.lent.end()
	return nil
}

// acquireFor borrows a connection; transactions say that one of the view's kind
// is wanted.
func (d *db) acquireFor(ctx context.Context, v *view, cmd string, transactions bool) (*pool.Lease[*slot], error) {
	if d.cfg.Hooks.PoolWait != nil && v.opt.Name != "" {
		ctx = context.WithValue(ctx, nameKey{}, v.opt.Name)
	}
	lease, err := d.lend(marked(ctx), v, transactions)
	if err != nil {
		return nil, d.acquireError(err, cmd)
	}
	if hook := d.cfg.OnAcquire; hook != nil {
		c := newConn(d, lease.Value(), newView(d.cfg.Options), &loan{})
		if err := hook(ctx, c); err != nil {
			c.slot.lose(errRefused)
			d.release(lease) // once the hook's last call has ended
			return nil, &duet.Error{Kind: duet.KindOf(err), Backend: backendName, Phase: duet.PhasePool, Message: "OnAcquire failed", Err: err}
		}
		c.lent.end()
	}
	return lease, nil
}

// errRefused is why a connection that OnAcquire has refused is not lent again.
var errRefused = errors.New("OnAcquire has refused it")

func (d *db) lend(ctx context.Context, v *view, transactions bool) (*pool.Lease[*slot], error) {
	if !transactions {
		return d.pool.AcquireAs(ctx, v.opt.Name)
	}
	if v.kind != (kind{}) {
		ctx = context.WithValue(ctx, kindKey{}, v.kind)
	}
	return d.pool.AcquireMatching(ctx, v.opt.Name,
		func(s *slot) bool { return s.is(v.kind) },
		func(ctx context.Context, s *slot) error { return d.convert(ctx, s, v.kind) })
}

// convert makes a connection one of another kind.
func (d *db) convert(ctx context.Context, s *slot, k kind) error {
	if err := s.convert(ctx, k, d.dial); err != nil {
		return err
	}
	return d.greet(ctx, s)
}

// acquireError is the error of an acquire that gave no connection. One that ended
// while connecting failed again and again tells what it failed with.
func (d *db) acquireError(err error, cmd string) error {
	e := acquireError(err, cmd)
	if x, ok := errors.AsType[*pool.ExhaustedError](err); ok && x.Dialing {
		if last := d.dialer.lastError(); last != nil {
			dressed := *e
			dressed.Kind, dressed.Phase, dressed.Err = duet.KindUnavailable, duet.PhaseConnect, errors.Join(last, err)
			return &dressed
		}
	}
	return e
}

// acquireAlone is acquireFor as a call of its own, which Options.Timeout bounds.
func (d *db) acquireAlone(ctx context.Context, v *view) (*pool.Lease[*slot], error) {
	if v.opt.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, v.opt.Timeout)
		defer stop()
	}
	return d.acquireFor(ctx, v, "", true)
}

// release gives a connection back once nothing is running on it.
func (d *db) release(lease *pool.Lease[*slot]) {
	s := lease.Value()
	if s == nil || !s.whenIdle(func() { d.giveBack(lease, s) }) {
		d.giveBack(lease, s)
	}
}

func (d *db) giveBack(lease *pool.Lease[*slot], s *slot) {
	if s == nil {
		return // it was given back already
	}
	fit := s.fit()
	if hook := d.cfg.OnRelease; hook != nil && fit {
		c := newConn(d, s, newView(d.cfg.Options), &loan{})
		fit = hook(c) == nil && s.fit()
		c.lent.end()
	}
	if !fit {
		lease.Destroy()
		return
	}
	lease.Release()
}

// doubt deals with what edgedb-go could not cope with: what it remembers of a
// text no longer holds, for one, since another session has changed the schema. The
// other connections remember it too.
func (d *db) doubt(err error, cmd string) {
	if duet.KindOf(serverError(err, cmd, duet.PhaseRun)) == duet.KindProtocol {
		d.shapes.Forget(cmd)
		d.pool.Expire()
	}
}

// backend says what the client is connected to.
func (d *db) backend() duet.Backend {
	b := duet.Backend{Name: backendName, Dialect: duet.EdgeQL, Abilities: abilities}
	if v := d.version.Load(); v != nil {
		b.ServerVersion = *v
	}
	return b
}

var abilities = duet.Abilities(duet.DeferrableTx, duet.GlobalVariables, duet.ModuleAliasing, duet.SessionSettings, duet.Links)

// close drains the pool, bounded by ctx.
func (d *db) close(ctx context.Context) error {
	d.closing.Store(true)
	err := d.pool.Close(ctx)
	d.pruning.end()
	if err == nil || errors.Is(err, pool.ErrClosed) {
		return nil
	}
	return &duet.Error{Kind: duet.KindOther, Backend: backendName, Message: "closing the client", Err: err}
}
