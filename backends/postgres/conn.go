package postgres

import (
	"context"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/pool"
)

// conn is a lent connection, or a view of one.
type conn struct {
	querier
	db   *db
	s    *session
	opt  *duet.Options
	lent *loan
}

// loan is what all views of one lent connection share.
type loan struct {
	lease *pool.Lease[*session] // nil inside the pool's hooks

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

// newConn makes a view.
func newConn(d *db, s *session, opt *duet.Options, lent *loan) *conn {
	c := &conn{db: d, s: s, opt: opt, lent: lent}
	c.doer = c
	return c
}

func (c *conn) do(ctx context.Context, cmd string, args []any, t *task) (duet.Result, error) {
	none := duet.Result{RowsAffected: -1}
	if err := unsupportedOptions(c.opt); err != nil {
		return none, err
	}
	if err := c.lent.enter(cmd); err != nil {
		return none, err
	}
	defer c.lent.leave()
	ctx, end := c.db.begin(ctx, c.opt, cmd, len(args), false)
	t.begin(cmd, args, c.opt)
	err := c.exec(ctx, t)
	return t.ended(end, err)
}

// exec runs the call, again where its plan was stale and no transaction of the
// user's own is open.
func (c *conn) exec(ctx context.Context, t *task) error {
	r := &t.r
	*r = run{db: c.db, s: c.s, k: &t.k, lone: true, inTx: c.s.wc.Status() != 'I'}
	err := r.exec(ctx)
	for c.s.wc.Status() == 'I' && r.anew(err) {
		err = r.exec(ctx)
	}
	c.s.dirty = true // a lent connection is always reset: the user asked for a session
	return err
}

func (c *conn) With(over duet.Options) duet.Conn {
	opt := effective(c.opt.Merge(over))
	return newConn(c.db, c.s, &opt, c.lent)
}

func (c *conn) Backend() duet.Backend { return c.db.backend() }

func (c *conn) Release() {
	l := c.lent
	l.mu.Lock()
	ended, busy, open := l.ended, l.busy, l.open
	l.ended = true
	l.mu.Unlock()
	if ended || l.lease == nil || l.lease.Value() == nil { // a lost commit has given it back
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
