package edgedbtest

import (
	"bytes"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// stateType is the type of the sessions' state.
type stateType struct {
	globals    []typedesc.Global
	id         typedesc.UUID
	descriptor []byte
}

// newStateType describes the state with or without the suite's global.
func newStateType(tenant bool, major int) *stateType {
	t := &stateType{}
	if tenant {
		t.globals = []typedesc.Global{typedesc.Tenant}
	}
	t.id, t.descriptor = typedesc.DescribeState(t.globals, major)
	return t
}

// stateTypes are those of one version of the protocol, without and with the
// global.
type stateTypes [2]*stateType

func newStateTypes(major int) stateTypes {
	return stateTypes{newStateType(false, major), newStateType(true, major)}
}

// tenant says whether the client sees the global: its transaction's view, or the
// branch as it is.
func (c *client) tenant() bool {
	if c.tx != nil {
		return c.tx.tenant
	}
	return c.branch.tenant.Load()
}

// stateType is the type that the client's state must have.
func (c *client) stateType() *stateType {
	types := &c.srv.catalog.states[c.major-1]
	if c.tenant() {
		return types[1]
	}
	return types[0]
}

// describeState sends StateDataDescription.
func (c *client) describeState() {
	t := c.stateType()
	c.out.begin('s')
	c.out.uuid(t.id)
	c.out.bytes(t.descriptor)
	c.out.end()
}

// takeState takes over the state that came with a command. Where the schema has
// changed since the client learned its type, the new type is sent and the
// command refused.
func (c *client) takeState(id typedesc.UUID, data []byte) error {
	if id == (typedesc.UUID{}) {
		c.state, c.stateID, c.stateData = typedesc.State{}, id, c.stateData[:0]
		return nil
	}
	t := c.stateType()
	if id != t.id {
		c.describeState()
		return errorf(codeStateMismatch, "Cannot decode state: type mismatch")
	}
	if id == c.stateID && bytes.Equal(data, c.stateData) {
		return nil
	}
	state, err := typedesc.DecodeState(t.globals, data)
	if err != nil {
		return err
	}
	c.state, c.stateID, c.stateData = state, id, append(c.stateData[:0], data...)
	return nil
}
