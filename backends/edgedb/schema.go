package edgedb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/committoken"
)

// CommitTokenSchema is the DDL that makes the type that Options.ExactlyOnce needs,
// in the module default. [CreateCommitTokens] runs it.
const CommitTokenSchema = "create type CommitToken { create required property token: std::uuid { create constraint std::exclusive }; " +
	"create required property at: std::datetime { set default := std::datetime_current() } }"

// CommitTokenSDL is the same type for a schema that is kept in files and changed by
// migrations (EdgeDB documentation, "Schema", "Migrations").
const CommitTokenSDL = `module default {
    type CommitToken {
        required token: uuid {
            constraint exclusive;
        }
        required at: datetime {
            default := datetime_current();
        }
    }
}
`

// CreateCommitTokens makes the type that Options.ExactlyOnce needs in the branch
// that c is connected to. Where a type CommitToken is there already, it is tried
// out, in a transaction that is rolled back: it must take a token once, and have
// dated it. A database that is changed by migrations alone may refuse; the error's
// hint is then what to add to the schema.
//
// c is a client of this package. Errors are *duet.Error: ErrUnsupported for another
// backend's client, KindConfig where the type that is there will not do.
func CreateCommitTokens(ctx context.Context, c duet.Client) error {
	if c.Backend().Name != backendName {
		return simpleError(duet.KindUnsupported, duet.PhasePrepare, "", "the client is connected to "+c.Backend().Name+", not to EdgeDB")
	}
	_, err := c.Execute(ctx, CommitTokenSchema)
	e, ok := errors.AsType[*duet.Error](err)
	switch {
	case !ok:
		return err
	case strings.Contains(e.Message, "already exists"):
		return tryTokens(ctx, c)
	case strings.Contains(strings.ToLower(e.Message), "bare ddl"):
		dressed := *e
		dressed.Hint = "the schema of this database is changed by migrations: add this to it, create a migration and apply it:\n" + CommitTokenSDL
		return &dressed
	}
	return err
}

// datedToken says whether a token is there, with a date that prune goes by.
const datedToken = "select exists (select CommitToken filter .token = <uuid>$0 and .at <= datetime_current())"

// errTried ends a trial.
var errTried = errors.New("the type will do")

// tryTokens holds that the type CommitToken works as it is meant to.
func tryTokens(ctx context.Context, c duet.Client) error {
	token := [16]byte(committoken.New())
	err := c.With(duet.Options{ExactlyOnce: duet.Off, Access: duet.ReadWrite}).RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if _, err := tx.Execute(ctx, insertToken, token); err != nil {
			return unfit(err)
		}
		dated, err := duet.QueryOne[bool](ctx, tx, datedToken, token)
		if err != nil {
			return unfit(err)
		}
		if !dated {
			return unfit(errors.New("it does not date its tokens"))
		}
		if _, err := tx.Execute(ctx, pruneTokens, 100*365*24*time.Hour); err != nil {
			return unfit(err)
		}
		switch _, err = tx.Execute(ctx, insertToken, token); {
		case err == nil:
			return unfit(errors.New("it takes the same token twice: its property needs the constraint exclusive"))
		case errors.Is(err, duet.ErrUniqueViolation):
			return errTried
		}
		return unfit(err)
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}

// unfit says that there is a type CommitToken that will not do. What another
// attempt can cure, and what is not about the type, stays as it is.
func unfit(err error) error {
	switch duet.KindOf(err) {
	case duet.KindSerialization, duet.KindDeadlock, duet.KindUnavailable, duet.KindCanceled, duet.KindClosed, duet.KindPermission:
		return err
	}
	return &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhaseRun,
		Message: "there is a type CommitToken, but it will not do for Options.ExactlyOnce", Err: err,
		Hint: "it must be what this makes: " + CommitTokenSchema}
}
