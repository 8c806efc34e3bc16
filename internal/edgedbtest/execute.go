package edgedbtest

import (
	"errors"
	"strings"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// execute does an Execute that compile has let pass.
func (c *client) execute(r *request) error {
	d := c.description(r)
	if d.InputID != r.inputID {
		c.describe(r)
		return errorf(codeParameterMismatch, "specified parameter type(s) do not match the parameter types inferred from specified command(s)")
	}
	if d.OutputID != r.outputID {
		c.describe(r) // the client's idea of the output is an old one
	}
	if r.tx != nil {
		return c.control(r)
	}
	var args []typedesc.Arg
	if len(r.plan.params) > 0 || len(r.args) > 4 {
		var err error
		if args, err = typedesc.DecodeArgs(r.plan.params, r.args); err != nil {
			return err
		}
	}
	before := c.stateType()
	if err := c.answer(r, args); err != nil {
		return err
	}
	if r.plan.caps&capDDL != 0 {
		c.changed(r.plan)
	}
	if err := c.strike(Answering, 'O', r.text); err != nil || c.over {
		return err
	}
	c.complete(r, r.plan.status, before)
	return nil
}

// answer runs the statement, and sends what it gives.
func (c *client) answer(r *request, args []typedesc.Arg) error {
	s := sink{c: c, r: r}
	switch r.plan.own {
	case ownTenant:
		if v, ok := c.state.Globals[typedesc.Tenant.Name].(string); ok {
			s.row([]typedesc.Column{{OID: oidText, Data: []byte(v)}})
		}
	case ownSetting:
		s.row([]typedesc.Column{{OID: oidText, Data: []byte(durationText(c.timeout()))}})
	default:
		if err := c.query(r.plan.run(r.format), args, &s); err != nil {
			return err
		}
	}
	return s.end()
}

// changed notes that a statement has changed the schema.
func (c *client) changed(p *plan) {
	has := c.tenant()
	switch p.tenant {
	case tenantCreates:
		has = true
	case tenantDrops:
		has = false
	}
	c.branch.generation.Add(1)
	if c.tx != nil {
		c.tx.tenant, c.tx.changed = has, true
		return
	}
	c.branch.tenant.Store(has)
}

// oidText is PostgreSQL's text.
const oidText = 25

// sink sends a statement's rows to the client.
type sink struct {
	c    *client
	r    *request
	rows uint64
	err  error
}

// row takes one row. After an error the others are ignored.
func (s *sink) row(row []typedesc.Column) {
	r, c := s.r, s.c
	if s.err != nil || r.format == typedesc.NoOutput || r.plan.out == nil || r.limit > 0 && s.rows >= r.limit {
		return
	}
	encode := typedesc.EncodeJSON
	if r.format == typedesc.Binary {
		encode = typedesc.EncodeRow
	}
	element, ok, err := encode(r.plan.out, row)
	if err != nil {
		s.err = err
		return
	}
	if !ok {
		return
	}
	s.rows++
	if r.format != typedesc.JSON || r.one {
		c.out.data(element)
		return
	}
	if s.rows == 1 {
		c.json = append(c.json[:0], '[')
	} else {
		c.json = append(c.json, ", "...)
	}
	c.json = append(c.json, element...)
}

// end sends what waits for the last row.
func (s *sink) end() error {
	r, c := s.r, s.c
	if s.err != nil || r.format != typedesc.JSON || r.one || r.plan.out == nil {
		return s.err
	}
	if s.rows == 0 {
		c.out.data([]byte("[]"))
		return nil
	}
	c.json = append(c.json, ']')
	c.out.data(c.json)
	if cap(c.json) > 1<<20 {
		c.json = nil
	}
	return nil
}

// timeout is the state's query_execution_timeout; 0 is none.
func (c *client) timeout() time.Duration {
	d, _ := c.state.Config["query_execution_timeout"].(time.Duration)
	return max(d, 0)
}

// durationText is a duration as EdgeDB writes it: "PT1H2M3.5S".
func durationText(d time.Duration) string {
	if d == 0 {
		return "PT0S"
	}
	text := strings.ToUpper(d.String()) // 1H0M3.5S
	if d < time.Second {
		us := itoa(int(d.Microseconds()))
		text = "0." + strings.TrimRight(strings.Repeat("0", 6-len(us))+us, "0") + "S"
	}
	text = strings.Replace("PT"+text, "M0S", "M", 1)
	return strings.Replace(text, "H0M", "H", 1)
}

// connect makes sure that there is a connection to PostgreSQL.
func (c *client) connect() error {
	if c.pg != nil && c.pg.Err() == nil {
		return nil
	}
	if c.tx != nil {
		c.over = true // nothing may run outside of the transaction that it belongs to
		return errorf(codeBackendUnavailable, "PostgreSQL is not available: the connection was lost")
	}
	c.drop()
	c.watcher.begin()
	pg, err := c.srv.pg.connect(c.ctx, c.branch.database)
	c.watcher.end()
	if err != nil {
		if c.left() {
			return errGone
		}
		if server, ok := errors.AsType[*wire.ServerError](err); ok && server.Code == "3D000" {
			return errorf(codeUnknownDatabase, "database branch '%s' does not exist", c.branch.name)
		}
		return errorf(codeBackendUnavailable, "PostgreSQL is not available: %v", err)
	}
	c.pg = pg
	return nil
}

// errGone ends what is being done for a client that is gone.
var errGone = errors.New("the client is gone")

// left says whether the client is gone, and ends its loop then.
func (c *client) left() bool {
	if c.ctx.Err() == nil {
		return false
	}
	c.over, c.cut = true, true
	c.out.buf = c.out.buf[:0]
	return true
}
