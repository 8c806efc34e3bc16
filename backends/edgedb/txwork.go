package edgedb

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Bounds of what nobody waits for any more, or everybody: a ROLLBACK, and a COMMIT
// whose caller has gone.
const (
	undoTimeout    = 10 * time.Second
	commitPatience = 30 * time.Second
)

// txWork is a transaction on a connection. edgedb-go runs a closure in it, which
// here is one in a goroutine of its own: it does what it is handed, one thing at a
// time, until it is told how to end. So users' closures run in their own
// goroutine, where a panic and runtime.Goexit do what they always do.
type txWork struct {
	slot  *slot
	state atomic.Int32 // of START TRANSACTION, as for work
	begun chan struct{}
	jobs  chan *txJob // has room for a command and an end
	done  chan struct{}

	// Once done is closed.
	end        txEnd // its err is raw
	committing bool  // COMMIT was asked for
	unsent     bool  // nothing of the last thing that was asked for was sent
}

// txVerb is what a transaction is asked to do.
type txVerb uint8

const (
	txRun txVerb = iota
	txCommit
	txRollback
)

// txJob is one thing that a transaction is asked to do.
type txJob struct {
	verb     txVerb
	deadline time.Time
	do       func(ctx *workContext, ex executor, proceed func() error) error
	state    atomic.Int32 // as for work; a COMMIT is done when it is about to be sent

	// Of a command, once done is closed and its caller has not left.
	done chan struct{}
	err  error // raw
	lost bool  // the connection
}

var (
	errUndo     = errors.New("the transaction is to be rolled back")
	errReleased = errors.New("it was given back while a call was running on it")
	errNotEnded = errors.New("its transaction was not ended in good order")
)

// startTx begins a transaction on a connection. Where it gives no error, the
// transaction must be ended by send. Where left is true, ctx has ended or the pool
// took the connection away: START TRANSACTION will be undone.
func startTx(ctx context.Context, s *slot, st *state, cmd string) (w *txWork, left bool, err error) {
	w = &txWork{slot: s, begun: make(chan struct{}), jobs: make(chan *txJob, 2), done: make(chan struct{}), unsent: true}
	if err := s.enter(ctx, cmd); err != nil {
		return w, ctx.Err() != nil, err
	}
	deadline, _ := ctx.Deadline()
	mine := w
	s.spawn(func() { mine.run(st, deadline) })
	select {
	case <-w.begun:
		return w, false, nil
	case <-w.done:
	case <-ctx.Done():
		left = w.state.CompareAndSwap(workRuns, workLeft)
	case <-s.cut:
		left = w.state.CompareAndSwap(workRuns, workLeft)
	}
	if left {
		s.watchUntil(thenUndone(deadline))
		if err := ctx.Err(); err != nil {
			return w, true, err
		}
		return w, true, errCut(cmd)
	}
	select {
	case <-w.begun:
		return w, false, nil
	case <-w.done:
		return w, false, w.end.err
	}
}

func (w *txWork) run(st *state, deadline time.Time) {
	s := w.slot
	returned := false
	defer close(w.done)
	defer s.leave()
	defer func() {
		if !returned {
			w.end.err, w.unsent = panicked(recover()), s.ctx.unsent()
			s.abandon(w.end.err)
		}
		w.state.CompareAndSwap(workRuns, workDone)
	}()
	s.ctx.begin(deadline)
	w.end = s.session.transaction(&s.ctx, st, w.serve)
	returned = true
	w.unsent = s.ctx.unsent()
	switch w.end.stage {
	case txStarting:
		if startInDoubt(w.end.err) && !w.unsent || s.ctx.gone {
			s.lose(w.end.err)
		}
	case txRunning:
		if !w.end.undone {
			s.lose(errNotEnded)
		}
	default:
		if w.end.err != nil {
			s.lose(errNotEnded)
		}
	}
}

// startInDoubt says that nobody can tell, after an error of START TRANSACTION,
// whether a transaction has begun: what runs next on the connection could be in
// it. A command that was refused because of its state was not looked at.
func startInDoubt(err error) bool {
	name, _, _ := known(err)
	return name != "StateMismatchError"
}

// serve is the closure that edgedb-go runs.
func (w *txWork) serve(ex executor) error {
	ctx := &w.slot.ctx
	if !w.state.CompareAndSwap(workRuns, workDone) {
		ctx.begin(time.Now().Add(undoTimeout))
		return errLeft
	}
	close(w.begun)
	for {
		var j *txJob
		select {
		case j = <-w.jobs:
		case <-w.slot.cut:
			ctx.begin(time.Now().Add(undoTimeout))
			return errUndo
		}
		ctx.begin(j.deadline)
		switch j.verb {
		case txRun:
			if err := w.job(j, ex); err != nil {
				return err
			}
		case txCommit:
			if !j.state.CompareAndSwap(workRuns, workDone) {
				ctx.begin(time.Now().Add(undoTimeout))
				return errLeft
			}
			w.committing = true
			return nil
		default:
			return errUndo
		}
	}
}

// job runs one command. It gives an error where the transaction cannot go on.
func (w *txWork) job(j *txJob, ex executor) error {
	s := w.slot
	returned := false
	left := false
	settle := func() {
		left = !j.state.CompareAndSwap(workRuns, workDone)
		close(j.done)
	}
	defer func() {
		if returned {
			return
		}
		value := recover()
		j.err, j.lost = panicked(value), true
		s.lose(j.err)
		settle()
		if value != nil {
			panic(value) // throws edgedb-go out, which would wait for a reply for ever
		}
	}()
	err := j.do(&s.ctx, ex, func() error {
		if j.state.Load() == workLeft {
			return errLeft
		}
		s.ctx.restart()
		return nil
	})
	returned = true
	j.err = err
	if j.lost = connectionLost(err) || s.ctx.gone; j.lost {
		s.lose(err)
	}
	lost := j.lost // after settle, j is the caller's
	settle()
	switch {
	case lost:
		return err
	case left:
		s.ctx.begin(time.Now().Add(undoTimeout))
		return errLeft
	}
	return nil
}

// send hands a job over. It never waits: only one command is on its way at a
// time, and only one end ever.
func (w *txWork) send(j *txJob) { w.jobs <- j }

// wait waits until a command is done. Where left is true, the caller's ctx has
// ended or the pool took the connection away, and the transaction will be undone.
func (w *txWork) wait(ctx context.Context, j *txJob, cmd string) (err error, left bool) {
	select {
	case <-j.done:
		return j.err, false
	case <-w.done: // it ended before it took the job
		select {
		case <-j.done:
			return j.err, false
		default:
			return errCut(cmd), true
		}
	case <-ctx.Done():
	case <-w.slot.cut:
	}
	if !j.state.CompareAndSwap(workRuns, workLeft) {
		<-j.done
		return j.err, false
	}
	w.slot.watchUntil(thenUndone(j.deadline))
	if err := ctx.Err(); err != nil {
		return err, true
	}
	return errCut(cmd), true
}

// thenUndone is when a ROLLBACK must have ended that follows what has that
// deadline; the zero time is never.
func thenUndone(deadline time.Time) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	return deadline.Add(undoTimeout)
}
