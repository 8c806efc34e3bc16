package edgedbtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
)

func TestFaults(t *testing.T) {
	s, dsn := branch(t)
	name := branchOf(t, dsn)
	insert := "insert Account { name := 'ada', balance := 1 }"
	count := func() byte {
		t.Helper()
		c := raw(t, s, name)
		c.send(t, executeFrame("select count(Account)", 'j', 'm'), syncFrame)
		for _, f := range c.until(t, 'Z') {
			if f.typ == 'D' {
				return f.body[7]
			}
		}
		t.Fatal("there was no data")
		return 0
	}
	cut := func(f edgedbtest.Fault) {
		t.Helper()
		f.Branch = dsn
		defer s.Inject(f)()
		c := raw(t, s, name)
		c.send(t, executeFrame(insert, 'n', 'm'), syncFrame)
		c.closed(t)
	}
	cut(edgedbtest.Fault{At: edgedbtest.Received, Type: 'O', Text: "INSERT account", Cut: true})
	if got := count(); got != '0' {
		t.Errorf("cut before the insert: %c accounts", got)
	}
	cut(edgedbtest.Fault{At: edgedbtest.Answering, Text: "insert", Cut: true})
	if got := count(); got != '1' {
		t.Errorf("cut after the insert: %c accounts", got)
	}
	if code, _ := raw(t, s, name).do(t, insert); code != 0x05020001 {
		t.Errorf("the fault struck twice, or the account is not there: 0x%08x", code)
	}

	c := raw(t, s, name)
	remove := s.Inject(edgedbtest.Fault{Branch: name, Type: 'O', Skip: 1, Times: -1, Code: 0x05030101, Message: "conflict"})
	for i, want := range []uint32{0, 0x05030101, 0x05030101} {
		if code, _ := c.do(t, "select 1"); code != want {
			t.Errorf("%d: 0x%08x, want 0x%08x", i, code, want)
		}
	}
	remove()
	remove()
	if code, _ := c.do(t, "select 1"); code != 0 {
		t.Errorf("0x%08x after the fault was removed", code)
	}

	s.Inject(edgedbtest.Fault{Branch: name, Type: 'O', Delay: 50 * time.Millisecond})
	begun := time.Now()
	c.do(t, "select 1")
	if took := time.Since(begun); took < 50*time.Millisecond {
		t.Errorf("delayed by %s", took)
	}

	s.Inject(edgedbtest.Fault{Branch: name, At: edgedbtest.Answering, Type: 'O', Torn: true})
	c.send(t, executeFrame("select 1", 'b', 'm'), syncFrame)
	for {
		_, err := c.next()
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "unexpected EOF") {
			t.Errorf("torn: %v, want the middle of a message", err)
		}
		break
	}

	defer s.Inject(edgedbtest.Fault{Type: 'r', Cut: true})()
	if err := connect(t, dsn, edgedb.Options{}).EnsureConnected(testContext(t)); err == nil {
		t.Error("the login was not cut")
	} else if errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
