package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// poolerEnds are what a pooler, or a server, ends a session with that is in use.
var poolerEnds = []struct{ severity, code, message string }{
	{"FATAL", "08P01", "server conn crashed?"},
	{"FATAL", "08P01", "query_wait_timeout"},
	{"FATAL", "08P01", "client_idle_timeout"},
	{"FATAL", "08006", "connection failure"},
	{"FATAL", "08004", "no more connections allowed"},
	{"FATAL", "08007", "transaction resolution unknown"},
	{"FATAL", "58000", "server login has been failing"},
}

// A session that was ended from its middle is a lost connection, by whatever code
// of class 08 that is said.
func TestSessionEndedByPooler(t *testing.T) {
	for _, tt := range poolerEnds {
		t.Run(tt.code+" "+tt.message, func(t *testing.T) {
			var l loser
			c := open(t, postgres.Config{MaxConns: 1, DialFunc: l.dial})
			newCounter(t, c)
			ctx := testContext(t)
			end := func() {
				l.refuse(&pgproto3.ErrorResponse{Severity: tt.severity, SeverityUnlocalized: tt.severity, Code: tt.code, Message: tt.message}, true)
			}
			run(t, c, increment)
			end()
			_, err := c.Execute(ctx, increment)
			if e := wantIs(t, err, duet.ErrUnavailable); e.Outcome != duet.OutcomeUnknown || e.Code != tt.code {
				t.Errorf("a statement: %+v", e)
			}
			end()
			_, err = c.With(duet.Options{Idempotent: duet.On}).Execute(ctx, increment)
			must(t, err)
			attempts := 0
			must(t, c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				if attempts++; attempts == 1 {
					end()
				}
				_, err := tx.Execute(ctx, increment)
				return err
			}))
			if attempts != 2 {
				t.Errorf("%d attempts, want 2", attempts)
			}
			err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				end()
				return nil
			})
			if wantIs(t, err, duet.ErrCommitUnknown); l.disarm() != 1 {
				t.Error("COMMIT was not refused")
			}
			if n := count(t, c); n != 4 {
				t.Errorf("n is %d, want 4", n)
			}
			allReturned(t, c)
		})
	}
}

// What breaks the protocol is no lost connection: the server's own complaint of
// what it was sent, and what the server sent itself.
func TestBrokenProtocolIsNotRetried(t *testing.T) {
	var l loser
	c := open(t, postgres.Config{MaxConns: 1, DialFunc: l.dial})
	for what, breakIt := range map[string]func(){
		"an ERROR of the server's": func() {},
		"a message of no type":     func() { l.refuse(&pgproto3.ErrorResponse{}, true); l.refusal = []byte{'?', 0, 0, 0, 4} },
		"a length of nothing":      func() { l.refuse(&pgproto3.ErrorResponse{}, true); l.refusal = []byte{'Z', 0, 0, 0, 0} },
	} {
		attempts := 0
		err := c.RetryingTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
			attempts++
			run(t, tx, "select 1")
			breakIt()
			_, err := tx.Execute(ctx, "do $$begin raise exception 'x' using errcode = '08P01'; end$$")
			return err
		})
		if e, ok := errors.AsType[*duet.Error](err); !ok || e.Kind != duet.KindProtocol || attempts != 1 {
			t.Errorf("%s: %d attempts: %v", what, attempts, err)
		}
	}
	run(t, c, "select 1")
}

// At connecting, FATAL 08P01 says that the pooler does not take the connection as
// it was asked for: no such database, a parameter that it does not know.
func TestRefusedByPoolerAtStartup(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: "no such database: nowhere"}).Encode(nil)
			_, _ = io.ReadFull(nc, make([]byte, 8))
			_, _ = nc.Write(b)
			_ = nc.Close()
		}
	}()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	c, err := postgres.Connect(ctx, "postgres://u@"+ln.Addr().String()+"/nowhere?sslmode=disable", postgres.Config{})
	if err == nil {
		_ = c.Close(ctx)
	}
	if e, ok := errors.AsType[*duet.Error](err); !ok || e.Kind != duet.KindProtocol || e.Phase != duet.PhaseConnect || e.Code != "08P01" {
		t.Errorf("%+v", err)
	}
}
