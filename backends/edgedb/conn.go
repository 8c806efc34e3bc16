package edgedb

import (
	"context"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/pool"
)

// conn is a lent connection, or a view of one.
type conn struct {
	querier
	db   *db
	slot *slot
	view *view
	lent *loan
}

// loan is what all views of one lent connection share.
type loan struct {
	lease *pool.Lease[*slot] // nil inside the pool's hooks

	mu    sync.Mutex
	busy  bool         // a call or a transaction is using it
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
		return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, cmd, "the connection is in use: by another goroutine or a transaction")
	}
	l.busy = true
	return nil
}

func (l *loan) leave() {
	l.mu.Lock()
	l.busy = false
	l.mu.Unlock()
}

// end ends a loan of the pool's hooks.
func (l *loan) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
}

// newConn makes a view.
func newConn(d *db, s *slot, v *view, lent *loan) *conn {
	c := &conn{db: d, slot: s, view: v, lent: lent}
	c.doer = c
	return c
}

func (c *conn) do(ctx context.Context, args []any, k *call) error {
	_, err := c.perform(ctx, args, k)
	return err
}

func (c *conn) rows(ctx context.Context, args []any, k *call) (*decode.Result, error) {
	r, err := c.perform(ctx, args, k)
	return r.result, err
}

func (c *conn) perform(ctx context.Context, args []any, k *call) (reply, error) {
	if err := c.lent.enter(k.cmd); err != nil {
		return reply{}, err
	}
	defer c.lent.leave()
	return k.perform(ctx, c.db, c.view, args, false, func(ctx context.Context) (reply, error) {
		if err := ctx.Err(); err != nil {
			return reply{}, k.failure(err, false)
		}
		for tries := 0; ; tries++ {
			if err := c.fit(ctx, c.view.kind.readOnly); err != nil {
				return reply{}, err
			}
			r, _, err := k.on(ctx, c.slot)
			if !isStateMismatch(err) || tries >= maxMoves {
				return r, err
			}
		}
	})
}

// fit makes the connection one for the view's transactions. There is nothing in a
// session of EdgeDB's that would be lost by that.
func (c *conn) fit(ctx context.Context, transactions bool) error {
	if !transactions || c.slot.is(c.view.kind) {
		return nil
	}
	return serverError(c.db.convert(ctx, c.slot, c.view.kind), "", duet.PhaseConnect)
}

func (c *conn) With(over duet.Options) duet.Conn {
	return newConn(c.db, c.slot, c.view.with(over), c.lent)
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
	if open != nil { // it is rolled back, or given up, in the background
		open.expire()
	} else if busy { // a call in another goroutine: nobody can tell what it will find
		c.slot.lose(errReleased)
	}
	c.db.release(l.lease)
}
