package edgedbtest

import (
	"errors"
	"net"
	"time"
)

// patience is how long PostgreSQL may work before somebody looks whether the
// client is still there.
const patience = 20 * time.Millisecond

// watcher looks whether the client goes away while PostgreSQL works for it, and
// ends the client's ctx then. What the client sends meanwhile stays in the
// reader's buffer.
type watcher struct {
	c     *client
	timer *time.Timer
	done  chan struct{} // gets one value from each look
	on    bool
}

func (w *watcher) init(c *client) {
	w.c, w.done = c, make(chan struct{}, 1)
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Stop()
}

// begin begins to watch, once patience is over. Until end, nobody else reads.
func (w *watcher) begin() {
	w.on = true
	w.timer.Reset(patience)
}

// end ends the watch, if there is one.
func (w *watcher) end() {
	if !w.on {
		return
	}
	w.on = false
	if w.timer.Stop() {
		return
	}
	_ = w.c.raw.SetReadDeadline(time.Unix(1, 0))
	<-w.done
	_ = w.c.raw.SetReadDeadline(time.Time{})
}

// look waits until the client sends something or leaves, or the watch ends. A
// full buffer ends it, too: the client is alive.
func (w *watcher) look() {
	defer func() { w.done <- struct{}{} }()
	rd := w.c.in.rd
	for rd.Buffered() < rd.Size() {
		_, err := rd.Peek(rd.Buffered() + 1)
		if err == nil {
			continue
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			w.c.cancel()
		}
		return
	}
}
