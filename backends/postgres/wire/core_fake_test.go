package wire_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5/pgproto3"
)

// peer is the server's side of one connection of a backend.
type peer struct {
	net.Conn
	rd *bufio.Reader
}

// next reads one message; 0 at the end.
func (p *peer) next() byte {
	var head [5]byte
	if _, err := io.ReadFull(p.rd, head[:]); err != nil {
		return 0
	}
	if _, err := p.rd.Discard(int(binary.BigEndian.Uint32(head[1:])) - 4); err != nil {
		return 0
	}
	return head[0]
}

// await reads up to a Sync or a Query and says whether one came.
func (p *peer) await() bool {
	for {
		switch p.next() {
		case 'S', 'Q':
			return true
		case 0, 'X':
			return false
		}
	}
}

func (p *peer) send(parts ...[]byte) { _, _ = p.Write(cat(parts...)) }

// quietFor says that nothing arrives for a while.
func (p *peer) quietFor(d time.Duration) bool {
	_ = p.SetReadDeadline(time.Now().Add(d))
	_, err := p.rd.Peek(1)
	_ = p.SetReadDeadline(time.Time{})
	return err != nil
}

// backend is a server on a loopback socket that starts up as a real one does,
// and then follows script; onCancel gets the connections that ask to cancel.
type backend struct {
	script   func(*peer)
	onCancel func(net.Conn) // nil: closed at once

	mu    sync.Mutex
	conns []net.Conn
}

// start gives a Config that leads to the backend, which ends with the test.
func (b *backend) start(tb testing.TB) *wire.Config {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var done sync.WaitGroup
	tb.Cleanup(func() {
		_ = listener.Close()
		b.mu.Lock()
		for _, nc := range b.conns {
			_ = nc.Close()
		}
		b.mu.Unlock()
		done.Wait()
	})
	done.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, nc)
			b.mu.Unlock()
			done.Go(func() {
				defer nc.Close()
				b.serve(nc)
			})
		}
	})
	return &wire.Config{Network: "tcp", Address: listener.Addr().String(), User: "user"}
}

func (b *backend) serve(nc net.Conn) {
	p := &peer{Conn: nc, rd: bufio.NewReader(nc)}
	var head [8]byte
	if _, err := io.ReadFull(p.rd, head[:]); err != nil {
		return
	}
	if _, err := p.rd.Discard(int(binary.BigEndian.Uint32(head[:])) - 8); err != nil {
		return
	}
	if binary.BigEndian.Uint32(head[4:]) == 80877102 { // CancelRequest
		if b.onCancel != nil {
			b.onCancel(nc)
		}
		return
	}
	p.send(authOk, ending())
	b.script(p)
}

// runningFake is a connection whose server sends answers, in this order, each
// when something is written, and then leaves.
func runningFake(tb testing.TB, answers ...[]byte) (*wire.Conn, *fakeConn) {
	tb.Helper()
	conn := newFakeConn(nil)
	answers = append([][]byte{cat(authOk, ending())}, answers...)
	conn.answer = func([]byte) (out []byte) {
		if len(answers) > 0 {
			out, answers = answers[0], answers[1:]
		}
		return out
	}
	cfg := fakeConfig(conn)
	first := true
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		if first {
			first = false
			return conn, nil
		}
		return newFakeConn(nil), nil // asked to cancel, and closes at once
	}
	cfg.CancelTimeout = 300 * time.Millisecond
	return open(tb, cfg), conn
}

// open connects; the connection is closed with the test.
func open(tb testing.TB, cfg *wire.Config) *wire.Conn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := wire.Connect(ctx, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// sharedConfig leads to the shared server.
func sharedConfig(tb testing.TB) *wire.Config {
	tb.Helper()
	u, err := url.Parse(pgtest.Shared(tb).DSN())
	if err != nil || u.Host == "" {
		tb.Skip("the DSN of the test server is not a URI with a host")
	}
	password, _ := u.User.Password()
	return &wire.Config{
		Network: "tcp", Address: u.Host, User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/"),
		Password: func(context.Context) (string, error) { return password, nil },
	}
}

// flightOf builds a flight; the builders below are its parts.
func flightOf(parts ...func(*wire.Flight) error) *wire.Flight {
	f := wire.NewFlight()
	for _, part := range parts {
		if err := part(f); err != nil {
			panic(err)
		}
	}
	return f
}

func doParse(name, text string, oids ...uint32) func(*wire.Flight) error {
	return func(f *wire.Flight) error { return f.Parse(name, text, oids) }
}

func doDescribe(name string) func(*wire.Flight) error {
	return func(f *wire.Flight) error { return f.Describe(name) }
}

func doBind(name string, args ...string) func(*wire.Flight) error {
	return func(f *wire.Flight) error { return bindText(f, name, args...) }
}

func bindText(f *wire.Flight, name string, args ...string) error {
	buf, mark, err := f.BeginBind(name)
	if err != nil {
		return err
	}
	buf = binary.BigEndian.AppendUint16(append(buf, 0, 0), uint16(len(args)))
	for _, arg := range args {
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(arg))), arg...)
	}
	return f.EndBind(buf, mark, nil)
}

func doCommand(text string) func(*wire.Flight) error {
	return func(f *wire.Flight) error { return f.Command(text) }
}

func doQuery(text string) func(*wire.Flight) error {
	return func(f *wire.Flight) error { return f.Query(text) }
}

func doExecute(f *wire.Flight) error { f.Execute(); return nil }
func doSync(f *wire.Flight) error    { f.Sync(); return nil }

// doWhole is a statement's whole exchange.
func doWhole(text string, args ...string) func(*wire.Flight) error {
	return func(f *wire.Flight) error {
		for _, part := range []func(*wire.Flight) error{doParse("", text), doDescribe(""), doBind("", args...), doExecute, doSync} {
			if err := part(f); err != nil {
				return err
			}
		}
		return nil
	}
}

// answerOf is what a flight gave.
type answerOf struct {
	kinds  string   // what Next gave, in order
	rows   []string // the first column of the rows
	server error    // the last ErrorResponse
}

func firstColumn(body []byte) string {
	if len(body) < 6 {
		return "?"
	}
	n := int(int32(binary.BigEndian.Uint32(body[2:])))
	if n < 0 || len(body) < 6+n {
		return "?"
	}
	return string(body[6 : 6+n])
}

// read reads a flight to its end; the error is Next's.
func read(f *wire.Flight) (a answerOf, err error) {
	for {
		kind, body, err := f.Next()
		if err != nil {
			return a, err
		}
		a.kinds += string(rune(kind))
		switch kind {
		case wire.DataRow:
			a.rows = append(a.rows, firstColumn(body))
		case wire.ErrorResponse:
			a.server = wire.DecodeError(body)
		case wire.Ready:
			if f.Step() == f.Steps() {
				return a, nil
			}
		}
	}
}

// exchange sends a flight and reads it; its error is the first of any kind.
func exchange(ctx context.Context, c *wire.Conn, f *wire.Flight) (answerOf, error) {
	if err := c.Send(ctx, f); err != nil {
		return answerOf{}, err
	}
	a, err := read(f)
	if err == nil {
		err = a.server
		f.Free()
	}
	return a, err
}

// value runs one statement and gives its only value.
func value(ctx context.Context, c *wire.Conn, text string, args ...string) (string, error) {
	a, err := exchange(ctx, c, flightOf(doWhole(text, args...)))
	if err != nil {
		return "", err
	}
	if len(a.rows) != 1 {
		return "", fmt.Errorf("%d rows: %.100q", len(a.rows), a.rows)
	}
	return a.rows[0], nil
}

// checkUsable holds that the connection is open and answers.
func checkUsable(t *testing.T, c *wire.Conn) {
	t.Helper()
	if got, err := value(bounded(t), c, "SELECT 'still here'"); err != nil || got != "still here" {
		t.Fatalf("the connection is not usable afterwards: %q, %v", got, err)
	}
}

// checkDead holds that err is that of a dead connection, and the connection is.
func checkDead(t *testing.T, c *wire.Conn, err error) {
	t.Helper()
	if !errors.Is(err, wire.ErrClosed) {
		t.Errorf("not the error of a dead connection: %v", err)
	}
	if c.Err() == nil {
		t.Error("the connection is still open")
	}
}

// eventually waits until ok, for at most ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass: %s", what)
		}
	}
}

var (
	parsed   = encode(&pgproto3.ParseComplete{})
	boundOk  = encode(&pgproto3.BindComplete{})
	noData   = encode(&pgproto3.NoData{})
	noParams = encode(&pgproto3.ParameterDescription{})
	oneField = encode(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("v"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
	complete = encode(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	failure  = message('E', "SERROR\x00VERROR\x00C22012\x00Mdivision by zero\x00\x00")
	canceled = message('E', "SERROR\x00VERROR\x00C57014\x00Mcanceling statement due to user request\x00\x00")
	killed   = message('E', "SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00")
)

func rowOf(value string) []byte {
	return encode(&pgproto3.DataRow{Values: [][]byte{[]byte(value)}})
}

// wholeAnswer answers doWhole.
func wholeAnswer(value string) []byte {
	return cat(parsed, noParams, oneField, boundOk, rowOf(value), complete, ready)
}
