package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/pool"
)

// transaction is what all handles of one transaction share: the outer one, its
// nested ones, and views of them.
type transaction struct {
	db    *db
	lease *pool.Lease[*session] // nil on a lent connection
	lent  *loan                 // that connection's
	s     *session
	opt   *duet.Options
	begin string
	began bool

	isolation duet.Isolation // where the options name none

	points int // savepoints made

	applied map[string]string // the settings that held when it began
	trace   trace

	readOnly bool // it cannot write

	mu     sync.Mutex
	busy   bool
	ended  bool
	moved  bool     // to another connection than it began with
	failed error    // the first statement that failed, and was not undone by a savepoint
	dead   error    // why nothing can run in it any more
	ahead  []string // SAVEPOINT and RELEASE that travel ahead of the next statement
}

// tx is one handle: the transaction itself, or a nested one.
type tx struct {
	querier
	t     *transaction
	opt   *duet.Options
	scope *scope
	bad   error // options that a view cannot have
}

// scope is how long a handle lives: until its closure returns.
type scope struct {
	outer *scope
	inner *scope // the nested one that is open
	ended bool

	applied map[string]string // the settings that held when it began
}

func newTx(t *transaction, opt *duet.Options, s *scope) *tx {
	x := &tx{t: t, opt: opt, scope: s}
	x.doer = x
	return x
}

func newTransaction(d *db, lease *pool.Lease[*session], s *session, opt *duet.Options, isolation duet.Isolation) *tx {
	t := &transaction{db: d, lease: lease, opt: opt, isolation: isolation}
	t.place(s)
	return newTx(t, opt, &scope{})
}

// place puts the transaction, of which nothing was sent yet, on a connection.
func (t *transaction) place(s *session) {
	opt := t.opt
	t.s, t.begin, t.applied = s, beginText(s, opt, t.isolation), s.applied
	t.readOnly = opt.Access == duet.ReadOnly || s.meek
	t.trace.on = t.db.tracks(s, opt) && (opt.ExactlyOnce != duet.On || t.readOnly)
}

// beginText is the BEGIN of a transaction; isolation is the level where the
// options name none.
func beginText(s *session, opt *duet.Options, isolation duet.Isolation) string {
	if opt.Isolation != duet.IsolationUnset {
		isolation = opt.Isolation
	}
	access := opt.Access
	s.meek = s.wc.Parameter("in_hot_standby") == "on" && opt.Isolation == duet.IsolationUnset && isolation == duet.Serializable
	if s.meek {
		isolation, access = duet.RepeatableRead, duet.ReadOnly // a standby has nothing stronger
	}
	var b strings.Builder
	b.WriteString("BEGIN")
	if level := isolation.String(); level != "" {
		b.WriteString(" ISOLATION LEVEL " + level)
	}
	if mode := access.String(); mode != "" {
		b.WriteString(" " + mode)
	}
	switch opt.Deferrable {
	case duet.On:
		b.WriteString(" DEFERRABLE")
	case duet.Off:
		b.WriteString(" NOT DEFERRABLE")
	}
	return b.String()
}

// enter takes the transaction for one call of a handle.
func (x *tx) enter(cmd string) error {
	if x.bad != nil {
		return x.bad
	}
	if err := unsupportedOptions(x.opt); err != nil {
		return err
	}
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case x.scope.ended || t.ended:
		return simpleError(duet.KindClosed, duet.PhasePrepare, cmd, "the transaction has ended")
	case t.dead != nil:
		return &duet.Error{Kind: duet.KindClosed, Backend: backendName, Phase: duet.PhasePrepare, Command: cmd, Message: "the transaction was lost", Err: t.dead}
	case t.busy:
		return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, cmd, "the transaction is in use: by another goroutine, or by rows that were not closed")
	case x.scope.inner != nil:
		return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, cmd, "a nested transaction is open: use its handle")
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

// kill ends the transaction because nobody can tell its state any more.
func (t *transaction) kill(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead == nil {
		t.dead = err
	}
	if t.failed == nil {
		t.failed = err
	}
}

// before is what travels ahead of the next statement.
func (t *transaction) before() []string {
	if t.began {
		return t.ahead
	}
	return append([]string{t.begin}, t.ahead...)
}

// exec runs something in the transaction; do is called with a fresh run each
// time. Where the flight of BEGIN and the first statement was lost, or met a
// stale plan, it is played again: nobody has seen anything of it. reading says
// that do leaves the flight open.
func (t *transaction) exec(ctx context.Context, task *task, reading bool, do func(*run) error) error {
	rounds := 0
	var m moves
	for {
		r := &task.r
		if !t.began {
			t.trace.forget()
		}
		*r = run{db: t.db, s: t.s, k: &task.k, before: t.before(), inTx: true, ours: true, lone: !t.began, first: !t.began, trace: &t.trace, round: rounds}
		err := do(r)
		if err == nil {
			t.sent()
			if reading { // nothing has ended yet that could be checked
				return nil
			}
			return t.settle(t.checkStatus(&task.k), false)
		}
		if r.k.st != nil && r.k.st.ends {
			t.kill(err) // whatever became of it, the closure does not know its transaction
			return err
		}
		fresh := !t.began && ctx.Err() == nil
		if fresh && r.dead && t.lease != nil && duet.KindOf(err) == duet.KindUnavailable && m.next(ctx, t.db, t.s, true) && t.move(ctx) == nil {
			continue
		}
		if fresh && (r.unlooked && rounds == 0 || r.isStale(err)) && t.rollback(ctx) == nil {
			rounds++
			continue
		}
		if status := t.s.wc.Status(); r.dead || status == 'T' || status == 'E' {
			t.sent()
		}
		return t.settle(err, r.dead)
	}
}

// sent notes that BEGIN and what else had to go ahead have gone.
func (t *transaction) sent() {
	t.mu.Lock()
	t.began, t.ahead = true, nil
	t.mu.Unlock()
}

// settle notes how a statement ended.
func (t *transaction) settle(err error, dead bool) error {
	if err == nil {
		return nil
	}
	e, _ := errors.AsType[*duet.Error](err)
	switch {
	case dead || t.s.wc.Err() != nil:
		t.kill(err)
	case t.began && t.s.wc.Status() == 'E', e != nil && e.Code != "": // also a BEGIN or a setting that was refused
		t.fail(err)
	}
	return err
}

// checkStatus holds the transaction to what the server says of it: nothing may
// run outside of it.
func (t *transaction) checkStatus(k *call) error {
	switch status := t.s.wc.Status(); {
	case status == 'T', status == 'E' && t.began:
		return nil
	default:
		err := simpleError(duet.KindInvalidArgument, duet.PhaseRun, k.cmd, "the command ended the transaction: the closure's return, Commit and Rollback decide that")
		t.kill(err)
		return err
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
	dead.Destroy()
	if ended {
		return errMoved
	}
	lease, err := t.db.acquire(ctx, t.opt, "")
	if err != nil {
		return err
	}
	t.mu.Lock()
	ended = t.ended
	if !ended {
		t.lease, t.moved = lease, true
		t.place(lease.Value()) // which may be a standby, where the one before was none
	}
	t.mu.Unlock()
	if ended { // the closure returned while this goroutine went on
		t.db.release(lease)
		return errMoved
	}
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

// run sends commands of duet's own as one group.
func (t *transaction) run(ctx context.Context, lone bool, commands ...string) error {
	f := wire.NewFlight()
	f.Lone = lone
	for _, c := range commands {
		if err := f.Command(c); err != nil {
			return err
		}
	}
	f.Sync()
	return t.s.finish(ctx, f, nil)
}

func (t *transaction) rollback(ctx context.Context) error { return t.run(ctx, false, "ROLLBACK") }

func (x *tx) do(ctx context.Context, cmd string, args []any, task *task) (duet.Result, error) {
	none := duet.Result{RowsAffected: -1}
	if err := x.enter(cmd); err != nil {
		return none, err
	}
	defer x.t.leave()
	ctx, end := x.t.db.begin(ctx, x.opt, cmd, len(args), true)
	task.begin(cmd, args, x.opt)
	err := x.t.exec(ctx, task, false, func(r *run) error { return r.exec(ctx) })
	return task.ended(end, err)
}

func (x *tx) Rows(ctx context.Context, cmd string, args ...any) (duet.Rows, error) {
	if err := x.enter(cmd); err != nil {
		return nil, err
	}
	t := x.t
	ctx, end := t.db.begin(ctx, x.opt, cmd, len(args), true)
	var w *rows
	err := t.exec(ctx, &task{k: call{cmd: cmd}}, true, func(r *run) (err error) {
		w, err = openRows(ctx, t.db, r.s, x.opt, cmd, args, func(own *run) {
			own.before, own.inTx, own.ours, own.lone, own.first, own.trace, own.round = r.before, true, true, r.lone, r.first, r.trace, r.round
		})
		r.dead, r.unsent, r.desc, r.old, r.k, r.unlooked = w.r.dead, w.r.unsent, w.r.desc, w.r.old, w.r.k, w.r.unlooked
		return err
	})
	if err != nil {
		t.leave()
		if end != nil {
			end(duet.Result{RowsAffected: -1}, err)
		}
		return nil, err
	}
	w.end = end
	w.finish = func(w *rows) error {
		defer t.leave()
		return t.settleRows(w)
	}
	return w, nil
}

// settleRows notes how rows in the transaction ended.
func (t *transaction) settleRows(w *rows) error {
	switch {
	case w.done && t.s.wc.Err() == nil && t.s.wc.Status() != 'E':
		return t.checkStatus(&w.k)
	case w.done && t.s.wc.Err() == nil:
		t.fail(w.err)
	case w.err != nil:
		t.kill(w.err)
	default:
		t.kill(simpleError(duet.KindClosed, duet.PhaseRun, w.k.cmd, "rows were left unread"))
	}
	return nil
}

func (x *tx) With(over duet.Options) duet.Tx {
	opt := x.opt.Merge(over)
	view := newTx(x.t, &opt, x.scope)
	view.bad = x.bad
	if over.Isolation != duet.IsolationUnset || over.Access != duet.AccessUnset || over.Deferrable != duet.Unset {
		view.bad = simpleError(duet.KindInvalidArgument, duet.PhasePrepare, "", "Isolation, Access and Deferrable cannot be changed inside a transaction: set them before it begins")
	}
	return view
}

func (x *tx) Backend() duet.Backend { return x.t.db.backend() }
