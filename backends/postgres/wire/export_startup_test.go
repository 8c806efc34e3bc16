package wire

import "net"

// Doors for the tests of the startup.
var (
	Handshake  = handshake
	SendCancel = sendCancel
	Prepared   = prepared
)

// Session is a connection that has started up.
type Session = session

// Conn gives what is read and written.
func (s *session) Conn() net.Conn { return s.nc }

// Close closes the socket.
func (s *session) Close() { _ = s.raw.Close() }

// TLSUsed says whether the session is encrypted.
func (s *session) TLSUsed() bool { return s.tlsUsed }

// Params are the parameters that the server reported.
func (s *session) Params() map[string]string { return s.params }

// Key is the cancel key.
func (s *session) Key() (pid uint32, secret []byte) { return s.pid, s.secret }

// Protocol is the version spoken.
func (s *session) Protocol() uint32 { return s.protocol }

// Next reads a message.
func (s *session) Next() (byte, []byte, error) { return s.rd.next() }

// NewKey makes a session that can only be cancelled.
func NewKey(raw net.Conn, pid uint32, secret []byte, tlsUsed bool) *Session {
	return &session{raw: raw, nc: raw, pid: pid, secret: secret, tlsUsed: tlsUsed}
}
