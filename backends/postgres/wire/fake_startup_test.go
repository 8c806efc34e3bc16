package wire_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
	"go.uber.org/goleak"
)

// fakeConn is a connection without another side: what it gives to read is
// prepared, or made by answer out of what is written. It has no goroutine.
type fakeConn struct {
	answer  func(written []byte) []byte // may be nil
	chunk   int                         // most bytes per read; 0 is no bound
	silent  bool                        // waits after the last byte; else that is the end of file
	onEmpty func()                      // called when a read would wait
	broken  error                       // every write's, where it is set

	mu       sync.Mutex
	changed  *sync.Cond
	in       []byte
	read     int
	deadline time.Time
	expired  bool
	closed   bool
}

func newFakeConn(in []byte) *fakeConn {
	c := &fakeConn{in: in}
	c.changed = sync.NewCond(&c.mu)
	return c
}

func (c *fakeConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.expired:
			return 0, os.ErrDeadlineExceeded
		case len(c.in) > 0:
			n := len(c.in)
			if c.chunk > 0 {
				n = min(n, c.chunk)
			}
			n = copy(p, c.in[:n])
			c.in = c.in[n:]
			c.read += n
			return n, nil
		case !c.silent:
			return 0, io.EOF
		}
		if c.onEmpty != nil {
			c.onEmpty()
		}
		c.changed.Wait()
	}
}

func (c *fakeConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.expired:
		return 0, os.ErrDeadlineExceeded
	case c.broken != nil:
		return 0, c.broken
	}
	if c.answer != nil {
		c.in = append(c.in, c.answer(p)...)
	}
	return len(p), nil
}

func (c *fakeConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.changed.Broadcast()
	return nil
}

func (c *fakeConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.expired = !t.IsZero() && !t.After(time.Now())
	c.changed.Broadcast()
	return nil
}

func (c *fakeConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *fakeConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *fakeConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }
func (c *fakeConn) LocalAddr() net.Addr                { return fakeAddr{} }
func (c *fakeConn) RemoteAddr() net.Addr               { return fakeAddr{} }

type fakeAddr struct{}

func (fakeAddr) Network() string { return "fake" }
func (fakeAddr) String() string  { return "fake" }

// fakeConfig is a Config that leads to conn.
func fakeConfig(conn net.Conn) *wire.Config {
	return &wire.Config{
		Network: "tcp", Address: "db.example.org:5432", User: "user",
		Password: func(context.Context) (string, error) { return rightPassword, nil },
		DialFunc: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
}

// encoder is what pgproto3's messages have in common.
type encoder interface {
	Encode([]byte) ([]byte, error)
}

func encode(messages ...encoder) []byte {
	var all []byte
	for _, m := range messages {
		var err error
		if all, err = m.Encode(all); err != nil {
			panic(err)
		}
	}
	return all
}

var (
	authOk = encode(&pgproto3.AuthenticationOk{})
	ready  = encode(&pgproto3.ReadyForQuery{TxStatus: 'I'})
)

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// ending is what a server sends after AuthenticationOk.
func ending() []byte {
	return encode(
		&pgproto3.ParameterStatus{Name: "server_version", Value: "15.1"},
		&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{1, 2, 3, 4}},
		&pgproto3.ReadyForQuery{TxStatus: 'I'},
	)
}

// scramServer answers a SCRAM exchange. It is a fakeConn's answer.
type scramServer struct {
	mechanisms []string
	iterations int
	password   string
	tamper     func(step int, reply []byte) []byte // may be nil

	step  int
	first []byte // the client's first message
	conv  *scram.ServerConversation
}

func (s *scramServer) answer(written []byte) []byte {
	step := s.step
	s.step++
	reply := s.reply(step, written)
	if s.tamper != nil {
		reply = s.tamper(step, reply)
	}
	return reply
}

func (s *scramServer) reply(step int, written []byte) []byte {
	switch step {
	case 0:
		mechanisms := s.mechanisms
		if mechanisms == nil {
			mechanisms = []string{"SCRAM-SHA-256"}
		}
		return encode(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	case 1:
		var m pgproto3.SASLInitialResponse
		if err := m.Decode(written[5:]); err != nil {
			return encode(&pgproto3.ErrorResponse{Message: err.Error()})
		}
		s.first = bytes.Clone(m.Data)
		if err := s.begin(); err != nil {
			return encode(&pgproto3.ErrorResponse{Message: err.Error()})
		}
		challenge, err := s.conv.Step(string(m.Data))
		if err != nil {
			return encode(&pgproto3.ErrorResponse{Message: err.Error()})
		}
		return encode(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	case 2:
		final, err := s.conv.Step(string(written[5:]))
		if err != nil {
			return encode(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: err.Error()})
		}
		return cat(encode(&pgproto3.AuthenticationSASLFinal{Data: []byte(final)}), authOk, ending())
	default:
		return nil
	}
}

func (s *scramServer) begin() error {
	password, iterations := s.password, s.iterations
	if password == "" {
		password = rightPassword
	}
	if iterations == 0 {
		iterations = 4096
	}
	client, err := scram.SHA256.NewClientUnprepped("", password, "")
	if err != nil {
		return err
	}
	credentials, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "some salt, 16 by", Iters: iterations})
	if err != nil {
		return err
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return credentials, nil })
	if err != nil {
		return err
	}
	s.conv = server.NewConversation()
	return nil
}

// checkLeaks fails the test at its end if goroutines are left.
func checkLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
