package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/pool"
)

// client is a view of a pool with options.
type client struct {
	db  *db
	opt duet.Options
}

func (c *client) Query(ctx context.Context, cmd string, out any, args ...any) error {
	into, err := sliceSink(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	_, err = c.do(ctx, cmd, args, &into)
	return err
}

func (c *client) QueryOne(ctx context.Context, cmd string, out any, args ...any) error {
	into, err := oneSink(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	_, err = c.do(ctx, cmd, args, &into)
	return err
}

func (c *client) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return queryJSON(c, ctx, cmd, out, intoJSON, args)
}

func (c *client) QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return queryJSON(c, ctx, cmd, out, intoOneJSON, args)
}

func (c *client) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	into := sink{kind: discardRows}
	return c.do(ctx, cmd, args, &into)
}

// doer runs a command whose rows go into a sink: a client, a transaction or a
// lent connection.
type doer interface {
	do(ctx context.Context, cmd string, args []any, into *sink) (duet.Result, error)
}

func queryJSON(d doer, ctx context.Context, cmd string, out *[]byte, kind sinkKind, args []any) error {
	if out == nil {
		return argumentError(cmd, errors.New("the destination is a nil *[]byte"))
	}
	into := sink{kind: kind, json: out}
	_, err := d.do(ctx, cmd, args, &into)
	return err
}

// do runs one command on a connection of the pool.
func (c *client) do(ctx context.Context, cmd string, args []any, into *sink) (duet.Result, error) {
	ctx, end := c.db.begin(ctx, &c.opt, cmd, len(args), false)
	k := call{cmd: cmd, args: args, opt: &c.opt, into: into}
	into.lax = c.opt.Columns == duet.ColumnsLax
	err := c.attempts(ctx, &k)
	if end != nil {
		end(k.result, err)
	}
	if err != nil {
		return duet.Result{RowsAffected: -1}, err
	}
	return k.result, nil
}

// maxMoves bounds how often one command moves to another connection beyond those
// that were idle.
const maxMoves = 3

// attempts runs the command, and runs it again where that is safe: on another
// connection where the server cannot have run any of it or the caller declared
// it idempotent, and once more where its plan was stale.
func (c *client) attempts(ctx context.Context, k *call) error {
	if err := unsupportedOptions(&c.opt); err != nil {
		return err
	}
	stale := false
	for moves := 0; ; moves++ {
		lease, err := c.db.acquire(ctx, &c.opt, k.cmd)
		if err != nil {
			return err
		}
		s := lease.Value()
		r := run{db: c.db, s: s, k: k, lone: true}
		err = r.exec(ctx)
		if err != nil && !stale && r.isStale(err) {
			stale = true
			r = run{db: c.db, s: s, k: k}
			err = r.exec(ctx)
		}
		err = c.checkIdle(&r, err)
		c.db.release(lease)
		if err == nil || !r.dead || ctx.Err() != nil || duet.KindOf(err) != duet.KindUnavailable {
			return err
		}
		if !r.unsent && c.opt.Idempotent != duet.On || moves >= maxMoves+int(c.db.pool.Stat().MaxSize) {
			return err
		}
	}
}

func (r *run) isStale(err error) bool {
	e, ok := errors.AsType[*duet.Error](err)
	return ok && !r.dead && isStalePlan(e.Code, e.Message)
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
	return &client{db: c.db, opt: effective(c.opt.Merge(over))}
}

func (c *client) Backend() duet.Backend { return c.db.backend() }

func (c *client) Pool() *pool.Control { return c.db.control }

func (c *client) Ping(ctx context.Context) error {
	into := sink{kind: discardRows}
	_, err := c.do(ctx, "-- ping", nil, &into)
	return err
}

func (c *client) Close(ctx context.Context) error { return c.db.close(ctx) }

func (c *client) Acquire(ctx context.Context) (duet.Conn, error) {
	if err := unsupportedOptions(&c.opt); err != nil {
		return nil, err
	}
	lease, err := c.db.acquire(ctx, &c.opt, "")
	if err != nil {
		return nil, err
	}
	return &conn{db: c.db, s: lease.Value(), opt: &c.opt, lent: &loan{lease: lease, lone: true}}, nil
}
