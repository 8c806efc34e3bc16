package main

import (
	"encoding/json"
	"fmt"

	"github.com/duetdb/duet/dsn"
	"github.com/spf13/cobra"
)

func newDSN(s streams) *cobra.Command {
	var asJSON, reveal bool
	cmd := &cobra.Command{
		Use:   "dsn [DSN]",
		Short: "Show what a DSN resolves to, and where each value comes from",
		Long: `Show what a DSN resolves to, and where each value comes from: the DSN itself, the
environment, files, or a default. For PostgreSQL these are the PG* variables, the
service file and the password file; for EdgeDB and Gel (the schemes edgedb and gel) the
GEL_* and EDGEDB_* variables, credentials and the project. Without a DSN the PG*
environment alone is resolved. Nothing is connected to. Secrets are masked.

With --json it is one object of the parameters, each {"value":…,"source":…}.`,
		Example: `  duet dsn postgres://anna@db.example.com/shop
  duet dsn "service=shop" --json
  duet dsn "edgedb://edgedb@db.example.com/main?tls_security=insecure"`,
		Args: arguments(0, 1, "at most one DSN, quoted where it holds blanks"),
		RunE: func(_ *cobra.Command, args []string) error {
			text := ""
			if len(args) > 0 {
				text = args[0]
			}
			return showDSN(s, text, asJSON, reveal)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&reveal, "show-secrets", false, "print passwords in the clear")
	return cmd
}

func showDSN(s streams, text string, asJSON, reveal bool) error {
	if err := checkScheme(text); err != nil {
		return err
	}
	resolved, err := resolve(text)
	if err != nil {
		return &usageError{err}
	}
	for _, warning := range resolved.Warnings() {
		fmt.Fprintln(s.err, "duet: warning: "+printable(warning))
	}
	if pg, ok := resolved.(*dsn.Resolved); ok {
		if _, err := pg.Postgres(); err != nil {
			return &usageError{err}
		}
	}
	values := resolved.All()
	if reveal {
		values = resolved.AllRevealed()
	}
	if asJSON {
		return json.NewEncoder(s.out).Encode(values)
	}
	var rows [][]string
	for _, v := range append(values, resolved.Settings()...) {
		rows = append(rows, []string{v.Keyword, printable(v.Value), printable(v.Source.String())})
	}
	return newTable(s.out, "keyword", "value", "source").write(rows)
}

// resolvedDSN is a DSN of either backend, resolved.
type resolvedDSN interface {
	All() dsn.Values
	AllRevealed() dsn.Values
	Settings() dsn.Values
	Warnings() []string
}

// resolve resolves a DSN as its backend does.
func resolve(text string) (resolvedDSN, error) {
	if !isPostgres(text) {
		return dsn.ParseEdgeDB(text, dsn.EdgeDBOptions{SeveralHosts: true}, dsn.Environment{})
	}
	return dsn.ParsePostgres(text, dsn.Environment{})
}

// checkScheme says what backends.Connect would, before the rest is looked at.
func checkScheme(text string) error {
	switch scheme := dsn.Scheme(text); scheme {
	case "postgres", "edgedb", "gel":
		return nil
	default:
		return usagef("the scheme %s is unknown; use postgres://, postgresql://, edgedb:// or gel://", scheme)
	}
}

// isPostgres says whether a DSN is PostgreSQL's.
func isPostgres(text string) bool { return dsn.Scheme(text) == "postgres" }
