package faultproxy

import (
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// bufferSize is what one direction of a connection holds at most, latency aside.
// It must be more than peekSize.
const bufferSize = 64 << 10

// pipe is one direction of a connection. Its goroutine reads, lets the rules see
// what came, and sends on; where there is latency, an outbox sends.
type pipe struct {
	c        *conn
	from     Side
	src, dst net.Conn

	// buf[r:a] was let through and is not sent yet, buf[a:w] was read and not let
	// through.
	buf     []byte
	r, a, w int
	passed  int64 // bytes that were let through, or swallowed
	err     error // why reading ended

	drop  atomic.Bool // what is let through goes nowhere
	isRaw atomic.Bool
	box   atomic.Pointer[outbox]
	floor time.Time // nothing arrives sooner

	// What is done to the next bytes: so many are dropped, so many are sent in
	// pieces, the byte after so many is changed (none: negative).
	swallow, split, corrupt int64
	mask                    byte
	pieces, piece           int // the longest piece, and what is left of this one
	pieced                  time.Duration

	faults, jitters *rand.Rand // made when first used
	steps           []step
	known           known             // of the client's statements
	begun           bool              // the client's startup packet has been seen
	met             map[*Planted]bool // rules that matched here, by bytes or time
	deadline        bool              // src has a read deadline
}

func (p *pipe) init(c *conn, from Side, src, dst net.Conn) {
	p.c, p.from, p.src, p.dst = c, from, src, dst
	p.corrupt = -1
}

// run passes bytes until the source ends, or a rule ends the connection.
func (p *pipe) run() {
	p.buf = make([]byte, bufferSize)
	on := true
	if p.c.proxy.cfg.Raw {
		on = p.runRaw()
	} else {
		on = p.runMessages()
	}
	if on { // the source has ended
		p.pass(int64(p.w - p.a)) // the beginning of a message whose rest never came
		p.flush()
		p.end()
	}
	if box := p.box.Load(); box != nil {
		box.close()
	}
}

// end passes on that the source has ended. A server that ended has ended wholly;
// so has a client whose connection broke.
func (p *pipe) end() {
	switch {
	case p.from == Client && p.c.clientGone.Load(): // it was us
	case p.from == Server || p.broken():
		p.op(func() { p.c.cut(false) })
	default:
		p.op(p.c.clientEnd)
	}
}

// fill reads until n bytes are there that were not let through, which must be at
// most peekSize. What was let through is sent before. False: the source ended.
func (p *pipe) fill(n int) bool {
	for p.w-p.a < n {
		if !p.read() {
			return false
		}
	}
	return true
}

// read reads once.
func (p *pipe) read() bool {
	p.flush()
	if p.a == p.w {
		p.r, p.a, p.w = 0, 0, 0
	} else if len(p.buf)-p.w < bufferSize/2 {
		p.w = copy(p.buf, p.buf[p.a:p.w])
		p.r, p.a = 0, 0
	}
	if p.err != nil {
		return false
	}
	n, err := p.src.Read(p.buf[p.w:])
	p.w += n
	p.err = err
	return n > 0 || err == nil
}

// pass lets the next n bytes through, as they come. False: the source ended.
func (p *pipe) pass(n int64) bool {
	for n > 0 {
		if p.a == p.w && !p.fill(1) {
			return false
		}
		k := int(min(n, int64(p.w-p.a)))
		p.let(k)
		n -= int64(k)
	}
	return true
}

// let lets n bytes through that are there, and does to them what is to be done.
func (p *pipe) let(n int) {
	p.passed += int64(n)
	if p.corrupt >= 0 {
		if p.corrupt < int64(n) {
			p.buf[p.a+int(p.corrupt)] ^= p.mask
		}
		p.corrupt = max(p.corrupt-int64(n), -1)
	}
	for n > 0 && (p.swallow > 0 || p.split > 0) {
		p.flush()
		k := n
		if p.swallow > 0 {
			k = int(min(int64(k), p.swallow))
			p.swallow -= int64(k)
		} else {
			k = min(int(min(int64(k), p.split)), p.nextPiece())
			p.piece -= k
			p.send(p.buf[p.a : p.a+k])
			if p.piece == 0 {
				p.rest(p.pieced)
			}
		}
		p.split = max(p.split-int64(k), 0)
		p.a += k
		p.r = p.a
		n -= k
	}
	p.a += n
}

// nextPiece is what is left of the piece that is being sent, or the next one's
// size.
func (p *pipe) nextPiece() int {
	if p.piece == 0 {
		p.piece = 1
		if p.pieces > 1 {
			p.piece += p.random().IntN(p.pieces)
		}
	}
	return p.piece
}

// flush sends what was let through.
func (p *pipe) flush() {
	if p.r < p.a {
		p.send(p.buf[p.r:p.a])
		p.r = p.a
	}
}

// send sends bytes, or has them sent when it is time.
func (p *pipe) send(data []byte) {
	if p.drop.Load() {
		return
	}
	if box := p.delayed(); box != nil {
		box.put(p.c.done, item{at: p.arrival(), data: data})
		return
	}
	// A receiver that is gone may have left something to be read: the source is
	// read to its end.
	if _, err := p.dst.Write(data); err != nil {
		p.drop.Store(true)
	}
}

// op does something when all that was let through has been sent.
func (p *pipe) op(f func()) {
	p.flush()
	if box := p.box.Load(); box != nil {
		box.put(p.c.done, item{at: p.arrival(), do: f})
		return
	}
	f()
}

// rest is a pause in what is sent.
func (p *pipe) rest(d time.Duration) {
	switch {
	case d <= 0:
	case p.box.Load() != nil:
		p.floor = later(p.floor, time.Now()).Add(d)
	default:
		sleep(time.Now().Add(d), p.c.done)
	}
}

// delayed gives the outbox, where there is or has been latency.
func (p *pipe) delayed() *outbox {
	box := p.box.Load()
	if box == nil && (p.c.proxy.latency.Load() > 0 || p.c.proxy.jitter.Load() > 0 || !p.floor.IsZero()) {
		box = newOutbox()
		p.box.Store(box)
		p.c.wg.Go(func() { box.run(p) })
	}
	return box
}

// arrival is when what is sent now arrives.
func (p *pipe) arrival() time.Time {
	latency := time.Duration(p.c.proxy.latency.Load())
	if jitter := p.c.proxy.jitter.Load(); jitter > 0 {
		if p.jitters == nil {
			p.jitters = p.generator(2)
		}
		latency += time.Duration((2*p.jitters.Float64() - 1) * float64(jitter))
	}
	return later(time.Now().Add(latency), p.floor)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// random is the generator of this direction's faults.
func (p *pipe) random() *rand.Rand {
	if p.faults == nil {
		p.faults = p.generator(0)
	}
	return p.faults
}

// generator makes a generator of the seed, the connection's number, the direction
// and a use.
func (p *pipe) generator(use uint64) *rand.Rand {
	p.c.named(false)
	return rand.New(rand.NewPCG(p.c.proxy.cfg.Seed, uint64(p.c.number.Load())<<2|use|uint64(p.from)))
}

// discard reads what is dropped, to its end.
func (p *pipe) discard() {
	p.r, p.a, p.w = 0, 0, 0
	for p.err == nil {
		_, p.err = p.src.Read(p.buf)
		if timeout(p.err) && !p.over() { // a new rule wakes whoever reads raw bytes
			_ = p.src.SetReadDeadline(time.Time{})
			p.err = nil
		}
	}
}

// over says that the connection has been cut.
func (p *pipe) over() bool {
	select {
	case <-p.c.done:
		return true
	default:
		return false
	}
}
