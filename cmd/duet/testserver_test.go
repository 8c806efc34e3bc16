package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestTestServer(t *testing.T) {
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	out, writer := io.Pipe()
	var errs strings.Builder
	code := make(chan int)
	go func() {
		args := []string{"edgedb-test-server", "--postgres", pgtest.Shared(t).DSN(), "--password", "p@w", "--protocol", "1.0"}
		exit := run(ctx, args, streams{in: strings.NewReader(""), out: writer, err: &errs})
		writer.Close()
		code <- exit
	}()
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("there is no first line: %v", err)
	}
	dsn, err := url.Parse(strings.TrimSpace(first))
	if err != nil || dsn.Scheme != "edgedb" {
		t.Fatalf("the first line is %q (%v), want a DSN", first, err)
	}
	if password, _ := dsn.User.Password(); password != "p@w" {
		t.Errorf("the DSN's password is %q", password)
	}
	nc, err := net.Dial("tcp", dsn.Host)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	interrupt()
	if got := <-code; got != exitOK {
		t.Errorf("interrupted, it exits with %d: %s", got, errs.String())
	}
	if nc, err := net.Dial("tcp", dsn.Host); err == nil {
		nc.Close()
		t.Error("it still listens")
	}
}

func TestTestServerUsage(t *testing.T) {
	duetRun(t, "edgedb-test-server", "--protocol", "3.0").want(t, exitUsage, "", "--protocol must be")
	duetRun(t, "edgedb-test-server", "x").want(t, exitUsage, "", "expected: none")
	duetRun(t, "edgedb-test-server", "--postgres", "postgres://anna:s3cr3t@127.0.0.1:1/db").want(t, exitFailed, "", "duet: ")
}
