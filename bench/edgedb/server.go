package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// serveArg makes this program a server of its own process.
const serveArg = "serve"

// server is what is measured on.
type server struct {
	dsn, title string
	cmd        *exec.Cmd
	stdin      io.WriteCloser
	lines      *bufio.Scanner
}

// startServer starts the test double in a process of its own and puts into it
// what the workloads read. With a DSN, it takes that server as it is.
func startServer(ctx context.Context, dsn string) (*server, error) {
	if dsn != "" {
		return &server{dsn: dsn, title: "the one of --dsn"}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{title: "the test double, over a PostgreSQL on the same machine", cmd: exec.CommandContext(ctx, self, serveArg)}
	s.cmd.Stderr = os.Stderr
	s.cmd.WaitDelay = closeTimeout
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.lines = bufio.NewScanner(stdout)
	if !s.lines.Scan() {
		return nil, errors.Join(errors.New("the test double did not start"), s.close())
	}
	s.dsn = s.lines.Text()
	if err := fill(ctx, s.dsn); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// opened is how many connections were ever opened to the server; -1 where
// nobody counts.
func (s *server) opened(context.Context) (int, error) {
	if s.cmd == nil {
		return -1, nil
	}
	if _, err := io.WriteString(s.stdin, "\n"); err != nil {
		return 0, err
	}
	if !s.lines.Scan() {
		return 0, errors.New("the test double has ended")
	}
	return strconv.Atoi(s.lines.Text())
}

func (s *server) close() error {
	if s.cmd == nil {
		return nil
	}
	s.stdin.Close()
	timer := time.AfterFunc(closeTimeout, func() { s.cmd.Process.Kill() })
	defer timer.Stop()
	return s.cmd.Wait()
}

// fill makes the type Account with one row.
func fill(ctx context.Context, dsn string) (err error) {
	c, err := edgedb.Connect(ctx, dsn, edgedb.Config{MaxConns: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	for _, name := range []string{"setup_color", "setup_account"} {
		if _, err := c.Execute(ctx, queries.Get(name).Text(duet.EdgeQL)); err != nil {
			return err
		}
	}
	_, err = c.Execute(ctx, queries.Get("insert_account").Text(duet.EdgeQL), accountName, int64(100))
	return err
}

// serve is the other process: it prints the DSN, then answers each line with
// the number of connections that were opened, until there are no more lines.
func serve(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	s, err := edgedbtest.Start(ctx, edgedbtest.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := fmt.Fprintln(out, strings.TrimSpace(s.DSN())); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if _, err := fmt.Fprintln(out, s.Connections("").Opened); err != nil {
			return err
		}
	}
	return nil
}
