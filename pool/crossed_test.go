package pool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

// Holders who wait for each other, but one of them only for a moment, block
// nobody for long: the other one waits, and gets what the first gives back.
func TestCrossedForAMoment(t *testing.T) {
	for name, shortFirst := range map[string]bool{"the first": true, "the second": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := open(t, 2, nil)
				wait := func(mine *pool.Lease[*thing], d time.Duration) error {
					ctx, stop := context.WithTimeout(t.Context(), d)
					defer stop()
					l, err := p.Acquire(pool.MarkContext(ctx, mine))
					if err == nil {
						l.Release()
					}
					mine.Release()
					return err
				}
				a, b := acquire(t, p), acquire(t, p)
				short, long := make(chan error, 1), make(chan error, 1)
				begin := []func(){
					func() { short <- wait(a, 50*time.Millisecond) },
					func() { long <- wait(b, time.Minute) },
				}
				if !shortFirst {
					begin[0], begin[1] = begin[1], begin[0]
				}
				for _, f := range begin {
					go f()
					synctest.Wait()
				}
				err := <-short
				if e, _ := errors.AsType[*pool.ExhaustedError](err); e == nil || e.Crossed || e.Waited != 50*time.Millisecond {
					t.Errorf("the short wait: %v", err)
				}
				if err := <-long; err != nil {
					t.Errorf("the long wait: %v", err)
				}
			})
		})
	}
}
