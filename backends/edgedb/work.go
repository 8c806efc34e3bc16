package edgedb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
)

// A piece of work is shared by two: the goroutine that runs it and the caller who
// waits for it. Whichever of them comes first to its end settles whose it is.
const (
	workRuns int32 = iota
	workDone       // there is a result, for the caller
	workLeft       // the caller has gone
)

// errLeft keeps work whose caller has gone from asking the server for more.
var errLeft = errors.New("the caller has gone")

// work is one use of a connection, outside of a transaction that goes on.
type work struct {
	slot  *slot
	state atomic.Int32
	done  chan struct{}

	// For the caller once done is closed, and it has not left.
	err    error // raw
	unsent bool  // it can be run again: it was not, or it only reads
	lost   bool  // the connection
}

// do is what work does on the connection. It runs in a goroutine of its own and
// must not touch anything of the caller's that it could still use afterwards.
type do func(w *work, s session) error

// run does something on the connection, and returns when it is done, or ctx
// has ended, or the pool took the connection away. The error is raw: edgedb-go's,
// or one of duet's. Where left is true, the connection is still in use.
func (s *slot) run(ctx context.Context, cmd string, f do) (w *work, left bool) {
	w = &work{slot: s, unsent: true}
	if w.err = s.enter(ctx, cmd); w.err != nil {
		w.lost = !s.fit()
		return w, false
	}
	w.unsent, w.done = false, make(chan struct{})
	deadline, _ := ctx.Deadline()
	mine := w // w is the result, which may be another by then
	s.spawn(func() { mine.run(deadline, f) })
	select {
	case <-w.done:
		return w, false
	case <-ctx.Done():
	case <-s.cut:
	}
	if !w.state.CompareAndSwap(workRuns, workLeft) {
		<-w.done
		return w, false
	}
	s.watchUntil(deadline)
	// What the goroutine writes into w is not read any more.
	if err := ctx.Err(); err != nil {
		return &work{err: err}, true
	}
	return &work{err: errCut(cmd)}, true
}

func (w *work) run(deadline time.Time, f do) {
	s := w.slot
	returned := false
	defer close(w.done)
	defer s.leave()
	defer func() {
		if !returned {
			w.err = panicked(recover())
			w.lost = true
			s.abandon(w.err)
		}
		w.state.CompareAndSwap(workRuns, workDone)
	}()
	s.ctx.begin(deadline)
	w.err = f(w, s.session)
	returned = true
	w.unsent = w.unsent || s.ctx.unsent() || w.err != nil && isUnsent(w.err)
	if w.err != nil && isConnectionLost(w.err) && !notRun(w.err) {
		w.lose(w.err)
	}
	if s.ctx.gone {
		w.lose(errGone)
	}
}

// lose notes that the connection cannot be used any more.
func (w *work) lose(err error) {
	w.lost = true
	w.slot.lose(err)
}

// proceed is asked before each round trip.
func (w *work) proceed() error {
	if w.state.Load() == workLeft {
		return errLeft
	}
	w.slot.ctx.restart() // what went before has run nothing, or all: then there is a result, and no error is left to judge
	return nil
}

// panicked makes an error of what ended edgedb-go's goroutine. runtime.Goexit
// gives nil.
func panicked(value any) error {
	what := "it ended its goroutine"
	if value != nil {
		what = fmt.Sprintf("it panicked: %v", value)
	}
	return simpleError(duet.KindProtocol, duet.PhaseRun, "", "edgedb-go cannot cope with the server's reply or with an argument: "+what)
}

// guarded makes an error of a panic.
func guarded(f func() error) (err error) {
	returned := false
	defer func() {
		if !returned {
			err = panicked(recover())
		}
	}()
	err = f()
	returned = true
	return err
}

// once runs f in a transaction of its own, for what only a transaction can be
// told: to be read-only.
func (w *work) once(s session, st *state, f func(edgedb.Executor) error) error {
	end := s.transaction(&w.slot.ctx, st, f)
	w.unsent = end.stage == txStarting
	if end.stage == txStarting && startInDoubt(end.err) || end.stage == txCommitting && end.err != nil || end.stage == txRunning && !end.undone {
		w.lose(errors.New("its transaction could not be ended"))
	}
	return end.err
}
