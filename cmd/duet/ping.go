package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/duetdb/duet"
	"github.com/spf13/cobra"
)

func newPing(s streams) *cobra.Command {
	var dsn string
	var count int
	cmd := &cobra.Command{
		Use:     "ping",
		Short:   "Connect, and measure round trips",
		Example: "  duet ping --dsn postgres://anna@db.example.com/shop --count 100",
		Args:    arguments(0, 0, "none; the DSN is given with --dsn"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 {
				return usagef("--count must be at least 1")
			}
			return ping(cmd.Context(), s, dsn, count)
		},
	}
	dsnFlag(cmd, &dsn, dsnUsage)
	cmd.Flags().IntVar(&count, "count", 10, "how many round trips to measure")
	return cmd
}

func ping(ctx context.Context, s streams, dsn string, count int) (err error) {
	host := ""
	start := time.Now()
	client, err := connect(ctx, dsn, clientOptions{maxConns: 1, hooks: duet.Hooks{
		Connect: func(_ context.Context, c duet.ConnectInfo) {
			if c.Err == nil {
				host = c.Host
			}
		},
	}})
	if err != nil {
		return err
	}
	took := time.Since(start)
	defer func() { err = closeClient(ctx, client, err) }()
	b := client.Backend()
	fmt.Fprintf(s.out, "%s %s at %s, connected in %s\n", b.Name, b.ServerVersion, printable(host), shortDuration(took))
	trips := make([]time.Duration, count)
	for i := range trips {
		start := time.Now()
		if err := client.Ping(ctx); err != nil {
			return err
		}
		trips[i] = time.Since(start)
	}
	slices.Sort(trips)
	_, err = fmt.Fprintf(s.out, "%d round trips: min %s, median %s, p99 %s, max %s\n", count,
		shortDuration(trips[0]), shortDuration(quantile(trips, 0.5)), shortDuration(quantile(trips, 0.99)), shortDuration(trips[count-1]))
	return err
}

// quantile is the smallest of the sorted values that at least the share q of
// them does not exceed; 0 where there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// shortDuration is d with three digits or so.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
}
