package faultproxy

import (
	"slices"
	"time"
)

// step is what a rule does, and before which of a message's bytes.
type step struct {
	planted *Planted
	at      int64
	place   int64 // Corrupt: the byte
}

// look shows a message to the rules and leaves the steps that they want.
func (p *pipe) look(f *frame) {
	p.steps = p.steps[:0]
	rules, watch := p.c.proxy.rules.Load()[p.from], p.c.proxy.cfg.Watch
	if len(rules) == 0 && watch == nil {
		return
	}
	t := p.textOf(f)
	if watch != nil {
		watch(Message{
			Conn: p.c.number.Load(), From: p.from, Type: f.typ, Length: f.total,
			Text: string(t.text), Name: string(t.name),
		})
	}
	for _, planted := range rules {
		r := &planted.rule
		if r.raw() || r.Type != 0 && r.Type != f.typ || !t.matches(r.Text) || !planted.take(p.chance) {
			continue
		}
		s := step{planted: planted}
		switch {
		case r.At == Inside && r.N > 0:
			s.at = min(r.N, f.total)
		case r.At == Inside:
			s.at = f.header + (f.total-f.header)/2
		case r.At == After && !ofMessage(r.Do):
			s.at = f.total
		}
		if r.Do == Corrupt && r.At != Inside && f.total > f.header {
			s.place = f.header + p.random().Int64N(f.total-f.header)
		}
		p.steps = append(p.steps, s)
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return int(a.at - b.at) })
}

// ofMessage says that an action has no point in a message, but takes it whole.
func ofMessage(a Action) bool { return a == Split || a == Swallow || a == Corrupt }

func (p *pipe) chance() float64 { return p.random().Float64() }

// outcome says how a direction goes on after a strike.
type outcome uint8

const (
	goOn     outcome = iota
	dropping         // what comes is to be read and dropped
	stop             // nothing more is to be read
)

// strike does a rule's harm here and now: the next left bytes are its message's.
func (p *pipe) strike(s step, left int64) outcome {
	r := &s.planted.rule
	switch r.Do {
	case Cut:
		p.hit(s.planted, func() { p.c.cut(r.Reset) })
		return stop
	case CutClient:
		p.hit(s.planted, func() { p.c.cutClient(s.planted) })
		if p.from == Client {
			return stop
		}
		p.drop.Store(true)
		return dropping
	case HalfClose:
		return p.halfClose(s.planted)
	case Stall:
		return p.stall(s.planted)
	case Delay:
		d := r.For
		if r.Jitter > 0 {
			d += time.Duration((2*p.random().Float64() - 1) * float64(r.Jitter))
		}
		p.flush()
		p.floor = later(p.floor, time.Now().Add(d))
	case Split:
		p.split, p.pieces, p.piece, p.pieced = left, r.Pieces, 0, r.For
	case Swallow:
		p.swallow = left
	case Corrupt:
		if left > 0 {
			p.corrupt = s.place
			p.mask = byte(1 + p.random().IntN(255))
		}
	}
	s.planted.fired()
	s.planted.done()
	return goOn
}

// hit does f when what was let through has been sent, and counts it.
func (p *pipe) hit(planted *Planted, f func()) {
	p.op(func() {
		planted.fired()
		f()
		planted.done()
	})
}

// halfClose ends the client's bytes for the server.
func (p *pipe) halfClose(planted *Planted) outcome {
	if p.from == Client {
		p.hit(planted, p.c.halfClose)
		p.drop.Store(true)
		return dropping
	}
	// What the client's direction has under way still arrives.
	planted.fired()
	up := &p.c.up
	up.drop.Store(true)
	p.flush()
	end := func() {
		p.c.halfClose()
		planted.done()
	}
	if box := up.box.Load(); box != nil {
		box.put(p.c.done, item{do: end})
	} else {
		end()
	}
	return goOn
}

// stall holds the direction up. Where the client ends meanwhile, who stalls the
// server's answers would stall them for nobody.
func (p *pipe) stall(planted *Planted) outcome {
	p.flush()
	planted.fired()
	planted.done()
	var ended <-chan struct{}
	if p.from == Server {
		ended = p.c.clientEnded
	}
	var over <-chan time.Time
	if planted.rule.For > 0 {
		timer := time.NewTimer(planted.rule.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-planted.gone:
	case <-ended:
		p.c.cut(false)
		return stop
	case <-p.c.done:
		return stop
	}
	return goOn
}
