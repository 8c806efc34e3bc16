package edgedb

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

// slot is one connection of the pool. edgedb-go gives no way to its socket, so
// that what runs on it cannot be stopped: the caller goes, and the slot stays
// lent until the server has answered.
type slot struct {
	// What follows belongs to whoever has entered.
	ctx     workContext
	session session // nil once it was closed, or was abandoned

	cut    chan struct{} // closed when the pool takes the connection away
	worker worker

	mu     sync.Mutex // guards the following
	kind   kind
	busy   bool
	idle   chan struct{} // closed at the next leave; nil if nobody waits
	after  func()        // called at the next leave
	closed bool          // cut is closed
	lost   error         // why the connection cannot be used any more
	since  time.Time     // when it was last left
	turn   uint64        // counts enters
	watch  *time.Timer   // of a call that was left; nil without one
	stuck  bool          // that call was given up

	dialing chan struct{} // closed when the dial of a conversion has ended; nil without one
	stop    func()        // ends that dial
}

func newSlot(s session, k kind) *slot {
	return &slot{session: s, kind: k, cut: make(chan struct{}), worker: worker{tasks: make(chan func())}, since: time.Now()}
}

// How long a connection may take to say goodbye while somebody waits for it, and
// how long one in the making that nobody wants any more may take to end.
const (
	closePatience = 250 * time.Millisecond
	dialPatience  = time.Second
)

// errCut is what a call gets whose connection the pool took away.
func errCut(cmd string) error {
	return simpleError(duet.KindClosed, duet.PhaseRun, cmd, "the connection was closed by the client")
}

// lostError is what a call gets on a connection that was lost before it.
func lostError(cmd string, why error) error {
	e := simpleError(duet.KindUnavailable, duet.PhasePrepare, cmd, "the connection was lost before")
	e.Err = why
	return e
}

// enter takes the connection. It waits, while ctx lasts, for a call that its
// caller has left.
func (s *slot) enter(ctx context.Context, cmd string) error {
	for {
		s.mu.Lock()
		if s.closed || s.lost != nil {
			defer s.mu.Unlock()
			if s.closed {
				return errCut(cmd)
			}
			return lostError(cmd, s.lost)
		}
		if !s.busy {
			s.busy = true
			s.turn++
			s.mu.Unlock()
			return nil
		}
		if s.idle == nil {
			s.idle = make(chan struct{})
		}
		idle := s.idle
		s.mu.Unlock()
		select {
		case <-idle:
		case <-s.cut:
		case <-ctx.Done():
			return serverError(ctx.Err(), cmd, duet.PhaseRun)
		}
	}
}

// leave gives up what enter took.
func (s *slot) leave() {
	s.mu.Lock()
	s.busy, s.since = false, time.Now()
	idle, after, watch := s.idle, s.after, s.watch
	s.idle, s.after, s.watch = nil, nil, nil
	var gone session
	if s.closed {
		gone, s.session = s.session, nil
	}
	s.mu.Unlock()
	if watch != nil {
		watch.Stop()
	}
	if gone != nil {
		closeWithin(context.Background(), gone, closePatience)
	}
	if idle != nil {
		close(idle)
	}
	if after != nil {
		after()
	}
}

// stuckPatience is how much longer than a socket's deadline a call may take. It takes
// longer, and may for ever, where the server has begun a message while nothing was
// asked of it, and has not ended it: edgedb-go waits for that end first, without
// a deadline.
const stuckPatience = time.Second

var errStuck = errors.New("it does not come back from a call that was left")

// watchUntil gives the connection up where what is running on it, which its caller
// has left, goes on for longer than until. The zero time is never.
func (s *slot) watchUntil(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until.IsZero() || !s.busy || s.watch != nil {
		return
	}
	turn := s.turn
	s.watch = time.AfterFunc(time.Until(until)+stuckPatience, func() { s.giveUp(turn) })
}

// giveUp lets those go who wait for a call that does not end.
func (s *slot) giveUp(turn uint64) {
	s.mu.Lock()
	if !s.busy || s.turn != turn {
		s.mu.Unlock()
		return
	}
	s.stuck = true
	if s.lost == nil {
		s.lost = errStuck
	}
	idle, after := s.idle, s.after
	s.idle, s.after = nil, nil
	s.mu.Unlock()
	if idle != nil {
		close(idle)
	}
	if after != nil {
		after()
	}
}

// closeWithin closes a session, and waits for that while ctx lasts, but not longer
// than patience.
func closeWithin(ctx context.Context, ses session, patience time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ses.close()
	}()
	wait(ctx, done, patience)
}

// whenIdle has f called at the next leave; it says false, and does nothing, where
// the connection is not in use, or was given up.
func (s *slot) whenIdle(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.busy || s.stuck {
		return false
	}
	s.after = f
	return true
}

// atRest says that the connection is not in use, and was not taken away by the pool.
func (s *slot) atRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.busy && !s.closed
}

// taken says that the pool has taken the connection away.
func (s *slot) taken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// lose notes that the connection cannot be used any more.
func (s *slot) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = err
	}
}

// hangUp closes a lost connection that is not in use, though it stays lent: what is
// open on it, on the server, ends.
func (s *slot) hangUp() {
	s.mu.Lock()
	var gone session
	if !s.busy && s.lost != nil {
		gone, s.session = s.session, nil
	}
	s.mu.Unlock()
	if gone != nil {
		closeWithin(context.Background(), gone, closePatience)
	}
}

// abandon is lose for a connection that edgedb-go was thrown out of in the middle
// of something. Only who has entered may call it.
func (s *slot) abandon(err error) {
	s.lose(err)
	if s.session != nil {
		s.session.abandon()
		s.session = nil
	}
}

// fit says whether the connection can be used.
func (s *slot) fit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost == nil && !s.closed
}

// fresh says whether an idle connection can be lent: edgedb-go closes what was
// not used for longer by itself.
func (s *slot) fresh() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost == nil && !s.closed && time.Since(s.since) < mostIdle
}

// is says whether the connection's transactions are of that kind.
func (s *slot) is(k kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kind == k
}

// shut takes the connection away from whoever has it: their calls end at once. It
// waits until the server was told goodbye, but only so long, and not for a
// statement that is running.
func (s *slot) shut(ctx context.Context, patience time.Duration) {
	s.mu.Lock()
	var gone session
	if !s.closed {
		s.closed = true
		close(s.cut)
		if !s.busy {
			gone, s.session = s.session, nil
		}
	}
	dialing, stop := s.dialing, s.stop
	s.mu.Unlock()
	switch {
	case dialing != nil: // whoever dials closes what comes of it
		stop()
		wait(ctx, dialing, dialPatience)
	case gone != nil:
		closeWithin(ctx, gone, patience)
	}
}

// wait waits for done, while ctx lasts and not longer than patience.
func wait(ctx context.Context, done <-chan struct{}, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// convert makes the connection, which is lent and not in use, one of another
// kind: it is closed, and another one made in its place.
func (s *slot) convert(ctx context.Context, k kind, dial func(context.Context, kind) (session, error)) error {
	if err := s.enter(ctx, ""); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	var failed error
	s.mu.Lock()
	s.dialing, s.stop = done, stop
	s.mu.Unlock()
	go func() {
		defer close(done)
		defer s.leave()
		if old := s.session; old != nil {
			s.session = nil
			closeWithin(context.Background(), old, dialPatience) // before there is another one
		}
		made, err := dial(ctx, k)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dialing, s.stop = nil, nil
		if failed = err; err != nil {
			s.lost = err
			return
		}
		s.session, s.kind, s.ctx = made, k, workContext{}
	}()
	select {
	case <-done:
		return failed
	case <-ctx.Done():
	}
	select {
	case <-s.cut:
		return errCut("")
	default:
		return ctx.Err()
	}
}
