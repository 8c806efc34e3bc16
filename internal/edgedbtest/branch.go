package edgedbtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

// branch is a PostgreSQL database.
type branch struct {
	name, database string

	generation atomic.Uint64 // counts changes of the schema
	tenant     atomic.Bool   // the global default::tenant is there
	opened     atomic.Int64

	mu       sync.Mutex
	sessions map[*client]net.Conn
	absent   bool // it is not made yet, or dropped
}

// Connections counts what clients opened.
type Connections struct {
	// Opened counts the connections that logged in ever, Open those of them
	// that are open now.
	Opened, Open int
}

// CreateBranch makes a branch with nothing in it.
func (s *Server) CreateBranch(ctx context.Context, name string) error {
	s.mu.Lock()
	if s.closed || s.branches[name] != nil {
		s.mu.Unlock()
		return fmt.Errorf("edgedbtest: the branch %q is there already, or the server is closed", name)
	}
	s.made++
	b := &branch{name: name, database: fmt.Sprintf("%s%d", s.prefix, s.made), sessions: map[*client]net.Conn{}, absent: true}
	s.branches[name] = b
	s.mu.Unlock()
	if err := s.admin(ctx, "CREATE DATABASE "+b.database+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.branches, name)
		return fmt.Errorf("edgedbtest: making the branch %q: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent = false
	return nil
}

// DropBranch ends the connections that are in a branch, and drops it. Dropping
// a branch that is not there is no error.
func (s *Server) DropBranch(ctx context.Context, name string) error {
	s.mu.Lock()
	b := s.branches[name]
	delete(s.branches, name)
	s.mu.Unlock()
	if b == nil {
		return nil
	}
	b.mu.Lock()
	b.absent = true
	b.mu.Unlock()
	b.cut()
	if err := s.admin(ctx, "DROP DATABASE IF EXISTS "+b.database+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("edgedbtest: dropping the branch %q: %w", name, err)
	}
	return nil
}

// dropBranches drops all branches, where the PostgreSQL goes on.
func (s *Server) dropBranches() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.mu.Lock()
	var names []string
	for name := range s.branches {
		names = append(names, name)
	}
	s.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, s.DropBranch(ctx, name))
	}
	return errors.Join(errs...)
}

// admin runs one statement outside of the branches.
func (s *Server) admin(ctx context.Context, sql string) error {
	c, err := pgtest.Dial(ctx, s.pg.dsn)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Exec(ctx, sql)
	return err
}

// Connections counts the connections to a branch, which is given by its name or
// by a DSN. "" is all branches that there are now.
func (s *Server) Connections(branch string) Connections {
	var sum Connections
	for _, b := range s.chosen(branch) {
		b.mu.Lock()
		sum.Opened += int(b.opened.Load())
		sum.Open += len(b.sessions)
		b.mu.Unlock()
	}
	return sum
}

// Kill cuts the connections to a branch, given as for Connections, without a
// word to the clients. It returns how many there were.
func (s *Server) Kill(branch string) int {
	n := 0
	for _, b := range s.chosen(branch) {
		n += b.cut()
	}
	return n
}

// cutAll cuts every connection, also those that have not logged in.
func (s *Server) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.sockets {
		nc.Close()
	}
}

// find gives a branch by its name, nil where there is none.
func (s *Server) find(name string) *branch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.branches[name]
}

// chosen are the branches that a name or a DSN means.
func (s *Server) chosen(name string) []*branch {
	name = branchName(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*branch
	for _, b := range s.branches {
		if name == "" || b.name == name {
			all = append(all, b)
		}
	}
	return all
}

// branchName is the branch of a DSN; anything else is a name already.
func branchName(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return strings.TrimPrefix(u.Path, "/")
}

func (b *branch) cut() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, nc := range b.sessions {
		nc.Close()
	}
	return len(b.sessions)
}

// enter counts a session in, unless the branch is gone.
func (b *branch) enter(c *client, nc net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent {
		return false
	}
	b.sessions[c] = nc
	b.opened.Add(1)
	return true
}

func (b *branch) leave(c *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, c)
}
