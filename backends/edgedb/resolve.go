package edgedb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/pool"
)

// Waits between looks for a lost commit.
const (
	firstLook   = 5 * time.Millisecond
	longestLook = 500 * time.Millisecond
)

// grace is for how long the answer to COMMIT matters more than ctx's end.
func (t *transaction) grace() time.Duration {
	if !t.writes {
		return 0 // whatever it is, nothing was applied
	}
	return committoken.Grace(t.view.opt.CommitGrace)
}

// outcome is what a commit gives whose answer was lost: nil where it was applied,
// or the error that says what is known.
func (t *transaction) outcome(ctx context.Context, lost *lostCommit) error {
	if t.quiet {
		return serverError(lost.err, "", duet.PhaseCommit)
	}
	info := duet.CommitInfo{Backend: backendName, Name: t.view.opt.Name}
	var err error
	switch {
	case !t.writes:
		info.Proof = duet.ProofNoWrites
		err = notApplied(ctx, lost, "it had written nothing; whether it conflicted with other transactions is not known")
	case t.token == committoken.Token{}:
		err = commitUnknown(ctx, lost, "", "with Options.ExactlyOnce, transactions leave a token that tells their outcome")
		info.Err = err
	default:
		committed, answer, failed := t.lookUp(ctx, lost)
		switch {
		case answer != nil:
			return answer.err
		case failed != nil:
			err = t.untold(ctx, lost, failed)
			info.Err = err
		case !committed:
			err = notApplied(ctx, lost, "its token tells that it never will be")
		}
		if failed == nil {
			info.Committed, info.Proof = committed, duet.ProofToken
		}
	}
	info.Took = time.Since(lost.since)
	if hook := t.db.cfg.Hooks.CommitResolved; hook != nil {
		hook(ctx, info)
	}
	return err
}

// answer is what COMMIT gave after all.
type answer struct{ err error }

// lookUp finds out by its token what became of a transaction, unless its answer
// comes meanwhile.
func (t *transaction) lookUp(ctx context.Context, lost *lostCommit) (committed bool, _ *answer, failed error) {
	if !t.db.closing.Load() { // it waits for what is lent
		t.giveBack() // its place in the pool may be the one that is needed
	}
	if t.lent || t.db.closing.Load() {
		t.slot.hangUp()
	}
	for {
		looking, stop := t.looking(ctx, lost)
		committed, failed = t.look(looking)
		stop()
		if failed == nil || !lost.came(t.grace()) {
			return committed, nil, failed
		}
		if again, err := t.answered(t.work); again == nil {
			return false, &answer{err}, nil
		}
		lost.pending = nil // it does not tell either
	}
}

// looking gives the ctx under which a lost commit is looked for. It ends
// Options.CommitGrace after ctx, after committoken.Patience, and when an answer
// comes after all.
func (t *transaction) looking(ctx context.Context, lost *lostCommit) (context.Context, context.CancelFunc) {
	grace, until := t.grace(), lost.since.Add(committoken.Patience)
	if ctx.Err() != nil {
		grace = time.Until(lost.since.Add(grace))
		until = sooner(until, time.Now().Add(grace))
	} else if deadline, ok := ctx.Deadline(); ok {
		until = sooner(until, deadline.Add(grace))
	}
	out, stop := context.WithDeadline(context.WithoutCancel(ctx), until)
	go func() {
		defer stop()
		select {
		case <-ctx.Done():
		case <-lost.pending:
			return
		case <-out.Done():
			return
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-lost.pending:
		case <-out.Done():
		}
	}()
	return out, stop
}

// look asks the database, again and again while it cannot tell and ctx lasts.
func (t *transaction) look(ctx context.Context) (committed bool, err error) {
	for wait := firstLook; ; wait = min(2*wait, longestLook) {
		committed, now := t.lookOnce(ctx)
		if now == nil {
			return committed, nil
		}
		if err == nil || ctx.Err() == nil { // what comes with ctx's end tells less
			err = now
		}
		if ctx.Err() != nil || hopeless(err) {
			return false, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// hopeless says that asking again would not help.
func hopeless(err error) bool {
	if errors.Is(err, pool.ErrClosed) {
		return true
	}
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case duet.KindUndefined, duet.KindPermission, duet.KindAuthentication, duet.KindConfig, duet.KindInvalidArgument, duet.KindUnsupported:
		return true
	}
	return isRefused(e)
}

// lookOnce is one transaction of package committoken's scheme: the twin, then the
// token.
func (t *transaction) lookOnce(ctx context.Context) (committed bool, err error) {
	x, end, err := t.beside(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	for _, one := range []committoken.Token{t.token.Twin(), t.token} {
		err := x.putToken(ctx, one)
		if errors.Is(err, duet.ErrUniqueViolation) {
			return one == t.token, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, x.commit(ctx)
}

// placePatience is how long a look waits for a place in a pool that is full.
const placePatience = 100 * time.Millisecond

// beside begins a transaction on another connection: one of the pool, or one of its
// own, where the pool has no place soon, lends none any more, or has lent the lost one
// still.
// end rolls it back, in the background, unless it has ended.
func (t *transaction) beside(ctx context.Context) (x *transaction, end func(), err error) {
	v := newView(duet.Options{Name: t.view.opt.Name, CommitGrace: -1})
	if t.lent && t.slot.atRest() || t.db.closing.Load() && !t.slot.taken() {
		return t.alone(ctx, v)
	}
	full := t.db.full()
	waiting, stop := ctx, func() {}
	if full {
		waiting, stop = context.WithTimeout(ctx, placePatience)
	}
	lease, err := t.db.acquireFor(waiting, v, "", true)
	stop()
	switch {
	case err != nil && full && ctx.Err() == nil && !errors.Is(err, pool.ErrClosed):
		return t.alone(ctx, v)
	case err != nil:
		return nil, nil, err
	}
	x = newTransaction(t.db, lease, lease.Value(), v).t
	x.quiet = true
	return x, x.expire, nil
}

// alone is beside on a connection that is none of the pool's.
func (t *transaction) alone(ctx context.Context, v *view) (x *transaction, end func(), err error) {
	s, err := t.db.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	x = newTransaction(t.db, nil, s, v).t
	x.quiet = true
	return x, func() { s.shut(ctx, closePatience) }, nil
}

// full says that whoever wants a connection has to wait for one.
func (d *db) full() bool {
	s := d.pool.Stat()
	return s.Idle == 0 && s.Total >= s.MaxSize
}

// notApplied is the error of a lost commit of which nothing was applied. Another
// attempt is safe, unless it was the caller who left.
func notApplied(ctx context.Context, lost *lostCommit, known string) error {
	e := &duet.Error{
		Kind: duet.KindUnavailable, Backend: backendName, Phase: duet.PhaseCommit,
		Message: "COMMIT's answer was lost, and the transaction was not applied", Detail: known, Err: lost.cause(ctx),
	}
	if contextEnded(e.Err) {
		e.Kind = duet.KindCanceled
	}
	return e
}

// untold is the error of a commit whose token could not be looked up.
func (t *transaction) untold(ctx context.Context, lost *lostCommit, failed error) error {
	token, twin := t.token.String(), t.token.Twin().String()
	detail := "its token could not be looked up: " + failed.Error()
	hint := "the token is " + token + ": once the server has ended the transaction's session, it was applied if CommitToken has that and does not have " + twin
	if duet.KindOf(failed) == duet.KindUndefined {
		hint = noTokenType
	}
	return commitUnknown(ctx, lost, detail, hint)
}

// commitUnknown is the error of a commit whose outcome cannot be told.
func commitUnknown(ctx context.Context, lost *lostCommit, detail, hint string) error {
	return &duet.Error{
		Kind: duet.KindCommitUnknown, Outcome: duet.OutcomeUnknown, Backend: backendName, Phase: duet.PhaseCommit,
		Message: "COMMIT was sent and its answer was lost: the transaction may or may not have been applied",
		Detail:  detail, Hint: hint, Err: lost.cause(ctx),
	}
}

// cause is why there is no answer, and that ctx has ended, if it has.
func (l *lostCommit) cause(ctx context.Context) error {
	err := l.err
	if made, ok := errors.AsType[*duet.Error](serverError(l.err, "", duet.PhaseCommit)); ok && made.Kind != duet.KindClosed {
		if err = made.Err; err == nil {
			err = made
		}
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return errors.Join(err, ended)
	}
	return err
}

// came says that the answer has come after all, or comes within grace: where the
// client is being closed, there is no other way to learn of it.
func (l *lostCommit) came(grace time.Duration) bool {
	if l.pending == nil {
		return false
	}
	wait(context.Background(), l.pending, time.Until(l.since.Add(grace)))
	select {
	case <-l.pending:
		return true
	default:
		return false
	}
}
