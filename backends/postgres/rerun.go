package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/duetdb/duet"
)

// maxMoves bounds how often one command moves to another connection beyond those
// that were idle when the first one was found dead.
const maxMoves = 3

// moves are the ways of one command, outside of transactions, from connection to
// connection. Connections that were idle may all have died together, and cost
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
	if m.since.IsZero() {
		m.since = time.Now()
	}
	if r.unsent && r.s.opened.Before(m.since) {
		m.idle++
		return m.idle <= int(c.db.pool.Stat().MaxSize)+maxMoves
	}
	if !r.unsent {
		m.unknown = true
		if c.opt.Idempotent != duet.On {
			return false
		}
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
	if !ok || !m.unknown || e.Outcome == duet.OutcomeUnknown {
		return err
	}
	dressed := *e
	dressed.Outcome = duet.OutcomeUnknown
	return &dressed
}

// refusedOutcome is what an error of the server's says of the command's effect.
// Usually all of it is undone; a script may have committed before, and so may a
// procedure, of which nobody can tell.
func (r *run) refusedOutcome(early bool) duet.Outcome {
	if !early && (r.committed || r.k.st.mayCommit && !r.inTx) {
		return duet.OutcomeUnknown
	}
	return duet.OutcomeNone
}

// commits says that a command of a script ended a transaction well.
func commits(tag string) bool {
	return strings.HasPrefix(tag, "COMMIT") || tag == "PREPARE TRANSACTION"
}

// misfitOutcome is what is known of the effect of a command that was run to its
// end, where only its result does not fit.
func (r *run) misfitOutcome() duet.Outcome {
	if tag := r.k.result; !r.inTx && tag.RowsAffected > 0 && !strings.HasPrefix(tag.Status, "SELECT") {
		return duet.OutcomeUnknown
	}
	return duet.OutcomeNone
}
