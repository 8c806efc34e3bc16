package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/dsn"
	"github.com/spf13/cobra"
)

// errFailedScenarios ends the command with 1; what failed was printed already.
var errFailedScenarios = errors.New("not every scenario passed")

func newConformance(s streams) *cobra.Command {
	var dsns []string
	var pattern string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check that backends keep the library's promises",
		Long: `Check that backends keep the library's promises: run the conformance suite in one
database, or in several, one after another (--dsn once for each). Without --dsn a
PostgreSQL of its own is started, and a server that speaks EdgeDB's protocol over it.

In a database that --dsn names, what the suite calls its own is dropped and made anew:
on PostgreSQL the schema duet_conformance, on EdgeDB Account, Transfer, Claim, Color
and tenant of the module default. One suite at a time may run there.`,
		Example: `  duet conformance
  duet conformance --dsn postgres://anna@localhost/test --dsn edgedb://edgedb@localhost/test --json`,
		Args: arguments(0, 0, "none; DSNs are given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return usagef("--run: %w", err)
			}
			given := cmd.Flags().Changed("dsn")
			return runConformance(cmd.Context(), s, suiteOptions{dsns: dsns, own: !given, run: re, asJSON: asJSON})
		},
	}
	cmd.Flags().StringArrayVar(&dsns, "dsn", nil, "a database to run in, several times for several (default: servers of its own)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object on one line for each database")
	cmd.Flags().StringVar(&pattern, "run", "", "run only the scenarios whose ID matches this regular expression")
	return cmd
}

type suiteOptions struct {
	dsns   []string
	own    bool // start servers
	run    *regexp.Regexp
	asJSON bool
}

func runConformance(ctx context.Context, s streams, opt suiteOptions) (err error) {
	filter, err := opt.filter()
	if err != nil {
		return err
	}
	if opt.own {
		servers, failed := startServers(ctx, s, false)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, servers.close()) }()
		opt.dsns = []string{servers.postgres.DSN(), servers.edgedb.DSN()}
	}
	var targets []conformance.Target // all of them, before minutes go into the first
	for _, text := range opt.dsns {
		target, closeTarget, failed := suiteTarget(ctx, text)
		if failed != nil {
			return failed
		}
		defer func() { err = closeTarget(err) }()
		targets = append(targets, target)
	}
	var reports []conformance.Report
	for _, target := range targets {
		if len(targets) > 1 && !opt.asJSON {
			fmt.Fprintln(s.out, "== "+target.Name)
		}
		report, err := runSuite(ctx, s, target, conformance.RunOptions{Filter: filter}, opt.asJSON)
		if err != nil {
			return err
		}
		reports = append(reports, report)
	}
	if len(reports) > 1 && !opt.asJSON {
		if err := writeReports(s, reports); err != nil {
			return err
		}
	}
	for _, report := range reports {
		if report.Failed > 0 || report.Passed == 0 {
			return errFailedScenarios
		}
	}
	return nil
}

// filter is the suite's filter for the scenarios that --run chooses, "" for all.
func (o suiteOptions) filter() (string, error) {
	var ids []string
	all := conformance.Scenarios()
	for _, scenario := range all {
		if o.run.MatchString(scenario.ID) {
			ids = append(ids, scenario.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", usagef("--run: no scenario's ID matches")
	case len(all):
		return "", nil
	default:
		return strings.Join(ids, ","), nil
	}
}

// runSuite runs the suite against one target and prints its report.
func runSuite(ctx context.Context, s streams, target conformance.Target, run conformance.RunOptions, asJSON bool) (conformance.Report, error) {
	if !asJSON {
		run.OnResult = func(r conformance.Result) { printResult(s, r) }
	}
	report := conformance.RunAll(ctx, target, run)
	var err error
	if asJSON {
		err = json.NewEncoder(s.out).Encode(reportJSON{
			report.Backend, report.Passed, report.Failed, report.Skipped, report.Server, report.Scenarios,
		})
	} else {
		_, err = fmt.Fprintf(s.out, "%s %s: %d passed, %d failed, %d skipped\n", report.Backend, report.Server, report.Passed, report.Failed, report.Skipped)
	}
	if err == nil {
		err = ctx.Err()
	}
	return report, err
}

// reportJSON is a report with what one looks for first at its beginning.
type reportJSON struct {
	Backend   string               `json:"backend"`
	Passed    int                  `json:"passed"`
	Failed    int                  `json:"failed"`
	Skipped   int                  `json:"skipped"`
	Server    string               `json:"server"`
	Scenarios []conformance.Result `json:"scenarios"`
}

func printResult(s streams, r conformance.Result) {
	switch r.Status {
	case conformance.Failed:
		fmt.Fprintf(s.out, "FAIL  %s\n        promise: %s\n        %s\n", r.ID, r.Promise, strings.ReplaceAll(r.Reason, "\n", "\n        "))
	case conformance.Skipped:
		fmt.Fprintf(s.out, "skip  %s (%s)\n", r.ID, r.Reason)
	default:
		fmt.Fprintf(s.out, "ok    %-44s %6d ms\n", r.ID, r.Millis)
	}
}

// suiteTarget is the suite's target for a DSN. Its Kill may have a client or
// relays of its own, which the function that is returned closes.
func suiteTarget(ctx context.Context, text string) (conformance.Target, func(error) error, error) {
	admin, err := connect(ctx, text, clientOptions{maxConns: 1})
	if err != nil {
		return conformance.Target{}, nil, err
	}
	target := conformance.Target{Name: admin.Backend().Name}
	label, relays := withLabel, &conformance.Relays{}
	if target.Name == "postgres" {
		target.Kill = func(ctx context.Context, label string) error { return killSessions(ctx, admin, label) }
	} else if _, err := relays.DSN(text, "-"); err == nil { // else its server is not in the DSN, and Kill is not to be had
		label, target.Kill = relays.DSN, relays.Kill
	}
	target.Connect = func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
		labelled, err := label(text, opt.Label)
		if err != nil {
			return nil, err
		}
		return connect(ctx, labelled, clientOptions{maxConns: opt.MaxConns, acquireTimeout: opt.AcquireTimeout, hooks: opt.Hooks})
	}
	return target, func(err error) error { return closeClient(ctx, admin, errors.Join(err, relays.Close())) }, nil
}

// withLabel is the DSN with another application_name.
func withLabel(text, label string) (string, error) {
	if label == "" {
		return text, nil
	}
	resolved, err := dsn.ParsePostgres(text, dsn.Environment{})
	if err != nil {
		return "", err
	}
	var values dsn.Values // what the environment adds, it adds to the new DSN too
	for _, v := range resolved.AllRevealed() {
		if v.Source.Kind == dsn.SourceDSN && v.Keyword != "application_name" {
			values = append(values, v)
		}
	}
	return dsn.Format(append(values, dsn.Value{Keyword: "application_name", Value: label})), nil
}

// killSessions ends an application's sessions, and waits until they are gone: new
// ones may come meanwhile.
func killSessions(ctx context.Context, admin duet.Client, label string) error {
	const kill = "select pid, pg_terminate_backend(pid) as ended from pg_stat_activity where application_name = $1"
	const left = "select count(*) from pg_stat_activity where pid = any($1)"
	type session struct {
		Pid   int32
		Ended bool // false: it was gone already
	}
	sessions, err := duet.QueryAll[session](ctx, admin, kill, label)
	if err != nil {
		return err
	}
	var pids []int32
	for _, s := range sessions {
		pids = append(pids, s.Pid)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := duet.QueryOne[int64](ctx, admin, left, pids)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
