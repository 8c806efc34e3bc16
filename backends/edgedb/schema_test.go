package edgedb

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/duetdb/duet"
)

// outdated changes what an Execute says of the type of the output that it knows, as
// if another session had changed the schema since. The server describes the output
// anew then, and runs the command.
func outdated(m said) []byte {
	at := 32 + len(m.text) + 16
	at += 4 + int(binary.BigEndian.Uint32(m.body[at:])) + 16
	m.body[at] ^= 0xff
	return m.frame()
}

// A change of the schema by another session, met by a text that this connection
// knows. edgedb-go cannot read the answer then.
func TestSchemaChangedMeanwhile(t *testing.T) {
	c, r, _ := relayed(t, Config{MaxConns: 2}, "ada")
	read, update, add := eql(t, "balance"), eql(t, "update_returning"), eql(t, "add_to_balance")
	type row struct {
		Name    string
		Balance int64
	}
	var out row
	stale := func(text string) (stop func()) {
		if _, err := duet.QueryOne[int64](t.Context(), c, read, "ada"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.QueryOne(t.Context(), update, &out, "ada", int64(0)); err != nil {
				t.Fatal(err)
			}
		}
		done := false
		return r.tampering(func(m said) ([]byte, bool) {
			if done || m.server || m.typ != 'O' || m.text != text {
				return m.frame(), false
			}
			done = true
			return outdated(m), false
		})
	}
	check := func(what, text string, want int64, times int) {
		t.Helper()
		if n := r.executed(text); n != times {
			t.Errorf("%s: executed %d times, want %d", what, n, times)
		}
		if n := balance(t, c, "ada"); n != want {
			t.Errorf("%s: the balance is %d, want %d", what, n, want)
		}
	}

	stop := stale(read)
	if n, err := duet.QueryOne[int64](t.Context(), c, read, "ada"); n != 10 || err != nil {
		t.Errorf("a read: %d, %v", n, err)
	}
	stop()
	stop = stale(read)
	if n, err := duet.QueryOne[int64](t.Context(), c.With(duet.Options{Access: duet.ReadOnly}), read, "ada"); n != 10 || err != nil {
		t.Errorf("a read in a transaction of its own: %d, %v", n, err)
	}
	stop()

	stop = stale(update)
	err := c.QueryOne(t.Context(), update, &out, "ada", int64(1))
	if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Kind != duet.KindProtocol || e.Outcome != duet.OutcomeUnknown {
		t.Errorf("a write: %v", err)
	}
	check("a write", update, 11, 1)
	stop()

	stop = stale(update)
	err = c.RawTx(t.Context(), func(ctx context.Context, tx duet.Tx) error {
		if _, err := tx.Execute(ctx, add, "ada", int64(100)); err != nil {
			return err
		}
		return tx.QueryOne(ctx, update, &out, "ada", int64(100))
	})
	if duet.KindOf(err) != duet.KindProtocol {
		t.Errorf("in a transaction: %v", err)
	}
	check("in a transaction", update, 11, 1)
	stop()
	if s := c.Pool().Stat(); s.InUse != 0 {
		t.Errorf("%+v", s)
	}
	r.cut() // what edgedb-go has given up is open still, with the transaction in it
	if n := balance(t, c, "ada"); n != 11 {
		t.Errorf("the balance is %d, want 11", n)
	}
	if err := c.QueryOne(t.Context(), update, &out, "ada", int64(0)); err != nil || out.Balance != 11 {
		t.Errorf("%+v, %v", out, err)
	}
}
