package edgedbtest_test

import (
	"errors"
	"testing"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
)

const startText = "START TRANSACTION ISOLATION SERIALIZABLE, READ WRITE, NOT DEFERRABLE;"

// do runs a command without arguments, and gives the error's code, 0 for none,
// and the state of ReadyForCommand.
func (c *rawClient) do(t testing.TB, text string) (code uint32, state byte) {
	t.Helper()
	c.send(t, executeFrame(text, 'n', 'm'), syncFrame)
	for _, f := range c.until(t, 'Z') {
		switch f.typ {
		case 'E':
			code, _, _ = errorOf(t, f)
		case 'Z':
			state = f.body[2]
		}
	}
	return code, state
}

// Each step gives the code of an error and the state that follows.
func TestTransactionStates(t *testing.T) {
	s, dsn := branch(t)
	type step struct {
		text  string
		code  uint32
		state byte
	}
	const (
		failed, query, disabled, division, constraint, reference = 0x05030000, 0x04000000, 0x03040200, 0x05010001, 0x05020001, 0x04030000
	)
	script := "insert Account { name := 'carol', balance := 1 }; update Account filter .name = 'carol' set { balance := 2 };"
	tests := map[string][]step{
		"commit":   {{startText, 0, 'T'}, {"select 1", 0, 'T'}, {"COMMIT;", 0, 'I'}, {"COMMIT", failed, 'I'}},
		"rollback": {{"start transaction", 0, 'T'}, {"rollback", 0, 'I'}, {"rollback", failed, 'I'}},
		"read only": {
			{"start transaction isolation serializable, read only, deferrable", 0, 'T'}, {script, failed, 'E'},
			{"ROLLBACK;", 0, 'I'},
		},
		"twice": {{startText, 0, 'T'}, {startText, failed, 'E'}, {"ROLLBACK", 0, 'I'}},
		"modes": {
			{"start transaction read only, read write", query, 'I'}, {"start transaction, ", query, 'I'},
			{"start transaction isolation snapshot", query, 'I'},
		},
		"an error at run time": {
			{startText, 0, 'T'}, {"select 1 / 0", division, 'E'}, {"select 1", failed, 'E'}, {"COMMIT", failed, 'E'},
			{"ROLLBACK", 0, 'I'}, {"select 1", 0, 'I'},
		},
		"an error of the compiler": {{startText, 0, 'T'}, {"select Nothing", reference, 'E'}, {"select 1", failed, 'E'}, {"ROLLBACK", 0, 'I'}},
		"a text without a twin":    {{startText, 0, 'T'}, {"select 42", query, 'E'}, {"ROLLBACK", 0, 'I'}},
		"savepoints outside": {
			{"declare savepoint a", failed, 'I'}, {"release savepoint a", failed, 'I'}, {"rollback to savepoint a", failed, 'I'},
		},
		"savepoint names": {{startText, 0, 'T'}, {"declare savepoint a-b", query, 'E'}, {"ROLLBACK", 0, 'I'}},
		"rollback to a savepoint": {
			{startText, 0, 'T'}, {"declare savepoint a", 0, 'T'}, {"select 1 / 0", division, 'E'},
			{"rollback to savepoint a", 0, 'T'}, {"select 1", 0, 'T'}, {"COMMIT", 0, 'I'},
		},
		"savepoint after the error": {
			{startText, 0, 'T'}, {"declare savepoint `a`", 0, 'T'}, {"select Nothing", reference, 'E'},
			{"rollback to savepoint a;", 0, 'T'}, {"release savepoint a", 0, 'T'}, {"release savepoint a", failed, 'E'},
			{"rollback", 0, 'I'},
		},
		"nested savepoints": {
			{startText, 0, 'T'}, {"declare savepoint a", 0, 'T'}, {"declare savepoint b", 0, 'T'},
			{"rollback to savepoint a", 0, 'T'}, {"rollback to savepoint b", failed, 'E'}, {"rollback", 0, 'I'},
		},
		"unknown savepoint": {{startText, 0, 'T'}, {"rollback to savepoint c", failed, 'E'}, {"rollback", 0, 'I'}},
		"script": {
			{startText, 0, 'T'}, {script, 0, 'T'}, {script, constraint, 'E'}, {"rollback", 0, 'I'}, {script, 0, 'I'},
			{script, constraint, 'I'}, {"delete Transfer; delete Account;", 0, 'I'},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			c := raw(t, s, branchOf(t, dsn))
			for _, st := range steps {
				if code, state := c.do(t, st.text); code != st.code || state != st.state {
					t.Errorf("%q: error 0x%08x, state %c; want 0x%08x, %c", st.text, code, state, st.code, st.state)
				}
			}
		})
	}
}

// Schema changes belong to the transaction that makes them: the global is seen
// by others once it is committed, and not after a rollback.
func TestSchemaInTransaction(t *testing.T) {
	s := edgedbtest.Shared(t)
	name := branchOf(t, s.NewBranch(t))
	a, b := raw(t, s, name), raw(t, s, name)
	const create, drop = "create global default::tenant -> std::str", "drop global default::tenant"
	const read, missing = "select global tenant", 0x04030000
	expect := func(c *rawClient, text string, want uint32) {
		t.Helper()
		if code, _ := c.do(t, text); code != want {
			t.Errorf("%q: error 0x%08x, want 0x%08x", text, code, want)
		}
	}
	expect(a, startText, 0)
	expect(a, create, 0)
	expect(a, read, 0)
	expect(b, read, missing)
	expect(a, "rollback", 0)
	expect(a, read, missing)
	expect(a, startText, 0)
	expect(a, "declare savepoint s", 0)
	expect(a, create, 0)
	expect(a, "rollback to savepoint s", 0)
	expect(a, read, missing)
	expect(a, "rollback", 0)
	expect(a, startText, 0)
	expect(a, create, 0)
	expect(a, "commit", 0)
	expect(b, read, 0)
	expect(b, drop, 0)
	expect(a, read, missing)
}

// Two transactions that change the same account: the second one to do so cannot.
func TestConflict(t *testing.T) {
	_, dsn := branch(t)
	a, b := connect(t, dsn, edgedb.Options{}), connect(t, dsn, edgedb.Options{})
	ctx := testContext(t)
	if err := a.Execute(ctx, text(t, "insert_account"), "ada", int64(1)); err != nil {
		t.Fatal(err)
	}
	err := a.Tx(ctx, func(ctx t2, tx *edgedb.Tx) error {
		var n int64
		if err := tx.QuerySingle(ctx, text(t, "sum_of_balances"), &n); err != nil {
			return err
		}
		if err := b.Execute(ctx, text(t, "add_to_balance"), "ada", int64(1)); err != nil {
			return err
		}
		return tx.Execute(ctx, text(t, "add_to_balance"), "ada", int64(1))
	})
	wantEdgeDB(t, err, "TransactionSerializationError")
	var failed edgedb.Error
	if !errors.As(err, &failed) || !failed.HasTag(edgedb.ShouldRetry) {
		t.Errorf("%v does not say that it is to be retried", err)
	}
}

// Statements outside of transactions are serializable, too.
func TestIsolation(t *testing.T) {
	_, dsn := branch(t)
	c := connect(t, dsn, edgedb.Options{})
	var level string
	if err := c.QuerySingle(testContext(t), text(t, "isolation"), &level); err != nil || level != "Serializable" {
		t.Errorf("%q, %v", level, err)
	}
}
