package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// nullDriver is the floor of what a client can cost: it writes the same bytes
// for each operation, in one Write, and reads until ReadyForQuery in as few
// Reads as there can be. It decodes nothing. Its socket is a net.Conn, and thus
// waits in Go's network poller, as every Go driver's does.
type nullDriver struct{}

func (nullDriver) Name() string { return baseDriver }
func (nullDriver) Title() string {
	return "fixed bytes over a net.Conn, nothing decoded; a transaction in three round trips"
}

func (nullDriver) Open(ctx context.Context, t Target, w Workload) (Runner, error) {
	if w.Shape == ShapeDeposit {
		return openNullDeposits(ctx, t, w)
	}
	c, err := openNull(ctx, t, func(c *nullClient) error { return c.prepare(w) })
	if err != nil {
		return nil, err
	}
	return &local{
		w:       w,
		run:     func(_ context.Context, _ int, key int64) error { return c.run(key) },
		verify:  func(_ context.Context, key int64) (Digest, error) { return c.verify(key) },
		setting: func(_ context.Context, name string) (string, error) { return c.show(name) },
		close:   func(context.Context) error { return c.close() },
	}, nil
}

// openNull connects and prepares.
func openNull(ctx context.Context, t Target, prepare func(*nullClient) error) (*nullClient, error) {
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, t.Network, t.Address)
	if err != nil {
		return nil, err
	}
	c := &nullClient{conn: nc, buf: make([]byte, nullBuffer)}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	if err = c.startup(t.Params); err == nil {
		err = prepare(c)
	}
	if !stop() || err != nil {
		nc.Close()
		return nil, errors.Join(err, ctx.Err())
	}
	return c, nil
}

// nullBuffer is as large as makes a difference.
const nullBuffer = 64 << 10

const statementName = "bench"

type nullClient struct {
	conn    net.Conn
	buf     []byte
	request []byte // Bind, Execute, Sync
	keyAt   int    // where the key is in request; 0 for none
}

// run is one operation.
func (c *nullClient) run(key int64) error {
	if c.keyAt > 0 {
		binary.BigEndian.PutUint64(c.request[c.keyAt:], uint64(key))
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	return c.drain()
}

// drain reads until ReadyForQuery. Of each message it looks at the type and the
// length only (PostgreSQL documentation, chapter "Message Formats").
func (c *nullClient) drain() error {
	start, end := 0, 0 // start is where the next message begins, maybe past end
	for {
		n, err := c.conn.Read(c.buf[end:])
		if err != nil {
			return err
		}
		end += n
		for end-start >= 5 {
			kind := c.buf[start]
			size := int(binary.BigEndian.Uint32(c.buf[start+1:]))
			if size < 4 {
				return fmt.Errorf("message %q has the length %d", kind, size)
			}
			if kind == 'E' {
				return errors.New("the server answered with an error")
			}
			start += 1 + size
			if kind == 'Z' && start <= end {
				return nil
			}
			if kind == 'Z' {
				start -= 1 + size // wait for the rest of it
				break
			}
		}
		if start >= end {
			start, end = start-end, 0
			continue
		}
		end = copy(c.buf, c.buf[start:end])
		start = 0
	}
}

// verify is one operation that counts the rows. It reads message by message.
func (c *nullClient) verify(key int64) (Digest, error) {
	if c.keyAt > 0 {
		binary.BigEndian.PutUint64(c.request[c.keyAt:], uint64(key))
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return Digest{}, err
	}
	d := Digest{Counted: true}
	err := c.replies(func(kind byte, _ []byte) error {
		if kind == 'D' {
			d.Rows++
		}
		return nil
	})
	return d, err
}

// replies gives every message up to ReadyForQuery to visit.
func (c *nullClient) replies(visit func(kind byte, body []byte) error) error {
	var head [5]byte
	for {
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(head[1:])) - 4
		if size < 0 || size > len(c.buf) {
			return fmt.Errorf("message %q has the length %d", head[0], size+4)
		}
		body := c.buf[:size]
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return err
		}
		if head[0] == 'E' {
			var e pgproto3.ErrorResponse
			if err := e.Decode(body); err != nil {
				return err
			}
			return fmt.Errorf("the server says: %s (SQLSTATE %s)", e.Message, e.Code)
		}
		if err := visit(head[0], body); err != nil || head[0] == 'Z' {
			return err
		}
	}
}

func (c *nullClient) send(messages ...pgproto3.FrontendMessage) error {
	request, err := encode(messages...)
	if err != nil {
		return err
	}
	_, err = c.conn.Write(request)
	return err
}

func encode(messages ...pgproto3.FrontendMessage) ([]byte, error) {
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (c *nullClient) startup(params map[string]string) error {
	err := c.send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: params})
	if err != nil {
		return err
	}
	return c.replies(func(kind byte, body []byte) error {
		if kind == 'R' && (len(body) != 4 || binary.BigEndian.Uint32(body) != pgproto3.AuthTypeOk) {
			return errors.New("the server asks for a password, and the null client knows trust authentication only: " +
				"let the user in by trust in pg_hba.conf, or leave null out of --drivers")
		}
		return nil
	})
}

// prepare prepares the statement and the bytes that run it.
func (c *nullClient) prepare(w Workload) error {
	args := w.Args
	if w.Keys > 0 {
		args = []any{int64(1)}
	}
	parameters := make([][]byte, len(args))
	oids := make([]uint32, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case bool:
			parameters[i], oids[i] = []byte{0}, 16
			if v {
				parameters[i][0] = 1
			}
		case int32:
			parameters[i], oids[i] = binary.BigEndian.AppendUint32(nil, uint32(v)), 23
		case int64:
			parameters[i], oids[i] = binary.BigEndian.AppendUint64(nil, uint64(v)), 20
		default:
			return fmt.Errorf("the null client has no encoding of %T", arg)
		}
	}
	err := c.send(&pgproto3.Parse{Name: statementName, Query: w.SQL, ParameterOIDs: oids}, &pgproto3.Sync{})
	if err != nil {
		return err
	}
	if err := c.replies(func(byte, []byte) error { return nil }); err != nil {
		return err
	}
	bind := &pgproto3.Bind{
		PreparedStatement:    statementName,
		ParameterFormatCodes: []int16{pgproto3.BinaryFormat},
		Parameters:           parameters,
		ResultFormatCodes:    []int16{pgproto3.BinaryFormat},
	}
	if w.Keys > 0 {
		// Behind the key, Bind ends with the formats of the results: a count
		// and one code, of two bytes each.
		encoded, err := encode(bind)
		if err != nil {
			return err
		}
		c.keyAt = len(encoded) - 4 - 8
	}
	c.request, err = encode(bind, &pgproto3.Execute{}, &pgproto3.Sync{})
	return err
}

// show gives a run-time parameter.
func (c *nullClient) show(name string) (string, error) {
	if err := c.send(&pgproto3.Query{String: "show " + name}); err != nil {
		return "", err
	}
	var value string
	err := c.replies(func(kind byte, body []byte) error {
		if kind != 'D' {
			return nil
		}
		var row pgproto3.DataRow
		if err := row.Decode(body); err != nil {
			return err
		}
		if len(row.Values) == 1 {
			value = string(row.Values[0])
		}
		return nil
	})
	return value, err
}

func (c *nullClient) close() error {
	return errors.Join(c.send(&pgproto3.Terminate{}), c.conn.Close())
}
