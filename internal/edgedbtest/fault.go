package edgedbtest

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Point is where in the handling of a client's message a fault strikes.
type Point uint8

// The points.
const (
	// Received: the message has come, and nothing was done about it.
	Received Point = iota
	// Answering: a Parse or an Execute was done, and PostgreSQL has answered,
	// but the answer was not sent; of a long result the first rows may have been.
	Answering
)

// Fault is something that goes wrong with a client's connection.
type Fault struct {
	// Branch is where, given as for Server.Connections. "" is everywhere.
	Branch string
	// At is when. For messages before the client has logged in only Received
	// strikes, and only where Branch is "".
	At Point
	// Type is the type byte of the client's message: 'V' ClientHandshake, 'p'
	// and 'r' of SASL, 'P' Parse, 'O' Execute, 'S' Sync, 'X' Terminate (EdgeDB
	// documentation, "Message Formats"). 0 is any.
	Type byte
	// Text restricts it to commands that contain it, regardless of case.
	Text string
	// Skip is how many messages that fit are let pass first.
	Skip int
	// Times is how often it strikes: 0 is once, below 0 is always.
	Times int

	// Delay is how long the message waits.
	Delay time.Duration
	// Cut ends the connection, after Delay, without a word.
	Cut bool
	// Torn ends the connection in the middle of the next message that the
	// server sends.
	Torn bool
	// Code, where it is not 0, answers with an error instead of doing, or
	// after having done, what was asked. Message is its text.
	Code    uint32
	Message string
}

// faults are the faults of a server.
type faults struct {
	any atomic.Int32 // how many there are: the hot path looks here only
	hit atomic.Int64 // how often one has struck
	mu  sync.Mutex
	all []*Fault
}

// Inject plants a fault. It is there until it has struck Times times, or until
// remove is called, which is idempotent.
func (s *Server) Inject(f Fault) (remove func()) {
	f.Branch = branchName(f.Branch)
	f.Text = strings.ToLower(f.Text)
	if f.Times == 0 {
		f.Times = 1
	}
	planted := &f
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = append(s.faults.all, planted)
	s.faults.any.Store(int32(len(s.faults.all)))
	return func() { s.faults.remove(planted) }
}

// Struck counts how often faults of Inject have struck.
func (s *Server) Struck() int64 { return s.faults.hit.Load() }

func (fs *faults) remove(f *Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.drop(f)
}

func (fs *faults) drop(f *Fault) {
	kept := fs.all[:0]
	for _, other := range fs.all {
		if other != f {
			kept = append(kept, other)
		}
	}
	clear(fs.all[len(kept):])
	fs.all = kept
	fs.any.Store(int32(len(kept)))
}

// strikes gives the fault that strikes a message, nil mostly.
func (fs *faults) strikes(at Point, branch string, typ byte, text string) *Fault {
	if fs.any.Load() == 0 {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		if f.At != at || f.Branch != "" && f.Branch != branch || f.Type != 0 && f.Type != typ {
			continue
		}
		if f.Text != "" && !strings.Contains(strings.ToLower(text), f.Text) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		struck := *f
		fs.hit.Add(1)
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				fs.drop(f)
			}
		}
		return &struck
	}
	return nil
}
