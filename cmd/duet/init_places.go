package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
)

// postgresTokens is the table duet.commit_token.
type postgresTokens struct{}

const (
	dropTokenTable  = "DROP TABLE IF EXISTS duet.commit_token"
	dropTokenSchema = "DROP SCHEMA IF EXISTS duet"
	tokenTable      = "select to_regclass('duet.commit_token') is not null"
	// What there is must be what the library writes to.
	tokenColumns = `select coalesce(bool_and(fits), false) and count(*) = 2 from (
			select case attname when 'token' then atttypid = 'uuid'::regtype and exists (
				select from pg_index i where i.indrelid = a.attrelid and i.indisunique and i.indisvalid and i.indpred is null
					and i.indnkeyatts = 1 and i.indkey[0] = a.attnum)
			else atttypid = 'timestamptz'::regtype and atthasdef end as fits
			from pg_attribute a where attrelid = to_regclass('duet.commit_token') and attname in ('token', 'at') and not attisdropped
		) columns_of_it`
)

func (postgresTokens) text(opt initOptions) string {
	texts := append([]string{postgres.CommitTokenSchema}, grants(opt.grant)...)
	if opt.drop {
		texts = []string{dropTokenTable, dropTokenSchema}
	}
	return strings.Join(texts, ";\n") + ";"
}

// grants are the commands that let roles use the table.
func grants(roles []string) []string {
	var texts []string
	for _, role := range roles {
		name := `"` + strings.ReplaceAll(role, `"`, `""`) + `"`
		texts = append(texts,
			"GRANT USAGE ON SCHEMA duet TO "+name,
			"GRANT SELECT, INSERT, DELETE ON TABLE duet.commit_token TO "+name)
	}
	return texts
}

func (postgresTokens) make(ctx context.Context, client duet.Client, opt initOptions) (did []string, err error) {
	there, err := duet.QueryOne[bool](ctx, client, tokenTable)
	if err != nil {
		return nil, err
	}
	if !there {
		_, err = client.Execute(ctx, postgres.CommitTokenSchema)
		if errors.Is(err, duet.ErrUniqueViolation) { // of the catalogue: somebody else is making it
			_, err = client.Execute(ctx, postgres.CommitTokenSchema)
		}
		if err != nil {
			return nil, fmt.Errorf("making the table duet.commit_token: %w", err)
		}
	}
	fits, err := duet.QueryOne[bool](ctx, client, tokenColumns)
	switch {
	case err != nil:
		return nil, err
	case !fits:
		return nil, errors.New("duet.commit_token is there and is not the table that duet makes " +
			"(token uuid PRIMARY KEY, at timestamptz DEFAULT clock_timestamp()); rename or drop it")
	case there:
		did = append(did, "the table duet.commit_token is there already")
	default:
		did = append(did, "made the table duet.commit_token")
	}
	for i, role := range opt.grant {
		if _, err := client.Execute(ctx, strings.Join(grants(opt.grant[i:i+1]), "; ")); err != nil {
			return did, fmt.Errorf("granting its use to the role %q: %w", role, err)
		}
		did = append(did, fmt.Sprintf("granted its use to the role %q", role))
	}
	return did, nil
}

func (postgresTokens) drop(ctx context.Context, client duet.Client) ([]string, error) {
	there, err := duet.QueryOne[bool](ctx, client, tokenTable)
	if err != nil {
		return nil, err
	}
	did := []string{"there is no table duet.commit_token"}
	if there {
		if _, err := client.Execute(ctx, dropTokenTable); err != nil {
			return nil, fmt.Errorf("dropping the table duet.commit_token: %w", err)
		}
		did[0] = "dropped the table duet.commit_token"
	}
	named, err := duet.QueryOne[bool](ctx, client, "select to_regnamespace('duet') is not null")
	if err != nil || !named {
		return did, err
	}
	_, err = client.Execute(ctx, dropTokenSchema)
	if e, ok := errors.AsType[*duet.Error](err); ok && e.Code == "2BP01" { // dependent_objects_still_exist
		return append(did, "kept the schema duet, which holds other things"), nil
	}
	if err != nil {
		return did, fmt.Errorf("dropping the schema duet: %w", err)
	}
	return append(did, "dropped the schema duet"), nil
}

// edgeTokens is the type default::CommitToken.
type edgeTokens struct{}

const (
	dropTokenType = "drop type CommitToken"
	tokenType     = "default::CommitToken"
)

func (edgeTokens) text(opt initOptions) string {
	if opt.drop {
		return dropTokenType + ";"
	}
	return edgedb.CommitTokenSchema + ";"
}

func (edgeTokens) make(ctx context.Context, client duet.Client, _ initOptions) ([]string, error) {
	there, err := duet.QueryOne[bool](ctx, client, edgeInstalled, tokenType)
	if err != nil {
		return nil, err
	}
	if there {
		return []string{"the type " + tokenType + " is there already"}, nil
	}
	if _, err := client.Execute(ctx, edgedb.CommitTokenSchema); err != nil {
		// Somebody else may have made it meanwhile.
		if there, failed := duet.QueryOne[bool](ctx, client, edgeInstalled, tokenType); failed == nil && there {
			return []string{"the type " + tokenType + " is there already"}, nil
		}
		return nil, fmt.Errorf("making the type %s: %w", tokenType, err)
	}
	return []string{"made the type " + tokenType}, nil
}

func (edgeTokens) drop(ctx context.Context, client duet.Client) ([]string, error) {
	there, err := duet.QueryOne[bool](ctx, client, edgeInstalled, tokenType)
	if err != nil {
		return nil, err
	}
	if !there {
		return []string{"there is no type " + tokenType}, nil
	}
	if _, err := client.Execute(ctx, dropTokenType); err != nil {
		return nil, fmt.Errorf("dropping the type %s: %w", tokenType, err)
	}
	return []string{"dropped the type " + tokenType}, nil
}
