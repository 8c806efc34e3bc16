package postgres

import (
	"context"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/pool"
)

// conn is a lent connection, or a view of one.
type conn struct {
	db   *db
	s    *session
	opt  *duet.Options
	lent *loan
}

// loan is what all views of one lent connection share.
type loan struct {
	lease *pool.Lease[*session] // nil inside the pool's hooks
	lone  bool                  // nothing was sent on it yet

	mu    sync.Mutex
	busy  bool         // a call, rows or a transaction is using it
	open  *transaction // the transaction that is using it
	ended bool
}

// enter takes the connection for one call.
func (l *loan) enter(cmd string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return simpleError(duet.KindClosed, duet.PhasePrepare, cmd, "the connection was released")
	case l.busy:
		return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, cmd, "the connection is in use: by another goroutine, a transaction, or rows that were not closed")
	}
	l.busy = true
	return nil
}

func (l *loan) leave() {
	l.mu.Lock()
	l.busy = false
	l.mu.Unlock()
}

func (c *conn) Query(ctx context.Context, cmd string, out any, args ...any) error {
	into, err := sliceSink(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	_, err = c.do(ctx, cmd, args, &into)
	return err
}

func (c *conn) QueryOne(ctx context.Context, cmd string, out any, args ...any) error {
	into, err := oneSink(out)
	if err != nil {
		return argumentError(cmd, err)
	}
	_, err = c.do(ctx, cmd, args, &into)
	return err
}

func (c *conn) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return queryJSON(c, ctx, cmd, out, intoJSON, args)
}

func (c *conn) QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return queryJSON(c, ctx, cmd, out, intoOneJSON, args)
}

func (c *conn) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	into := sink{kind: discardRows}
	return c.do(ctx, cmd, args, &into)
}

func (c *conn) do(ctx context.Context, cmd string, args []any, into *sink) (duet.Result, error) {
	none := duet.Result{RowsAffected: -1}
	if err := unsupportedOptions(c.opt); err != nil {
		return none, err
	}
	if err := c.lent.enter(cmd); err != nil {
		return none, err
	}
	defer c.lent.leave()
	ctx, end := c.db.begin(ctx, c.opt, cmd, len(args), false)
	k := call{cmd: cmd, args: args, opt: c.opt, into: into}
	into.lax = c.opt.Columns == duet.ColumnsLax
	err := c.exec(ctx, &k)
	if end != nil {
		end(k.result, err)
	}
	if err != nil {
		return none, err
	}
	return k.result, nil
}

// exec runs the call, again where its plan was stale and no transaction of the
// user's own is open.
func (c *conn) exec(ctx context.Context, k *call) error {
	r := run{db: c.db, s: c.s, k: k, lone: true, inTx: c.s.wc.Status() != 'I'}
	err := r.exec(ctx)
	if err != nil && r.isStale(err) && c.s.wc.Status() == 'I' {
		r = run{db: c.db, s: c.s, k: k}
		err = r.exec(ctx)
	}
	c.s.dirty = true // a lent connection is always reset: the user asked for a session
	return err
}

func (c *conn) With(over duet.Options) duet.Conn {
	opt := effective(c.opt.Merge(over))
	return &conn{db: c.db, s: c.s, opt: &opt, lent: c.lent}
}

func (c *conn) Backend() duet.Backend { return c.db.backend() }

func (c *conn) Release() {
	l := c.lent
	l.mu.Lock()
	ended, busy, open := l.ended, l.busy, l.open
	l.ended = true
	l.mu.Unlock()
	if ended || l.lease == nil {
		return
	}
	if open != nil && open.expire() { // an open transaction is rolled back with the session's reset
		busy = false
	}
	if busy { // somebody still reads rows: nobody can trust it
		l.lease.Destroy()
		return
	}
	c.db.release(l.lease)
}
