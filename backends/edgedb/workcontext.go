package edgedb

import (
	"context"
	"errors"
	"time"
)

// socketGrace is by how much a socket's deadline comes after that of the call:
// the caller's own context tells of the end, not the socket.
const socketGrace = 20 * time.Millisecond

// errGone is what keeps edgedb-go from connecting again by itself.
var errGone = errors.New("the connection was closed by the server")

// ended is the Done of a context that has ended.
var ended = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// workContext is the context of everything that edgedb-go does on a connection
// that is made. It has a deadline, which reaches the socket, and never ends
// before it: edgedb-go would leave the connection in the middle of a reply.
//
// It also watches. edgedb-go connects again, by itself and to whatever is there,
// where a connection was closed while it was idle; but then nothing was sent yet,
// and the pool can do better: it has several hosts, hooks, and a limit. For a
// request edgedb-go asks first for Done and then, once, for Deadline; where it
// connects, it asks for Deadline twice in a row. That is answered with an end.
//
// It would also connect to send a command again whose connection was lost, but
// only one that the server has said to read only: sent counts that as not sent.
//
// It belongs to the one goroutine that edgedb-go runs in.
type workContext struct {
	deadline time.Time
	asked    int  // calls of Deadline since the last Done
	sent     int  // requests since begin that may have had an effect
	gone     bool // edgedb-go wanted to connect
}

var _ context.Context = (*workContext)(nil)

// begin sets the deadline of what follows; the zero time is none.
func (c *workContext) begin(deadline time.Time) {
	if !deadline.IsZero() {
		deadline = deadline.Add(socketGrace)
	}
	*c = workContext{deadline: deadline, gone: c.gone}
}

// restart forgets that anything was sent.
func (c *workContext) restart() { c.asked, c.sent = 0, 0 }

// unsent says that what was asked for since begin can be asked for again: it was
// not sent, or only reads.
func (c *workContext) unsent() bool { return c.sent == 0 }

func (c *workContext) Deadline() (time.Time, bool) {
	switch c.asked++; {
	case c.asked == 1:
		c.sent++
	case !c.gone:
		c.gone = true
		c.sent--
	}
	return c.deadline, !c.deadline.IsZero()
}

func (c *workContext) Done() <-chan struct{} {
	if c.gone {
		return ended
	}
	c.asked = 0
	return nil
}

func (c *workContext) Err() error {
	if c.gone {
		return errGone
	}
	return nil
}

func (c *workContext) Value(any) any { return nil }
