package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/committoken"
)

// commit commits, or says why not.
func (t *transaction) commit(ctx context.Context, s *scope) error {
	t.mu.Lock()
	failed, dead, busy := t.failed, t.dead, t.busy || s.inner != nil
	t.mu.Unlock()
	if busy {
		_ = t.finish(ctx, s)
		return simpleError(duet.KindInvalidArgument, duet.PhaseCommit, "", "the transaction was ended while it was in use: by another goroutine, a nested transaction, or rows that were not closed; it was rolled back")
	}
	if dead != nil && failed == dead {
		_ = t.finish(ctx, s)
		return dead
	}
	if failed != nil {
		_ = t.finish(ctx, s)
		return swallowedError(failed)
	}
	t.mu.Lock()
	t.ended, s.ended = true, true
	t.mu.Unlock()
	defer t.giveBack(ctx, false)
	if !t.began {
		return nil // nothing was asked of the server
	}
	if err := ctx.Err(); err != nil {
		t.undo(ctx)
		e := acquireError(err, "")
		e.Phase = duet.PhaseCommit
		return e
	}
	if t.opt.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, t.opt.Timeout)
		defer stop()
	}
	return t.sendCommit(ctx)
}

// grace is how much longer than its ctx a commit may take.
func (t *transaction) grace() time.Duration { return committoken.Grace(t.opt.CommitGrace) }

// graceLeft is what is left of the grace where ctx has ended already.
func (t *transaction) graceLeft(over time.Time) time.Duration {
	grace := t.grace()
	if !over.IsZero() {
		grace = max(0, grace-time.Since(over))
	}
	return grace
}

// commitFlight is a COMMIT on its way.
type commitFlight struct {
	f       *wire.Flight
	token   committoken.Token
	tokened bool
	at      int // the step that is COMMIT's first
}

// sendCommit sends COMMIT and reads its answer.
func (t *transaction) sendCommit(ctx context.Context) error {
	c, err := t.commitFlight()
	if err != nil {
		t.undo(ctx)
		return argumentError("", err)
	}
	if t.trace.seen.id != 0 {
		t.db.keepWitness()
	}
	if err := t.s.wc.Send(ctx, c.f); err != nil {
		return t.commitLost(ctx, err, c)
	}
	var failed error
	failedAt, tag := 0, ""
	for {
		kind, body, err := c.f.Next()
		switch {
		case err != nil && tag == "COMMIT" && !t.s.wc.TakeUnreplicated():
			return nil // the connection was lost after the answer
		case err != nil:
			return t.commitLost(ctx, err, c)
		}
		switch kind {
		case wire.CommandComplete:
			if c.f.Step() > c.at {
				tag = parseTag(body).Status
			}
		case wire.ErrorResponse:
			failed, failedAt = wire.DecodeError(body), c.f.FailedStep()
		case wire.Ready:
			c.f.Free()
			return t.committed(ctx, c, tag, failed, failedAt)
		}
	}
}

// commitFlight makes the flight of COMMIT, with a token before it where there is
// to be one.
func (t *transaction) commitFlight() (*commitFlight, error) {
	c := &commitFlight{f: wire.NewFlight()}
	c.f.NoCancel = true // a COMMIT that runs is not stopped: its answer is what matters
	c.f.Grace = t.grace()
	if t.leavesToken() {
		c.token, c.tokened = committoken.New(), true
		if err := t.s.addToken(c.f, c.token, t.db.cfg.StatementCache == CacheNamed); err != nil {
			return nil, err
		}
	}
	c.at = c.f.Steps()
	if err := c.f.Command("COMMIT"); err != nil {
		return nil, err
	}
	c.f.Sync()
	return c, nil
}

// leavesToken says whether the transaction leaves a token: nothing is to be told
// of one that has written nothing, or cannot.
func (t *transaction) leavesToken() bool {
	return t.opt.ExactlyOnce == duet.On && t.trace.wrote && (!t.readOnly || t.trace.modes) && t.s.wc.Parameter("in_hot_standby") != "on"
}

// committed judges the answer to COMMIT.
func (t *transaction) committed(ctx context.Context, c *commitFlight, tag string, failed error, failedAt int) error {
	if se, ok := errors.AsType[*wire.ServerError](failed); ok {
		if failedAt >= c.at {
			return fromServer(se, duet.PhaseCommit, nil)
		}
		t.s.disown(&t.s.tokenName)
		t.undo(ctx)
		return tokenError(se)
	}
	if failed != nil {
		t.s.wc.Fail(failed)
		return unknown("the server's error cannot be read").dress(lost(failed, nil, duet.PhaseCommit, false))
	}
	if tag == "ROLLBACK" { // the server rolls a failed transaction back
		return simpleError(duet.KindOther, duet.PhaseCommit, "", "the server answered COMMIT with ROLLBACK: the transaction was rolled back")
	}
	if status := t.s.wc.Status(); status != 'I' || tag != "COMMIT" {
		err := fmt.Errorf("the server answered COMMIT with %q, and the transaction status %q", tag, status)
		t.s.wc.Fail(err)
		return unknown("it was not told as PostgreSQL does").dress(lost(err, nil, duet.PhaseCommit, false))
	}
	if t.s.wc.TakeUnreplicated() {
		return t.replicated(ctx)
	}
	if c.tokened {
		t.db.prune(t.s)
	}
	return nil
}

// replicated waits for the standbys once more, where something, such as
// pg_cancel_backend, has ended COMMIT's own wait.
func (t *transaction) replicated(ctx context.Context) error {
	ctx, stop := patience(ctx, t.grace())
	defer stop()
	err := t.s.awaitReplicas(ctx)
	if err == nil {
		return nil
	}
	v := unknown("the server has committed, but did not wait for its synchronous standbys, and could not do so since: a failover may lose it")
	return v.dress(&duet.Error{Backend: backendName, Phase: duet.PhaseCommit, Err: err})
}

// commitLost deals with a COMMIT without an answer: it finds out what became of
// it, or says that nobody can tell.
func (t *transaction) commitLost(ctx context.Context, err error, c *commitFlight) error {
	e := lost(err, nil, duet.PhaseCommit, false)
	if c.f.Unsent() {
		return e
	}
	if c.tokened {
		t.s.disown(&t.s.tokenName)
	}
	missed := time.Now()
	l := &lostCommit{db: t.db, opt: t.opt, trace: &t.trace, pid: t.s.wc.PID(), commitFlight: c, err: err}
	var v verdict
	if _, dead := errors.AsType[*wire.DeadError](err); contextEnded(err) && !dead { // the grace is over
		v = unknown("the context ended before the answer came, and CommitGrace is over")
	} else {
		l.answered = c.f.Answered() // a flight that was left is the drainer's
		t.letGo()
		v = l.resolve(ctx, t.graceLeft(c.f.Over()))
	}
	told := v.dress(e)
	if hook := t.db.cfg.Hooks.CommitResolved; hook != nil {
		info := duet.CommitInfo{Backend: backendName, Name: t.opt.Name, Committed: v.committed, Proof: v.proof, Took: time.Since(missed)}
		if v.proof == "" {
			info.Err = told
		}
		hook(ctx, info)
	}
	return told
}

// letGo closes the dead connection before its transaction's outcome is looked
// up: its slot of the pool may be the one that is needed.
func (t *transaction) letGo() {
	t.mu.Lock()
	lease := t.lease
	t.lease = nil
	t.mu.Unlock()
	if lease == nil && t.lent != nil {
		lease = t.lent.lease // its user's later Release does nothing
	}
	if lease != nil {
		lease.Destroy()
	}
}
