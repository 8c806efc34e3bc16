package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
)

// TestClosingEndsALookUp closes the client while a lost commit is looked up, and
// the connection that could tell is in use elsewhere, or waits for the outcome
// itself: the look-up ends, and nothing goes on.
func TestClosingEndsALookUp(t *testing.T) {
	closes := func(t *testing.T, c duet.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_ = c.Close(ctx)
	}
	terminates := func(_ *testing.T, c duet.Client) { c.Pool().Terminate() }
	expires := func(_ *testing.T, c duet.Client) { c.Pool().Expire() }
	for _, tt := range []struct {
		name string
		opt  duet.Options
		end  func(*testing.T, duet.Client)
	}{
		{"close", duet.Options{}, closes}, {"close", duet.Options{ExactlyOnce: duet.On}, closes},
		{"terminate", duet.Options{}, terminates}, {"terminate", duet.Options{ExactlyOnce: duet.On}, terminates},
		{"expire", duet.Options{}, expires},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := newDatabase(t)
			c, p := faulty(t, dsn, postgres.Config{MaxConns: 2, MinConns: 2, Options: tt.opt})
			run(t, c, postgres.CommitTokenSchema)
			slowCommit(t, c, 60)
			o := observe(t, dsn)
			held, err := c.Acquire(testContext(t))
			must(t, err)
			defer held.Release()
			told := make(chan error, 1)
			p.Add(faultproxy.Rule{From: faultproxy.Client, Type: 'S', Skip: 2, At: faultproxy.After, Do: faultproxy.CutClient})
			go func() {
				told <- c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, "insert into late values (1)")
					return err
				})
			}()
			if tt.opt.ExactlyOnce == duet.On {
				o.awaitRunning("INSERT INTO duet.commit_token (token) VALUES ('%")
			} else {
				eventually(t, "the lost connection is gone", func() bool { return o.running("COMMIT") == 1 && c.Pool().Stat().InUse == 1 })
			}
			tt.end(t, c)
			select {
			case err := <-told:
				wantIs(t, err, duet.ErrCommitUnknown)
			case <-time.After(20 * time.Second):
				t.Error("the look-up goes on")
			}
			o.killRunning("COMMIT")
		})
	}
}

// TestCommitOfAnEndedContext does not commit.
func TestCommitOfAnEndedContext(t *testing.T) {
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}, {CommitGrace: -1}} {
		c := openDSN(t, newDatabase(t), postgres.Config{MaxConns: 1, Options: opt})
		newCounter(t, c)
		for _, kind := range txKinds {
			ctx, cancel := context.WithCancel(testContext(t))
			err := kind.run(c, ctx, func(_ context.Context, tx duet.Tx) error {
				run(t, tx, increment)
				cancel()
				return nil
			})
			if wantIs(t, err, context.Canceled); errors.Is(err, duet.ErrCommitUnknown) {
				t.Errorf("%s: %v", kind.name, err)
			}
		}
		if n := count(t, c); n != 0 {
			t.Errorf("n is %d, want 0", n)
		}
		allReturned(t, c)
	}
}

// TestNegativeGrace allows a commit nothing beyond its context, or its timeout.
func TestNegativeGrace(t *testing.T) {
	dsn := newDatabase(t)
	c := openDSN(t, dsn, postgres.Config{MaxConns: 2, Options: duet.Options{CommitGrace: -time.Second}})
	slowCommit(t, c, 30)
	o := observe(t, dsn)
	for _, opt := range []duet.Options{{}, {Timeout: 300 * time.Millisecond}} {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		if opt.Timeout == 0 {
			go func() {
				o := observe(t, dsn)
				o.awaitRunning("COMMIT")
				cancel()
			}()
		}
		start := time.Now()
		err := c.With(opt).RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into late values (1)")
			return err
		})
		wantIs(t, err, duet.ErrCommitUnknown)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		o.killRunning("COMMIT")
	}
	allReturned(t, c)
}

// TestLookUpOnABusyPool asks what a transaction that only read has used, while
// connections are scarce and AcquireTimeout is short: it waits for one.
func TestLookUpOnABusyPool(t *testing.T) {
	dsn := newDatabase(t)
	c, p := faulty(t, dsn, postgres.Config{MaxConns: 1, AcquireTimeout: 20 * time.Millisecond})
	newCounter(t, c)
	for _, opt := range []duet.Options{{}, {ExactlyOnce: duet.On}} {
		run(t, c, postgres.CommitTokenSchema)
		taken := make(chan duet.Conn, 1)
		planted := p.Add(commitAnswer)
		attempts := 0
		go func() { // takes the slot as soon as the lost connection leaves it
			for planted.Fired() == 0 {
				time.Sleep(time.Millisecond)
			}
			for {
				conn, err := c.Acquire(t.Context())
				if err == nil {
					taken <- conn
					time.AfterFunc(200*time.Millisecond, conn.Release)
					return
				}
				if t.Context().Err() != nil {
					return
				}
			}
		}()
		err := c.With(opt).RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
			attempts++
			return tx.QueryOne(ctx, "select n from t", new(int))
		})
		if errors.Is(err, duet.ErrCommitUnknown) {
			t.Errorf("got %v", err)
		}
		<-taken
		eventually(t, "the pool is free", func() bool { return c.Pool().Stat().InUse == 0 })
	}
}
