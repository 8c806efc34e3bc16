package pool

// Control is a handle of a pool that does not depend on what the pool lends, for
// users of the client that owns it. A nil Control and the zero one do nothing.
type Control struct {
	pool interface {
		Stat() Stat
		Expire()
		Terminate()
	}
}

// Control gives the pool's handle.
func (p *Pool[T]) Control() *Control { return &Control{pool: p} }

// Stat is [Pool.Stat].
func (c *Control) Stat() Stat {
	if c == nil || c.pool == nil {
		return Stat{}
	}
	return c.pool.Stat()
}

// Expire is [Pool.Expire].
func (c *Control) Expire() {
	if c != nil && c.pool != nil {
		c.pool.Expire()
	}
}

// Terminate is [Pool.Terminate].
func (c *Control) Terminate() {
	if c != nil && c.pool != nil {
		c.pool.Terminate()
	}
}
