package edgedb

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/pool"
)

// client is a view of a pool with options.
type client struct {
	querier
	db   *db
	view *view
}

func newClient(d *db, v *view) *client {
	c := &client{db: d, view: v}
	c.doer = c
	return c
}

// do runs one command on a connection of the pool.
func (c *client) do(ctx context.Context, args []any, k *call) error {
	_, err := k.perform(ctx, c.db, c.view, args, false, func(ctx context.Context) (reply, error) { return c.attempts(ctx, k) })
	return err
}

func (c *client) rows(ctx context.Context, args []any, k *call) (*decode.Result, error) {
	r, err := k.perform(ctx, c.db, c.view, args, false, func(ctx context.Context) (reply, error) { return c.attempts(ctx, k) })
	return r.result, err
}

// perform does what surrounds a command: hooks, timeout, arguments, destination.
func (k *call) perform(ctx context.Context, d *db, v *view, args []any, inTx bool, run func(context.Context) (reply, error)) (reply, error) {
	k.db, k.view, k.inTx = d, v, inTx
	ctx, end := d.begin(ctx, &v.opt, k.cmd, len(args), inTx)
	err := k.prepare(args)
	var r reply
	if err == nil {
		k.reset()
		r, err = run(ctx)
	}
	if err == nil {
		err = k.finish(r)
	}
	if end != nil {
		end(unknown, err)
	}
	return r, err
}

// maxMoves bounds how often one command moves to another connection beyond those
// that were idle.
const maxMoves = 3

// attempts runs the command, and runs it again where that is safe: where the
// server cannot have run any of it, or can have changed nothing, or the caller
// declared it idempotent. What edgedb-go cannot read since another session has
// changed the schema it can on a new connection.
func (c *client) attempts(ctx context.Context, k *call) (reply, error) {
	doubt := false // an earlier run may have had its effect
	for moves := 0; ; moves++ {
		r, w, err := c.once(ctx, k)
		if err == nil {
			return r, nil
		}
		if doubt {
			err = doubted(err)
		}
		if w == nil || ctx.Err() != nil || moves >= maxMoves+int(c.db.pool.Stat().MaxSize) {
			return r, err
		}
		again := w.lost && duet.KindOf(err) == duet.KindUnavailable &&
			(w.unsent || k.harmless() || c.view.opt.Idempotent == duet.On)
		if !again && !(isStateMismatch(err) && moves < maxMoves) && !(moves == 0 && w.lost && k.harmless() && duet.KindOf(err) == duet.KindProtocol) {
			return r, err
		}
		doubt = doubt || outcomeOf(err) == duet.OutcomeUnknown
	}
}

// isStateMismatch says that the server refused a command unseen because another
// session has changed the schema, and with it how state is described. It has told
// edgedb-go the new description.
func isStateMismatch(err error) bool {
	e, ok := errors.AsType[*duet.Error](err)
	return ok && e.Name == "StateMismatchError"
}

// once runs the command on one connection. Without work it was not got as far as
// that.
func (c *client) once(ctx context.Context, k *call) (reply, *work, error) {
	lease, err := c.db.acquireFor(ctx, c.view, k.cmd, c.view.kind.readOnly)
	if err != nil {
		return reply{}, nil, err
	}
	defer c.db.release(lease)
	return k.on(ctx, lease.Value())
}

// on runs the command on a connection. Read-only commands are run in a
// transaction: there is no other way to tell EdgeDB.
func (k *call) on(ctx context.Context, s *slot) (reply, *work, error) {
	r, v := new(reply), k.view
	w, left := s.run(ctx, k.cmd, func(w *work, ses session) (err error) {
		if !v.kind.readOnly {
			*r, err = k.ask(&s.ctx, ses.executor(v.state), w.proceed)
			return err
		}
		return w.once(ses, v.state, func(ex executor) (err error) {
			*r, err = k.ask(&s.ctx, ex, w.proceed)
			return err
		})
	})
	if w.err == nil {
		return *r, w, nil
	}
	if w.lost {
		k.db.doubt(w.err, k.cmd)
	}
	return reply{}, w, k.failure(w.err, (left || w.lost || errors.Is(w.err, decode.ErrChanged)) && !w.unsent && !k.harmless())
}

// harmless says that the command changes nothing, wherever it got to.
func (k *call) harmless() bool { return k.view.kind.readOnly || k.text.reads }

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

func (c *client) With(over duet.Options) duet.Client { return newClient(c.db, c.view.with(over)) }

func (c *client) Backend() duet.Backend { return c.db.backend() }

func (c *client) Pool() *pool.Control { return c.db.control }

func (c *client) Ping(ctx context.Context) error {
	_, err := c.Execute(ctx, "select 1")
	return err
}

func (c *client) Close(ctx context.Context) error { return c.db.close(ctx) }

func (c *client) Acquire(ctx context.Context) (duet.Conn, error) {
	if c.view.bad != nil {
		return nil, c.view.bad
	}
	lease, err := c.db.acquireAlone(ctx, c.view)
	if err != nil {
		return nil, err
	}
	return newConn(c.db, lease.Value(), c.view, &loan{lease: lease}), nil
}
