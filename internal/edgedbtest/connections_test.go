package edgedbtest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
	"golang.org/x/sync/errgroup"
)

// eventually waits for a condition.

func eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s := edgedbtest.Shared(t)
	dsn := s.NewBranch(t)
	if got := s.Connections(dsn); got != (edgedbtest.Connections{}) {
		t.Fatalf("a new branch has %+v", got)
	}
	var clients []*rawClient
	for range 3 {
		clients = append(clients, raw(t, s, branchOf(t, dsn)))
	}
	if got, want := s.Connections(branchOf(t, dsn)), (edgedbtest.Connections{Opened: 3, Open: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	clients[0].send(t, frame{'X', nil}) // Terminate
	clients[0].closed(t)
	clients[1].nc.Close()
	eventually(t, "two are closed", func() bool { return s.Connections(dsn) == edgedbtest.Connections{Opened: 3, Open: 1} })
	if all := s.Connections(""); all.Opened < 3 || all.Open < 1 {
		t.Errorf("all branches have %+v", all)
	}
	if n := s.Kill(dsn); n != 1 {
		t.Errorf("Kill cut %d connections, want 1", n)
	}
	clients[2].closed(t)
	eventually(t, "all are closed", func() bool { return s.Connections(dsn).Open == 0 })
}

func TestBranches(t *testing.T) {
	s := edgedbtest.Shared(t)
	ctx := testContext(t)
	if err := s.CreateBranch(ctx, "main"); err == nil {
		t.Error("the branch main was made twice")
	}
	if err := s.CreateBranch(ctx, "other"); err != nil {
		t.Fatal(err)
	}
	c := raw(t, s, "other")
	if code, _ := c.do(t, "create global default::tenant -> std::str"); code != 0 {
		t.Errorf("0x%08x", code)
	}
	if code, _ := raw(t, s, "main").do(t, "select global tenant"); code != 0x04030000 {
		t.Errorf("the global of a branch is seen in another: 0x%08x", code)
	}
	for range 2 {
		if err := s.DropBranch(ctx, "other"); err != nil {
			t.Fatal(err)
		}
	}
	c.closed(t)
	got := dialRaw(t, s).login(t, handshakeFrame(2, 0, "user", s.User(), "branch", "other"), s.User(), s.Password())
	if code, _, _ := errorOf(t, got[len(got)-1]); code != 0x04030005 {
		t.Errorf("0x%08x", code)
	}
}

// sessions counts PostgreSQL's sessions of the double's branches that are busy

// with a text.

// A statement whose client has left is cancelled.

// What a client sends while its statement runs is done afterwards.

func TestPipelining(t *testing.T) {
	s := edgedbtest.Shared(t)
	c := connect(t, s.DSN(), edgedb.Options{})
	var n int64
	if err := c.QuerySingle(testContext(t), text(t, "slow"), &n, int64(600)); err != nil { // longer than the watcher's patience
		t.Fatal(err)
	}
	r := raw(t, s, "main")
	const rounds = 2000
	var frames []frame
	for range rounds {
		frames = append(frames, executeFrame("select 1 + 1", 'j', 'm'), syncFrame)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range frames {
			if _, err := r.nc.Write(message(f.typ, f.body)); err != nil {
				return
			}
		}
	}()
	for i := range rounds {
		types := ""
		for _, f := range r.until(t, 'Z') {
			types += string(f.typ)
		}
		if types != "TDCZ" {
			t.Fatalf("round %d is answered with %s", i, types)
		}
	}
	<-done
}

// Sessions that PostgreSQL ends: an idle one is replaced, one in a transaction

// ends the client's connection with an error.

// terminate ends all sessions of the double.

// A server goes on when its PostgreSQL was away.

// A server of its own, by a DSN, leaves nothing behind.

// A thousand connections, some of which never say a word, leave nothing behind.

func TestManyConnections(t *testing.T) {
	s := edgedbtest.Shared(t)
	name := branchOf(t, s.NewBranch(t))
	var g errgroup.Group
	g.SetLimit(16)
	for i := range 1000 {
		g.Go(func() error {
			if i%4 == 0 {
				nc, err := net.Dial("tcp", s.Addr())
				if err == nil {
					nc.Close()
				}
				return err
			}
			nc, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"edgedb-binary"}})
			if err != nil {
				return err
			}
			f := handshakeFrame(2, 0, "user", s.User(), "branch", name)
			whole := message(f.typ, f.body)
			if _, err := nc.Write(whole[:len(whole)*(i%3)/2]); err != nil {
				return err
			}
			return nc.Close()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if code, _ := raw(t, s, name).do(t, "select 1"); code != 0 {
		t.Errorf("0x%08x", code)
	}
}

// Many clients at once, on few connections, get each their own answer.

func TestManyClients(t *testing.T) {
	_, dsn := branch(t)
	c := connect(t, dsn, edgedb.Options{Concurrency: 8})
	var g errgroup.Group
	for i := range 16 {
		g.Go(func() error {
			for j := range 30 {
				want := fmt.Sprintf("%d/%d", i, j)
				var got string
				if err := c.QuerySingle(testContext(t), text(t, "echo_str"), &got, want); err != nil {
					return err
				}
				if got != want {
					return fmt.Errorf("got %q, want %q", got, want)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// Close ends a server that is busy.

func TestCloseUnderLoad(t *testing.T) {
	s := started(t, edgedbtest.Config{})
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var wg sync.WaitGroup
	var ready sync.WaitGroup
	for i := range 8 {
		c := connect(t, s.DSN(), edgedb.Options{})
		ready.Add(1)
		wg.Go(func() {
			var n int64
			err := c.QuerySingle(ctx, "select 1", &n)
			ready.Done()
			for err == nil && ctx.Err() == nil {
				err = c.QuerySingle(ctx, text(t, "slow"), &n, int64(1000*(i%2)))
			}
		})
	}
	stalled, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	ready.Wait()
	begun := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > limit/2 {
		t.Errorf("Close took %s", took)
	}
	cancel()
	wg.Wait()
}

// A client that asks and does not listen is held up, and is gone when it is cut.

func TestDeafClient(t *testing.T) {
	s := edgedbtest.Shared(t)
	dsn := s.NewBranch(t)
	c := raw(t, s, branchOf(t, dsn))
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	big := message('O', executeFrame("select str_repeat('x', 100000)", 'b', 'm').body)
	for range 1000 {
		if _, err := c.nc.Write(append(big, message('S', nil)...)); err != nil {
			break
		}
	}
	if n := s.Kill(dsn); n != 1 {
		t.Errorf("%d connections were cut, want 1", n)
	}
	eventually(t, "the session has ended", func() bool { return s.Connections(dsn).Open == 0 })
}

// A client that stops in the middle of a message holds nobody up.

func TestStalledClient(t *testing.T) {
	s := started(t, edgedbtest.Config{})
	c := raw(t, s, "main")
	whole := message('O', executeFrame("select 1", 'b', 'm').body)
	for _, n := range []int{1, 4, 5, 20, len(whole) - 1} {
		stalled := raw(t, s, "main")
		if _, err := stalled.nc.Write(whole[:n]); err != nil {
			t.Fatal(err)
		}
	}
	if code, _ := c.do(t, "select 1"); code != 0 {
		t.Errorf("0x%08x", code)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	c.closed(t)
}
