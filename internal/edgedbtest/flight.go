package edgedbtest

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// prepared is a statement that PostgreSQL knows by a name in this session.
type prepared struct {
	name      string
	parsed    bool
	described bool
	columns   []typedesc.Column
}

// flight is one round trip to PostgreSQL: all commands of an Execute, in one
// transaction.
type flight struct {
	c      *client
	f      *wire.Flight
	steps  []*prepared // what each step of f prepares or describes, else nil
	last   int         // the step that runs the last command
	main   *prepared   // the last command's statement, nil where it is not kept
	sink   *sink
	failed *wire.ServerError
}

// binaryFormat asks for all columns in binary.
var binaryFormat = []int16{1}

// query runs commands in one round trip. The rows of the last one go to the
// sink.
func (c *client) query(commands []command, args []typedesc.Arg, s *sink) error {
	for attempt := 1; ; attempt++ {
		if err := c.connect(); err != nil {
			return err
		}
		again, err := c.fly(commands, args, s)
		if !again || c.tx != nil || attempt > 1 {
			return err
		}
	}
}

// fly is one attempt. again says that PostgreSQL has done nothing, and may be
// asked again: the connection had died while it was idle, or a statement was
// prepared before somebody changed the schema.
func (c *client) fly(commands []command, args []typedesc.Arg, s *sink) (again bool, err error) {
	f := &flight{c: c, f: wire.NewFlight(), sink: s}
	f.f.Lone = c.tx == nil
	if err := f.build(commands, args); err != nil {
		f.f.Free()
		return false, err
	}
	c.watcher.begin()
	defer c.watcher.end()
	if err = c.pg.Send(c.ctx, f.f); err == nil {
		err = f.read()
	}
	if err != nil {
		return f.dead(err)
	}
	f.f.Free()
	if f.failed != nil && f.failed.Code == "0A000" && strings.Contains(f.failed.Message, "cached plan") {
		again = true
		c.generation--
	}
	return again, c.settle(f.failed)
}

// build puts the commands into the flight.
func (f *flight) build(commands []command, args []typedesc.Arg) error {
	c := f.c
	if now := c.branch.generation.Load(); now != c.generation {
		for _, p := range c.prepared {
			if p.parsed {
				if err := f.f.CloseStatement(p.name); err != nil {
					return err
				}
			}
		}
		clear(c.prepared)
		c.generation = now
	}
	if err := f.timeout(); err != nil {
		return err
	}
	for _, cmd := range commands {
		var err error
		if cmd.id == 0 && len(cmd.args) == 0 && f.sink.discards() {
			f.main = nil
			err = f.f.Command(cmd.text)
		} else {
			err = f.add(cmd, args)
		}
		if err != nil {
			return err
		}
		f.last = f.f.Steps() - 1
	}
	f.f.Sync()
	return nil
}

// discards says whether nobody wants the rows.
func (s *sink) discards() bool { return s == nil || s.r.plan.out == nil }

// timeout sets PostgreSQL's statement_timeout for this transaction, where the
// client's state has a query_execution_timeout.
func (f *flight) timeout() error {
	c := f.c
	d := c.timeout()
	if d == 0 && (c.tx == nil || !c.tx.timeout) || c.tx != nil && c.tx.failed || f.sink == nil {
		return nil
	}
	if c.tx != nil {
		c.tx.timeout = true
	}
	ms := max(d.Milliseconds(), min(int64(d), 1))
	return f.f.Command("SELECT set_config('statement_timeout', '" + strconv.FormatInt(ms, 10) + "', true)")
}

// add adds a command as a prepared statement, and prepares it if need be.
func (f *flight) add(cmd command, args []typedesc.Arg) error {
	c := f.c
	p := c.prepared[cmd.id]
	if p == nil {
		p = &prepared{}
		if cmd.id != 0 {
			c.names++
			p.name = "s" + strconv.Itoa(c.names)
			c.prepared[cmd.id] = p
		}
	}
	if !p.parsed {
		oids := make([]uint32, len(cmd.args))
		for i, at := range cmd.args {
			oids[i] = args[at].OID
		}
		f.step(p)
		if err := f.f.Parse(p.name, cmd.text, oids); err != nil {
			return err
		}
	}
	if !p.described {
		f.step(p)
		if err := f.f.Describe(p.name); err != nil {
			return err
		}
	}
	f.main = p
	buf, mark, err := f.f.BeginBind(p.name)
	if err != nil {
		return err
	}
	buf = binary.BigEndian.AppendUint16(buf, 1)
	buf = binary.BigEndian.AppendUint16(buf, 1) // all in binary
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(cmd.args)))
	for _, at := range cmd.args {
		v := args[at].Value
		if v == nil {
			buf = binary.BigEndian.AppendUint32(buf, 1<<32-1)
			continue
		}
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...)
	}
	if err := f.f.EndBind(buf, mark, binaryFormat); err != nil {
		return err
	}
	f.f.Execute()
	return nil
}

// step notes that the next step is about p.
func (f *flight) step(p *prepared) {
	for len(f.steps) < f.f.Steps() {
		f.steps = append(f.steps, nil)
	}
	f.steps = append(f.steps, p)
}

// read reads the answers. The error is one that ends the connection, or the
// client's.
func (f *flight) read() error {
	for {
		step := f.f.Step()
		kind, body, err := f.f.Next()
		if err != nil {
			return err
		}
		switch kind {
		case wire.ParseComplete:
			if step < len(f.steps) && f.steps[step] != nil {
				f.steps[step].parsed = true
			}
		case wire.RowDescription, wire.NoData:
			if step < len(f.steps) && f.steps[step] != nil {
				if err := f.steps[step].describe(kind, body); err != nil {
					return err
				}
			}
		case wire.DataRow:
			if step == f.last && f.main != nil && f.sink != nil {
				f.row(body)
			}
		case wire.ErrorResponse:
			failed, ok := errors.AsType[*wire.ServerError](wire.DecodeError(body))
			if !ok {
				failed = &wire.ServerError{Code: "XX000", Message: "an error that cannot be read"}
			}
			f.failed = failed
		case wire.Ready:
			return nil
		}
	}
}

func (p *prepared) describe(kind wire.Kind, body []byte) error {
	p.described = true
	p.columns = p.columns[:0]
	if kind == wire.NoData {
		return nil
	}
	fields, err := wire.DecodeFields(body)
	for _, field := range fields {
		p.columns = append(p.columns, typedesc.Column{Name: field.Name, OID: field.OID})
	}
	return err
}

// row cuts a DataRow into columns (PostgreSQL documentation, "Message Formats").
func (f *flight) row(body []byte) {
	if f.sink.discards() {
		return
	}
	c := f.c
	c.row = append(c.row[:0], f.main.columns...)
	if len(body) < 2 || int(binary.BigEndian.Uint16(body)) != len(c.row) {
		f.sink.err = errorf(codeInternal, "PostgreSQL's row has other columns than it described")
		return
	}
	body = body[2:]
	for i := range c.row {
		if len(body) < 4 {
			f.sink.err = errorf(codeInternal, "PostgreSQL's row ends too early")
			return
		}
		n := int32(binary.BigEndian.Uint32(body))
		body = body[4:]
		if n < 0 {
			continue
		}
		if int(n) > len(body) {
			f.sink.err = errorf(codeInternal, "PostgreSQL's row ends too early")
			return
		}
		c.row[i].Data = body[:n:n]
		body = body[n:]
	}
	f.sink.row(c.row)
}

// dead handles the end of the connection to PostgreSQL, or of the client.
func (f *flight) dead(err error) (again bool, _ error) {
	c := f.c
	if c.left() {
		return false, errGone
	}
	unsent := f.f.Unsent()
	cause := "the connection was lost"
	if server, ok := errors.AsType[*wire.ServerError](err); ok {
		cause = server.Message
	}
	inTx := c.tx != nil
	if inTx {
		c.over = true // as the real server does: the transaction cannot be told apart from another any more
	}
	c.drop()
	return unsent && !inTx, errorf(codeBackendUnavailable, "PostgreSQL is not available: %s", cause)
}

// settle brings the client's transaction in line with PostgreSQL's, and gives
// the error as EdgeDB has it.
func (c *client) settle(failed *wire.ServerError) error {
	if c.tx != nil && failed != nil {
		switch c.pg.Status() {
		case 'I': // COMMIT has failed
			if c.tx.changed {
				c.branch.generation.Add(1)
			}
			c.tx = nil
		default:
			c.tx.failed = true
		}
	}
	if failed == nil {
		return nil
	}
	for id, p := range c.prepared {
		if !p.parsed {
			delete(c.prepared, id)
		}
	}
	return fromPostgres(failed)
}
