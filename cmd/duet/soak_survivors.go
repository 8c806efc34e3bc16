package main

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// witness is a client's connection, and when it last heard from its server.
type witness struct {
	*net.TCPConn // with all its methods: the library looks at idle sockets through SyscallConn
	w            *witnesses
	opened       time.Duration
	heard        atomic.Int64 // since the soak's start
}

func (c *witness) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		c.heard.Store(int64(c.w.clock()))
	}
	return n, err
}

func (c *witness) Close() error {
	c.w.drop(c)
	return c.TCPConn.Close()
}

// witnesses are the open connections of one client.
type witnesses struct {
	clock func() time.Duration

	mu   sync.Mutex
	open map[*witness]struct{}
}

func newWitnesses(clock func() time.Duration) *witnesses {
	return &witnesses{clock: clock, open: map[*witness]struct{}{}}
}

// dial is a client's DialFunc.
func (w *witnesses) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc, nil
	}
	c := &witness{TCPConn: tcp, w: w, opened: w.clock()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = struct{}{}
	return c, nil
}

func (w *witnesses) drop(c *witness) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, c)
}

// count is how many are open.
func (w *witnesses) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

// loginTime is what a connection is given to become one of the pool's.
const loginTime = time.Second

// since gives the connections that are open still and were when the commit was
// called.
func (w *witnesses) since(asked time.Duration) *survivors {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &survivors{}
	for c := range w.open {
		if c.opened+loginTime <= asked {
			s.conns = append(s.conns, c)
		}
	}
	return s
}

// survivors are connections that may have outlived the one that a commit was
// sent on.
type survivors struct{ conns []*witness }

// lived says whether one of them has heard from its server after that time: it
// certainly lived until then, and could have been asked.
func (s *survivors) lived(until time.Duration) bool {
	return slices.ContainsFunc(s.conns, func(c *witness) bool { return time.Duration(c.heard.Load()) > until })
}
