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
	"github.com/duetdb/duet/backends"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/conformance"
	"github.com/duetdb/duet/dsn"
	"github.com/spf13/cobra"
)

// errFailedScenarios ends the command with 1; what failed was printed already.
var errFailedScenarios = errors.New("not every scenario passed")

func newConformance(s streams) *cobra.Command {
	var text, pattern string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check that a backend keeps the library's promises",
		Long: `Check that a backend keeps the library's promises: run the conformance suite in a
database. Without --dsn a PostgreSQL of its own is started. In a database that
--dsn names, the schema duet_conformance is dropped and made anew; one suite at a
time may run there.`,
		Args: arguments(0, 0, "none; the DSN is given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return usagef("--run: %w", err)
			}
			given := cmd.Flags().Changed("dsn")
			return runConformance(cmd.Context(), s, suiteOptions{dsn: text, own: !given, run: re, asJSON: asJSON})
		},
	}
	dsnFlag(cmd, &text, "the database to run in (default: start a PostgreSQL)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object on one line")
	cmd.Flags().StringVar(&pattern, "run", "", "run only the scenarios whose ID matches this regular expression")
	return cmd
}

type suiteOptions struct {
	dsn    string
	own    bool // start a server
	run    *regexp.Regexp
	asJSON bool
}

func runConformance(ctx context.Context, s streams, opt suiteOptions) (err error) {
	var ids []string
	for _, scenario := range conformance.Scenarios() {
		if opt.run.MatchString(scenario.ID) {
			ids = append(ids, scenario.ID)
		}
	}
	if len(ids) == 0 {
		return usagef("--run: no scenario's ID matches")
	}
	if opt.own {
		server, err := startServer(ctx, s, false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		opt.dsn = server.DSN()
	}
	target, closeTarget, err := suiteTarget(ctx, opt.dsn)
	if err != nil {
		return err
	}
	defer func() { err = closeTarget(err) }()
	run := conformance.RunOptions{}
	if len(ids) < len(conformance.Scenarios()) {
		run.Filter = strings.Join(ids, ",")
	}
	if !opt.asJSON {
		run.OnResult = func(r conformance.Result) { printResult(s, r) }
	}
	report := conformance.RunAll(ctx, target, run)
	if opt.asJSON {
		err = json.NewEncoder(s.out).Encode(reportJSON{
			report.Backend, report.Passed, report.Failed, report.Skipped, report.Server, report.Scenarios,
		})
	} else {
		_, err = fmt.Fprintf(s.out, "%s %s: %d passed, %d failed, %d skipped\n", report.Backend, report.Server, report.Passed, report.Failed, report.Skipped)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case report.Failed > 0 || report.Passed == 0:
		return errFailedScenarios
	default:
		return nil
	}
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

// suiteTarget is the suite's target for a DSN. Its Kill has a client of its own,
// which the function that is returned closes.
func suiteTarget(ctx context.Context, text string) (conformance.Target, func(error) error, error) {
	admin, err := connect(ctx, text, postgres.Config{MaxConns: 1})
	if err != nil {
		return conformance.Target{}, nil, err
	}
	target := conformance.Target{
		Name: admin.Backend().Name,
		Connect: func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
			labelled, err := withLabel(text, opt.Label)
			if err != nil {
				return nil, err
			}
			return backends.Connect(ctx, labelled, backends.Config{Postgres: postgres.Config{
				MaxConns: int32(opt.MaxConns), AcquireTimeout: opt.AcquireTimeout, Hooks: opt.Hooks,
			}})
		},
		Kill: func(ctx context.Context, label string) error { return killSessions(ctx, admin, label) },
	}
	return target, func(err error) error { return closeClient(ctx, admin, err) }, nil
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

// killSessions ends an application's sessions, and waits until they are gone.
func killSessions(ctx context.Context, admin duet.Client, label string) error {
	const kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1"
	const left = "select count(*) from pg_stat_activity where application_name = $1"
	if _, err := duet.QueryOne[int64](ctx, admin, kill, label); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := duet.QueryOne[int64](ctx, admin, left, label)
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
