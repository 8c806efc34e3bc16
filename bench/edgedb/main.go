// Command edgedb measures duet beside edgedb-go on one EdgeDB server: both run
// the same queries with eight connections, in slices that take turns. Without
// --dsn the server is the test double that the conformance suite runs on, in a
// process of its own, which counts the connections that are opened to it.
//
//	go run ./edgedb [--dsn DSN] [--only workload,…] [--rounds N] [--slice 2s] [--json FILE] [--md FILE]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if len(os.Args) > 1 && os.Args[1] == serveArg {
		err = serve(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "edgedb:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	dsn, only      string
	rounds         int
	slice          time.Duration
	bursts         int
	jsonFile, file string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var smoke bool
	f := flag.NewFlagSet("edgedb", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.dsn, "dsn", "", "run on this server instead of starting the test double; the type Account must be there and have a row named ada")
	f.StringVar(&o.only, "only", "", "the `workloads` to run, separated by commas (default all)")
	f.IntVar(&o.rounds, "rounds", 5, "rounds of each workload")
	f.DurationVar(&o.slice, "slice", 2*time.Second, "a driver's time in a round, where a workload is bounded by time")
	f.IntVar(&o.bursts, "bursts", 100, "bursts of eight queries in a round")
	f.StringVar(&o.jsonFile, "json", "", "write the report to this `file`, as JSON")
	f.StringVar(&o.file, "md", "", "write the tables to this `file` too")
	f.BoolVar(&smoke, "smoke", false, "a run of seconds that shows that all works; its figures mean nothing")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if smoke {
		o.rounds, o.slice, o.bursts = 1, 100*time.Millisecond, 5
	}
	if _, err := chosen(o.only); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.slice <= 0 || o.bursts < 1 {
		return o, errors.New("there are no arguments, and --rounds, --slice and --bursts must be above 0")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, o.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	report, err := measure(ctx, o, s, stderr)
	if err != nil {
		return err
	}
	var tables strings.Builder
	report.writeMarkdown(&tables)
	if _, err := io.WriteString(stdout, tables.String()); err != nil {
		return err
	}
	if o.file != "" {
		if err := os.WriteFile(o.file, []byte(tables.String()), 0o644); err != nil {
			return err
		}
	}
	if o.jsonFile == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.jsonFile, append(text, '\n'), 0o644)
}
