package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

// errSoakGivesUp is what closures return that want to be rolled back.
var errSoakGivesUp = errors.New("the closure gives up")

// txOptions are a transfer's. The level is named, since transfers read balances
// and write them back, and RawTx and Begin leave it to the server.
func txOptions(proof soakProof) duet.Options {
	opt := duet.Options{Isolation: duet.Serializable}
	switch proof {
	case proofToken:
		opt.ExactlyOnce = duet.On
	case proofNone:
		opt.ExactlyOnce, opt.TransactionID = duet.Off, duet.Off
	}
	return opt
}

// transfer makes one transfer, in the way that the step says.
func (w *soakWorker) transfer(ctx *soakCtx, client soakClient, s soakStep, e *entry) error {
	view := client.With(txOptions(s.proof))
	var last duet.Tx
	closure := func(inner context.Context, tx duet.Tx) error {
		last = tx
		if err := w.shop.move(inner, tx, s.move, w.spoil(s, tx)); err != nil {
			w.lookForStray(ctx, s.work, err)
			return err
		}
		switch s.twist {
		case twistGivesUp:
			return errSoakGivesUp
		case twistSwallow:
			_ = w.shop.fail(inner, tx)
		}
		e.asked = w.clock()
		ctx.endAfter(s.cancelCommit)
		return nil
	}
	var err error
	switch s.work {
	case workRetryingTx:
		err = view.RetryingTx(ctx.Context, closure)
	case workRawTx:
		err = view.RawTx(ctx.Context, closure)
	default:
		err = begun(ctx.Context, view, closure)
	}
	if s.twist == twistLeak && last != nil {
		if failed := w.shop.undone(ctx.Context, last); !errors.Is(failed, duet.ErrClosed) {
			w.page.offend(offenceOutside, fmt.Sprintf("a handle used after its transaction's end: error %v, want one that is ErrClosed", failed))
		}
	}
	return err
}

// begun runs a closure between Begin and Commit.
func begun(ctx context.Context, client duet.Client, closure func(context.Context, duet.Tx) error) error {
	tx, err := client.Begin(ctx)
	if err != nil {
		return err
	}
	if err := closure(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	err = tx.Commit(ctx)
	return errors.Join(err, tx.Rollback(ctx)) // which does nothing any more
}

// spoil gives what happens between two statements of a transfer.
func (w *soakWorker) spoil(s soakStep, tx duet.Tx) func(context.Context, duet.Tx) error {
	if s.twist != twistNested || !tx.Backend().Can(duet.NestedTx) {
		return nil
	}
	return func(ctx context.Context, tx duet.Tx) error {
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			if err := w.shop.undone(ctx, tx); err != nil {
				return err
			}
			return errSoakGivesUp
		})
		if err == nil {
			w.page.offend(offenceBadError, "Nested came back without the error of its closure")
		}
		if errors.Is(err, errSoakGivesUp) && duet.KindOf(err) == duet.KindOther {
			return nil
		}
		return err
	}
}

// sum reads all balances together, which no transfer changes.
func (w *soakWorker) sum(ctx context.Context, client soakClient) error {
	sums, err := w.shop.sums(ctx, client)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		if sum != w.shop.total() {
			w.page.offend(offenceWrongSum, fmt.Sprintf("%d, want %d", sum, w.shop.total()))
		}
	}
	return nil
}

// echo sends a number that nobody else sends, and wants it back.
func (w *soakWorker) echo(ctx context.Context, client soakClient, s soakStep) error {
	got, err := w.shop.echo(ctx, client, s.move.id)
	if err == nil && got != s.move.id {
		w.page.offend(offenceWrongAnswer, fmt.Sprintf("an echo gave %d, want %d", got, s.move.id))
	}
	return err
}

// rows reads some of many rows, one at a time, and leaves the rest.
func (w *soakWorker) rows(ctx context.Context, client soakClient, s soakStep) error {
	rows, err := w.shop.numbers(ctx, client, s.size)
	if err != nil {
		return err
	}
	var n, i int64
	dest := []any{&i}
	var filler string
	if len(rows.Columns()) == 2 {
		dest = append(dest, &filler)
	}
	for n < s.read && rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return errors.Join(err, rows.Close())
		}
		if i != n {
			w.page.offend(offenceWrongAnswer, fmt.Sprintf("row %d of numbers holds %d", n, i))
		}
		n++
	}
	if s.read == s.size && n == s.size && rows.Next() {
		w.page.offend(offenceWrongAnswer, fmt.Sprintf("there are more than %d rows", s.size))
	}
	err = rows.Close()
	if err == nil && n < s.read {
		w.page.offend(offenceWrongAnswer, fmt.Sprintf("only %d of %d rows came, without an error", n, s.size))
	}
	return err
}
