package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
)

// step is one message of a flight that the server answers, or the Sync that
// ends a group of them (PostgreSQL documentation, chapter "Frontend/Backend
// Protocol", section "Extended Query").
type step uint8

const (
	stepParse step = iota
	stepDescribe
	stepBind
	stepExecute
	stepClose
	stepSync
	stepQuery // the simple protocol; answers end with ReadyForQuery
)

// Flight is a group of messages that is sent at once, and the reading of its
// answers. Build it, give it to [Conn.Send], then call Next until it gives
// Ready for the last Sync, or an error. A Flight is for one goroutine. After
// Ready it may be given back with Free.
type Flight struct {
	// Lone marks the first flight on a connection that was idle: the connection
	// is looked at before anything is sent.
	Lone bool
	// NoCancel forbids asking the server to cancel the flight when its ctx ends:
	// the answers are awaited instead. Once it has been written, nothing is
	// cancelled before it either, since the signal could come late and hit it.
	NoCancel bool
	// Grace is how long after the end of ctx the answers are still awaited, if
	// they are being read by then.
	Grace time.Duration

	buf   []byte
	steps []step
	at    int // the step that is being answered

	conn  *Conn
	ctx   context.Context
	stop  func() bool // ends the watch on ctx
	late  *time.Timer // ends the grace
	over  time.Time   // when ctx ended, guarded by conn.mu
	start uint64      // offset of its first byte in what the connection sends

	// Guarded by conn.mu.
	state       flightState
	turn        chan struct{} // made by who has to wait; receives the turn
	interrupted bool          // a read deadline in the past is set on its behalf
	lent        bool          // a helper writes buf, and may not have let go of it yet
	hitUntil    time.Time     // a cancel that was meant for a flight before it may hit it until then
	ignored     bool          // nobody cares what is answered
	next        *Flight

	// Copied says that the flight ran a COPY from or to the client, which was
	// refused: nothing was copied.
	Copied bool

	// Owned by the goroutine that reads.
	reading  bool // it has the turn, and nothing lazy is before it
	skipping bool // an error came: everything up to the Sync is skipped
	answered bool // something of it was answered
	failed   int  // the step of the last ErrorResponse
	failedAt time.Time
}

// flightState is where in its life a flight is. Changes happen under conn.mu.
type flightState uint8

const (
	flightNew       flightState = iota
	flightQueued                // sent, not at the head yet
	flightReading               // its caller may read
	flightLazy                  // nobody waits: the next reader reads it
	flightAbandoned             // its caller has left: the drainer reads it
	flightDone
)

var flights = sync.Pool{New: func() any { return new(Flight) }}

// NewFlight gives an empty flight.
func NewFlight() *Flight { return flights.Get().(*Flight) }

// Free gives a finished flight back for reuse. It must not be used afterwards.
func (f *Flight) Free() {
	if !f.unwatch() || f.lent || f.state != flightDone && f.state != flightNew || cap(f.buf) > keptBuffer {
		return // someone else may still hold it, or it is not worth keeping
	}
	turn := f.turn
	if turn != nil {
		select {
		case <-turn:
		default:
		}
	}
	*f = Flight{buf: f.buf[:0], steps: f.steps[:0], turn: turn}
	flights.Put(f)
}

// unwatch ends the watch on ctx, which would keep the flight in memory for as
// long as ctx lives. It says whether the watch never ran.
func (f *Flight) unwatch() bool {
	if f.stop == nil || f.stop() {
		return true
	}
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	if f.late != nil {
		f.late.Stop()
	}
	return false
}

// complete says whether the flight's last answer is a ReadyForQuery.
func (f *Flight) complete() bool {
	n := len(f.steps)
	return n > 0 && (f.steps[n-1] == stepSync || f.steps[n-1] == stepQuery)
}

// open begins a message and gives the index of its length field.
func (f *Flight) open(typ byte) int {
	f.buf = append(f.buf, typ, 0, 0, 0, 0)
	return len(f.buf) - 4
}

// close ends the message whose length field is at.
func (f *Flight) close(at int) error {
	n := len(f.buf) - at
	if n > messageLimit {
		return fmt.Errorf("a message of %d bytes is more than the protocol can carry (1 GiB)", n)
	}
	binary.BigEndian.PutUint32(f.buf[at:], uint32(n))
	return nil
}

func (f *Flight) cstring(what, s string) error {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return fmt.Errorf("%s has a NUL byte at offset %d, which the protocol cannot carry", what, i)
	}
	f.buf = append(append(f.buf, s...), 0)
	return nil
}

// Parse asks to prepare text under name, "" for the unnamed statement, with the
// given parameter types, 0 for one that the server should infer. After an error
// the flight must not be sent.
func (f *Flight) Parse(name, text string, oids []uint32) error {
	at := f.open('P')
	if err := f.cstring("the statement's name", name); err != nil {
		return err
	}
	if err := f.cstring("the command", text); err != nil {
		return err
	}
	f.buf = binary.BigEndian.AppendUint16(f.buf, uint16(len(oids)))
	for _, oid := range oids {
		f.buf = binary.BigEndian.AppendUint32(f.buf, oid)
	}
	f.steps = append(f.steps, stepParse)
	return f.close(at)
}

// Describe asks for the parameters and columns of a prepared statement.
func (f *Flight) Describe(name string) error {
	at := f.open('D')
	f.buf = append(f.buf, 'S')
	if err := f.cstring("the statement's name", name); err != nil {
		return err
	}
	f.steps = append(f.steps, stepDescribe)
	return f.close(at)
}

// BeginBind begins the message that binds a prepared statement to the unnamed
// portal. The caller appends the parameters' part to the buffer it gets, format
// codes and values, each with its count, and gives it to EndBind with mark.
func (f *Flight) BeginBind(name string) (buf []byte, mark int, err error) {
	mark = f.open('B')
	f.buf = append(f.buf, 0)
	err = f.cstring("the statement's name", name)
	return f.buf, mark, err
}

// EndBind ends what BeginBind began. formats are the result's format codes.
func (f *Flight) EndBind(buf []byte, mark int, formats []int16) error {
	f.buf = binary.BigEndian.AppendUint16(buf, uint16(len(formats)))
	for _, code := range formats {
		f.buf = binary.BigEndian.AppendUint16(f.buf, uint16(code))
	}
	f.steps = append(f.steps, stepBind)
	return f.close(mark)
}

// Command runs text, one command without parameters, as the unnamed statement:
// Parse, Bind, Execute.
func (f *Flight) Command(text string) error {
	if err := f.Parse("", text, nil); err != nil {
		return err
	}
	buf, mark, err := f.BeginBind("")
	if err != nil {
		return err
	}
	if err := f.EndBind(append(buf, 0, 0, 0, 0), mark, nil); err != nil {
		return err
	}
	f.Execute()
	return nil
}

// Execute runs the unnamed portal to its end.
func (f *Flight) Execute() {
	f.buf = append(f.buf, 'E', 0, 0, 0, 9, 0, 0, 0, 0, 0)
	f.steps = append(f.steps, stepExecute)
}

// CloseStatement drops a prepared statement.
func (f *Flight) CloseStatement(name string) error {
	at := f.open('C')
	f.buf = append(f.buf, 'S')
	if err := f.cstring("the statement's name", name); err != nil {
		return err
	}
	f.steps = append(f.steps, stepClose)
	return f.close(at)
}

// Sync ends a group: an error skips what follows it up to here, and outside a
// transaction block the group is committed here.
func (f *Flight) Sync() {
	f.buf = append(f.buf, 'S', 0, 0, 0, 4)
	f.steps = append(f.steps, stepSync)
}

// Query sends text by the simple protocol, which takes several commands and
// answers in text. It is a group by itself and needs no Sync.
func (f *Flight) Query(text string) error {
	at := f.open('Q')
	if err := f.cstring("the command", text); err != nil {
		return err
	}
	f.steps = append(f.steps, stepQuery)
	return f.close(at)
}

// Len counts the bytes built so far.
func (f *Flight) Len() int { return len(f.buf) }

// Step counts the steps answered before the current one: each Parse, Describe,
// Bind, Execute, CloseStatement, Sync and Query is one.
func (f *Flight) Step() int { return f.at }

// FailedStep is the Step at which the last ErrorResponse came.
func (f *Flight) FailedStep() int { return f.failed }

// Steps counts the steps built so far.
func (f *Flight) Steps() int { return len(f.steps) }

// Over is when the end of ctx was noticed, the zero time where it was not. It may
// be called after Next failed.
func (f *Flight) Over() time.Time {
	if f.conn == nil {
		return time.Time{}
	}
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	return f.over
}

// Answered says whether the server has answered anything of the flight.
func (f *Flight) Answered() bool { return f.answered }

// Disturbed says that the server was asked to cancel another flight when this one
// had been written behind it, or a moment before: where it failed with 57014
// (query_canceled), that may have been meant for the other one. A cancelling that
// comes later is meant for this one.
func (f *Flight) Disturbed() bool {
	if f.conn == nil {
		return false
	}
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	return !f.failedAt.IsZero() && f.failedAt.Before(f.hitUntil)
}

// Unsent says that no byte of the flight was handed to the kernel, nor will be,
// so that the server never sees any of it. It may be called after Next or Send
// failed.
func (f *Flight) Unsent() bool {
	if f.conn == nil {
		return true
	}
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	// An abandoned flight that still waits to be written is written later.
	return f.start == never || f.conn.sent <= f.start && (f.conn.cause != nil || f.state != flightAbandoned)
}
