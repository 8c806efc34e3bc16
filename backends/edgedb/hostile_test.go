package edgedb

import (
	"bytes"
	"context"
	"errors"
	"github.com/duetdb/duet/internal/edgedbtest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet"
)

// A server that answers and hangs up at once: what was answered was done, and
// must not be done again.
func TestAnsweredAndClosed(t *testing.T) {
	c, r, _ := relayed(t, Config{MaxConns: 1}, "ada")
	add := eql(t, "add_to_balance")
	for range 20 {
		before := balance(t, c, "ada")
		if _, err := c.Execute(t.Context(), add, "ada", int64(0)); err != nil {
			t.Fatal(err)
		}
		stop := r.tampering(func(m said) ([]byte, bool) {
			return m.frame(), m.server && m.typ == 'Z' && m.answers == 'O' && m.text == add
		})
		_, err := c.Execute(t.Context(), add, "ada", int64(1))
		n := r.executed("update Account")
		stop()
		if e, _ := errors.AsType[*duet.Error](err); n != 1 || err != nil && (e == nil || e.Outcome != duet.OutcomeUnknown) {
			t.Errorf("executed %d times: %v", n, err)
		}
		if added := balance(t, c, "ada") - before; added != 1 {
			t.Fatalf("%d was added, want 1: %v", added, err)
		}
	}
}

func TestCommittedAndClosed(t *testing.T) {
	c, r, _ := relayed(t, Config{MaxConns: 1}, "ada")
	add := eql(t, "add_to_balance")
	for range 20 {
		before := balance(t, c, "ada")
		stop := r.tampering(func(m said) ([]byte, bool) {
			return m.frame(), m.server && m.typ == 'Z' && m.answers == 'O' && m.text == "COMMIT;"
		})
		attempts := 0
		err := c.RetryingTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
			attempts++
			_, err := tx.Execute(ctx, add, "ada", int64(1))
			return err
		})
		stop()
		if attempts != 1 || err != nil && !errors.Is(err, duet.ErrCommitUnknown) {
			t.Errorf("%d attempts: %v", attempts, err)
		}
		if added := balance(t, c, "ada") - before; added != 1 {
			t.Fatalf("%d was added, want 1: %v", added, err)
		}
	}
}

// lies are what a server says in place of a message that it should.
var lies = map[string]func(m said) (instead []byte, hangUp bool){
	"nothing":           func(said) ([]byte, bool) { return nil, false },
	"the end":           func(said) ([]byte, bool) { return nil, true },
	"half":              func(m said) ([]byte, bool) { return m.frame()[:5+len(m.body)/2], true },
	"a header":          func(m said) ([]byte, bool) { return m.frame()[:3], true },
	"a short body":      func(m said) ([]byte, bool) { return frame(m.typ, m.body[:len(m.body)/2]), false },
	"no body":           func(m said) ([]byte, bool) { return frame(m.typ, nil), false },
	"a long body":       func(m said) ([]byte, bool) { return frame(m.typ, append(m.body, 1, 2, 3)), false },
	"noise":             func(m said) ([]byte, bool) { return frame(m.typ, bytes.Repeat([]byte{0xff}, len(m.body))), false },
	"zeros":             func(m said) ([]byte, bool) { return frame(m.typ, make([]byte, len(m.body))), false },
	"too much promised": func(m said) ([]byte, bool) { return append([]byte{m.typ, 0xff, 0xff, 0xff, 0xff}, m.body...), true },
	"a length of 0":     func(m said) ([]byte, bool) { return append([]byte{m.typ, 0, 0, 0, 0}, m.body...), false },
	"another type":      func(m said) ([]byte, bool) { return frame('?', m.body), false },
	"an empty type":     func(m said) ([]byte, bool) { return append(frame('?', nil), m.frame()...), false },
	"twice the same":    func(m said) ([]byte, bool) { return append(m.frame(), m.frame()...), false },
	"data before":       func(m said) ([]byte, bool) { return append(frame('D', []byte{0, 1, 0, 0, 0, 0}), m.frame()...), false },
	"an error before": func(m said) ([]byte, bool) {
		return append(errorFrame(0x05030101, "conflict", nil), m.frame()...), false
	},
	"a broken error": func(m said) ([]byte, bool) {
		return append(errorFrame(0x05020001, "x", map[uint16]string{0xfff1: "-7", 0xfff3: "-1"}), m.frame()...), false
	},
}

// honestLie says that nobody could tell that the server lies: it leaves out the
// only row, or reports that what it did has failed.
func honestLie(name string, m *said) bool {
	return m != nil && m.answers == 'O' && (name == "nothing" && m.typ == 'D' || name == "an error before")
}

// Whatever a server says in place of any one of its messages: nothing panics,
// nothing hangs, nothing is said to have failed that has not, and the client is
// whole again with the next connection.
func TestLyingServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	add := eql(t, "add_to_balance")
	read := eql(t, "balance")
	returning := eql(t, "update_returning")
	type row struct {
		Name    string
		Balance int64
	}
	calls := map[string]func(ctx context.Context, c duet.Client) (added int64, err error){
		"read": func(ctx context.Context, c duet.Client) (int64, error) {
			var n int64
			return 0, c.QueryOne(ctx, read, &n, "ada")
		},
		"read json": func(ctx context.Context, c duet.Client) (int64, error) {
			var b []byte
			return 0, c.QueryOneJSON(ctx, read, &b, "ada")
		},
		"write": func(ctx context.Context, c duet.Client) (int64, error) {
			_, err := c.Execute(ctx, add, "ada", int64(1))
			return 1, err
		},
		"write, returning": func(ctx context.Context, c duet.Client) (int64, error) {
			var out row
			return 1, c.QueryOne(ctx, returning, &out, "ada", int64(1))
		},
		"transaction": func(ctx context.Context, c duet.Client) (int64, error) {
			return 2, c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				if _, err := tx.Execute(ctx, add, "ada", int64(1)); err != nil {
					return err
				}
				var out row
				return tx.QueryOne(ctx, returning, &out, "ada", int64(1))
			})
		},
		"undone": func(ctx context.Context, c duet.Client) (int64, error) {
			err := c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				if _, err := tx.Execute(ctx, add, "ada", int64(1)); err != nil {
					return err
				}
				return errOwn
			})
			if err == nil {
				return 0, errors.New("it gave nil")
			}
			if errors.Is(err, errOwn) {
				err = nil
			}
			return 0, err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { t.Parallel(); lying(t, call, false) })
	}
	for _, name := range []string{"write", "read json"} {
		t.Run(name+", the first time", func(t *testing.T) { t.Parallel(); lying(t, calls[name], true) })
	}
}

// lying runs a call with each lie in place of each message of the server's, on a
// connection that has run it before, or on a new one.
func lying(t *testing.T, call func(ctx context.Context, c duet.Client) (int64, error), fresh bool) {
	// A COMMIT without an answer keeps its connection for a while.
	c, r, branch := relayed(t, Config{MaxConns: 2, ConnectTimeout: 300 * time.Millisecond}, "ada")
	t.Cleanup(c.Pool().Terminate)
	direct, err := Connect(t.Context(), edgedbtest.Shared(t).DSNFor(branch), Config{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutDown(t, direct) })
	var n atomic.Int64
	count := func(m said) ([]byte, bool) {
		if m.server {
			n.Add(1)
		}
		return m.frame(), false
	}
	_, _ = call(t.Context(), c)
	if fresh {
		c.Pool().Expire()
	}
	stop := r.tampering(count)
	_, _ = call(t.Context(), c)
	stop()
	messages := int(n.Load())
	for name, lie := range lies {
		for at := range messages {
			if _, err := call(t.Context(), c); err != nil {
				t.Fatalf("%s at %d: the client is not whole: %v", name, at, err)
			}
			if fresh {
				c.Pool().Expire()
			}
			before := balance(t, direct, "ada")
			n.Store(0)
			var told atomic.Pointer[said]
			stop := r.tampering(func(m said) ([]byte, bool) {
				if !m.server || int(n.Add(1))-1 != at {
					return m.frame(), false
				}
				told.Store(&m)
				return lie(m)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			expected, err := call(ctx, c)
			cancel()
			stop()
			added := balance(t, direct, "ada") - before
			e, _ := errors.AsType[*duet.Error](err)
			unknown := e != nil && (e.Outcome == duet.OutcomeUnknown || e.Kind == duet.KindCommitUnknown)
			switch {
			case honestLie(name, told.Load()):
			case err == nil && added != expected, err != nil && added != 0 && !unknown, errors.Is(err, duet.ErrNoData), added > expected:
				m := told.Load()
				t.Errorf("fresh %v, %s for message %d (%c after %c %.20s): %d was added: %v", fresh, name, at, m.typ, m.answers, m.text, added, err)
			}
			if name == "an error before" {
				c.Pool().Expire() // edgedb-go believes of a Parse what was said before the error
			}
		}
	}
	t.Logf("%d messages", messages)
}

// A server that begins a message while nothing was asked of it, and does not end
// it: edgedb-go waits for that end first, and heeds no deadline there. Callers go
// when their ctx ends, and the connection is given up after that.
func TestMessageWithoutEnd(t *testing.T) {
	tests := map[string]func(ctx context.Context, c duet.Client) error{
		"call": func(ctx context.Context, c duet.Client) error {
			_, err := c.Execute(ctx, "select 1 + 1")
			return err
		},
		"transaction": func(ctx context.Context, c duet.Client) error {
			return c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "select 1 + 1")
				return err
			})
		},
		"conversion": func(ctx context.Context, c duet.Client) error {
			return c.With(duet.Options{Access: duet.ReadOnly}).RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "select 1 + 1")
				return errors.Join(err, ctx.Err(), context.DeadlineExceeded)
			})
		},
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			if name == "transaction" && testing.Short() {
				t.Skip("its ROLLBACK is waited for")
			}
			t.Parallel()
			c, r, _ := relayed(t, Config{MaxConns: 1})
			must(t.Context(), t, c, "select 1 + 1")
			r.say([]byte{'S', 0, 0})
			time.Sleep(20 * time.Millisecond) // the bytes have come, most likely
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := call(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			long, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			must(long, t, c, "select 1 + 1")
		})
	}
}
