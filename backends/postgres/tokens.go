package postgres

import (
	"fmt"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/committoken"
)

// CommitTokenSchema is the script that makes the table which Options.ExactlyOnce
// needs, where it is not there yet. `duet init` runs it. The roles of services
// need USAGE on the schema, and SELECT, INSERT and DELETE on the table.
const CommitTokenSchema = `CREATE SCHEMA IF NOT EXISTS duet;
CREATE TABLE IF NOT EXISTS duet.commit_token (
	token uuid PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
)`

// tokenText leaves a token. It is prepared once on a connection.
const (
	tokenText = "INSERT INTO duet.commit_token (token) VALUES ($1)"
	uuidOID   = 2950
)

// addToken puts the insertion of a token into a flight.
func (s *session) addToken(f *wire.Flight, token committoken.Token, named bool) error {
	name, err := s.prepareOwn(f, &s.tokenName, named, tokenText, uuidOID)
	if err != nil {
		return err
	}
	buf, mark, err := f.BeginBind(name)
	if err != nil {
		return err
	}
	buf = append(buf, 0, 1, 0, 1) // one format: binary
	buf = append(buf, 0, 1, 0, 0, 0, byte(len(token)))
	if err := f.EndBind(append(buf, token[:]...), mark, nil); err != nil {
		return err
	}
	f.Execute()
	return nil
}

// tokenError is why a token could not be left, in place of the server's word
// where that would not tell what to do.
func tokenError(se *wire.ServerError) error {
	e := fromServer(se, duet.PhaseCommit, nil)
	switch se.Code {
	case "42P01", "3F000":
		e.Hint = "Options.ExactlyOnce needs the table duet.commit_token: run `duet init`, or postgres.CommitTokenSchema"
	case "26000":
		e.Kind, e.Err = duet.KindSerialization, errOutdated
	case "25006":
		e.Hint = "Options.ExactlyOnce leaves a token, unless Options.Access says that the transaction only reads"
	}
	return e
}

// pruneText deletes old tokens. They are found by the time that is in them,
// since that is what the index is ordered by; the database's own clock decides.
var pruneText = fmt.Sprintf(`DELETE FROM duet.commit_token WHERE token IN (SELECT token FROM duet.commit_token
	WHERE token < (pg_catalog.lpad(pg_catalog.to_hex((EXTRACT(epoch FROM pg_catalog.now()) * 1000)::bigint - %d), 12, '0') || '00000000000000000000')::pg_catalog.uuid
	AND at < pg_catalog.now() - interval '%d seconds' ORDER BY token LIMIT %d)`,
	committoken.Kept.Milliseconds(), int(committoken.Kept.Seconds()), committoken.PruneBatch)

// prune deletes old tokens, if it is the client's turn. Nobody waits for it: the
// connection is given back once it has ended, whatever became of it.
func (d *db) prune(s *session) {
	if !d.pruner.Due() || s.wc.Err() != nil {
		return
	}
	f := wire.NewFlight()
	// One group, so that nothing of it is left where it fails; nobody is to conflict with it.
	if f.Query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; "+pruneText) == nil {
		_ = s.wc.SendAbandoned(f)
	}
}
