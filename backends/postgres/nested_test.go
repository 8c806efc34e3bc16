package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

// inTx runs fn in a RawTx on a client of one connection that has a counter, and
// gives its error and the counter afterwards.
func inTx(t *testing.T, wire *tap, fn func(ctx context.Context, tx duet.Tx) error) (int, error) {
	t.Helper()
	cfg := postgres.Config{MaxConns: 1}
	if wire != nil {
		cfg.DialFunc = wire.dial
	}
	c := open(t, cfg)
	newCounter(t, c)
	if wire != nil {
		run(t, c, increment)
		run(t, c, "update t set n = 0")
		value[int](t, c, "select n from t where id = 1")
		wire.reset()
	}
	err := c.RawTx(testContext(t), fn)
	if wire != nil {
		t.Log(wire.trace())
	}
	allReturned(t, c)
	return count(t, c), err
}

func plus(t testing.TB) func(context.Context, duet.Tx) error {
	return func(_ context.Context, tx duet.Tx) error { run(t, tx, increment); return nil }
}

// look is how the transaction's id is asked for on a connection for the first
// time.
const look = "P[SELECT pg_catalog.pg_current_xact_id_if_assigned(), pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_backend_pid()] B E"

func TestSavepointTravels(t *testing.T) {
	var wire tap
	n, err := inTx(t, &wire, func(ctx context.Context, tx duet.Tx) error {
		must(t, tx.Nested(ctx, plus(t)))
		wire.want(t, "P[BEGIN] B E P[SAVEPOINT duet_1] B E B E "+look+" S")
		must(t, tx.Nested(ctx, plus(t)))
		wire.want(t, "P[RELEASE SAVEPOINT duet_1] B E P[SAVEPOINT duet_2] B E B E S")
		return nil
	})
	must(t, err)
	if n != 2 {
		t.Errorf("n is %d, want 2", n)
	}
}

func TestNestedErrors(t *testing.T) {
	boom := errors.New("boom")
	fail := func(ctx context.Context, tx duet.Tx) error {
		run(t, tx, increment)
		_, err := tx.Execute(ctx, "select 1/0")
		return err
	}
	swallow := func(ctx context.Context, tx duet.Tx) error { _ = fail(ctx, tx); return nil }
	for _, tt := range []struct {
		name string
		fn   func(ctx context.Context, tx duet.Tx) error
		n    int
		code string
	}{
		{"recovered", func(ctx context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			wantCode(t, tx.Nested(ctx, fail), "22012")
			run(t, tx, increment)
			return nil
		}, 2, ""},
		{"recovered as the first thing", func(ctx context.Context, tx duet.Tx) error {
			wantCode(t, tx.Nested(ctx, fail), "22012")
			run(t, tx, increment)
			return nil
		}, 1, ""},
		{"own error", func(ctx context.Context, tx duet.Tx) error {
			err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { run(t, tx, increment); return boom })
			if !errors.Is(err, boom) {
				t.Error(err)
			}
			run(t, tx, increment)
			return nil
		}, 1, ""},
		{"swallowed inside is the nested one's error", func(ctx context.Context, tx duet.Tx) error {
			wantCode(t, tx.Nested(ctx, swallow), "")
			run(t, tx, increment)
			return nil
		}, 1, ""},
		{"swallowed outside", func(ctx context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			_, _ = tx.Execute(ctx, "select 1/0")
			if tx.Nested(ctx, plusQuietly) == nil {
				t.Error("a nested transaction in a failed one was a success")
			}
			return nil
		}, 0, "22012"},
		{"three deep, the innermost fails", func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					run(t, tx, increment)
					wantCode(t, tx.Nested(ctx, fail), "22012")
					run(t, tx, increment)
					return nil
				})
			})
		}, 3, ""},
		{"three deep, the middle fails after the innermost", func(ctx context.Context, tx duet.Tx) error {
			run(t, tx, increment)
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
					must(t, tx.Nested(ctx, plus(t)))
					_, err := tx.Execute(ctx, "select 1/0")
					return err
				})
				wantCode(t, err, "22012")
				run(t, tx, increment)
				return nil
			})
		}, 3, ""},
		{"empty ones between", func(ctx context.Context, tx duet.Tx) error {
			nothing := func(context.Context, duet.Tx) error { return nil }
			must(t, tx.Nested(ctx, nothing))
			run(t, tx, increment)
			must(t, tx.Nested(ctx, nothing))
			must(t, tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				must(t, tx.Nested(ctx, nothing))
				run(t, tx, increment)
				if err := tx.Nested(ctx, func(context.Context, duet.Tx) error { return boom }); !errors.Is(err, boom) {
					t.Error(err)
				}
				return nil
			}))
			run(t, tx, increment)
			return nil
		}, 3, ""},
		{"syntax error in the first statement", func(ctx context.Context, tx duet.Tx) error {
			err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, "selec"); return err })
			wantCode(t, err, "42601")
			run(t, tx, increment)
			return nil
		}, 1, ""},
		{"an argument that cannot be sent", func(ctx context.Context, tx duet.Tx) error {
			err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "select $1::int", make(chan int))
				return err
			})
			wantIs(t, err, duet.ErrInvalidArgument)
			run(t, tx, increment)
			return nil
		}, 1, ""},
		{"a script", func(ctx context.Context, tx duet.Tx) error {
			err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, increment+"; select 1/0")
				return err
			})
			wantCode(t, err, "22012")
			must(t, tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, increment+"; "+increment)
				return err
			}))
			return nil
		}, 2, ""},
		{"the savepoint goes with a command of the user's", func(ctx context.Context, tx duet.Tx) error {
			return tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, "rollback")
				if err == nil {
					t.Error("no error")
				}
				return nil
			})
		}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := inTx(t, nil, tt.fn)
			if n != tt.n {
				t.Errorf("n is %d, want %d", n, tt.n)
			}
			switch {
			case tt.code != "":
				if err == nil || !strings.Contains(err.Error(), tt.code) {
					t.Errorf("got %v", err)
				}
			case tt.n > 0:
				must(t, err)
			case err == nil:
				t.Error("no error")
			}
		})
	}
}

func plusQuietly(ctx context.Context, tx duet.Tx) error {
	_, err := tx.Execute(ctx, increment)
	return err
}

func TestOuterHandleWhileNestedIsOpen(t *testing.T) {
	n, err := inTx(t, nil, func(ctx context.Context, outer duet.Tx) error {
		return outer.Nested(ctx, func(ctx context.Context, middle duet.Tx) error {
			return middle.Nested(ctx, func(ctx context.Context, inner duet.Tx) error {
				for _, tx := range []duet.Tx{outer, middle, outer.With(duet.Options{Name: "x"})} {
					_, err := tx.Execute(ctx, increment)
					wantIs(t, err, duet.ErrInvalidArgument)
					wantIs(t, tx.Nested(ctx, plus(t)), duet.ErrInvalidArgument)
				}
				run(t, inner, increment)
				return nil
			})
		})
	})
	must(t, err)
	if n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
}

func TestNestedHandleAfterItsEnd(t *testing.T) {
	n, err := inTx(t, nil, func(ctx context.Context, tx duet.Tx) error {
		var kept duet.Tx
		must(t, tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error { kept = tx; return nil }))
		_, err := kept.Execute(ctx, increment)
		wantIs(t, err, duet.ErrClosed)
		run(t, tx, increment)
		_, err = kept.With(duet.Options{Name: "x"}).Execute(ctx, increment)
		wantIs(t, err, duet.ErrClosed)
		return nil
	})
	must(t, err)
	if n != 1 {
		t.Errorf("n is %d, want 1", n)
	}
}

// The outer transaction is ended while a nested one is open: the nested end
// must not reach the connection's next user.
func TestEndWhileNestedIsOpen(t *testing.T) {
	boom := errors.New("boom")
	for _, commit := range []bool{true, false} {
		c := open(t, postgres.Config{MaxConns: 1})
		newCounter(t, c)
		ctx := testContext(t)
		tx, err := c.Begin(ctx)
		must(t, err)
		err = tx.Nested(ctx, func(ctx context.Context, nested duet.Tx) error {
			run(t, nested, increment)
			if commit {
				if tx.Commit(ctx) == nil {
					t.Error("committed with a nested transaction open")
				}
			} else {
				must(t, tx.Rollback(ctx))
			}
			_, err := nested.Execute(ctx, increment)
			wantIs(t, err, duet.ErrClosed)
			next, err := c.Begin(ctx)
			must(t, err)
			run(t, next, increment)
			defer func() { must(t, next.Commit(ctx)) }()
			return boom
		})
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if n := count(t, c); n != 1 {
			t.Errorf("n is %d, want 1", n)
		}
		allReturned(t, c)
	}
}

func TestRecoveredPanicOfNested(t *testing.T) {
	n, err := inTx(t, nil, func(ctx context.Context, tx duet.Tx) error {
		run(t, tx, increment)
		func() {
			defer func() { _ = recover() }()
			_ = tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				panic("boom")
			})
		}()
		_, _ = tx.Execute(ctx, increment)
		return nil
	})
	if err == nil || n != 0 {
		t.Errorf("n is %d after a nested panic was swallowed: %v", n, err)
	}
}
