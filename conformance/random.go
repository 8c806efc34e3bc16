package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/duetdb/duet"
)

func randomScenarios() []Scenario {
	return []Scenario{
		{ID: "random/closures", Promise: "Whatever closures do, success means that all they did is there, and any other end but ErrCommitUnknown that nothing is.", Run: randomClosures},
	}
}

// play runs transactions that are made up as they go. What they did to bob's
// balance is what is held against the database.
type play struct {
	t     *T
	outer context.Context // knows nothing of the transaction
	rng   *rand.Rand
	kill  func()
	log   []string // of the last attempt
	tries int      // attempts of this transaction
	met   bool     // a conflict, in this attempt
}

func (p *play) note(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

// add adds to bob's balance, and gives what was added.
func (p *play) add(ctx context.Context, tx duet.Tx) (int64, error) {
	n := p.rng.Int64N(9) + 1
	_, err := tx.Execute(ctx, p.t.Text("add_to_balance"), "bob", n)
	p.note("add %d: %v", n, err)
	if err != nil {
		return 0, err
	}
	return n, nil
}

// scope does a few things in a transaction, or in a nested one, and gives what
// bob's balance has gained where it is kept.
func (p *play) scope(ctx context.Context, tx duet.Tx, depth int) (gained int64, err error) {
	for range p.rng.IntN(5) {
		var n int64
		switch k := p.rng.IntN(24); {
		case k < 11:
			n, err = p.add(ctx, tx)
		case k < 13:
			_, err = tx.Execute(ctx, p.t.Text("unique_violation"))
			p.note("a violation: %v", err)
		case k < 15:
			_, missing := duet.QueryOne[int64](ctx, tx, p.t.Text("balance"), "nobody")
			p.note("nobody: %v", missing)
		case k < 17:
			err = p.rows(ctx, tx)
		case k < 18:
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err = tx.Execute(ended, p.t.Text("add_to_balance"), "bob", int64(1000))
			p.note("with an ended ctx: %v", err)
		case k < 19 && p.tries < 3 && !p.met:
			p.met = true // at weak isolation it has a lock now, which a second one would wait for
			err = conflicting(p.outer, ctx, p.t, tx)
			p.note("a conflict: %v", err)
		case k < 20 && p.tries < 3 && p.rng.IntN(3) == 0:
			p.note("kill")
			p.kill()
		case k < 22 && depth < 3 && p.t.Backend().Can(duet.NestedTx):
			n, err = p.nested(ctx, tx, depth)
		case k == 23 && p.rng.IntN(3) == 0:
			p.note("panic")
			panic(errMine)
		}
		gained += n
		if err != nil && p.rng.IntN(3) > 0 {
			p.note("returned")
			return gained, err
		}
	}
	if p.rng.IntN(8) == 0 {
		p.note("an error of its own")
		return gained, errMine
	}
	return gained, nil
}

func (p *play) nested(ctx context.Context, tx duet.Tx, depth int) (int64, error) {
	var gained int64
	p.note("nested {")
	err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) (err error) {
		gained, err = p.scope(ctx, tx, depth+1)
		return err
	})
	p.note("}: %v", err)
	if err != nil {
		gained = 0
	}
	return gained, err
}

// rows reads some rows, and mostly closes them.
func (p *play) rows(ctx context.Context, tx duet.Tx) error {
	rows, err := tx.Rows(ctx, p.t.Text("numbers"), int64(2000))
	p.note("rows: %v", err)
	if err != nil {
		return err
	}
	for range p.rng.IntN(4) {
		rows.Next()
	}
	if p.rng.IntN(8) == 0 {
		p.note("which stay open")
		return nil
	}
	return rows.Close()
}

// transaction plays one, and gives what bob's balance must have gained.
func (p *play) transaction(run txFunc) (gained int64, err error) {
	p.tries = 0
	value, returned := caught(func() {
		err = run(p.outer, func(ctx context.Context, tx duet.Tx) (err error) {
			p.tries++
			p.met = false
			p.log, gained = []string{fmt.Sprint("attempt ", p.tries)}, 0
			gained, err = p.scope(ctx, tx, 0)
			return err
		})
	})
	switch {
	case !returned && value != any(errMine):
		p.t.Errorf("a panic with %v", value)
		fallthrough
	case !returned:
		return 0, errMine
	case err != nil:
		gained = 0
	}
	p.note("in all: %v", err)
	return gained, err
}

func randomClosures(ctx context.Context, t *T) {
	const rounds = 300
	accounts(ctx, t, 0, "ada", "bob")
	exec(ctx, t, t.Client(), "insert_account", "unused", int64(0))
	var c duet.Client
	p := &play{t: t, outer: ctx, kill: func() {}, rng: rand.New(rand.NewPCG(1, 2))}
	if t.target.Kill != nil {
		c, p.kill = killable(ctx, t, 1)
	} else {
		c = t.Connect(ctx, ConnectOptions{MaxConns: 1})
	}
	has, committed := int64(0), 0
	for round := range rounds {
		run := c.RetryingTx
		if round%4 == 3 {
			run = c.RawTx
		}
		gained, err := p.transaction(run)
		got := balance(ctx, t, "bob")
		switch {
		case errors.Is(err, duet.ErrCommitUnknown):
		case got != has+gained:
			t.Errorf("round %d: bob's balance went from %d to %d, want %d more:\n    %s", round, has, got, gained, strings.Join(p.log, "\n    "))
		}
		if has = got; err == nil {
			committed++
		}
		if n := c.Pool().Stat().InUse; n != 0 && !eventually(func() bool { return c.Pool().Stat().InUse == 0 }) {
			t.Fatalf("round %d: the connection is still lent:\n    %s", round, strings.Join(p.log, "\n    "))
		}
	}
	if committed < rounds/4 {
		t.Errorf("only %d of %d transactions committed", committed, rounds)
	}
}
