package faultproxy

import (
	"sync"
	"time"
)

const (
	// outboxSize is how many bytes are under way at most.
	outboxSize = 16 << 20
	// outboxItems is how many pieces are.
	outboxItems = 1 << 16
	// sparesKept is how many buffers are kept for later.
	sparesKept = 64
)

// item is something that happens at its time: bytes arrive, or do is called.
type item struct {
	at   time.Time
	data []byte
	do   func()
}

// outbox holds what is under way, in order. One goroutine takes from it, and waits
// for each item's time: no item overtakes another.
type outbox struct {
	ready, room chan struct{} // of capacity 1: something was put, something was taken

	mu     sync.Mutex
	items  []item
	first  int // of items
	size   int
	spare  [][]byte
	closed bool
}

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds an item, with a copy of its bytes. It waits for room until done. What
// is to be done at a closed box is done at once.
func (b *outbox) put(done <-chan struct{}, it item) {
	b.mu.Lock()
	for len(it.data) > 0 && (b.size+len(it.data) > outboxSize && b.size > 0 || len(b.items)-b.first >= outboxItems) {
		b.mu.Unlock()
		select {
		case <-b.room:
		case <-done:
			return
		}
		b.mu.Lock()
	}
	if b.closed {
		b.mu.Unlock()
		if it.do != nil {
			it.do()
		}
		return
	}
	if len(it.data) > 0 {
		var buf []byte
		if n := len(b.spare); n > 0 {
			buf, b.spare = b.spare[n-1], b.spare[:n-1]
		}
		it.data = append(buf[:0], it.data...)
	}
	if b.first > 0 && len(b.items) == cap(b.items) {
		b.items = b.items[:copy(b.items, b.items[b.first:])]
		b.first = 0
	}
	b.items = append(b.items, it)
	b.size += len(it.data)
	b.mu.Unlock()
	signal(b.ready)
}

// close says that nothing more is put.
func (b *outbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	signal(b.ready)
}

// next takes the first item, and waits for one until done.
func (b *outbox) next(done <-chan struct{}) (it item, ok bool) {
	for {
		b.mu.Lock()
		if b.first < len(b.items) {
			it = b.items[b.first]
			b.items[b.first] = item{}
			if b.first++; b.first == len(b.items) {
				b.items, b.first = b.items[:0], 0
			}
			b.mu.Unlock()
			return it, true
		}
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return item{}, false
		}
		select {
		case <-b.ready:
		case <-done:
			return item{}, false
		}
	}
}

// sent gives an item's room back.
func (b *outbox) sent(it item) {
	b.mu.Lock()
	b.size -= len(it.data)
	if it.data != nil && len(b.spare) < sparesKept {
		b.spare = append(b.spare, it.data)
	}
	b.mu.Unlock()
	signal(b.room)
}

// run sends p's items, each at its time.
func (b *outbox) run(p *pipe) {
	broken := false
	for {
		it, ok := b.next(p.c.done)
		if !ok || !sleep(it.at, p.c.done) {
			return
		}
		if it.do != nil {
			it.do()
		} else if !broken {
			if _, err := p.dst.Write(it.data); err != nil {
				broken = true
				p.drop.Store(true)
			}
		}
		b.sent(it)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits until t, and says whether it came before done.
func sleep(t time.Time, done <-chan struct{}) bool {
	d := time.Until(t)
	if d <= 0 {
		select {
		case <-done:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
