package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/spf13/cobra"
)

// queryOptions are the flags of duet query.
type queryOptions struct {
	dsn                      string
	asJSON, asTable, asJSONL bool
	args                     []string
}

func newQuery(s streams) *cobra.Command {
	var opt queryOptions
	cmd := &cobra.Command{
		Use:   "query [flags] COMMAND",
		Short: "Run a command and print its rows",
		Long: `Run a command and print its rows: as a table, as one JSON array (--json), or as one
JSON object a line (--jsonl, as the rows come). A
COMMAND of "-" is read from standard input. Several commands separated by
semicolons run as one script, whose rows are not printed.

Arguments are text that is turned into the parameter's type: --arg VALUE for $1 ($0 in
EdgeQL), the next for $2, and so on; --arg name=VALUE for $name. Arrays in EdgeQL are
written as JSON.`,
		Example: `  duet query 'select * from pg_settings where name = $1' --arg work_mem
  duet query 'select $a::int + $b::int as sum' --arg a=1 --arg b=2 --json
  duet query --dsn edgedb://edgedb@localhost 'select <int64>$0 + 1' --arg 41`,
		Args: arguments(1, 1, "one command, quoted, or - to read it from standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.asTable && (opt.asJSON || opt.asJSONL) || opt.asJSON && opt.asJSONL {
				return usagef("use one of --table, --json and --jsonl")
			}
			text := args[0]
			if text == "-" {
				read, err := io.ReadAll(s.in)
				if err != nil {
					return fmt.Errorf("reading the command: %w", err)
				}
				text = string(read)
			}
			return query(cmd.Context(), s, text, opt)
		},
	}
	dsnFlag(cmd, &opt.dsn, dsnUsage)
	cmd.Flags().BoolVar(&opt.asTable, "table", false, "print an aligned table (the default)")
	cmd.Flags().BoolVar(&opt.asJSON, "json", false, "print one JSON array")
	cmd.Flags().BoolVar(&opt.asJSONL, "jsonl", false, "print one JSON object a line, as the rows come")
	cmd.Flags().StringArrayVar(&opt.args, "arg", nil, "an argument: VALUE for the next of $1, $2, …, or name=VALUE for $name")
	return cmd
}

func query(ctx context.Context, s streams, text string, opt queryOptions) (err error) {
	args := queryArgs(text, opt.args)
	client, err := connect(ctx, opt.dsn, clientOptions{maxConns: 1, hooks: duet.Hooks{
		Notice: func(_ context.Context, n duet.Notice) {
			fmt.Fprintf(s.err, "%s: %s\n", n.Severity, printable(n.Message))
		},
	}})
	if err != nil {
		return err
	}
	defer func() { err = closeClient(ctx, client, err) }()
	out := bufio.NewWriter(s.out)
	defer func() { err = errors.Join(err, out.Flush()) }()
	if client.Backend().Dialect == duet.EdgeQL {
		return queryEdgeQL(ctx, client, out, text, opt, edgeQLArgs(text, args))
	}
	script := len(args) == 0 && sqltext.Count(text, true, 2) > 1
	switch {
	case script:
		res, err := client.Execute(ctx, text)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, res.Status)
		return err
	case opt.asJSON:
		var array []byte
		if err := client.QueryJSON(ctx, text, &array, args...); err != nil {
			return err
		}
		_, err = out.Write(append(array, '\n'))
		return err
	}
	rows, err := client.Rows(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if opt.asJSONL {
		return writeLines(out, rows)
	}
	return writeTable(out, rows)
}

// argName is what stands before the "=" of a named argument.
var argName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// queryArgs makes arguments of the flags: named ones where each has a name that
// the text has as $name, else positional ones.
func queryArgs(text string, flags []string) []any {
	if len(flags) == 0 {
		return nil
	}
	named := duet.Named{}
	positional := make([]any, len(flags))
	for i, flag := range flags {
		positional[i] = flag
		name, value, ok := strings.Cut(flag, "=")
		if ok && argName.MatchString(name) && strings.Contains(text, "$"+name) {
			named[name] = value
		}
	}
	if len(named) == len(flags) {
		return []any{named}
	}
	return positional
}

// writeLines writes each row as a JSON object as soon as it was read.
func writeLines(out *bufio.Writer, rows duet.Rows) error {
	columns := rows.Columns()
	for rows.Next() {
		var r duet.Record
		if err := rows.Decode(&r); err != nil {
			return err
		}
		names, values := make([]string, len(columns)), make([]any, len(columns))
		for i, c := range columns {
			names[i], values[i] = c.Name, jsonValue(c.Type, r.At(i))
		}
		line, err := json.Marshal(duet.NewRecord(names, values))
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
		if out.Buffered() > 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}
