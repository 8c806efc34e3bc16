package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duetdb/duet"
)

// check is something that must hold at the end.
type check struct {
	name    string
	failure string // "" where it holds
}

func printChecks(s streams, title string, checks []check) error {
	fmt.Fprintln(s.out, "\nChecks on "+title)
	for _, c := range checks {
		line := "  ok    " + c.name
		if c.failure != "" {
			line = "  FAIL  " + c.name + "\n        " + c.failure
		}
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// errorCode is an error's code of the server, else its kind.
func errorCode(err error) string {
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Code == "" {
		return duet.KindOf(err).String()
	}
	return e.Code
}

// checks compares what the server has with what was asked for, not with what the
// code under test says it did, where that can be told.
func (w *work) checks(ctx context.Context) ([]check, error) {
	list, err := w.bank.checks(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("reading the books: %w", err)
	}
	return append(list,
		equal("every attempt was either committed or retried", w.tally.attempts.Load(), int64(w.opt.transfers)+w.tally.retries()),
		equal("no connection is still lent", w.stillLent(ctx), 0),
	), nil
}

func equal(name string, got, want int64) check {
	return holds(name, got == want, fmt.Sprintf("got %d, want %d", got, want))
}

func holds(name string, ok bool, failure string) check {
	if ok {
		failure = ""
	}
	return check{name: name, failure: failure}
}

// stillLent counts lent connections; one may be on its way back.
func (w *work) stillLent(ctx context.Context) int64 {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		n := w.bank.db().Pool().Stat().InUse
		if n == 0 {
			return 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return int64(n)
		}
	}
}
