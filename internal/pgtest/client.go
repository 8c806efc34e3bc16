package pgtest

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
)

// Conn is one connection of this package's own small client, which exists so
// that tests can prepare and inspect a server without the code under test. It
// is not safe for concurrent use.
type Conn struct {
	net  net.Conn
	fe   *pgproto3.Frontend
	pid  uint32
	user target
}

// ServerError is an error that the server reported.
type ServerError struct {
	Code, Message string
	// Position is the 1-based position in characters, or 0.
	Position int
}

// Error gives the message and the SQLSTATE.
func (e *ServerError) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// Connect connects to a database as Superuser, over the Unix socket where the
// system has them; for DUET_TEST_POSTGRES, as that DSN says.
func (s *Server) Connect(ctx context.Context, db string) (*Conn, error) {
	if s.dsn != "" {
		return Dial(ctx, s.DSNFor(db))
	}
	return dial(ctx, target{
		network:  "unix",
		address:  filepath.Join(s.SocketDir, ".s.PGSQL."+strconv.Itoa(s.Port)),
		user:     Superuser,
		database: db,
	})
}

// Dial connects to a DSN with one host. sslmode prefer and allow do without
// TLS.
func Dial(ctx context.Context, dsn string) (*Conn, error) {
	t, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return dial(ctx, t)
}

func dial(ctx context.Context, t target) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, fmt.Errorf("pgtest: connecting: %w", err)
	}
	defer interrupt(ctx, nc)()
	if t.tls != nil {
		tc, err := startTLS(nc, t.tls)
		if err != nil {
			_ = nc.Close()
			return nil, fmt.Errorf("pgtest: connecting to %s: %w", t.address, err)
		}
		nc = tc
	}
	c := &Conn{net: nc, fe: pgproto3.NewFrontend(nc, nc), user: t}
	if err := c.startup(); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("pgtest: connecting to %s: %w", t.address, err)
	}
	return c, nil
}

// interrupt makes nc's reads and writes fail when ctx ends, until the returned
// function is called.
func interrupt(ctx context.Context, nc net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

func startTLS(nc net.Conn, config *tls.Config) (net.Conn, error) {
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, fmt.Errorf("the server has no TLS, and the DSN's sslmode asks for it")
	}
	tc := tls.Client(nc, config)
	return tc, tc.Handshake()
}

func (c *Conn) startup() error {
	c.fe.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{
			"user": c.user.user, "database": c.user.database, "application_name": "pgtest",
		},
	})
	if err := c.fe.Flush(); err != nil {
		return err
	}
	var conversation *scram.ClientConversation
	for {
		msg, err := c.fe.Receive()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.ReadyForQuery:
			return nil
		case *pgproto3.BackendKeyData:
			c.pid = msg.ProcessID
		case *pgproto3.ErrorResponse:
			return serverError(msg)
		default:
			if conversation, err = c.authenticate(msg, conversation); err != nil {
				return err
			}
		}
	}
}

// authenticate answers one authentication request; other messages need no
// answer.
func (c *Conn) authenticate(msg pgproto3.BackendMessage, conv *scram.ClientConversation) (*scram.ClientConversation, error) {
	switch msg := msg.(type) {
	case *pgproto3.AuthenticationCleartextPassword:
		c.fe.Send(&pgproto3.PasswordMessage{Password: c.user.password})
	case *pgproto3.AuthenticationMD5Password:
		c.fe.Send(&pgproto3.PasswordMessage{Password: md5Password(c.user.user, c.user.password, msg.Salt)})
	case *pgproto3.AuthenticationSASL:
		client, err := scram.SHA256.NewClient(c.user.user, c.user.password, "")
		if err != nil {
			return nil, err
		}
		conv = client.NewConversation()
		first, err := conv.Step("")
		if err != nil {
			return nil, err
		}
		c.fe.Send(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte(first)})
	case *pgproto3.AuthenticationSASLContinue:
		if conv == nil {
			return nil, fmt.Errorf("the server continues a SASL exchange that it has not begun")
		}
		next, err := conv.Step(string(msg.Data))
		if err != nil {
			return nil, err
		}
		c.fe.Send(&pgproto3.SASLResponse{Data: []byte(next)})
	case *pgproto3.AuthenticationSASLFinal:
		if conv == nil {
			return nil, fmt.Errorf("the server ends a SASL exchange that it has not begun")
		}
		_, err := conv.Step(string(msg.Data))
		return conv, err
	default:
		return conv, nil
	}
	return conv, c.fe.Flush()
}

func md5Password(user, password string, salt [4]byte) string {
	sum := func(s string) string {
		h := md5.Sum([]byte(s))
		return hex.EncodeToString(h[:])
	}
	return "md5" + sum(sum(password+user)+string(salt[:]))
}

func serverError(msg *pgproto3.ErrorResponse) *ServerError {
	return &ServerError{Code: msg.Code, Message: msg.Message, Position: int(msg.Position)}
}

// PID is the process id of the server's backend.
func (c *Conn) PID() int { return int(c.pid) }

// Frontend is the connection's message layer, for tests that speak the protocol
// themselves. Between two Execs it is the test's own.
func (c *Conn) Frontend() *pgproto3.Frontend { return c.fe }

// Close closes the connection. It is idempotent.
func (c *Conn) Close() error {
	c.fe.Send(&pgproto3.Terminate{})
	_ = c.fe.Flush()
	_ = c.net.Close()
	return nil
}

// Exec runs a script in one simple query and returns the rows of all its
// statements as text, NULL as nil. A *ServerError leaves the connection
// usable; after any other error it is not.
func (c *Conn) Exec(ctx context.Context, sql string) ([][]*string, error) {
	defer interrupt(ctx, c.net)()
	c.fe.Send(&pgproto3.Query{String: sql})
	if err := c.fe.Flush(); err != nil {
		return nil, err
	}
	var rows [][]*string
	var failure error
	for {
		msg, err := c.fe.Receive()
		if err != nil {
			return rows, err
		}
		switch msg := msg.(type) {
		case *pgproto3.DataRow:
			row := make([]*string, len(msg.Values))
			for i, v := range msg.Values {
				if v != nil {
					s := string(v)
					row[i] = &s
				}
			}
			rows = append(rows, row)
		case *pgproto3.ErrorResponse:
			failure = serverError(msg)
		case *pgproto3.CopyInResponse:
			c.fe.Send(&pgproto3.CopyFail{Message: "pgtest does not copy"})
			if err := c.fe.Flush(); err != nil {
				return rows, err
			}
		case *pgproto3.ReadyForQuery:
			return rows, failure
		}
	}
}
