package faultproxy

import "time"

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wake lets a pipe that reads raw bytes look at the rules again.
func (p *pipe) wake() {
	if p.isRaw.Load() {
		_ = p.src.SetReadDeadline(longAgo)
	}
}

// runRaw passes bytes. It says whether to pass on that the source ended.
func (p *pipe) runRaw() bool {
	p.isRaw.Store(true)
	p.met = map[*Planted]bool{}
	for {
		rules := p.c.proxy.rules.Load()
		next, due, out := p.agenda(rules[p.from])
		if out == stop {
			return false
		}
		if out == dropping || p.drop.Load() {
			p.discard()
			return true
		}
		if p.a == p.w {
			// What Add does after this look wakes the read, and what it did before is
			// seen here.
			p.expire(due)
			if p.c.proxy.rules.Load() != rules {
				continue
			}
			if !p.read() {
				if timeout(p.err) && !p.over() {
					p.err = nil
					p.deadline = true
					continue
				}
				return true
			}
		}
		p.let(int(min(int64(p.w-p.a), next-p.passed)))
	}
}

// agenda does what rules have come to, and says up to how many bytes none does,
// and until when (zero: for ever).
func (p *pipe) agenda(rules []*Planted) (next int64, due time.Time, out outcome) {
	next = 1<<63 - 1
	for _, planted := range rules {
		r := &planted.rule
		if p.met[planted] || !r.raw() && !p.c.proxy.cfg.Raw {
			continue
		}
		at := p.c.since.Add(r.Age)
		ripe := !r.raw() || r.Bytes > 0 && p.passed >= r.Bytes || r.Age > 0 && !time.Now().Before(at)
		if ripe {
			p.met[planted] = true
			if !planted.take(p.chance) {
				continue
			}
			if out = p.strike(step{planted: planted}, p.extent(r)); out != goOn {
				return 0, time.Time{}, out
			}
			continue
		}
		if r.Bytes > 0 {
			next = min(next, r.Bytes)
		}
		if r.Age > 0 && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return next, due, goOn
}

// extent is how many bytes a rule takes that acts on bytes.
func (p *pipe) extent(r *Rule) int64 {
	if r.N > 0 {
		return r.N
	}
	return 1<<63 - 1
}

// expire sets the read's deadline, where it has or had one.
func (p *pipe) expire(t time.Time) {
	if p.deadline || !t.IsZero() {
		_ = p.src.SetReadDeadline(t)
		p.deadline = !t.IsZero()
	}
}
