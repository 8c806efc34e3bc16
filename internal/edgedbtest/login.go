package edgedbtest

import (
	"strconv"
	"time"
)

// poolConcurrency is what the server suggests to its clients.
const poolConcurrency = 100

// login takes a client through ClientHandshake, authentication, and what the
// server says of itself (EdgeDB documentation, "Protocol", "Connection Phase").
// It says whether the client is in.
func (c *client) login() bool {
	params, err := c.handshake()
	if err == nil {
		err = c.authenticate(params["user"])
	}
	if err == nil {
		err = c.enter(params)
	}
	if err != nil {
		if !c.over && c.out.err == nil {
			c.refuseLogin(err)
		}
		return false
	}
	_ = c.raw.SetDeadline(time.Time{})
	c.in.limit = maxMessage
	c.welcome()
	return true
}

// refuseLogin sends an error that ends the connection. Network errors are not
// worth telling.
func (c *client) refuseLogin(err error) {
	if e, ok := err.(*Error); ok {
		c.out.fault(e)
		c.out.flush()
	}
}

// loginMessage reads a message of the given type.
func (c *client) loginMessage(typ byte, what string) (payload, error) {
	m, err := c.read()
	if err != nil {
		return payload{}, err
	}
	if m.typ != typ {
		return payload{}, errorf(codeBinaryProtocol, "unexpected %s: %q, expected %q", what, string(m.typ), string(typ))
	}
	if err := c.strike(Received, typ, ""); err != nil {
		return payload{}, err
	}
	if c.over {
		return payload{}, errorf(codeBackend, "cut")
	}
	return payload{rest: m.body}, nil
}

// handshake reads ClientHandshake and settles the version of the protocol.
func (c *client) handshake() (map[string]string, error) {
	p, err := c.loginMessage('V', "initial message")
	if err != nil {
		return nil, err
	}
	asked := Protocol(p.u16())<<16 | Protocol(p.u16())
	params := map[string]string{}
	for n := p.u16(); n > 0 && p.err == nil; n-- {
		name := string(p.text())
		params[name] = string(p.text())
	}
	if extensions := p.u16(); extensions != 0 {
		return nil, errorf(codeBinaryProtocol, "unexpected value in reserved field of ClientHandshake")
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	spoken := min(max(asked, Protocol10), c.srv.cfg.Protocol)
	if spoken != asked {
		c.out.begin('v')
		c.out.u16(uint16(spoken >> 16))
		c.out.u16(uint16(spoken))
		c.out.u16(0)
		c.out.end()
	}
	c.major = int(spoken >> 16)
	if params["user"] == "" {
		return nil, errorf(codeBinaryProtocol, `missing required connection parameter in ClientHandshake message: "user"`)
	}
	if params["database"] == "" && params["branch"] == "" {
		return nil, errorf(codeBinaryProtocol, `missing required connection parameter in ClientHandshake message: "branch" (or "database")`)
	}
	return params, nil
}

// authenticate is the server's side of SCRAM-SHA-256.
func (c *client) authenticate(user string) error {
	c.out.begin('R')
	c.out.u32(authSASL)
	c.out.u32(1)
	c.out.text(mechanism)
	c.out.end()
	p, err := c.loginMessage('p', "SASL response")
	if err != nil {
		return err
	}
	chosen, first := string(p.bytes()), string(p.bytes())
	if err := p.end(); err != nil {
		return err
	}
	if chosen != mechanism {
		return errorf(codeBinaryProtocol, "client selected an invalid SASL authentication mechanism")
	}
	talk := c.srv.login.conversation(user)
	answer, err := talk.Step(first)
	if err != nil {
		return errorf(codeBinaryProtocol, "malformed SCRAM message")
	}
	c.sasl(authSASLContinue, answer)
	if p, err = c.loginMessage('r', "SASL response"); err != nil {
		return err
	}
	final := string(p.bytes())
	if err := p.end(); err != nil {
		return err
	}
	answer, err = talk.Step(final)
	switch {
	case err != nil && answer == "":
		return errorf(codeBinaryProtocol, "malformed SCRAM message")
	case err != nil:
		return errorf(codeAuthentication, "authentication failed")
	}
	c.sasl(authSASLFinal, answer)
	return nil
}

// The statuses of an Authentication message.
const (
	authOK           = 0
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

func (c *client) sasl(status uint32, data string) {
	c.out.begin('R')
	c.out.u32(status)
	c.out.text(data)
	c.out.end()
}

// defaultBranch is what clients write that do not know the branch's name.
const defaultBranch = "__default__"

// enter finds the branch: the one of "branch" unless that is the default, else
// that of "database". "edgedb" is the default's name of old.
func (c *client) enter(params map[string]string) error {
	name := params["branch"]
	if database := params["database"]; name == "" || name == defaultBranch && database != "" {
		name = database
	}
	if name == defaultBranch || name == "edgedb" && c.srv.find(name) == nil {
		name = c.srv.cfg.Branch
	}
	b := c.srv.find(name)
	if b == nil || !b.enter(c, c.raw) {
		return errorf(codeUnknownDatabase, "database branch '%s' does not exist", name)
	}
	c.branch = b
	return nil
}

// welcome is what the server says of itself once a client is in.
func (c *client) welcome() {
	c.out.begin('R')
	c.out.u32(authOK)
	c.out.end()
	c.out.begin('K') // ServerKeyData
	c.out.buf = append(c.out.buf, make([]byte, 32)...)
	c.out.end()
	c.describeState()
	c.parameter("suggested_pool_concurrency", []byte(strconv.Itoa(poolConcurrency)))
	c.parameter("system_config", systemConfig(c.major))
	c.ready()
}

// parameter sends a ParameterStatus.
func (c *client) parameter(name string, value []byte) {
	c.out.begin('S')
	c.out.text(name)
	c.out.bytes(value)
	c.out.end()
}
