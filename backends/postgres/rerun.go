package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/duetdb/duet"
)

// maxMoves bounds how often one command moves to another connection beyond those
// that were idle when the first one was found dead.
const maxMoves = 3

// moves are the ways of one command outside of transactions, or of a transaction
// of which nothing has come back yet, from connection to connection. Connections that were idle may all have died together, and cost
// nothing to find dead. One that was made since, and dies at once, tells of a
// server that is not well: few of these are tried, with waits between them. A
// command that was sent is run again where its caller said that it may be, and
// no more often than that.
type moves struct {
	since   time.Time // when the first connection was found dead
	idle    int       // connections from before that
	further int       // moves beyond them
	unknown bool      // an earlier run may have had its effect
}

// again says whether a command whose run ended with err is to be run on another
// connection. It waits before the moves that are not for free.
func (m *moves) again(ctx context.Context, c *client, r *run, err error) bool {
	if err == nil || !r.dead || ctx.Err() != nil || duet.KindOf(err) != duet.KindUnavailable {
		return false
	}
	if !r.unsent {
		m.unknown = true
		if c.opt.Idempotent != duet.On {
			return false
		}
	}
	return m.next(ctx, c.db, r.s, r.unsent)
}

// next counts a move away from a session that was found dead, and says whether it
// is to be made. It waits before the moves that are not for free; nothing is lost
// by one that is, where the session was idle.
func (m *moves) next(ctx context.Context, d *db, s *session, free bool) bool {
	if m.since.IsZero() {
		m.since = time.Now()
	}
	if free && s.opened.Before(m.since) {
		m.idle++
		return m.idle <= int(d.pool.Stat().MaxSize)+maxMoves
	}
	m.further++
	return m.further <= maxMoves && m.wait(ctx)
}

// wait waits a little, longer each time.
func (m *moves) wait(ctx context.Context) bool {
	timer := time.NewTimer(rand.N(10 * time.Millisecond << m.further))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// told gives the error that the caller gets: where an earlier run may have had
// its effect, a later one's failure does not undo that.
func (m *moves) told(err error) error {
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || !m.unknown || e.Outcome != duet.OutcomeNone {
		return err
	}
	dressed := *e
	dressed.Outcome = duet.OutcomeUnknown
	return &dressed
}
