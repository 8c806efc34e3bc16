package faultproxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// drainTime bounds how long a connection that is closed is read empty: a socket
// that is closed with unread bytes sends a RST, which can overtake what was
// written to it before.
const drainTime = time.Millisecond

// conn is one client's connection, with its own to the server.
type conn struct {
	proxy          *Proxy
	client, server net.Conn
	since          time.Time
	up, down       pipe // the client's bytes, the server's
	wg             sync.WaitGroup

	number   atomic.Int64
	identify sync.Once
	counted  bool // in Proxy.Open; under proxy.mu

	asked  atomic.Int64 // SSLRequests and GSSENCRequests that were passed on and have no answer yet
	opaque atomic.Bool  // the messages are not seen any more

	clientGone  atomic.Bool   // we closed the client's side, and not the server's
	clientEnded chan struct{} // closed when the client's end has been passed on
	ended       sync.Once
	done        chan struct{} // closed by cut
	once        sync.Once
}

func newConn(p *Proxy, client, server net.Conn) *conn {
	c := &conn{
		proxy: p, client: client, server: server, since: time.Now(),
		clientEnded: make(chan struct{}), done: make(chan struct{}),
	}
	c.up.init(c, Client, client, server)
	c.down.init(c, Server, server, client)
	return c
}

// pipe is the direction of a side's bytes.
func (c *conn) pipe(from Side) *pipe {
	if from == Server {
		return &c.down
	}
	return &c.up
}

// run passes bytes until the connection ends.
func (c *conn) run() {
	c.wg.Go(c.up.run)
	c.wg.Go(c.down.run)
	c.wg.Wait()
	c.cut(false)
}

// named gives the connection its number, which seeds what is drawn on it.
func (c *conn) named(cancel bool) {
	c.identify.Do(func() {
		if cancel {
			c.number.Store(-c.proxy.cancels.Add(1))
		} else {
			c.number.Store(c.proxy.numbered.Add(1))
		}
	})
}

// count makes the connection one of those that Open and Opened count.
func (c *conn) count() {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	if _, open := c.proxy.conns[c]; open && !c.counted && !c.clientGone.Load() {
		c.counted = true
		c.proxy.opened.Add(1)
	}
}

// uncount says that the client is gone, and the connection may live on.
func (c *conn) uncount() {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.counted = false
}

// cut closes both sides, and returns when that is done. It is idempotent.
func (c *conn) cut(rst bool) {
	c.once.Do(func() {
		c.proxy.mu.Lock()
		delete(c.proxy.conns, c)
		c.proxy.mu.Unlock()
		close(c.done)
		if rst {
			reset(c.client)
			hangUp(c.server)
			return
		}
		hangUp(c.client, c.server)
	})
}

// cutClient closes the client's side alone, and the server's when planted says
// so, or has gone.
func (c *conn) cutClient(planted *Planted) {
	c.uncount()
	c.clientGone.Store(true)
	if planted.rule.Reset {
		reset(c.client)
	} else {
		hangUp(c.client)
	}
	c.wg.Go(func() {
		c.pause(planted)
		c.cut(false)
	})
}

// halfClose lets the server see the end of the client's bytes.
func (c *conn) halfClose() {
	closeWrite(c.server)
}

// clientEnd passes the client's own end on.
func (c *conn) clientEnd() {
	closeWrite(c.server)
	c.ended.Do(func() { close(c.clientEnded) })
}

// pause waits for planted.rule.For, or until the rule is gone, or the connection.
// Zero is for ever.
func (c *conn) pause(planted *Planted) {
	var over <-chan time.Time
	if planted.rule.For > 0 {
		timer := time.NewTimer(planted.rule.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-planted.gone:
	case <-c.done:
	}
}

// hangUp closes sockets so that what was written to them still arrives.
func hangUp(conns ...net.Conn) {
	for _, c := range conns {
		closeWrite(c)
	}
	var waste [16 << 10]byte
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(drainTime))
		for {
			if _, err := c.Read(waste[:]); err != nil {
				break
			}
		}
		_ = c.Close()
	}
}

// reset closes a socket with a RST, where it can.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// closeWrite sends the end of the bytes. That the other side is gone already is
// no fault.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
