package edgedbtest

import (
	"strings"
)

// transaction is one that the client has begun.
type transaction struct {
	failed     bool
	tenant     bool // the global is there, as the transaction sees it
	changed    bool // it has changed the schema
	timeout    bool // it has set statement_timeout
	savepoints []savepoint
}

type savepoint struct {
	name   string
	tenant bool
}

// txVerb is what a transaction command does.
type txVerb uint8

const (
	txStart txVerb = iota
	txCommit
	txRollback
	txDeclare
	txRelease
	txRollbackTo
)

// txCommand is a transaction command: EdgeDB documentation, "EdgeQL",
// "Transactions".
type txCommand struct {
	verb txVerb
	name string // of a savepoint
	sql  string
}

// statuses of CommandComplete, by verb.
var txStatuses = [...]string{
	"START TRANSACTION", "COMMIT TRANSACTION", "ROLLBACK TRANSACTION", "DECLARE SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT",
}

// mends says whether the command may run in a transaction that has failed.
func (t *txCommand) mends() bool { return t.verb == txRollback || t.verb == txRollbackTo }

// parseTx reads a transaction command; nil is anything else.
func parseTx(text string) *txCommand {
	if len(text) > 200 {
		return nil
	}
	text = strings.TrimRight(strings.TrimSpace(text), "; \t\r\n")
	fields := strings.Fields(strings.ReplaceAll(text, ",", " , "))
	upper := strings.Fields(strings.ToUpper(strings.ReplaceAll(text, ",", " , ")))
	begins := func(words ...string) bool {
		if len(upper) < len(words) {
			return false
		}
		for i, w := range words {
			if upper[i] != w {
				return false
			}
		}
		return true
	}
	named := func(verb txVerb, sql string, words ...string) *txCommand {
		if len(fields) != len(words)+1 || !isName(fields[len(words)]) {
			return nil
		}
		name := strings.Trim(fields[len(words)], "`")
		return &txCommand{verb: verb, name: name, sql: sql + ` "` + name + `"`}
	}
	switch {
	case begins("START", "TRANSACTION"):
		return parseStart(upper[2:])
	case begins("COMMIT") && len(upper) == 1:
		return &txCommand{verb: txCommit, sql: "COMMIT"}
	case begins("ROLLBACK") && len(upper) == 1:
		return &txCommand{verb: txRollback, sql: "ROLLBACK"}
	case begins("DECLARE", "SAVEPOINT"):
		return named(txDeclare, "SAVEPOINT", "DECLARE", "SAVEPOINT")
	case begins("RELEASE", "SAVEPOINT"):
		return named(txRelease, "RELEASE SAVEPOINT", "RELEASE", "SAVEPOINT")
	case begins("ROLLBACK", "TO", "SAVEPOINT"):
		return named(txRollbackTo, "ROLLBACK TO SAVEPOINT", "ROLLBACK", "TO", "SAVEPOINT")
	}
	return nil
}

// isName says whether s is a plain identifier, maybe in backticks.
func isName(s string) bool {
	if len(s) > 2 && s[0] == '`' && s[len(s)-1] == '`' {
		s = s[1 : len(s)-1]
	}
	for i := range len(s) {
		if !isWord(s[i]) || i == 0 && s[i] >= '0' && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}

// parseStart reads the modes of START TRANSACTION.
func parseStart(modes []string) *txCommand {
	isolation, access, deferrable := "", "", ""
	for _, mode := range strings.Split(strings.Join(modes, " "), ",") {
		field := &access
		switch mode = strings.TrimSpace(mode); mode {
		case "":
			if len(modes) > 0 {
				return nil
			}
			continue
		case "ISOLATION SERIALIZABLE":
			field, mode = &isolation, "ISOLATION LEVEL SERIALIZABLE"
		case "READ ONLY", "READ WRITE":
		case "DEFERRABLE", "NOT DEFERRABLE":
			field = &deferrable
		default:
			return nil
		}
		if *field != "" {
			return nil
		}
		*field = mode
	}
	sql := "BEGIN ISOLATION LEVEL SERIALIZABLE"
	for _, mode := range []string{access, deferrable} {
		if mode != "" {
			sql += " " + mode
		}
	}
	return &txCommand{verb: txStart, sql: sql}
}

func errAborted() *Error {
	return errorf(codeTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// admitTx holds that a transaction command fits where it comes.
func (c *client) admitTx(t *txCommand) error {
	switch {
	case t.verb == txStart && c.tx != nil:
		return errorf(codeTransaction, "already in transaction")
	case t.verb == txCommit && c.tx == nil:
		return errorf(codeTransaction, "cannot commit: not in transaction")
	case t.verb == txRollback && c.tx == nil:
		return errorf(codeTransaction, "cannot rollback: not in transaction")
	case c.tx == nil && t.name != "":
		return errorf(codeTransaction, "savepoints can only be used in transaction blocks")
	case t.name != "" && t.verb != txDeclare && c.tx.find(t.name) < 0:
		return errorf(codeTransaction, "there is no '%s' savepoint", t.name)
	}
	return nil
}

// find gives the index of the innermost savepoint with a name, or -1.
func (t *transaction) find(name string) int {
	for i := len(t.savepoints) - 1; i >= 0; i-- {
		if t.savepoints[i].name == name {
			return i
		}
	}
	return -1
}

// control runs a transaction command.
func (c *client) control(r *request) error {
	t := r.tx
	before := c.stateType()
	err := c.query([]command{{text: t.sql}}, nil, nil)
	if err != nil {
		return err
	}
	switch t.verb {
	case txStart:
		c.tx = &transaction{tenant: c.branch.tenant.Load()}
	case txCommit:
		if c.tx.changed {
			c.branch.tenant.Store(c.tx.tenant)
			c.branch.generation.Add(1)
		}
		c.tx = nil
	case txRollback:
		if c.tx.changed {
			c.branch.generation.Add(1)
		}
		c.tx = nil
	case txDeclare:
		c.tx.savepoints = append(c.tx.savepoints, savepoint{t.name, c.tx.tenant})
	case txRelease:
		c.tx.savepoints = c.tx.savepoints[:c.tx.find(t.name)]
	case txRollbackTo:
		i := c.tx.find(t.name)
		c.tx.tenant, c.tx.failed = c.tx.savepoints[i].tenant, false
		c.tx.savepoints = c.tx.savepoints[:i+1]
		c.generation-- // what was prepared may be of a schema that is gone
	}
	if err := c.strike(Answering, 'O', r.text); err != nil || c.over {
		return err
	}
	c.complete(r, txStatuses[t.verb], before)
	return nil
}
