package conformance

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Relay forwards TCP connections to a server, so that [Target].Kill can end
// those of one client where the server itself cannot tell them apart: the client
// connects to the Relay instead, and Cut is the kill. Its methods are safe for
// concurrent use.
type Relay struct {
	target   string
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[*relayed]struct{}
	closed bool
}

// relayed is one forwarded connection: both its sockets, and its end.
type relayed struct {
	client, server net.Conn
	done           chan struct{}
}

// NewRelay listens on a free port of 127.0.0.1 and forwards to target, a host and
// port. It must be closed.
func NewRelay(target string) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{target: target, listener: listener, conns: map[*relayed]struct{}{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is the host and port to connect to.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.forward(client) })
	}
}

// forward carries bytes both ways until either side ends, then ends both.
func (r *Relay) forward(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer server.Close()
	c := &relayed{client: client, server: server, done: make(chan struct{})}
	if !r.enter(c) {
		return
	}
	defer r.leave(c)
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			c.cut()
		})
	}
	wg.Wait()
}

func (c *relayed) cut() {
	c.client.Close()
	c.server.Close()
}

func (r *Relay) enter(c *relayed) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *Relay) leave(c *relayed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	close(c.done)
}

// Cut ends all connections that are forwarded now, and returns when they have
// ended. New ones are taken as before.
func (r *Relay) Cut() {
	r.mu.Lock()
	var cut []*relayed
	for c := range r.conns {
		c.cut()
		cut = append(cut, c)
	}
	r.mu.Unlock()
	for _, c := range cut {
		<-c.done
	}
}

// Close ends all connections and takes no more. It is idempotent.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	err := r.listener.Close()
	r.Cut()
	r.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
