package edgedbtest

import (
	"strings"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// request is a Parse or an Execute message, and what its text means.
type request struct {
	allowed uint64
	limit   uint64
	format  typedesc.OutputFormat
	one     bool // the client expects at most one result
	text    string

	inputID, outputID typedesc.UUID // of an Execute
	args              []byte

	plan *plan      // nil for transaction commands
	tx   *txCommand // nil for all others
}

// The compilation flags that would add to a shape: EdgeDB documentation,
// "Message Formats", enum CompilationFlag. The one for objects' ids is taken, and
// adds nothing: the catalogue's shapes are what they are.
const (
	flagTypeIDs   = 1
	flagTypeNames = 2
)

// command does a Parse or an Execute.
func (c *client) command(m message) error {
	r, err := c.request(m)
	if err != nil || c.over {
		return err
	}
	if err := c.compile(r); err != nil {
		return err
	}
	if m.typ == 'P' {
		if err := c.strike(Answering, m.typ, r.text); err != nil || c.over {
			return err
		}
		c.describe(r)
		return nil
	}
	return c.execute(r)
}

// request reads a Parse or an Execute (EdgeDB documentation, "Message Formats").
func (c *client) request(m message) (*request, error) {
	p := payload{rest: m.body}
	p.headers()
	r := &request{allowed: p.u64()}
	flags := p.u64()
	r.limit = p.u64()
	r.format = typedesc.OutputFormat(p.u8())
	cardinality := p.u8()
	text := p.text()
	stateID, stateData := p.uuid(), p.bytes()
	if m.typ == 'O' {
		r.inputID, r.outputID, r.args = p.uuid(), p.uuid(), p.bytes()
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	switch {
	case flags&(flagTypeIDs|flagTypeNames) != 0:
		return nil, errorf(codeUnsupported, "this server does not inject the types of objects into results")
	case r.limit >= 1<<63:
		return nil, errorf(codeBinaryProtocol, "implicit limit cannot be negative")
	case strings.IndexByte("bjJn", byte(r.format)) < 0:
		return nil, errorf(codeBinaryProtocol, "unknown output format %q", string(rune(r.format)))
	case cardinality != byte(typedesc.Many) && cardinality != byte(typedesc.AtMostOne):
		return nil, errorf(codeBinaryProtocol, "cardinality %q cannot be requested", string(rune(cardinality)))
	case len(text) == 0:
		return nil, errorf(codeBinaryProtocol, "empty query")
	}
	r.one = cardinality == byte(typedesc.AtMostOne)
	if r.plan = c.srv.catalog.find(text); r.plan != nil {
		r.text = r.plan.text
	} else {
		r.text = string(text)
	}
	if err := c.strike(Received, m.typ, r.text); err != nil || c.over {
		return nil, err
	}
	return r, c.takeState(stateID, stateData)
}

// compile does what EdgeDB's compiler does: it finds out what a text is, and
// what is wrong with it.
func (c *client) compile(r *request) error {
	if r.plan == nil {
		if r.tx = parseTx(r.text); r.tx == nil && nothing(r.text) {
			return errorf(codeProtocol, "nothing to compile")
		}
	}
	if c.tx != nil && c.tx.failed && (r.tx == nil || !r.tx.mends()) {
		return errAborted()
	}
	if r.tx != nil {
		if err := c.admitTx(r.tx); err != nil {
			return err
		}
		return allow(capTransaction, r.allowed)
	}
	if r.plan == nil {
		return catalogueOnly()
	}
	if r.plan.refuse != nil {
		return r.plan.refuse
	}
	if err := c.resolve(r.plan); err != nil {
		return err
	}
	if card := r.plan.single; r.one && r.format != typedesc.NoOutput && (card == typedesc.Many || card == typedesc.AtLeastOne) {
		name := map[typedesc.Cardinality]string{typedesc.Many: "MANY", typedesc.AtLeastOne: "AT_LEAST_ONE"}[card]
		return errorf(codeCardinalityMismatch, "the query has cardinality %s which does not match the expected cardinality ONE", name)
	}
	return allow(r.plan.caps, r.allowed)
}

// resolve looks up what a text needs of the session and the schema.
func (c *client) resolve(p *plan) error {
	if p.alias != "" && c.state.Aliases[p.alias] == "" {
		from := strings.Index(p.text, p.alias+"::")
		call := p.text[from:]
		name, _, _ := strings.Cut(call, "(")
		e := errorf(codeInvalidReference, "function '%s' does not exist", name)
		e.Attributes = span(p.text, from, len(p.text))
		return e
	}
	switch has := c.tenant(); {
	case p.tenant == tenantReads && !has, p.tenant == tenantDrops && !has:
		return errorf(codeInvalidReference, "global 'default::tenant' does not exist")
	case p.tenant == tenantCreates && has:
		return errorf(codeSchema, "global 'default::tenant' already exists")
	}
	return nil
}

// nothing says whether a text holds nothing but comments and semicolons.
func nothing(text string) bool {
	for i := 0; i < len(text); {
		if text[i] == '#' {
			i = skipQuoted(text, i, "#")
			continue
		}
		if strings.IndexByte(" \t\r\n;", text[i]) < 0 {
			return false
		}
		i++
	}
	return true
}

// allow holds that the client has allowed what a statement needs.
func allow(needed, allowed uint64) error {
	titles := []struct {
		capability uint64
		title      string
	}{
		{capModifications, "data modification queries"}, {capSessionConfig, "session configuration queries"},
		{capTransaction, "transaction control commands"}, {capDDL, "DDL commands"}, {capPersistentConfig, "configuration commands"},
	}
	for _, t := range titles {
		if needed&^allowed&t.capability != 0 {
			return errorf(codeDisabledCapability, "cannot execute %s: disabled by the client", t.title)
		}
	}
	return nil
}

// description is what CommandDataDescription says of a request.
func (c *client) description(r *request) typedesc.Description {
	if r.plan == nil {
		return typedesc.Description{Cardinality: typedesc.NoResult}
	}
	return r.plan.described[c.major-1][r.format]
}

func (r *request) capabilities() uint64 {
	if r.plan == nil {
		return capTransaction
	}
	return r.plan.caps
}

// describe sends CommandDataDescription.
func (c *client) describe(r *request) {
	d := c.description(r)
	c.out.begin('T')
	c.out.u16(0)
	c.out.u64(r.capabilities())
	c.out.u8(byte(d.Cardinality))
	c.out.uuid(d.InputID)
	c.out.bytes(d.Input)
	c.out.uuid(d.OutputID)
	c.out.bytes(d.Output)
	c.out.end()
}

// complete sends CommandComplete, and before it the type of the state where the
// command has changed that.
func (c *client) complete(r *request, status string, before *stateType) {
	now := c.stateType()
	if now != before {
		c.describeState()
	}
	c.out.begin('C')
	c.out.u16(0)
	c.out.u64(r.capabilities())
	c.out.text(status)
	if now != before {
		c.out.uuid(now.id)
		c.out.bytes([]byte{0, 0, 0, 0}) // no element
	} else {
		c.out.uuid(typedesc.UUID{})
		c.out.bytes(nil)
	}
	c.out.end()
}
