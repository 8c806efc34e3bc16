package decode

import (
	"reflect"
	"sync"
)

// mostStatements bounds a Cache; when it is full, it is emptied.
const mostStatements = 1000

// Cache remembers the shapes of results by the text of the command, and how to
// copy them into Go types. It is safe for concurrent use and bounded. One serves
// all connections of a client.
type Cache struct {
	mu         sync.RWMutex
	statements map[statementKey]*statement
}

// statementKey is what a result's shape depends on.
type statementKey struct{ scope, cmd string }

// statement is what is known of a command. It is never changed, but for what it
// remembers by row type.
type statement struct {
	shape *node
	// rows is the type of a slice of rows.
	rows reflect.Type
	// json says that edgedb-go cannot decode the result in its binary form.
	json bool
	// certain says that all fields are known to exist, so that at most the types of
	// values that were always missing are left to be learned; settled that nothing
	// is.
	certain, settled bool
	// confirmed says that what rows do not tell was asked for.
	confirmed bool
	// copiers holds by copierKey how rows are copied; suited by reflect.Type,
	// whether the shape has all that rows of that type need.
	copiers, suited sync.Map
}

// newStatement makes a statement of a shape that will not change any more.
func newStatement(n *node) *statement {
	return &statement{
		shape: n, rows: reflect.SliceOf(shadowOf(n)), certain: n.certain(), settled: (&learner{done: map[*node]bool{}}).complete(n),
	}
}

// suits says whether the command can be run at once for rows that go into t.
func (s *statement) suits(t reflect.Type) bool {
	if !s.certain || s.json {
		return false
	}
	if known, ok := s.suited.Load(t); ok {
		return known.(bool)
	}
	does := !newDraft(s.shape, t).changed
	s.suited.Store(t, does)
	return does
}

// NewCache makes an empty Cache.
func NewCache() *Cache { return &Cache{statements: map[statementKey]*statement{}} }

// Forget drops what is known of a command in any scope: its result did not have
// the shape that was expected, as after a change of the schema.
func (c *Cache) Forget(cmd string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.statements {
		if key.cmd == cmd {
			delete(c.statements, key)
		}
	}
}

func (c *Cache) get(req *Request) *statement {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.statements[statementKey{req.Scope, req.Cmd}]
}

func (c *Cache) put(req *Request, s *statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.statements) >= mostStatements {
		clear(c.statements)
	}
	c.statements[statementKey{req.Scope, req.Cmd}] = s
}
