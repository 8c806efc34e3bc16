package pool

// Expire has all connections of this moment replaced, those in the making too:
// idle ones are closed now, lent ones when they are released. It does not wait
// for that.
func (p *Pool[T]) Expire() {
	p.gen.Add(1)
	p.closeOutdated()
}

// ExpireWhere is Expire for the connections for which match says true. It says
// how many there are, without those in the making, which match is asked about
// when they are made.
//
// match must be quick, must not use the pool, and must be safe to call while
// somebody uses the connection: it is called for lent connections too, and may
// be called after ExpireWhere has returned.
func (p *Pool[T]) ExpireWhere(match func(v T) bool) int {
	n := p.part(match)
	if n > 0 {
		p.closeOutdated()
	}
	return n
}

// part marks the connections that are meant.
func (p *Pool[T]) part(match func(v T) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partings++
	if p.connecting > 0 {
		p.parted = append(p.parted, match)
	}
	for c := range p.conns {
		if !c.closing.Load() && match(c.value) {
			c.unwanted.Store(true)
			n++
		}
	}
	return n
}

// meant marks a connection that was in the making when ExpireWhere was called,
// and forgets what no connection in the making needs any more. The caller holds
// mu.
func (p *Pool[T]) meant(c *conn[T], made bool) {
	if missed := p.partings - c.since; made && missed > 0 {
		for _, match := range p.parted[len(p.parted)-int(missed):] {
			if match(c.value) {
				c.unwanted.Store(true)
				break
			}
		}
	}
	if p.connecting == 0 {
		p.parted = nil
	}
}

// outdated says whether the connection was to be replaced.
func (c *conn[T]) outdated() bool { return c.unwanted.Load() || c.gen != c.pool.gen.Load() }

// closeOutdated closes the idle connections that are to be replaced.
func (p *Pool[T]) closeOutdated() {
	idle := p.puddle.AcquireAllIdle()
	for i := len(idle) - 1; i >= 0; i-- { // the one used last must be lent first
		c := idle[i].Value()
		c.res = idle[i]
		p.took(c, false)
		p.passBack(c)
	}
}
