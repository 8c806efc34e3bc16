package main

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5/pgproto3"
)

// nullDeposits are null clients that run deposits, one a worker, in three round
// trips: BEGIN and the select, the update, COMMIT. All bytes are fixed but the
// key and the balance, which is taken from where it is in the answer.
type nullDeposits struct{ clients []*nullDeposit }

type nullDeposit struct {
	*nullClient
	read, write, commit []byte
	// Where the key is in read and write, and the new balance in write.
	readKey, writeKey, writeBalance int
}

func openNullDeposits(ctx context.Context, t Target, w Workload) (Runner, error) {
	all := &nullDeposits{}
	for range w.workers() {
		c, err := openNull(ctx, t, func(c *nullClient) error { return c.prepareDeposit(w) })
		if err != nil {
			return nil, errors.Join(err, all.Close(ctx))
		}
		d := &nullDeposit{nullClient: c}
		all.clients = append(all.clients, d)
		if err := d.encode(); err != nil {
			return nil, errors.Join(err, all.Close(ctx))
		}
	}
	return newDeposits(w, all), nil
}

// prepareDeposit prepares the four statements of a deposit.
func (c *nullClient) prepareDeposit(w Workload) error {
	const int8OID = 20
	err := c.send(
		&pgproto3.Parse{Name: "begin", Query: w.begin()},
		&pgproto3.Parse{Name: "select", Query: w.SQL, ParameterOIDs: []uint32{int8OID}},
		&pgproto3.Parse{Name: "update", Query: w.Update, ParameterOIDs: []uint32{int8OID, int8OID}},
		&pgproto3.Parse{Name: "commit", Query: "commit"},
		&pgproto3.Sync{})
	if err != nil {
		return err
	}
	return c.replies(func(byte, []byte) error { return nil })
}

// encode makes the requests.
func (d *nullDeposit) encode() error {
	bind := func(name string, args int) *pgproto3.Bind {
		b := &pgproto3.Bind{PreparedStatement: name}
		if args > 0 {
			b.ParameterFormatCodes, b.ResultFormatCodes = []int16{pgproto3.BinaryFormat}, []int16{pgproto3.BinaryFormat}
		}
		for range args {
			b.Parameters = append(b.Parameters, make([]byte, 8))
		}
		return b
	}
	run, sync := &pgproto3.Execute{}, &pgproto3.Sync{}
	upToSelect, err := encode(bind("begin", 0), run, bind("select", 1))
	if err != nil {
		return err
	}
	upToUpdate, err := encode(bind("update", 2))
	if err != nil {
		return err
	}
	// A Bind ends with its arguments, each behind four bytes of length, and the
	// formats of the results: a count and one code, of two bytes each.
	d.readKey, d.writeBalance = len(upToSelect)-4-8, len(upToUpdate)-4-8
	d.writeKey = d.writeBalance - 4 - 8
	var errs [3]error
	d.read, errs[0] = encode(bind("begin", 0), run, bind("select", 1), run, sync)
	d.write, errs[1] = encode(bind("update", 2), run, sync)
	d.commit, errs[2] = encode(bind("commit", 0), run, sync)
	return errors.Join(errs[:]...)
}

// Where things are in the answer to read: BindComplete, CommandComplete of
// "BEGIN", BindComplete, a DataRow of one int8.
const (
	rowAt     = 5 + 11 + 5
	balanceAt = rowAt + 5 + 2 + 4
)

// Deposit implements depositor. Whether the update met its row the books tell.
func (all *nullDeposits) Deposit(_ context.Context, worker int, id int64) error {
	d := all.clients[worker]
	binary.BigEndian.PutUint64(d.read[d.readKey:], uint64(id))
	binary.BigEndian.PutUint64(d.write[d.writeKey:], uint64(id))
	if _, err := d.conn.Write(d.read); err != nil {
		return err
	}
	answer, err := d.short()
	if err != nil {
		return err
	}
	if len(answer) < balanceAt+8 || answer[0] != '2' || answer[rowAt] != 'D' {
		return errors.New("the server did not answer with a balance")
	}
	balance := binary.BigEndian.Uint64(answer[balanceAt:])
	binary.BigEndian.PutUint64(d.write[d.writeBalance:], balance+1)
	for _, request := range [][]byte{d.write, d.commit} {
		if _, err := d.conn.Write(request); err != nil {
			return err
		}
		if err := d.drain(); err != nil {
			return err
		}
	}
	return nil
}

// short reads an answer that fits into the buffer: until its last bytes are
// those of ReadyForQuery, with one byte of status.
func (d *nullDeposit) short() ([]byte, error) {
	for end := 0; end < len(d.buf); {
		n, err := d.conn.Read(d.buf[end:])
		if err != nil {
			return nil, err
		}
		end += n
		if end >= 6 && string(d.buf[end-6:end-1]) == "Z\x00\x00\x00\x05" {
			return d.buf[:end], nil
		}
	}
	return nil, errors.New("the answer is too long")
}

// Setting implements depositor.
func (all *nullDeposits) Setting(_ context.Context, name string) (string, error) {
	return all.clients[0].show(name)
}

// Close implements depositor.
func (all *nullDeposits) Close(context.Context) error {
	var errs []error
	for _, c := range all.clients {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
