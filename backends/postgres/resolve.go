package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/pool"
	"github.com/duetdb/duet/retry"
)

// verdict is what is known of a COMMIT without an answer.
type verdict struct {
	proof     duet.CommitProof // "" where the outcome is unknown
	committed bool
	why       string // it is unknown
}

func unknown(format string, args ...any) verdict { return verdict{why: fmt.Sprintf(format, args...)} }

func known(proof duet.CommitProof, committed bool) verdict {
	return verdict{proof: proof, committed: committed}
}

// dress makes the error of a COMMIT without an answer, out of that of the flight
// that carried it.
func (v verdict) dress(e *duet.Error) error {
	if v.committed {
		return nil
	}
	told := *e
	if v.proof != "" {
		told.Kind = duet.KindUnavailable
		told.Message = "the answer to COMMIT was lost, and the transaction was not applied (known by: " + string(v.proof) + ")"
		return &told
	}
	told.Kind, told.Outcome = duet.KindCommitUnknown, duet.OutcomeUnknown
	told.Message = "COMMIT was sent and its answer was lost: the transaction may or may not have been applied"
	told.Detail = v.why
	told.Hint = "Options.ExactlyOnce finds the outcome wherever the database can be asked"
	return &told
}

// lostCommit is a COMMIT whose outcome is looked for.
type lostCommit struct {
	*commitFlight
	db       *db
	opt      *duet.Options
	trace    *trace
	pid      uint32 // as the connection was told
	err      error  // what came in place of the answer
	answered bool
}

// How long to wait between two looks at a transaction that is still deciding, or
// at a server that is away.
const (
	firstLookWait = time.Millisecond
	lastLookWait  = 200 * time.Millisecond
	zombieLooks   = 5 // after so many looks, a session that waits for its dead client is ended
)

// resolve finds out what became of the transaction. It goes on for grace after
// the end of ctx.
func (l *lostCommit) resolve(ctx context.Context, grace time.Duration) verdict {
	ctx, stop := patience(ctx, grace)
	defer stop()
	if !l.trace.wrote {
		return l.askNothing(ctx)
	}
	if l.tokened {
		return l.askToken(ctx)
	}
	seen := l.trace.seen
	switch {
	case seen.server == 0:
		return unknown("the transaction's id was not fetched: Options.TransactionID is off, or the server has none")
	case seen.pid != l.pid:
		return unknown("the connection leads through a pooler, behind which nobody can tell whether the server is the same as before")
	case l.refused():
		return known(duet.ProofRefused, false)
	case seen.id == 0:
		return l.askNothing(ctx)
	default:
		return l.askID(ctx)
	}
}

// refused says that the server itself ended the session before it looked at the
// COMMIT: it answers in order, and this came first.
func (l *lostCommit) refused() bool {
	e, ok := errors.AsType[*wire.ServerError](l.err)
	if !ok || l.answered || e.Severity != "FATAL" || e.Routine != "ProcessInterrupts" { // see refusedFirst
		return false
	}
	switch e.Code {
	case "57P01", "25P03", "57P05": // see refusedFirst
		return e.Routine == "ProcessInterrupts"
	}
	return false
}

// patience gives a ctx for finding out what became of a commit.
func patience(ctx context.Context, grace time.Duration) (context.Context, func()) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), committoken.Patience)
	unwatch := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(own, func() { timer.Stop() })
	})
	return own, func() {
		unwatch()
		cancel()
	}
}

// pause waits between two looks. It says whether ctx still holds.
func pause(ctx context.Context, looks int) bool {
	wait := min(firstLookWait<<min(looks, 20), lastLookWait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// askID looks the transaction's id up. An answer is believed only over a
// connection that was open before the id was asked for: that it has survived
// proves that no crash came after, with which ids are given out again.
func (l *lostCommit) askID(ctx context.Context) verdict {
	var strangers []*session // of other servers
	for looks := 0; ; looks++ {
		known := slices.Clone(strangers)
		lease, err := l.db.pool.AcquireExisting(ctx, l.opt.Name, func(s *session) bool {
			return s.opened.Before(l.trace.asked) && s.wc.Err() == nil && !slices.Contains(known, s)
		})
		if err != nil {
			return unknown("its id is %d, and %s", l.trace.seen.id, noWitness(err))
		}
		s := lease.Value()
		var v verdict
		var t testimony
		if err = s.adopt(ctx, l.opt.Settings); err == nil {
			t, err = l.testimony(ctx, s)
		}
		switch {
		case err == nil && t.foreign:
			strangers = append(strangers, s)
		case err == nil:
			v, err = l.judge(ctx, s, t, looks)
		}
		l.db.release(lease)
		switch {
		case err != nil && classify(err) != retry.Unavailable:
			return unknown("its id is %d, and it could not be looked up: %v", l.trace.seen.id, err)
		case v != verdict{}:
			return v
		}
		if !pause(ctx, looks) {
			return unknown("its id is %d, and it was still deciding, or could not be looked up, when the time was over", l.trace.seen.id)
		}
	}
}

// noWitness says why there is no connection that could tell.
func noWitness(err error) string {
	if errors.Is(err, pool.ErrNone) {
		return "no other connection of the pool has been open since before it was given, so that nobody can tell whether the server has not crashed and given it again"
	}
	return "no connection that has been open since before it was given came free: " + err.Error()
}

// judge reads a testimony. The zero verdict means that it is too early.
func (l *lostCommit) judge(ctx context.Context, s *session, t testimony, looks int) (verdict, error) {
	switch t.status {
	case "committed":
		if t.replicated {
			if err := s.awaitReplicas(ctx); err != nil {
				return verdict{}, err
			}
		}
		return known(duet.ProofTransactionID, true), nil
	case "aborted":
		return known(duet.ProofTransactionID, false), nil
	case "in progress":
		if looks == zombieLooks {
			return verdict{}, s.endZombie(ctx, l.pid, l.trace.seen.id)
		}
		return verdict{}, nil
	}
	return unknown("its id is %d, of which the server says %q", l.trace.seen.id, t.status), nil
}

// askNothing makes sure of a transaction that has no id: it has written nothing,
// unless by means that need none, or behind what seems to read alone.
func (l *lostCommit) askNothing(ctx context.Context) verdict {
	if l.trace.loud {
		return unknown("it has no id; but something ran in it that may have an effect without one, such as NOTIFY, CALL or writing to a foreign table")
	}
	if len(l.trace.texts) == 0 {
		return known(duet.ProofNoWrites, false)
	}
	w := suspects(l.trace.texts)
	for looks := 0; ; looks++ {
		lease, err := l.db.acquire(ctx, l.opt, "")
		found := ""
		if err == nil {
			if err = lease.Value().adopt(ctx, l.opt.Settings); err == nil {
				found, err = lease.Value().hasSideEffects(ctx, w)
			}
			l.db.release(lease)
		}
		switch {
		case err == nil && found != "":
			return unknown("it has no id; but it used %s, which may have had an effect without one", found)
		case err == nil:
			return known(duet.ProofNoWrites, false)
		case ctx.Err() == nil && !mayPass(err), !pause(ctx, looks):
			return unknown("it has no id; whether what it used has other effects could not be looked up: %v", err)
		}
	}
}

// mayPass says whether asking again may help: the server was away, or the pool
// had nothing to ask with.
func mayPass(err error) bool {
	return classify(err) != retry.Permanent || duet.KindOf(err) == duet.KindPoolExhausted
}

// askToken looks the transaction's token up, on any connection.
func (l *lostCommit) askToken(ctx context.Context) verdict {
	for looks := 0; ; looks++ {
		lease, err := l.db.acquire(ctx, l.opt, "")
		committed := false
		if err == nil {
			committed, err = l.claim(ctx, lease.Value())
			l.db.release(lease)
		}
		if err == nil {
			return known(duet.ProofToken, committed)
		}
		if ctx.Err() == nil && isHopeless(err) || !pause(ctx, looks) {
			return unknown("its token could not be looked up in duet.commit_token: %v", err)
		}
	}
}

// claim looks the token up on one connection, under the settings that it was left
// under.
func (l *lostCommit) claim(ctx context.Context, s *session) (committed bool, err error) {
	if err := s.adopt(ctx, l.opt.Settings); err != nil {
		return false, err
	}
	if committed, err = s.claimToken(ctx, l.token); err == nil && committed {
		err = s.awaitReplicasIfAny(ctx)
	}
	return committed, err
}

// isHopeless says that a token cannot be looked up however often it is tried: the
// client is closed, the table is not there, not for this role, or not as it
// should be.
func isHopeless(err error) bool {
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		return errors.Is(err, errLooseTokens)
	}
	return e.Kind == duet.KindClosed || strings.HasPrefix(e.Code, "42") || strings.HasPrefix(e.Code, "3F")
}

// witnesses is how many connections a pool should have, so that one is left to
// ask about what another one has lost.
const witnesses = 2

// keepWitness has the pool keep a second connection, from the first transaction
// on that has written something.
func (d *db) keepWitness() {
	if !d.witnessed.Load() && d.witnessed.CompareAndSwap(false, true) {
		d.pool.Hold(witnesses)
	}
}
