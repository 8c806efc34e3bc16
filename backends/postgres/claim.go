package postgres

import (
	"context"
	"errors"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/committoken"
)

// errLooseTokens is why a table of tokens proves nothing.
var errLooseTokens = errors.New("the table duet.commit_token is not as postgres.CommitTokenSchema makes it: it takes a token twice, or is empty after a crash")

// The commands of a claim, by their places.
const (
	atTable = 1 // tells of the table
	atTwin  = 2
	atToken = 3
	atAgain = 5 // is to be refused
	atEnd   = 7 // COMMIT
)

// claimCommands are the commands of a claim, in two groups: the first is to fail
// at its end. That the twin cannot be inserted again proves that the table keeps
// tokens apart, whatever somebody made of it.
func claimCommands(token committoken.Token) [2][]string {
	insert := func(t committoken.Token) string {
		return "INSERT INTO duet.commit_token (token) VALUES ('" + t.String() + "')"
	}
	return [2][]string{
		{
			"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
			"SELECT relpersistence FROM pg_catalog.pg_class WHERE oid = 'duet.commit_token'::pg_catalog.regclass",
			insert(token.Twin()), insert(token), "SAVEPOINT duet", insert(token.Twin()),
		},
		{"ROLLBACK TO SAVEPOINT duet", "COMMIT"},
	}
}

// claimToken makes sure that a lost transaction which left token can be applied
// no more, or finds that it was: see package committoken.
func (s *session) claimToken(ctx context.Context, token committoken.Token) (committed bool, err error) {
	f := wire.NewFlight()
	var begins []int // the first step of each command
	for _, group := range claimCommands(token) {
		for _, c := range group {
			begins = append(begins, f.Steps())
			if err := f.Command(c); err != nil {
				return false, err
			}
		}
		f.Sync()
	}
	a, err := s.readClaim(ctx, f, begins)
	if err != nil {
		return false, err
	}
	if s.wc.Status() != 'I' {
		r := wire.NewFlight()
		if err := r.Command("ROLLBACK"); err != nil {
			return false, err
		}
		r.Sync()
		if err := s.finish(ctx, r, nil); err != nil && (a.refusal == nil || a.refusal.Code != "23505") {
			return false, err
		}
	}
	switch taken := a.refusal != nil && a.refusal.Code == "23505"; {
	case taken && a.at == atToken:
		return true, nil
	case a.unsafe, a.refusal == nil:
		return false, errLooseTokens
	case taken && a.at == atTwin:
		return false, nil // an earlier look has settled it
	case taken && a.at == atAgain && a.ended == "COMMIT":
		return false, nil
	case taken && a.at >= atAgain:
		return false, errLooseTokens
	}
	return false, fromServer(a.refusal, duet.PhaseCommit, nil)
}

// claimAnswer is what the server says of a claim.
type claimAnswer struct {
	refusal *wire.ServerError // the first
	at      int               // the command that was refused
	ended   string            // the tag of COMMIT
	unsafe  bool              // the table does not outlive a crash
}

func (s *session) readClaim(ctx context.Context, f *wire.Flight, begins []int) (a claimAnswer, err error) {
	command := func(step int) int {
		n := len(begins) - 1
		for n > 0 && begins[n] > step {
			n--
		}
		return n
	}
	err = s.converse(ctx, f, func(kind wire.Kind, body []byte) error {
		switch kind {
		case wire.DataRow:
			values := textValues(body)
			a.unsafe = command(f.Step()) == atTable && len(values) == 1 && values[0] != "p"
		case wire.CommandComplete:
			if command(f.Step()-1) == atEnd {
				a.ended = parseTag(body).Status
			}
		case wire.ErrorResponse:
			se, ok := errors.AsType[*wire.ServerError](wire.DecodeError(body))
			if !ok {
				return wire.DecodeError(body)
			}
			if a.refusal == nil {
				a.refusal, a.at = se, command(f.FailedStep())
			}
		}
		return nil
	})
	return a, err
}
