package edgedb

import (
	"context"
	"errors"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/internal/committoken"
	"github.com/duetdb/duet/pool"
)

// transaction is what all views of one transaction share. It is begun with its
// first statement: one that does nothing costs nothing, and one whose connection
// has died idle moves to another.
type transaction struct {
	db    *db
	lease *pool.Lease[*slot] // nil on a lent connection, and once it was given back
	lent  bool               // on a connection that Acquire has lent
	quiet bool               // it looks for the outcome of another one
	slot  *slot
	view  *view

	mu     sync.Mutex
	work   *txWork           // nil before the first statement
	token  committoken.Token // left beside its work; zero where it was not
	busy   bool
	ended  bool
	moved  bool  // to another connection than it began with
	adrift bool  // a call was left while the server was at it
	writes bool  // something was asked for that may write
	failed error // the first statement that failed
	dead   error // why nothing can run in it any more
}

// tx is a view of a transaction.
type tx struct {
	querier
	t    *transaction
	view *view
}

func newTx(t *transaction, v *view) *tx {
	x := &tx{t: t, view: v}
	x.doer = x
	return x
}

func newTransaction(d *db, lease *pool.Lease[*slot], s *slot, v *view) *tx {
	return newTx(&transaction{db: d, lease: lease, lent: lease == nil, slot: s, view: v}, v)
}

// enter takes the transaction for one call.
func (x *tx) enter(cmd string) error {
	if x.view.bad != nil {
		return x.view.bad
	}
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return simpleError(duet.KindClosed, duet.PhasePrepare, cmd, "the transaction has ended")
	case t.dead != nil:
		return &duet.Error{Kind: duet.KindClosed, Backend: backendName, Phase: duet.PhasePrepare, Command: cmd, Message: "the transaction was lost", Err: t.dead}
	case t.busy:
		return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, cmd, "the transaction is in use by another goroutine")
	}
	t.busy = true
	return nil
}

func (t *transaction) leave() {
	t.mu.Lock()
	t.busy = false
	t.mu.Unlock()
}

// fail notes what a statement failed with.
func (t *transaction) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
}

// kill ends the transaction because nobody can tell its state any more. adrift
// says that the server is still at it.
func (t *transaction) kill(err error, adrift bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adrift = t.adrift || adrift
	if t.dead == nil {
		t.dead = err
	}
	if t.failed == nil {
		t.failed = err
	}
}

func (x *tx) do(ctx context.Context, args []any, k *call) error {
	_, err := x.perform(ctx, args, k)
	return err
}

func (x *tx) rows(ctx context.Context, args []any, k *call) (*decode.Result, error) {
	r, err := x.perform(ctx, args, k)
	return r.result, err
}

func (x *tx) perform(ctx context.Context, args []any, k *call) (reply, error) {
	if err := x.enter(k.cmd); err != nil {
		return reply{}, err
	}
	defer x.t.leave()
	return k.perform(ctx, x.t.db, x.view, args, true, func(ctx context.Context) (reply, error) { return x.t.exec(ctx, k) })
}

// exec runs a command in the transaction.
func (t *transaction) exec(ctx context.Context, k *call) (reply, error) {
	if k.text.ends {
		return reply{}, simpleError(duet.KindInvalidArgument, duet.PhasePrepare, k.cmd, "the command would end the transaction: the closure's return, Commit and Rollback decide that")
	}
	if err := ctx.Err(); err != nil {
		err = k.failure(err, false)
		t.kill(err, false)
		return reply{}, err
	}
	w, err := t.start(ctx, k.cmd)
	if err != nil {
		return reply{}, k.failure(err, false)
	}
	t.writes = t.writes || !k.harmless()
	r := new(reply)
	j := &txJob{done: make(chan struct{})}
	j.deadline, _ = ctx.Deadline()
	j.do = func(ctx *workContext, ex executor, proceed func() error) (err error) {
		*r, err = k.ask(ctx, ex, proceed)
		return err
	}
	w.send(j)
	raw, left := w.wait(ctx, j, k.cmd)
	if raw == nil {
		return *r, nil
	}
	err = k.failure(raw, false)
	switch e, _ := errors.AsType[*duet.Error](err); {
	case left:
		t.kill(err, true)
	case j.lost:
		t.kill(err, false)
		t.db.doubt(raw, k.cmd)
	case e != nil && e.Code != "":
		t.fail(err)
	}
	return reply{}, err
}

// start begins the transaction, if that was not done. Where the connection turns
// out to be dead it takes another one: nothing of the user's was sent. Its error
// has killed the transaction.
func (t *transaction) start(ctx context.Context, cmd string) (*txWork, error) {
	if t.work != nil {
		return t.work, nil
	}
	for moves := 0; ; moves++ {
		w, left, err := startTx(ctx, t.slot, t.view.state, cmd)
		if err == nil {
			t.mu.Lock()
			t.work = w
			ended := t.ended
			t.mu.Unlock()
			if ended { // the closure returned while this goroutine went on
				w.send(&txJob{verb: txRollback})
				return nil, simpleError(duet.KindClosed, duet.PhaseRun, cmd, "the transaction has ended")
			}
			return w, nil
		}
		dead := connectionLost(err)
		err = serverError(err, cmd, duet.PhaseRun)
		again := !left && ctx.Err() == nil && moves < maxMoves+int(t.db.pool.Stat().MaxSize)
		if again && isStateMismatch(err) && moves < maxMoves {
			continue
		}
		if again && dead && !t.lent && duet.KindOf(err) == duet.KindUnavailable && !t.slot.fit() && t.move(ctx) == nil {
			continue
		}
		t.kill(err, left)
		return nil, err
	}
}

// errMoved is why a transaction cannot move: its closure has returned.
var errMoved = errors.New("the transaction has ended")

// move takes another connection for a transaction of which nothing is left. The
// dead one goes first, since its slot of the pool may be the one that is needed.
func (t *transaction) move(ctx context.Context) error {
	t.mu.Lock()
	dead, ended := t.lease, t.ended
	t.lease = nil
	t.mu.Unlock()
	if dead != nil {
		dead.Destroy()
	}
	if ended {
		return errMoved
	}
	lease, err := t.db.acquireFor(ctx, t.view, "", true)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended { // the closure returned while this goroutine went on
		t.db.release(lease)
		return errMoved
	}
	t.lease, t.slot, t.moved = lease, lease.Value(), true
	return nil
}

// txKey is where the ctx of a closure keeps its transaction.
type txKey struct{}

// marked gives a ctx that carries the connection which a closure holds now: the
// one that ctx was marked with is gone where the transaction moved.
func marked(ctx context.Context) context.Context {
	t, ok := ctx.Value(txKey{}).(*transaction)
	if !ok {
		return ctx
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.moved || t.ended || t.lease == nil {
		return ctx
	}
	return pool.MarkContext(ctx, t.lease)
}

func (x *tx) With(over duet.Options) duet.Tx {
	merged := x.view.opt.Merge(over)
	v := &view{opt: merged, kind: x.view.kind, state: x.view.state, bad: x.view.bad}
	if v.bad == nil {
		v.bad = unsupportedOptions(&merged)
	}
	switch {
	case over.Isolation != duet.IsolationUnset || over.Access != duet.AccessUnset || over.Deferrable != duet.Unset:
		v.bad = simpleError(duet.KindInvalidArgument, duet.PhasePrepare, "", "Isolation, Access and Deferrable cannot be changed inside a transaction: set them before it begins")
	case v.bad == nil && changesState(&x.view.opt, &merged):
		v.bad = simpleError(duet.KindUnsupported, duet.PhasePrepare, "", "edgedb-go cannot change Globals, ModuleAliases and Settings inside a transaction: set them before it begins")
	}
	return newTx(x.t, v)
}

func (x *tx) Backend() duet.Backend { return x.t.db.backend() }

// Nested gives ErrUnsupported: edgedb-go forbids savepoints.
func (x *tx) Nested(context.Context, func(context.Context, duet.Tx) error) error {
	return simpleError(duet.KindUnsupported, duet.PhasePrepare, "", "transactions on EdgeDB cannot be nested: edgedb-go forbids savepoints")
}
