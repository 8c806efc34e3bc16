package faultproxy

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/duetdb/duet/internal/pgtest"
)

// cancel sends a cancel request through the proxy and waits for its end.
func cancel(t *testing.T, p *Proxy, c *client) {
	t.Helper()
	d := dial(t, p.Addr())
	b := binary.BigEndian.AppendUint32(nil, 16)
	b = binary.BigEndian.AppendUint32(b, cancelCode)
	b = binary.BigEndian.AppendUint32(b, c.pid)
	b = binary.BigEndian.AppendUint32(b, c.secret)
	_, _ = d.Write(b)
	if got, err := d.atEnd(t); len(got) > 0 || err != nil {
		t.Errorf("a cancel request was answered by %q, %v", got, err)
	}
}

func TestCancelRequest(t *testing.T) {
	to := newTarget(t)
	var j journal
	p := start(t, to, Config{Watch: j.watch})
	c := login(t, p, to)
	running := p.Add(Rule{From: Client, Type: 'Q', Text: "SELECT pg_sleep", Times: -1, At: After, Do: Split})
	lost := p.Add(Rule{Name: "lost", From: Client, Type: CancelRequest})
	_ = running
	c.send(&pgproto3.Query{String: "SELECT pg_sleep(600)"})
	sleeping := "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " + strconv.Itoa(int(c.pid))
	eventually(t, func() bool { return to.query(t, sleeping) == "1" })
	j.take(Client)
	cancel(t, p, c)
	if lost.Fired() != 1 || to.query(t, sleeping) != "1" {
		t.Errorf("the cut cancel request had its effect, or was not cut: %d", lost.Fired())
	}
	cancel(t, p, c)
	if got, err := c.replies(); err != nil || !slices.Contains(got, "ErrorResponse 57014") {
		t.Errorf("heard %q, %v", got, err)
	}
	if got := j.take(Client); !cmp.Equal(got, []string{"client CancelRequest", "client CancelRequest"}) {
		t.Error(got)
	}
	if p.Opened() != 1 || p.Open() != 1 {
		t.Errorf("opened %d, open %d", p.Opened(), p.Open())
	}
	if second := login(t, p, to); second.pid == c.pid || p.Opened() != 2 {
		t.Errorf("opened %d", p.Opened())
	}
}

func TestRefusedTLSGoesOnInPlainText(t *testing.T) {
	s := pgtest.Shared(t)
	if s.SocketDir == "" {
		t.Skip("the server's socket is not known") // over which it refuses both
	}
	to := newTarget(t)
	var j journal
	p := startAt(t, Config{Network: "unix", Address: filepath.Join(s.SocketDir, ".s.PGSQL."+strconv.Itoa(s.Port)), Watch: j.watch})
	c := dial(t, p.Addr())
	for _, question := range []pgproto3.FrontendMessage{&pgproto3.GSSEncRequest{}, &pgproto3.SSLRequest{}} {
		c.send(question)
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil || b[0] != 'N' {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if err := c.startup(to); err != nil {
		t.Fatal(err)
	}
	want := []string{"client GSSENCRequest", "client SSLRequest", "client Startup"}
	if got := j.take(Client); !slices.Equal(got, want) {
		t.Errorf("saw %q", got)
	}
	if got := j.take(Server); !slices.Equal(got[:3], []string{"server SSLAnswer", "server SSLAnswer", "server Authentication"}) {
		t.Errorf("saw %q", got)
	}
	if p.Opened() != 1 {
		t.Errorf("opened %d", p.Opened())
	}
	p.Add(Rule{From: Server, Type: SSLAnswer})
	c = dial(t, p.Addr())
	c.send(&pgproto3.SSLRequest{})
	if got, err := c.atEnd(t); len(got) > 0 || err != nil {
		t.Errorf("heard %q, %v", got, err)
	}
	p.Add(Rule{From: Client, Type: SSLRequest, Do: Swallow})
	c = dial(t, p.Addr())
	c.send(&pgproto3.SSLRequest{}) // and it does not wait for the answer that never comes
	j.take(Server)
	if err := c.startup(to); err != nil {
		t.Error(err)
	}
	if got := j.take(Server); len(got) < 3 || got[0] != "server Authentication" {
		t.Errorf("saw %q", got)
	}
}

func TestTLSIsPassedThrough(t *testing.T) {
	s, err := pgtest.Start(t.Context(), pgtest.Config{TLS: true})
	pgtest.CheckStart(t, err)
	t.Cleanup(func() { _ = s.Close() })
	to := target{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), user: pgtest.Superuser, database: "postgres"}
	var j journal
	p := start(t, to, Config{Watch: j.watch})
	connect := func() *client {
		c := dial(t, p.Addr())
		c.send(&pgproto3.SSLRequest{})
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil || b[0] != 'S' {
			t.Fatalf("%q, %v", b, err)
		}
		tc := tls.Client(c.TCPConn, &tls.Config{RootCAs: s.Certs.Pool, ServerName: "localhost"})
		c.fe = pgproto3.NewFrontend(tc, tc)
		c.fe.Send(&pgproto3.StartupMessage{
			ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": to.user, "database": to.database},
		})
		if err := c.fe.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.replies(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	p.Add(Rule{Name: "blind", From: Server, Type: 'C'})
	c := connect()
	if p.Opened() != 1 || p.Open() != 1 {
		t.Errorf("opened %d, open %d", p.Opened(), p.Open())
	}
	c.fe.Send(&pgproto3.Query{String: "SELECT repeat('x', 300000)"})
	if err := c.fe.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.replies(); err != nil || len(got) != 4 {
		t.Errorf("heard %q, %v", got, err)
	}
	if got := append(j.take(Client), j.take(Server)...); !slices.Equal(got, []string{"client SSLRequest", "server SSLAnswer"}) {
		t.Errorf("saw %q", got)
	}
	if p.Fired()["blind"] != 0 {
		t.Error("a rule saw through TLS")
	}
	// Rules by time and bytes work there, on connections that are open already.
	wait(t, p.Add(Rule{From: Client, Age: time.Nanosecond}))
	if b, err := c.atEnd(t); len(b) > 0 || err != nil {
		t.Errorf("heard %q, %v", b, err)
	}
	c = connect()
	cut := p.Add(Rule{From: Server, Bytes: 100_000})
	c.fe.Send(&pgproto3.Query{String: "SELECT repeat('x', 300000)"})
	if err := c.fe.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.replies(); err == nil {
		t.Errorf("heard %q", got)
	}
	wait(t, cut)
}

// A handshake without a question (sslnegotiation=direct) is not taken for
// messages.
func TestDirectTLSIsPassedThrough(t *testing.T) {
	server := newEcho(t)
	p := startAt(t, Config{Network: "tcp", Address: server})
	c := dial(t, p.Addr())
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + strings.Repeat("x", 300)
	_, _ = io.WriteString(c, hello)
	b := make([]byte, len(hello))
	if _, err := readFull(c, b); err != nil || string(b) != hello {
		t.Errorf("heard %q, %v", b, err)
	}
	if p.Opened() != 1 {
		t.Errorf("opened %d", p.Opened())
	}
}

// newEcho listens and sends back what comes.
func newEcho(t testing.TB) string {
	t.Helper()
	return newServer(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// newServer listens and serves connections, which it closes at the end.
func newServer(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var open []net.Conn
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
			go func() {
				serve(c)
				_ = c.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range open {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

func TestUnixSocket(t *testing.T) {
	s := pgtest.Shared(t)
	if s.SocketDir == "" {
		t.Skip("the server's socket is not known")
	}
	to := newTarget(t)
	p := startAt(t, Config{Network: "unix", Address: filepath.Join(s.SocketDir, ".s.PGSQL."+strconv.Itoa(s.Port))})
	c := transaction(t, p, to)
	p.Add(Rule{From: Client, Type: 'Q', At: After, Do: HalfClose})
	c.send(&pgproto3.Query{String: "COMMIT"})
	if b, err := c.atEnd(t); string(b) != commitAnswer || err != nil {
		t.Errorf("heard %q, %v", b, err)
	}
	// What passed arrives, whatever is not read any more.
	for range 20 {
		to.query(t, "TRUNCATE done")
		c = transaction(t, p, to)
		p.Add(Rule{From: Client, Type: 'Q', At: After})
		c.send(&pgproto3.Query{String: "COMMIT"})
		to.gone(t, c.pid)
		if n := to.query(t, "SELECT count(*) FROM done"); n != "1" {
			t.Fatalf("%s rows", n)
		}
	}
}

// Lengths that cannot be are the receiver's to judge.
func TestNonsenseIsPassedOn(t *testing.T) {
	to := newTarget(t)
	p := start(t, to, Config{})
	p.Add(Rule{Name: "split", From: Client, Times: -1, Do: Split})
	for _, nonsense := range []string{
		"\x00\x00\x00\x00", "\x00\x00\x00\x07\x00\x00\x00", "\xff\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x08\x12\x34\x56\x78",
	} {
		c := dial(t, p.Addr())
		_, _ = io.WriteString(c, nonsense)
		b, _ := c.atEnd(t)
		direct := dial(t, to.address)
		_, _ = io.WriteString(direct, nonsense)
		if want, _ := direct.atEnd(t); !bytes.Equal(b, want) {
			t.Errorf("%q: heard %q, and without the proxy %q", nonsense, b, want)
		}
	}
	for _, nonsense := range []string{"Q\x00\x00\x00\x03", "Q\xff\xff\xff\xff", "?\x00\x00\x00\x04"} {
		var heard [2][]byte
		for i, address := range []string{to.address, p.Addr()} {
			c := dial(t, address)
			if err := c.startup(to); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, nonsense)
			heard[i], _ = c.atEnd(t)
		}
		if !bytes.Equal(heard[0], heard[1]) {
			t.Errorf("%q: heard %q, and without the proxy %q", nonsense, heard[1], heard[0])
		}
	}
}
