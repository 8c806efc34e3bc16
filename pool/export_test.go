package pool

// Claimed says whether somebody waits for an existing connection.
func (p *Pool[T]) Claimed() bool { return p.claimed.Load() > 0 }
