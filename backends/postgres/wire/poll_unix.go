//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"
)

// poller looks at an idle socket without waiting.
type poller struct {
	raw syscall.RawConn
	tls bool

	buf  []byte
	n    int
	err  error
	read func(fd uintptr) bool
}

func (p *poller) init(nc net.Conn, tls bool) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw, p.tls = raw, tls
	p.read = func(fd uintptr) bool { // made once: a closure for each call would be an allocation
		if p.tls {
			p.n, _, p.err = syscall.Recvfrom(int(fd), p.buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		} else {
			p.n, p.err = syscall.Read(int(fd), p.buf)
		}
		return true
	}
}

// try reads what is there into buf: 0 and nil if that is nothing, io.EOF if the
// other side has gone. Under TLS it only peeks.
func (p *poller) try(buf []byte) (int, error) {
	if p.raw == nil || len(buf) == 0 {
		return 0, nil
	}
	p.buf = buf
	err := p.raw.Read(p.read)
	p.buf = nil
	switch {
	case err != nil:
		return 0, err
	case p.err == syscall.EAGAIN || p.err == syscall.EINTR:
		return 0, nil
	case p.err != nil:
		return 0, p.err
	case p.n == 0:
		return 0, io.EOF
	}
	return p.n, nil
}
