package main

import (
	"context"
	"fmt"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
	"github.com/spf13/cobra"
)

// initOptions are the flags of duet init.
type initOptions struct {
	dsn         string
	grant       []string
	print, drop bool
}

func newInit(s streams) *cobra.Command {
	var opt initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the table or type of commit tokens, for Options.ExactlyOnce",
		Long: `Make what Options.ExactlyOnce needs: a place where each transaction leaves a token, by
which a commit is found again whose answer was lost. On PostgreSQL it is the table
duet.commit_token, on EdgeDB the type default::CommitToken. What is there already is
left as it is, so that init may run at each deployment.

On PostgreSQL it should be run by a role that may create schemas in the database, and
the roles of services are named by --grant. Who keeps migrations writes the text of
--print into one of them instead.`,
		Example: `  duet init --dsn postgres://owner@db.example.com/shop --grant shop_service
  duet init --dsn edgedb://edgedb@db.example.com/main --print`,
		Args: arguments(0, 0, "none; the DSN is given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, err := tokensOf(opt)
			if err != nil {
				return err
			}
			if opt.print {
				return printInit(s, place, opt)
			}
			return initialize(cmd.Context(), s, place, opt)
		},
	}
	dsnFlag(cmd, &opt.dsn, dsnUsage)
	cmd.Flags().StringArrayVar(&opt.grant, "grant", nil, "PostgreSQL: a role that is to use it; may be given several times")
	cmd.Flags().BoolVar(&opt.print, "print", false, "print the text instead of running it, and connect to nothing")
	cmd.Flags().BoolVar(&opt.drop, "drop", false, "drop it, with all tokens that are in it")
	return cmd
}

// tokenPlace is where one backend keeps tokens.
type tokenPlace interface {
	// text is what makes it, or drops it.
	text(opt initOptions) string
	// make makes it, and says what it did.
	make(ctx context.Context, client duet.Client, opt initOptions) (did []string, err error)
	// drop drops it, and says what it did.
	drop(ctx context.Context, client duet.Client) (did []string, err error)
}

func tokensOf(opt initOptions) (tokenPlace, error) {
	if opt.drop && len(opt.grant) > 0 {
		return nil, usagef("--grant has no meaning with --drop")
	}
	if err := checkScheme(opt.dsn); err != nil {
		return nil, err
	}
	if dsn.Scheme(opt.dsn) == "postgres" {
		return postgresTokens{}, nil
	}
	if len(opt.grant) > 0 {
		return nil, usagef("--grant is for PostgreSQL: EdgeDB has no grants")
	}
	return edgeTokens{}, nil
}

func printInit(s streams, place tokenPlace, opt initOptions) error {
	_, err := fmt.Fprintln(s.out, place.text(opt))
	return err
}

// initialize connects and makes or drops the place.
func initialize(ctx context.Context, s streams, place tokenPlace, opt initOptions) (err error) {
	client, err := connect(ctx, opt.dsn, clientOptions{maxConns: 1})
	if err != nil {
		return err
	}
	defer func() { err = closeClient(ctx, client, err) }()
	var did []string
	if opt.drop {
		did, err = place.drop(ctx, client)
	} else {
		did, err = place.make(ctx, client, opt)
	}
	for _, line := range did { // also where a later step failed
		fmt.Fprintln(s.out, line)
	}
	return explainInit(err)
}

// explainInit says what to do about the failures that are to be expected.
func explainInit(err error) error {
	switch duet.KindOf(err) {
	case duet.KindPermission:
		return fmt.Errorf("%w\nrun it as a role that may, or have somebody run the text that --print gives", err)
	case duet.KindReadOnly:
		return fmt.Errorf("%w\nthe server takes no writes: name the primary", err)
	default:
		return err
	}
}
