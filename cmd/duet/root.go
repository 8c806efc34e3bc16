package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a mistake of whoever called the command: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// saidError is a failure that the command has told about already.
type saidError struct{ err error }

func (e *saidError) Error() string { return e.err.Error() }

func (e *saidError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// run runs one command line and gives its exit code.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if _, said := errors.AsType[*saidError](err); said {
		return exitFailed
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(s.err, "duet: interrupted")
		return exitFailed
	}
	text := strings.TrimPrefix(err.Error(), "duet: ")
	fmt.Fprintln(s.err, "duet: "+text)
	if !isUsage(err) {
		return exitFailed
	}
	fmt.Fprintf(s.err, "See '%s --help'.\n", cmd.CommandPath())
	return exitUsage
}

func isUsage(err error) bool {
	if _, ok := errors.AsType[*usageError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*dsn.Error](err); ok {
		return true
	}
	return duet.KindOf(err) == duet.KindConfig
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "duet",
		Short:         "One API over PostgreSQL and EdgeDB: a demo and tools",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // cobra's own check would print a DSN that stands in the wrong place
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.AddCommand(newDemo(s), newPing(s), newQuery(s), newDSN(s), newConformance(s), newInit(s), newSoak(s), newTestServer(s), newVersion(s))
	return root
}

// unknownCommand names the command only where it can be one: it may be a DSN.
func unknownCommand(root *cobra.Command, name string) error {
	for _, c := range name {
		if c != '-' && (c < 'a' || c > 'z') {
			return usagef("the first argument is not a command")
		}
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef("there is no command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("there is no command %q", name)
}

// flagError keeps values out of the text: "-phunter2" is a password for some.
func flagError(err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() != "" {
		return usagef("there is no flag -%s", e.GetSpecifiedName())
	}
	return &usageError{err}
}

// arguments checks how many there are, without printing them.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usagef("wrong number of arguments (%d); expected: %s", len(args), what)
		}
		return nil
	}
}
