package edgedb

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgedb/edgedb-go"
)

// recordedCase is one exchange with a real server.
type recordedCase struct {
	Name, Call, EdgeQL, Args, Error string
	Frames                          []recordedFrame
}

type recordedFrame struct {
	Conn      int
	Dir, Type string
	Body      string
}

func (f recordedFrame) bytes(t testing.TB) []byte {
	body, err := hex.DecodeString(f.Body)
	if err != nil || len(f.Type) != 1 {
		t.Fatalf("frame %q: %v", f.Type, err)
	}
	return frame(f.Type[0], body)
}

// recordedWelcome is what a server says to a client that it takes in.
func recordedWelcome(t testing.TB) []byte {
	for _, c := range recordedCases(t, "handshake") {
		groups, _, _ := c.answers(t)
		if at := bytes.Index(groups[0], frame('R', make([]byte, 4))); at >= 0 {
			return groups[0][at:]
		}
	}
	t.Fatal("no recorded handshake")
	return nil
}

func recordedErrors(t testing.TB) []recordedCase {
	t.Helper()
	var failed []recordedCase
	for _, c := range recordedCases(t, "*") {
		if strings.Contains(c.Error, "edgedb.") {
			failed = append(failed, c)
		}
	}
	return failed
}

func recordedCases(t testing.TB, name string) []recordedCase {
	t.Helper()
	files, err := filepath.Glob("../../internal/edgedbtest/testdata/recorded/" + name + ".json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases: %v", err)
	}
	var all []recordedCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []recordedCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, cases...)
	}
	return all
}

// answers are the server's frames of a case, one group for each Sync, and the
// code in the last ErrorResponse.
func (c recordedCase) answers(t testing.TB) (groups [][]byte, code uint32, refusal []byte) {
	var group []byte
	for _, f := range c.Frames {
		if f.Dir != "S" {
			continue
		}
		b := f.bytes(t)
		group = append(group, b...)
		switch f.Type {
		case "E":
			code, refusal = binary.BigEndian.Uint32(b[6:]), b
		case "Z":
			groups = append(groups, group)
			group = nil
		}
	}
	return groups, code, refusal
}

func frame(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(b, body...)
}

// errorFrame is an ErrorResponse with attributes.
func errorFrame(code uint32, message string, attributes map[uint16]string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0x78}, code)
	b = appendText(b, message)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attributes)))
	for key, value := range attributes {
		b = appendText(binary.BigEndian.AppendUint16(b, key), value)
	}
	return frame('E', b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

var ready = frame('Z', []byte{0, 0, 'I'})

// fakeServer speaks just enough of the protocol to make edgedb-go fail.
type fakeServer struct {
	listener net.Listener
	wg       sync.WaitGroup
	welcome  []byte // a successful handshake, without a password

	mu      sync.Mutex
	conns   []net.Conn
	login   []byte   // instead of a successful handshake; then it hangs up
	stay    bool     // or does not
	replies [][]byte // to one Sync each; it hangs up before a nil
}

func newFakeServer(t testing.TB) *fakeServer {
	t.Helper()
	return newFakeServerFor(t, "edgedb-binary")
}

// newFakeServerFor is a server that agrees on one of protocols.
func newFakeServerFor(t testing.TB, protocols ...string) *fakeServer {
	t.Helper()
	s := &fakeServer{welcome: recordedWelcome(t), listener: tlsListener(t, protocols...)}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.wg.Go(func() {
				defer conn.Close()
				s.serve(conn)
			})
		}
	})
	t.Cleanup(func() { s.listener.Close(); s.hangUp(); s.wg.Wait() })
	return s
}

// tlsListener listens on a free port, with a certificate that nobody knows.
func tlsListener(t testing.TB, protocols ...string) net.Listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		NextProtos: protocols, Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// hangUp ends all connections.
func (s *fakeServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

// answer sets what the following requests are answered with.
func (s *fakeServer) answer(replies ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

func (s *fakeServer) serve(conn net.Conn) {
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return
		}
		reply, ok := s.reply(head[0])
		if _, err := conn.Write(reply); err != nil || !ok {
			return
		}
	}
}

// reply gives the answer to a message, and whether the connection stays open.
func (s *fakeServer) reply(kind byte) (reply []byte, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case 'V':
		if s.login != nil {
			return s.login, s.stay
		}
		return s.welcome, true
	case 'S':
		if len(s.replies) == 0 || s.replies[0] == nil {
			return nil, false
		}
		reply, s.replies = s.replies[0], s.replies[1:]
		return reply, len(s.replies) == 0 || s.replies[0] != nil
	}
	return nil, true
}

// client connects edgedb-go to the server.
func (s *fakeServer) client(t testing.TB) *edgedb.Client {
	t.Helper()
	tcp := s.listener.Addr().(*net.TCPAddr)
	options := edgedb.Options{
		Host: "127.0.0.1", Port: tcp.Port, User: "edgedb", Branch: "main", Password: edgedb.NewOptionalStr("hunter2"), Concurrency: 1,
		TLSOptions: edgedb.TLSOptions{SecurityMode: edgedb.TLSModeInsecure}, WaitUntilAvailable: time.Nanosecond,
	}
	client, err := edgedb.CreateClient(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	client = client.WithRetryOptions(edgedb.NewRetryOptions().WithDefault(edgedb.NewRetryRule().WithAttempts(1)))
	t.Cleanup(func() { _ = client.Close() })
	return client
}
