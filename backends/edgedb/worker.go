package edgedb

import "sync/atomic"

// worker keeps the goroutine of a connection's last call for the next one:
// edgedb-go's calls are deep, and a new goroutine's stack would have to grow again
// in each of them.
type worker struct {
	tasks  chan func()
	parked atomic.Int32 // goroutines that wait for a task, at most one
}

// spawn runs f in a goroutine.
func (s *slot) spawn(f func()) {
	select {
	case s.worker.tasks <- f:
	default: // none waits, or not yet
		go s.serve(f)
	}
}

// serve runs f and what comes after it. It ends with the connection.
func (s *slot) serve(f func()) {
	for {
		f()
		if s.worker.parked.Add(1) > 1 {
			s.worker.parked.Add(-1)
			return
		}
		select {
		case f = <-s.worker.tasks:
			s.worker.parked.Add(-1)
		case <-s.cut:
			return
		}
	}
}
