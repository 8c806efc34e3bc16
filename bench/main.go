// Command bench measures duet beside its peers: every driver runs the same
// statements over the same kind of connection in the same minutes, in slices
// that take turns, so that what slows the machine down slows all of them.
// README.md says what the figures mean.
//
//	go run . [--only workload,…] [--drivers driver,…] [--rounds N] [--slice 300ms] [--json FILE] [--md FILE]
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
	if isWorker(os.Args) {
		os.Exit(workerMain(os.Args[2]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// usageError is an error of the command line.
type usageError struct{ error }

// options are the command line.
type options struct {
	only, drivers  []string
	rounds         int
	slice          time.Duration
	network        string
	dsn            string
	isolation      string
	durable        bool
	scale          Scale
	jsonFile, file string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var only, drivers string
	var smoke bool
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&only, "only", "", "the `workloads` to run, separated by commas; tx* is all that begin with tx (default all)")
	f.StringVar(&drivers, "drivers", "", "the `drivers` to run, separated by commas (default all); without null there are no ratios")
	f.IntVar(&o.rounds, "rounds", 20, "rounds of each workload; streamed ones run 3 at most")
	f.DurationVar(&o.slice, "slice", 300*time.Millisecond, "a driver's time in a round")
	f.StringVar(&o.network, "net", "", "tcp or unix: how to reach the server that is started (default tcp)")
	f.StringVar(&o.dsn, "dsn", "", "run on this server instead of starting one; makes and drops the schema duet_bench there")
	f.StringVar(&o.isolation, "isolation", "read committed", "the isolation level of all drivers; transactions name their own")
	f.BoolVar(&o.durable, "durable", false, "have the server that is started write each commit to the disk, as a service's does")
	f.Int64Var(&o.scale.Accounts, "accounts", 100_000, "rows of the table for lookups")
	f.Int64Var(&o.scale.Events, "events", 1_000_000, "rows of the table that is streamed")
	f.StringVar(&o.jsonFile, "json", "", "write the report to this `file`, as JSON")
	f.StringVar(&o.file, "md", "", "write the tables to this `file` too")
	f.BoolVar(&smoke, "smoke", false, "a run of seconds that shows that all works; its figures mean nothing")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	o.only, o.drivers = list(only), list(drivers)
	if smoke {
		o.rounds, o.slice = 2, 20*time.Millisecond
		o.scale = Scale{Accounts: 1000, Events: 20_000}
	}
	switch {
	case f.NArg() > 0:
		return o, usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	case o.rounds < 1 || o.slice <= 0 || o.scale.Accounts < 1 || o.scale.Events < 1:
		return o, usageError{errors.New("--rounds, --slice, --accounts and --events must be above 0")}
	case o.dsn != "" && o.network != "":
		return o, usageError{errors.New("--net is for the server that is started; with --dsn, the DSN says it")}
	case o.dsn != "" && o.durable:
		return o, usageError{errors.New("--durable is for the server that is started; a server of yours has its own settings")}
	case o.network != "" && o.network != "tcp" && o.network != "unix":
		return o, usageError{fmt.Errorf("--net is tcp or unix, not %q", o.network)}
	}
	return o, nil
}

// list gives the parts of a list separated by commas.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	p := plan{isolation: o.isolation, scale: o.scale, rounds: o.rounds, slice: o.slice, progress: stderr}
	if p.drivers, err = pick("driver", allDrivers(), Driver.Name, o.drivers); err != nil {
		return err
	}
	p.workloads, err = pick("workload", workloads(o.scale), Workload.name, o.only)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	s, err := openServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, s.close(ctx))
	}()
	p.target = s.target
	report := Report{Environment: newEnvironment(o, s)}
	if report.Workloads, err = p.run(ctx); err != nil {
		return err
	}
	return write(report, o, stdout)
}

func write(r Report, o options, stdout io.Writer) error {
	if err := writeMarkdown(stdout, r); err != nil {
		return err
	}
	if o.file != "" {
		var b strings.Builder
		if err := errors.Join(writeMarkdown(&b, r), os.WriteFile(o.file, []byte(b.String()), 0o644)); err != nil {
			return err
		}
	}
	if o.jsonFile == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.jsonFile, append(text, '\n'), 0o644)
}
