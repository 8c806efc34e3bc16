package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// contender is a driver, and what was measured of it.
type contender struct {
	driver
	session session
	samples map[string][]sample // by workload, one a round
}

// closeTimeout bounds the closing of a driver's connections.
const closeTimeout = 10 * time.Second

// measure runs the rounds of all workloads. In each, every driver has one
// slice; who begins moves on by one from round to round.
func measure(ctx context.Context, o options, s *server, progress io.Writer) (report report, err error) {
	var field []*contender
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		for _, c := range field {
			err = errors.Join(err, c.session.close(ctx))
		}
	}()
	for _, d := range drivers() {
		opened, err := d.open(ctx, s.dsn)
		if err != nil {
			return report, fmt.Errorf("%s: connecting: %w", d.name, err)
		}
		c := &contender{driver: d, session: opened, samples: map[string][]sample{}}
		field = append(field, c)
		if err := errors.Join(opened.one(ctx), opened.account(ctx)); err != nil {
			return report, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	picked, err := chosen(o.only)
	if err != nil {
		return report, err
	}
	for _, w := range picked {
		fmt.Fprintf(progress, "%s\n", w.name)
		for round := range o.rounds {
			for i := range field {
				c := field[(round+i)%len(field)]
				sm, err := slice(ctx, s, func() (sample, error) { return w.run(ctx, c.session, o, uint64(round)) })
				if err != nil {
					return report, fmt.Errorf("%s: %s: %w", w.name, c.name, err)
				}
				c.samples[w.name] = append(c.samples[w.name], sm)
			}
		}
	}
	return newReport(o, s, picked, field), nil
}

// slice counts the connections that are opened while run runs.
func slice(ctx context.Context, s *server, run func() (sample, error)) (sample, error) {
	before, err := s.opened(ctx)
	if err != nil {
		return sample{}, err
	}
	sm, err := run()
	if err != nil {
		return sm, err
	}
	after, err := s.opened(ctx)
	sm.opened = after - before
	if before < 0 {
		sm.opened = -1
	}
	return sm, err
}
