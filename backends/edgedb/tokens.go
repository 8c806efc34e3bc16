package edgedb

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/committoken"
)

// The texts about tokens. The qualified one is for views of which an alias takes
// the names that have no module.
const (
	insertToken          = "insert CommitToken { token := <uuid>$0 }"
	insertTokenQualified = "insert default::CommitToken { token := <uuid>$0 }"
	pruneTokens          = "delete CommitToken filter .at < datetime_current() - <duration>$0"
)

// putToken inserts a token in the transaction. No hook hears of it.
func (t *transaction) putToken(ctx context.Context, token committoken.Token) error {
	k := &call{db: t.db, view: t.view, cmd: insertToken}
	if aliased(&t.view.opt, "") {
		k.cmd = insertTokenQualified
	}
	err := k.prepare([]any{[16]byte(token)})
	if err == nil {
		_, err = t.exec(ctx, k)
	}
	return err
}

// leaveToken leaves a token beside the work of a transaction that is about to be
// committed, where it is to have one.
func (t *transaction) leaveToken(ctx context.Context) error {
	if t.view.opt.ExactlyOnce != duet.On || !t.writes {
		return nil
	}
	token := committoken.New()
	err := t.putToken(ctx, token)
	if err == nil {
		t.token = token
		return nil
	}
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		return err
	}
	dressed := *e
	dressed.Phase, dressed.Command, dressed.Position, dressed.Excerpt = duet.PhaseCommit, "", 0, ""
	dressed.Message = "the transaction's commit token could not be left, and nothing was committed: " + e.Message
	if e.Kind == duet.KindUndefined {
		dressed.Hint = noTokenType
	}
	return &dressed
}

const noTokenType = "Options.ExactlyOnce needs the type default::CommitToken: run `duet init` on the database, " +
	"or add the type to its schema (edgedb.CommitTokenSDL)"

// pruneTimeout bounds the deletion of old tokens, and the wait for a connection
// for it.
const pruneTimeout = 30 * time.Second

// pruneApart is the least time between two deletions, however many tokens are made:
// each reads all of them, as the type has no index by time.
const pruneApart = 5 * time.Minute

// pruning is what is being deleted in the background.
type pruning struct {
	mu    sync.Mutex
	wg    sync.WaitGroup
	last  time.Time
	ended bool
}

// begin runs f, unless it is too soon or the client was closed.
func (p *pruning) begin(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || !p.last.IsZero() && time.Since(p.last) < pruneApart {
		return
	}
	p.last = time.Now()
	p.wg.Go(f)
}

// end waits for what is under way. The pool has been closed: it does not take
// long.
func (p *pruning) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.wg.Wait()
}

// prune deletes old tokens where it is the client's turn. Nobody waits for it, and
// nobody hears how it went: another turn will come.
func (d *db) prune() {
	if !d.pruner.Due() {
		return
	}
	d.pruning.begin(func() {
		ctx, stop := context.WithTimeout(context.Background(), pruneTimeout)
		defer stop()
		c := newClient(d, newView(duet.Options{}))
		k := &call{db: d, view: c.view, cmd: pruneTokens}
		if k.prepare([]any{committoken.Kept}) == nil {
			_, _ = c.attempts(ctx, k)
		}
	})
}
