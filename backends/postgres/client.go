package postgres

import (
	"context"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/pool"
)

// client is a view of a pool with options.
type client struct {
	querier
	db  *db
	opt duet.Options
}

// newClient makes a view.
func newClient(d *db, opt duet.Options) *client {
	c := &client{db: d, opt: effective(opt)}
	c.doer = c
	return c
}

// do runs one command on a connection of the pool.
func (c *client) do(ctx context.Context, cmd string, args []any, t *task) (duet.Result, error) {
	ctx, end := c.db.begin(ctx, &c.opt, cmd, len(args), false)
	t.begin(cmd, args, &c.opt)
	err := c.attempts(ctx, t)
	return t.ended(end, err)
}

// attempts runs the command, and runs it again where that is safe: on another
// connection where the server cannot have run any of it or the caller declared
// it idempotent, and on the same one where its plan was stale.
func (c *client) attempts(ctx context.Context, t *task) error {
	if err := unsupportedOptions(&c.opt); err != nil {
		return err
	}
	var m moves
	for {
		t.r.dead = false // of an earlier run: there may be none
		err := c.once(ctx, t)
		if err == nil {
			return nil
		}
		if !m.again(ctx, c, &t.r, err) {
			return m.told(err)
		}
	}
}

// once runs the command on one connection, again where its plan was stale.
func (c *client) once(ctx context.Context, t *task) (err error) {
	lease, err := c.db.acquire(ctx, &c.opt, t.k.cmd)
	if err != nil {
		t.r.dead = false // that was the connection before, and every host has been tried now
		return err
	}
	defer c.db.releaseWithin(ctx, lease)
	s, r := lease.Value(), &t.r
	*r = run{db: c.db, s: s, k: &t.k, lone: true}
	for err = r.exec(ctx); r.anew(err); {
		err = r.exec(ctx)
	}
	return c.checkIdle(r, err)
}

// checkIdle closes a connection that a command of its own left in a transaction.
func (c *client) checkIdle(r *run, err error) error {
	if r.dead || r.s.wc.Status() == 'I' || r.f != nil {
		return err
	}
	wrong := simpleError(duet.KindInvalidArgument, duet.PhaseRun, r.k.cmd, "the command opened a transaction on a pooled connection, which was closed: use RetryingTx, RawTx, Begin or Acquire")
	r.s.wc.Fail(wrong)
	if err != nil {
		return err
	}
	wrong.Outcome = r.refusedOutcome(false)
	return wrong
}

// begin starts what surrounds a call: its timeout and its hook. The function it
// gives, which may be nil, ends both.
func (d *db) begin(ctx context.Context, opt *duet.Options, cmd string, args int, inTx bool) (context.Context, func(duet.Result, error)) {
	hook := d.cfg.Hooks.Query
	if hook == nil && opt.Timeout <= 0 {
		return ctx, nil
	}
	var stop context.CancelFunc
	if opt.Timeout > 0 {
		ctx, stop = context.WithTimeout(ctx, opt.Timeout)
	}
	var ended func(duet.QueryEnd)
	start := time.Now()
	if hook != nil {
		var watched context.Context
		watched, ended = hook(ctx, duet.QueryInfo{Backend: backendName, Name: opt.Name, Command: cmd, Args: args, InTx: inTx})
		if watched != nil {
			ctx = watched
		}
	}
	return ctx, func(result duet.Result, err error) {
		if stop != nil {
			stop()
		}
		if ended != nil {
			ended(duet.QueryEnd{Result: result, Err: err, Took: time.Since(start)})
		}
	}
}

func (c *client) With(over duet.Options) duet.Client {
	return newClient(c.db, c.opt.Merge(over))
}

func (c *client) Backend() duet.Backend { return c.db.backend() }

func (c *client) Pool() *pool.Control { return c.db.control }

func (c *client) Ping(ctx context.Context) error {
	_, err := c.Execute(ctx, "-- ping")
	return err
}

func (c *client) Close(ctx context.Context) error { return c.db.close(ctx) }

func (c *client) Acquire(ctx context.Context) (duet.Conn, error) {
	if err := unsupportedOptions(&c.opt); err != nil {
		return nil, err
	}
	lease, err := c.db.acquireAlone(ctx, &c.opt)
	if err != nil {
		return nil, err
	}
	return newConn(c.db, lease.Value(), &c.opt, &loan{lease: lease}), nil
}
