package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"

	"github.com/duetdb/duet/internal/pgtest"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// target is a database and how to log in there.
type target struct {
	dsn, address, user, database string
}

// newTarget makes a database with the table done(n int).
func newTarget(t testing.TB) target {
	t.Helper()
	dsn := pgtest.Shared(t).NewDatabase(t)
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		t.Skip("the server's DSN is not a URI")
	}
	to := target{dsn: dsn, address: u.Host, user: u.User.Username(), database: u.Path[1:]}
	to.query(t, "CREATE TABLE done (n int)")
	return to
}

// query runs a command past the proxy and gives the first value.
func (to target) query(t testing.TB, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := pgtest.Dial(ctx, to.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	rows, err := c.Exec(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 || rows[0][0] == nil {
		return ""
	}
	return *rows[0][0]
}

// gone waits until a backend has ended.
func (to target) gone(t testing.TB, pid uint32) {
	t.Helper()
	eventually(t, func() bool {
		return to.query(t, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid)) == "0"
	})
}

func eventually(t testing.TB, what func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !what(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass")
		}
	}
}

// start starts a proxy before a target.
func start(t testing.TB, to target, cfg Config) *Proxy {
	t.Helper()
	cfg.Network, cfg.Address = "tcp", to.address
	return startAt(t, cfg)
}

func startAt(t testing.TB, cfg Config) *Proxy {
	t.Helper()
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if n := p.Open(); n != 0 {
			t.Errorf("%d connections are open after Close", n)
		}
	})
	return p
}

// client is a client that sends and reads what the test says.
type client struct {
	*net.TCPConn
	fe          *pgproto3.Frontend
	pid, secret uint32
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &client{TCPConn: nc.(*net.TCPConn), fe: pgproto3.NewFrontend(nc, nc)}
}

// login dials and starts a session.
func login(t testing.TB, p *Proxy, to target) *client {
	t.Helper()
	c := dial(t, p.Addr())
	if err := c.startup(to); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) startup(to target) error {
	c.send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": to.user, "database": to.database},
	})
	_, err := c.replies()
	return err
}

// send sends messages in one write. That it fails shows when the answers are read.
func (c *client) send(messages ...pgproto3.FrontendMessage) {
	_, _ = c.Write(encode(messages...))
}

func encode(messages ...pgproto3.FrontendMessage) []byte {
	var b []byte
	for _, m := range messages {
		b, _ = m.Encode(b)
	}
	return b
}

// replies reads until ReadyForQuery, and gives what came as Message prints it.
func (c *client) replies() ([]string, error) {
	var got []string
	for {
		m, err := c.fe.Receive()
		if err != nil {
			return got, err
		}
		b, err := m.Encode(nil)
		if err != nil {
			return got, err
		}
		reply := TypeName(Server, b[0])
		switch m := m.(type) {
		case *pgproto3.CommandComplete:
			reply += " " + string(m.CommandTag)
		case *pgproto3.ErrorResponse:
			reply += " " + m.Code
		case *pgproto3.BackendKeyData:
			c.pid, c.secret = m.ProcessID, uint32(m.SecretKey[0])<<24|uint32(m.SecretKey[1])<<16|uint32(m.SecretKey[2])<<8|uint32(m.SecretKey[3])
		case *pgproto3.DataRow:
			reply += fmt.Sprintf(" %.20q", m.Values)
		case *pgproto3.ReadyForQuery:
			return append(got, reply+" "+string(m.TxStatus)), nil
		}
		got = append(got, reply)
	}
}

// run sends a simple query, whose answer must come.
func (c *client) run(t testing.TB, sql string) []string {
	t.Helper()
	c.send(&pgproto3.Query{String: sql})
	got, err := c.replies()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// extended is a command in the extended protocol, unprepared.
func extended(sql string) []pgproto3.FrontendMessage {
	return []pgproto3.FrontendMessage{
		&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{},
	}
}

// wait waits for a rule to fire.
func wait(t testing.TB, planted *Planted) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := planted.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// atEnd reads what comes until the connection's end, and the error that says so:
// nil for io.EOF.
func (c *client) atEnd(t testing.TB) ([]byte, error) {
	t.Helper()
	b, err := io.ReadAll(c.TCPConn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection did not end")
	}
	return b, err
}
