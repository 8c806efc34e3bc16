package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
)

// ledger is what the demo works on: accounts, and the transfers between them.
// Its methods are the same work on both backends; only the commands differ.
type ledger interface {
	// db is the client that everything runs over.
	db() duet.Client
	// show reads rows into structs and as JSON, prints some, and compares both.
	show(ctx context.Context, s streams) (check, error)
	// apply makes one transfer in a transaction, and says whether there were
	// funds for it.
	apply(ctx context.Context, t transfer) (accepted bool, err error)
	// checks compares what is there at the end with what was asked for.
	checks(ctx context.Context, w *work) ([]check, error)
	// mistakes are commands that fail, each with the kind of its error.
	mistakes() []mistake
	// close drops what was made.
	close(ctx context.Context) error
}

// side is the demo's part on one backend.
type side struct {
	title  string // "PostgreSQL"
	client duet.Client
	ledger ledger
	work   *work
	tally  tally
	checks []check
	codes  map[duet.Kind]string // of the mistakes' errors
}

// openSide connects, and makes what the demo works on.
func openSide(ctx context.Context, text string, opt demoOptions) (*side, error) {
	labelled, err := text, error(nil)
	if isPostgres(text) {
		if labelled, err = withLabel(text, demoLabel); err != nil {
			return nil, err
		}
	}
	side := &side{title: "PostgreSQL", codes: map[duet.Kind]string{}}
	side.client, err = connect(ctx, labelled, clientOptions{maxConns: opt.workers, hooks: side.tally.hooks()})
	if err != nil {
		return nil, err
	}
	if side.client.Backend().Dialect == duet.EdgeQL {
		side.title = "EdgeDB"
		side.ledger, err = openEdgeBank(ctx, side.client, opt.accounts)
	} else {
		side.ledger, err = openBank(ctx, labelled, side.client, opt.accounts)
	}
	if err != nil {
		return nil, closeClient(ctx, side.client, err)
	}
	opt.title = side.title
	side.work = newWork(side.ledger, opt, &side.tally)
	return side, nil
}

func (d *side) server() string { return d.title + " " + d.client.Backend().ServerVersion }

// begin shows rows.
func (d *side) begin(ctx context.Context, s streams) error {
	c, err := d.ledger.show(ctx, s)
	d.checks = append(d.checks, c)
	return err
}

// finish makes the checks, and then mistakes.
func (d *side) finish(ctx context.Context) error {
	checks, err := d.work.checks(ctx)
	if err != nil {
		return err
	}
	kinds, err := d.makeMistakes(ctx)
	d.checks = append(append(d.checks, checks...), kinds)
	return err
}

func (d *side) close(ctx context.Context, err error) error {
	return closeClient(ctx, d.client, errors.Join(err, d.ledger.close(ctx)))
}

// mistake is a command that fails.
type mistake struct {
	kind   duet.Kind
	target error // its sentinel
	make   func(ctx context.Context) error
}

// makeMistakes makes each mistake, and holds that its error is of its kind.
func (d *side) makeMistakes(ctx context.Context) (check, error) {
	mistakes := d.ledger.mistakes()
	wrong := ""
	for _, m := range mistakes {
		err := m.make(ctx)
		if ctx.Err() != nil {
			return check{}, ctx.Err()
		}
		if !errors.Is(err, m.target) || duet.KindOf(err) != m.kind {
			wrong = fmt.Sprintf("%v is %v", m.kind, err)
		}
		d.codes[m.kind] = errorCode(err)
	}
	return holds(fmt.Sprintf("%d kinds of errors are told apart", len(mistakes)), wrong == "", wrong), nil
}
