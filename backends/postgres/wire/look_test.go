package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/jackc/pgx/v5/pgproto3"
)

// lone sends one statement as the first one on an idle connection.
func lone(ctx context.Context, c *wire.Conn) (*wire.Flight, answerOf, error) {
	f := flightOf(doWhole("SELECT 'v'"))
	f.Lone = true
	if err := c.Send(ctx, f); err != nil {
		return f, answerOf{}, err
	}
	a, err := read(f)
	return f, a, err
}

// TestLook: what happened while a connection was idle is found before anything
// is sent.
func TestLook(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		cfg := configFor(server, "trust_user")
		cfg.TLS = mode
		t.Run(name+"/usable", func(t *testing.T) {
			c := open(t, cfg)
			for range 20 {
				if _, a, err := lone(bounded(t), c); err != nil || len(a.rows) != 1 || a.rows[0] != "v" {
					t.Fatalf("got %+v, %v", a, err)
				}
			}
		})
		t.Run(name+"/terminated", func(t *testing.T) { testTerminated(t, server, cfg) })
		t.Run(name+"/asynchronous", func(t *testing.T) { testAsynchronous(t, server, cfg) })
	}
	t.Run("restarted", func(t *testing.T) {
		for _, mode := range []string{"fast", "immediate"} {
			plain, encrypted := configFor(server, "trust_user"), configFor(server, "trust_user")
			encrypted.TLS = wire.TLSRequire
			conns := []*wire.Conn{open(t, plain), open(t, encrypted)}
			if err := server.Restart(bounded(t), mode); err != nil {
				t.Fatal(err)
			}
			for _, c := range conns {
				f, _, err := lone(bounded(t), c)
				checkDead(t, c, err)
				if !f.Unsent() {
					t.Errorf("%s: it was sent: %v", mode, err)
				}
				if mode == "fast" && serverCode(err) != "57P01" {
					t.Errorf("%s: got %v", mode, err)
				}
			}
		}
	})
}

// admin runs a script as the superuser.
func admin(t *testing.T, server *pgtest.Server, sql string) [][]*string {
	t.Helper()
	c, err := server.Connect(bounded(t), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows, err := c.Exec(bounded(t), sql)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// awaitGone waits until the server has ended a session.
func awaitGone(t *testing.T, server *pgtest.Server, pid uint32) {
	t.Helper()
	eventually(t, "the session is gone", func() bool {
		return *admin(t, server, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid))[0][0] == "0"
	})
}

func testTerminated(t *testing.T, server *pgtest.Server, cfg *wire.Config) {
	for _, pending := range []bool{false, true} {
		c := open(t, cfg)
		if pending {
			if err := c.SendLazy(flightOf(doWhole("SELECT 'lazy'"))); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the lazy flight has run", func() bool {
				return *admin(t, server, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'idle' AND query LIKE '%%lazy%%'", c.PID()))[0][0] == "1"
			})
		}
		admin(t, server, fmt.Sprintf("SELECT pg_terminate_backend(%d)", c.PID()))
		awaitGone(t, server, c.PID())
		f, _, err := lone(bounded(t), c)
		checkDead(t, c, err)
		if serverCode(err) != "57P01" {
			t.Errorf("pending %t: got %v, want 57P01", pending, err)
		}
		if !f.Unsent() || f.Answered() {
			t.Errorf("pending %t: unsent %t, answered %t", pending, f.Unsent(), f.Answered())
		}
	}
}

// testAsynchronous: notices and parameters that came while nobody read.
func testAsynchronous(t *testing.T, server *pgtest.Server, cfg *wire.Config) {
	notices := 0
	cfg.OnNotice = func(*pgproto3.NoticeResponse) { notices++ }
	c := open(t, cfg)
	if got := c.Parameter("DateStyle"); got != "ISO, MDY" {
		t.Fatalf("DateStyle is %q", got)
	}
	if err := c.SendLazy(flightOf(doQuery("DO $$ BEGIN RAISE NOTICE 'hello'; END $$"))); err != nil {
		t.Fatal(err)
	}
	admin(t, server, "ALTER SYSTEM SET DateStyle = 'ISO, DMY'")
	admin(t, server, "SELECT pg_reload_conf()")
	defer func() {
		admin(t, server, "ALTER SYSTEM RESET DateStyle")
		admin(t, server, "SELECT pg_reload_conf()")
	}()
	eventually(t, "the parameter's change is seen", func() bool {
		if _, _, err := lone(bounded(t), c); err != nil {
			t.Fatal(err)
		}
		return c.Parameter("DateStyle") == "ISO, DMY"
	})
	if notices != 1 {
		t.Errorf("%d notices", notices)
	}
}

// TestLookAtNonsense: messages that nobody asked for.
func TestLookAtNonsense(t *testing.T) {
	checkLeaks(t)
	for name, test := range map[string]struct {
		idle []byte
		want string // in the error; "" is none
		code string
	}{
		"a second ready":       {ready, "while nothing was asked", ""},
		"a row":                {rowOf("v"), "while nothing was asked", ""},
		"an error":             {failure, "division", "22012"},
		"the end":              {killed, "terminating", "57P01"},
		"a length of 3":        {frame('N', 3, ""), "a length of 3", ""},
		"a broken notice":      {message('N', "x"), "NoticeResponse", ""},
		"a broken parameter":   {message('S', "x"), "ParameterStatus", ""},
		"a broken error":       {message('E', "x"), "error message", ""},
		"a notice":             {message('N', "Mhello\x00\x00"), "", ""},
		"a notification":       {message('A', "\x00\x00\x00\x01ch\x00payload\x00"), "", ""},
		"a parameter":          {message('S', "a\x00b\x00"), "", ""},
		"a notice and the end": {cat(message('N', "Mhello\x00\x00"), killed), "terminating", "57P01"},
		"half a notice":        {message('N', "Mhello\x00\x00")[:9], "", ""}, // the rest comes with the answers
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			b := &backend{script: func(p *peer) {
				p.send(test.idle)
				close(gone)
				if p.await() && test.want == "" {
					answer := wholeAnswer("v")
					if strings.HasPrefix(name, "half") {
						answer = cat(message('N', "Mhello\x00\x00")[9:], answer)
					}
					p.send(answer)
				}
				p.await()
			}}
			c := open(t, b.start(t))
			<-gone
			time.Sleep(10 * time.Millisecond) // through the loopback
			f, a, err := lone(bounded(t), c)
			if test.want == "" {
				if err != nil || len(a.rows) != 1 {
					t.Errorf("got %+v, %v", a, err)
				}
				return
			}
			checkDead(t, c, err)
			if !strings.Contains(fmt.Sprint(err), test.want) || serverCode(err) != test.code {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if !f.Unsent() {
				t.Error("it was sent")
			}
		})
	}
}

// TestLookAtHalfOpen: the server's side has said its end, and reads on.
func TestLookAtHalfOpen(t *testing.T) {
	checkLeaks(t)
	ended := make(chan struct{})
	b := &backend{script: func(p *peer) {
		_ = p.Conn.(*net.TCPConn).CloseWrite()
		close(ended)
		p.await()
	}}
	c := open(t, b.start(t))
	<-ended
	time.Sleep(10 * time.Millisecond)
	f, _, err := lone(bounded(t), c)
	checkDead(t, c, err)
	if !f.Unsent() {
		t.Error("it was sent")
	}
}

// TestLookAmongOthers: a flight that believes to be alone looks while others
// send and read. Nobody loses an answer.
func TestLookAmongOthers(t *testing.T) {
	checkLeaks(t)
	c := open(t, sharedConfig(t))
	var done sync.WaitGroup
	var sent atomic.Int32
	for g := range 6 {
		done.Go(func() {
			for i := range 300 {
				want := fmt.Sprint(g, "-", i)
				f := flightOf(doWhole("SELECT $1::text", want))
				f.Lone = i%2 == 0
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					cancel()
				}
				a, err := exchange(ctx, c, f)
				cancel()
				if errors.Is(err, context.Canceled) {
					continue
				}
				if err != nil || len(a.rows) != 1 || a.rows[0] != want {
					t.Errorf("%s: %q, %v", want, a.rows, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	done.Wait()
	if sent.Load() < 100 {
		t.Errorf("only %d flights were answered", sent.Load())
	}
}
